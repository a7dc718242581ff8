//! Policies of the greatest depth and size: each has an exact error or none, in bounded memory. The tests of core
//! check the text of the errors.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};

use super::{ended, folder, stderr};

/// The limit of address space for the command, in KiB. It is more than the command touches.
const MOST: u64 = 256 << 10;

const HEAD: &str = r#"{"version": 1, "account": {"from": [{"header": "a"}], "format": "opaque"},"#;
const ROLLOUT: &str = r#""rollouts": [{"name": "r", "v1": "one", "v2": "two", "mode": "on"}]"#;

struct Case {
    what: &'static str,
    text: Vec<u8>,
    code: i32,
    error: &'static str,
}

fn case(what: &'static str, text: impl Into<Vec<u8>>, code: i32, error: &'static str) -> Case {
    Case {
        what,
        text: text.into(),
        code,
        error,
    }
}

fn accounts(count: u32) -> String {
    let mut list = String::new();
    for number in 0..count {
        let comma = if number == 0 { "" } else { "," };
        let _ = write!(list, "{comma}\"{number}\"");
    }
    list
}

fn cases() -> Vec<Case> {
    const DEEP: usize = 500_000;
    let of_mode = |value: &str| {
        format!(
            r#"{HEAD} "rollouts": [{{"name": "r", "v1": "one", "v2": "two", "mode": {value}}}]}}"#
        )
    };
    vec![
        case(
            "lists in lists, never closed",
            "[".repeat(DEEP),
            2,
            "not JSON",
        ),
        case(
            "lists in lists, closed",
            of_mode(&["[".repeat(DEEP), "]".repeat(DEEP)].concat()),
            2,
            "",
        ),
        case(
            "objects in objects",
            of_mode(&["{\"a\":".repeat(DEEP), "1".into(), "}".repeat(DEEP)].concat()),
            2,
            "",
        ),
        case(
            "many accounts",
            format!(
                r#"{HEAD} "segments": {{"s": {{"accounts": [{}]}}}}, {ROLLOUT}}}"#,
                accounts(100_000)
            ),
            0,
            "",
        ),
        case("a long number", of_mode(&"1".repeat(5_000_000)), 2, ""),
        case(
            "more than a file may have",
            vec![b' '; 100_000_000],
            2,
            "it is larger than 64 MiB",
        ),
    ]
}

#[test]
#[expect(
    clippy::disallowed_macros,
    reason = "a test prints for whoever looks at it"
)]
fn huge_policies_are_checked_in_bounded_memory() {
    let folder = folder();
    let path = folder.path();
    for Case {
        what,
        text,
        code,
        error,
    } in cases()
    {
        fs::write(path.join("p.json"), text).expect("a policy");
        let began = std::time::Instant::now();
        let line = format!(
            "ulimit -v {MOST} && exec {} lint p.json",
            env!("CARGO_BIN_EXE_turnout")
        );
        let mut shell = Command::new("sh");
        shell
            .current_dir(path)
            .args(["-c", &line])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let output = ended(shell);
        let printed = stderr(&output);
        eprintln!("{what}: {:?}", began.elapsed());
        assert_eq!(output.status.code(), Some(code), "{what}: {printed}");
        assert!(printed.contains(error), "{what}: {printed}");
        assert!(!printed.contains("panicked"), "{what}: {printed}");
        let printed = output.stdout.len().saturating_add(output.stderr.len());
        assert!((10..5_000).contains(&printed), "{what}: {printed} bytes");
    }
}
