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
        (
            "inject_accounts",
            "simulate guarded.json --accounts accounts.txt --inject v1:errors=0.5% --inject v2:errors=5%",
        ),
        (
            "inject_accounts_json",
            "simulate guarded.json --accounts accounts.txt --inject v2:errors=5% --trials 2 --json",
        ),
        (
            "inject_log",
            "simulate guarded.json --log busy.log --inject v2:errors=5% --at-request 200",
        ),
        (
            "inject_log_json",
            "simulate guarded.json --log busy.log --inject v2:errors=5% --seed 9 --trials 1 --json",
        ),
        (
            "inject_harmless",
            "simulate guarded.json --accounts accounts.txt --inject v2:errors=0.1% --requests 2000 --trials 1",
        ),
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

#[test]
fn a_guard_that_cannot_be_simulated_is_an_error() {
    const FORM: &str = "expected ARM:KIND=PERCENT, for example v2:errors=5%";
    for (arguments, expected) in [
        ("--inject v2=5%", FORM),
        ("--inject v2:errors", FORM),
        (
            "--inject v2:error=5%",
            "unknown kind `error`; did you mean `errors`?",
        ),
        (
            "--inject v3:errors=5%",
            "unknown arm `v3`; expected v1 or v2",
        ),
        (
            "--inject v2:errors=101%",
            "`101%` is not a percentage; expected a number from 0 to 100",
        ),
        (
            "--inject v2:errors=1% --inject v2:errors=2%",
            "`v2:errors` is set twice; remove one of them",
        ),
        (
            "--inject v2:slow=5%",
            "guarded.json: the guard of rollout `chat` does not compare slow requests",
        ),
        (
            "--inject v2:errors=5% --rollout chad",
            "did you mean `chat`?",
        ),
        (
            "--inject v2:errors=5% --at-request 3 --requests 2",
            "choose a lower --at-request",
        ),
        ("--inject v2:errors=5% --at-request 0", "0 is not in 1.."),
        ("--inject v2:errors=5% --requests 0", "0 is not in 1.."),
        ("--inject v2:errors=5% --rate 0", "0 is not in 1..=100000"),
        (
            "--inject v2:errors=5% --rate 100001",
            "100001 is not in 1..=100000",
        ),
        ("--inject v2:errors=5% --trials 0", "0 is not in 1..=1000"),
        (
            "--inject v2:errors=5% --trials 1001",
            "1001 is not in 1..=1000",
        ),
        (
            "--inject v2:errors=5% --error-ms 300001",
            "300001 is not in 0..=300000",
        ),
        ("--inject v2:errors=5% --seed x", "invalid value 'x'"),
        ("--at-request 2", "--inject <ARM:KIND=PERCENT>"),
        ("--trials 2", "--inject <ARM:KIND=PERCENT>"),
    ] {
        let (code, out, err) = run(&format!(
            "simulate guarded.json --accounts accounts.txt {arguments}"
        ));
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments}");
        assert!(err.contains(expected), "{arguments}: {err}");
    }
    for (arguments, expected) in [
        (
            "simulate policy.json --accounts accounts.txt --inject v2:errors=5%",
            "policy.json: no rollout in mode `split` or `on` has a guard; add \"guard\": {} to the rollout",
        ),
        (
            "simulate policy.json --accounts accounts.txt --inject v2:errors=5% --rollout chat",
            "policy.json: rollout `chat` has no guard; add \"guard\": {} to the rollout",
        ),
        (
            "simulate guarded.json --accounts empty --inject v2:errors=5%",
            "empty has no accounts: it is empty",
        ),
        (
            "simulate guarded.json --log blank --inject v2:errors=5%",
            "blank has no requests: it is empty",
        ),
        (
            "simulate guarded.json --log busy.log --inject v2:errors=5% --field start_time=path",
            "the log has no times, and a guard needs them",
        ),
        (
            "simulate guarded.json --log busy.log --inject v2:errors=5% --threads 2",
            "cannot be used with",
        ),
        (
            "simulate guarded.json --log busy.log --inject v2:errors=5% --rate 2",
            "cannot be used with",
        ),
        (
            "simulate guarded.json --inject v2:errors=5%",
            "--accounts <FILE>|--log <FILE>",
        ),
    ] {
        let (code, out, err) = run(arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments}");
        assert!(err.contains(expected), "{arguments}: {err}");
    }
}
