//! Runs `turnout simulate`.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "common/bulk.rs"]
mod bulk;
mod common;

use serde_json::Value;

use bulk::run;

/// The expected texts are in files; `UPDATE_EXPECT=1` rewrites them.
#[test]
fn the_output_is_exact() {
    for (name, arguments) in [
        ("accounts", "simulate policy.json --accounts accounts.txt"),
        ("log", "simulate policy.json --log envoy.log"),
        (
            "accounts_json",
            "simulate policy.json --accounts accounts.txt --json",
        ),
        ("log_json", "simulate policy.json --log envoy.log --json"),
    ] {
        let (code, out, err) = run(arguments);
        let path = format!(
            "{}/tests/expected/simulate/{name}.txt",
            env!("CARGO_MANIFEST_DIR")
        );
        let found = format!("{err}exit {}\n{out}", code.unwrap_or(-1));
        expect_test::expect_file![path].assert_eq(&found);
    }
}

#[test]
fn json_has_the_same_numbers_as_the_text() {
    let json = |arguments: &str| -> Value {
        let (_, out, _) = run(&format!("{arguments} --json"));
        serde_json::from_str(&out).expect("JSON")
    };
    let report = json("simulate policy.json --accounts accounts.txt");
    assert_eq!(report["at"], "2026-12-01T09:00:00Z");
    assert_eq!(report["rollouts"][0]["total"]["accounts"], 12);
    assert_eq!(report["rollouts"][0]["segments"][0]["segment"], "hvc");
    assert_eq!(
        report["rollouts"][0]["rules"][0]["requests_millionths"],
        10_000_000
    );
    let traffic = json("simulate policy.json --log envoy.log");
    assert_eq!(traffic["log"]["unreadable"]["first"][0]["line"], 3);
    assert_eq!(traffic["log"]["span"]["first"], "2026-11-21T00:00:00Z");
    assert_eq!(traffic["missing_fields"][0]["field"], "request_id");
}

#[test]
fn a_mode_that_serves_v1_shows_what_split_would_do() {
    let (_, out, _) = run("simulate dark.json --accounts accounts.txt");
    assert!(
        out.contains("chat (dark: v1 serves everyone; the counts are for split)\n"),
        "{out}"
    );
}

#[test]
fn a_bad_number_of_threads_is_an_error() {
    for threads in ["0", "257", "20000", "18446744073709551615", "x"] {
        let (code, out, err) = run(&format!(
            "simulate policy.json --log envoy.log --threads {threads}"
        ));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{threads}");
        assert!(err.contains("expected a number from 1 to 256"), "{err}");
    }
}
