//! The cost of a decision as a number of wasm instructions, in core built like the filter. An interpreter counts
//! them, so they are the same on every machine. A file next to this one has the numbers, so a change in cost is
//! visible.
//!
//! `UPDATE_EXPECT=1 cargo test -p turnout-tests --test mock instruction_count` rewrites the file.

use std::collections::BTreeSet;

use support::corpus::{Scenario, borrowed};
use support::instruction_count::Counted;
use support::sized_policy::{By, Pair, Size};
use turnout_core::{Configuration, Inbound};

use crate::instruction_table::Table;

/// The number of requests that the mean is taken of.
const REQUESTS: u32 = 32;

/// Instructions of reading a request and of deciding it, by what is decided.
type Numbers = Vec<(String, [u64; 2])>;

#[test]
fn a_decision_takes_as_many_instructions_as_it_did() {
    let mut table = Table::new(["read", "decide"]);
    for (name, numbers) in [scenes(), reasons(), spellings()].into_iter().flatten() {
        table.insert(name, numbers);
    }
    table.check("instruction_count.txt", "a decision");
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
            numbers.push((name, counted.count(&borrowed(&case.request.pairs()))));
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
        numbers.push((format!("account: {name}"), counted.count(&borrowed(&pairs))));
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
