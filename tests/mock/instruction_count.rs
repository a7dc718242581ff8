//! The cost of a decision as a number of wasm instructions, in core built like the filter. An interpreter counts
//! them, so they are the same on every machine. A file beside this one has the numbers, so a change in cost is
//! visible.
//!
//! They also depend on the compiler. With the version that the file names, a number may differ by 1 %, with
//! another one by 15 %, because a newer compiler is not a mistake of the developer.
//!
//! `UPDATE_EXPECT=1 cargo test -p turnout-tests --test mock instruction_count` rewrites the file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::corpus::{Scenario, borrowed};
use support::instruction_count::Counted;
use support::sized_policy::{By, Pair, Size};
use turnout_core::{Configuration, Inbound};

/// The number of requests that the mean is taken of.
const REQUESTS: u32 = 32;

/// Instructions of reading a request and of deciding it, by what is decided.
type Numbers = BTreeMap<String, [u64; 2]>;

#[test]
fn a_decision_takes_as_many_instructions_as_it_did() {
    let counted = [scenes(), reasons(), spellings()].into_iter().flatten();
    let counted: Numbers = counted.collect();
    let compiler = compiler();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let text = written(&compiler, &counted);
        std::fs::write(kept_at(), text).expect("the numbers can be written");
        return;
    }
    let text = std::fs::read_to_string(kept_at()).expect("the numbers");
    let (kept_compiler, kept) = read(&text);
    let band = if kept_compiler == compiler { 1 } else { 15 };
    let problems = differences(&kept, &counted, band);
    assert!(
        problems.is_empty(),
        "the instructions of a decision differ from {}, measured with {kept_compiler} (here: \
         {compiler}):\n{problems}If the change is intended, run with UPDATE_EXPECT=1 to update the file.",
        kept_at().display()
    );
}

/// The cost does not depend on the number of accounts, and grows much slower than the number of rollouts.
#[test]
fn more_accounts_and_more_rollouts_cost_little() {
    let of = |accounts, rollouts, by| {
        let (_, [read, decide]) = scene(accounts, rollouts, by);
        (read, decide)
    };
    let (read, least) = of(10, 1, By::Path);
    let (read_of_many, many_accounts) = of(100_000, 1, By::Path);
    assert!(read_of_many <= read + 1, "{read} {read_of_many}");
    assert!(many_accounts <= least * 3 / 2, "{least} {many_accounts}");
    for by in [By::Path, By::Host] {
        let (_, many_rollouts) = of(10, 1_000, by);
        assert!(many_rollouts <= least * 5, "{least} {many_rollouts}");
    }
}

/// Policies by their numbers of accounts and rollouts.
fn scenes() -> Numbers {
    [
        (10, 1, By::Path),
        (100_000, 1, By::Path),
        (10, 10, By::Path),
        (10, 1_000, By::Path),
        (10, 1_000, By::Host),
    ]
    .map(|(accounts, rollouts, by)| scene(accounts, rollouts, by))
    .into()
}

fn scene(accounts: u32, rollouts: u32, by: By) -> (String, [u64; 2]) {
    let size = Size {
        accounts,
        rollouts,
        by,
    };
    let mut counted = Counted::start();
    counted.configure(&Configuration::to_json(&size.policy(), Inbound::Strip), "");
    let mut sums = [0; 2];
    for number in 0..REQUESTS {
        // Requests from all over the rollouts and accounts.
        let [read, decide] = counted.count(&borrowed(&size.request(number.wrapping_mul(7_919))));
        sums = [sums[0] + read, sums[1] + decide];
    }
    let name = format!("{accounts} accounts, {rollouts} rollouts by {by:?}").to_lowercase();
    (name, sums.map(|sum| sum / u64::from(REQUESTS)))
}

/// The first case of the corpus for each reason.
fn reasons() -> Numbers {
    let mut seen = BTreeSet::new();
    let mut numbers = Numbers::new();
    for (file, scenario) in Scenario::all() {
        let mut counted: Option<Counted> = None;
        for case in &scenario.cases {
            if !seen.insert(case.expect.reason.clone()) {
                continue;
            }
            let counted = counted.get_or_insert_with(|| {
                let mut counted = Counted::start();
                counted.configure(&scenario.configuration(), &scenario.region);
                counted
            });
            let name = format!("{}: {file}, {}", case.expect.reason, case.name);
            numbers.insert(name, counted.count(&borrowed(&case.request.pairs())));
        }
    }
    numbers
}

/// An account in each source, and requests without one.
fn spellings() -> Numbers {
    let policy = r#"{
        "version": 1,
        "account": {"from": [{"header": "x-account-sid"}, {"basic_auth": "username"},
                             {"path": "/v1/Accounts/{account}/**"}], "format": "sid"},
        "segments": {"hvc": {"accounts": ["AC7342e9713fa896e4af00c654c444aada"]}},
        "rollouts": [{"name": "chat", "v1": "channels-v1", "v2": "channels-v2", "mode": "split",
                      "rules": [{"when": {"in": ["hvc"]}}]}]
    }"#;
    let sid = "AC7342e9713fa896e4af00c654c444aada";
    let basic = "Basic QUM3MzQyZTk3MTNmYTg5NmU0YWYwMGM2NTRjNDQ0YWFkYTpzZWNyZXQ=";
    let path = format!("/v1/Accounts/{sid}/Calls");
    let encoded = path.replace("73", "%37%33");
    let mut counted = Counted::start();
    counted.configure(&Configuration::to_json(policy, Inbound::Strip), "");
    let mut numbers = Numbers::new();
    let long = "x".repeat(60_000);
    let mut of = |name: &str, headers: &[(&str, &str)]| {
        let pairs: Vec<Pair> = headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        numbers.insert(format!("account: {name}"), counted.count(&borrowed(&pairs)));
    };
    of("in a header", &[(":path", "/"), ("x-account-sid", sid)]);
    of("in basic auth", &[(":path", "/"), ("authorization", basic)]);
    of("in the path", &[(":path", &path)]);
    of("in the path, percent-encoded", &[(":path", &encoded)]);
    of("nowhere", &[(":path", "/")]);
    of("malformed", &[(":path", "/"), ("x-account-sid", "AC7342")]);
    of(
        "malformed, 60 KB",
        &[(":path", "/"), ("x-account-sid", &long)],
    );
    numbers
}

fn differences(kept: &Numbers, counted: &Numbers, band: u64) -> String {
    let mut text = String::new();
    for name in kept.keys().chain(counted.keys()).collect::<BTreeSet<_>>() {
        let (kept, counted) = (kept.get(name), counted.get(name));
        let is_near = kept.zip(counted).is_some_and(|(kept, counted)| {
            let mut pairs = kept.iter().zip(counted);
            pairs.all(|(kept, counted)| kept.abs_diff(*counted) * 100 <= kept * band + 100)
        });
        if !is_near {
            let _ = writeln!(text, "  {name}: {kept:?} are now {counted:?}");
        }
    }
    text
}

fn kept_at() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("mock/instruction_count.txt")
}

fn written(compiler: &str, numbers: &Numbers) -> String {
    let mut text = format!("{compiler}\n\n  read  decide\n");
    for (name, [read, decide]) in numbers {
        let _ = writeln!(text, "{read:6}  {decide:6}  {name}");
    }
    text
}

/// The compiler, and the numbers.
fn read(text: &str) -> (String, Numbers) {
    let mut lines = text.lines();
    let compiler = lines.next().unwrap_or_default().to_owned();
    let numbers = lines.skip(2).map(|line| {
        let mut parts = line.trim_start().splitn(2, "  ");
        let read = parts.next().unwrap_or_default();
        let mut rest = parts
            .next()
            .unwrap_or_default()
            .trim_start()
            .splitn(2, "  ");
        let decide = rest.next().unwrap_or_default();
        let number = |text: &str| {
            text.trim()
                .parse()
                .unwrap_or_else(|e| panic!("{line}: {e}"))
        };
        let name = rest.next().unwrap_or_default().to_owned();
        (name, [number(read), number(decide)])
    });
    (compiler, numbers.collect())
}

fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    let output = output.expect("rustc starts");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn written_entries_are_read_back() {
    let numbers = Numbers::from([("a: b,  c".to_owned(), [1, 20]), ("d".to_owned(), [300, 0])]);
    let text = written("rustc 1", &numbers);
    assert_eq!(read(&text), ("rustc 1".to_owned(), numbers.clone()));
    let mut more = numbers.clone();
    more.insert("d".to_owned(), [305, 0]);
    assert_eq!(differences(&numbers, &more, 15), "");
    assert!(differences(&numbers, &more, 1).contains("[300, 0]"));
    more.remove("d");
    assert!(!differences(&numbers, &more, 15).is_empty());
}
