//! Simulated guards: what trips them, after how many errors, and what they count.

use std::num::NonZeroUsize;

use serde_json::json;
use turnout_core::guard::{GuardState, Guards, OtherWorkers, Response, RolloutGuard};
use turnout_core::{
    Account, FileQuoting, Headers, Inbound, Plan, Reason, Rollout, Time, Treatment, decide_guarded,
};
use turnout_simulate::{
    AccountRequests, AccountTraffic, InjectedLog, InjectedRates, Injection, InjectionError,
    InjectionReport, ListOptions, LogFields, Outcome, Replay, TrialResult,
};

const AT: Time = Time::from_seconds(1_800_000_000);

fn policy(requests: &str, guard: &str) -> Plan {
    rules(
        &format!(r#"{{ "accounts": 100, "requests": {requests} }}"#),
        guard,
    )
}

fn rules(rules: &str, guard: &str) -> Plan {
    let policy = format!(
        r#"{{ "version": 1, "account": {{ "from": [{{ "header": "x-account" }}], "format": "opaque" }},
             "segments": {{ "all": {{ "accounts": ["a1"] }} }},
             "rollouts": [{{ "name": "chat", "match": {{ "path": {{ "prefix": "/chat" }} }}, "v1": "a", "v2": "b",
                             "mode": "split", "rules": [{rules}], "guard": {guard} }}] }}"#
    );
    Plan::from_json(&policy).expect("a valid policy")
}

fn injection<'p>(plan: &'p Plan, rates: &[&str]) -> Injection<'p> {
    let mut injected = InjectedRates::default();
    for rate in rates {
        injected.add(rate).expect("a rate");
    }
    Injection {
        plan,
        rollout: Injection::only_guarded_rollout(plan).expect("a guard"),
        at: AT,
        rates: injected,
        at_request: 1,
        error_ms: 0,
        trials: 20,
        seed: 1,
    }
}

fn traffic(plan: &Plan, accounts: usize) -> AccountTraffic {
    let list: String = (1..=accounts)
        .map(|number| format!("a{number}\n"))
        .collect();
    let options = ListOptions {
        column: None,
        text: FileQuoting::Shown,
    };
    AccountTraffic::read(plan, &options, list.as_bytes()).expect("a list")
}

fn run(injection: &Injection<'_>, per_second: u32, requests: u64) -> InjectionReport {
    let sent = AccountRequests {
        per_second,
        requests,
    };
    let report = injection.with_accounts(traffic(injection.plan, 1_000), sent);
    report.expect("a report")
}

fn replay() -> Replay {
    Replay {
        fields: LogFields::default(),
        format: None,
        threads: NonZeroUsize::MIN,
    }
}

fn run_log(
    injection: &Injection<'_>,
    log: &str,
) -> (InjectedLog, Result<InjectionReport, InjectionError>) {
    injection
        .with_log(&replay(), log.as_bytes())
        .expect("it is read")
}

fn line(seconds: i64, account: &str, id: &str) -> String {
    let time = Time::from_seconds(seconds).to_string();
    let line =
        json!({ "start_time": time, "account": account, "path": "/chat/1", "request_id": id });
    format!("{line}\n")
}

fn outcomes(report: &InjectionReport) -> Vec<Outcome> {
    report.trials.iter().map(|trial| trial.outcome).collect()
}

/// As `tests/core/guard/delay.rs`, with the requests and decisions of a policy.
#[test]
fn a_v2_that_fails_ten_times_as_often_trips_after_a_median_of_few_errors() {
    let plan = policy("5", "{}");
    let injection = Injection {
        trials: 60,
        ..injection(&plan, &["v1:errors=0.1%", "v2:errors=1%"])
    };
    let report = run(&injection, 100, 2_000_000);
    let [tripped] = report.results.as_slice() else {
        panic!("{:?}", report.results);
    };
    assert_eq!((tripped.outcome, tripped.trials), (Outcome::Tripped, 60));
    let errors = tripped.v2_errors;
    assert!(
        (4..=7).contains(&errors.median) && errors.most <= 20,
        "{errors:?}"
    );
    // It trips when the errors have settled, and holds until then.
    for trial in &report.trials {
        let [stopped, tripped] =
            [trial.v2_stopped, trial.tripped].map(|moment| moment.expect("a moment").ms);
        assert!(
            stopped < tripped && tripped <= stopped + 21_000,
            "{trial:?}"
        );
        assert!(trial.accounts_with_v2_error <= trial.v2_errors);
        assert!(trial.accounts_on_v2 <= trial.v2_requests && trial.v2_requests < trial.requests);
    }
}

#[test]
fn a_v2_that_always_fails_trips_after_at_most_fifteen_errors() {
    let plan = policy("50", "{}");
    let injection = Injection {
        trials: 200,
        ..injection(&plan, &["v2:errors=100%"])
    };
    let report = run(&injection, 4, 1_000);
    assert!(
        outcomes(&report)
            .iter()
            .all(|outcome| *outcome == Outcome::Tripped)
    );
    let errors = report.results[0].v2_errors;
    assert!(errors.median <= 14 && errors.most <= 15, "{errors:?}");
    let needed = report.guard.strata[0].errors_needed;
    assert!(
        needed.is_some_and(|needed| needed <= errors.median),
        "{needed:?}"
    );
}

#[test]
fn arms_that_fail_alike_trip_nothing() {
    let plan = policy("20", r#"{ "slow": { "over_ms": 500 }, "errors": {} }"#);
    for rates in [
        &["v1:errors=30%"][..],
        &["v2:errors=0"],
        &["v1:errors=5", "v2:errors=5", "v1:slow=100%"],
    ] {
        let injection = Injection {
            trials: 5,
            ..injection(&plan, rates)
        };
        let report = run(&injection, 1_000, 60_000);
        assert_eq!(outcomes(&report), [Outcome::NotTripped; 5], "{rates:?}");
        assert_eq!(report.trials[0].requests, 60_000);
        assert!(
            report
                .to_text()
                .contains("The guard does not trip in 5 of 5 trials: the evidence")
        );
    }
}

#[test]
fn a_trial_can_be_repeated_by_its_seed() {
    let plan = policy("20", "{}");
    let all = injection(&plan, &["v2:errors=5%"]);
    let report = run(&all, 100, 100_000);
    assert_eq!(run(&all, 100, 100_000), report);
    for trial in &report.trials {
        let one = Injection {
            trials: 1,
            seed: trial.seed,
            ..all
        };
        assert_eq!(run(&one, 100, 100_000).trials, std::slice::from_ref(trial));
    }
    let last = Injection {
        seed: u64::MAX,
        ..all
    };
    assert_eq!(run(&last, 100, 100_000).trials[1].seed, 0);
}

#[test]
fn counts_begin_with_the_first_request_that_can_fail() {
    let plan = policy("50", "{}");
    let injection = Injection {
        at_request: 5_001,
        trials: 1,
        ..injection(&plan, &["v2:errors=100%"])
    };
    let trial = &run(&injection, 100, 20_000).trials[0];
    // After 2,500 requests of v2 without an error, one second is still enough.
    assert_eq!(trial.outcome, Outcome::Tripped);
    assert_eq!(trial.v2_errors, trial.v2_requests);
    assert_eq!(trial.v2_stopped.expect("a moment").ms, 1_000);
    assert_eq!(trial.v2_stopped.expect("a moment").requests, 100);
    let report = injection.with_accounts(
        traffic(&plan, 10),
        AccountRequests {
            per_second: 1,
            requests: 5_000,
        },
    );
    let error = report.expect_err("an error");
    assert_eq!(
        error.to_string(),
        "v2 never fails: rollout `chat` has 5000 requests, and the first to fail is number 5001; choose a lower \
         --at-request"
    );
}

#[test]
fn errors_that_take_long_are_seen_by_more_users() {
    let plan = policy("50", "{}");
    let [at_once, late, too_late] = [0, 10_000, 22_000].map(|error_ms| {
        let injection = Injection {
            error_ms,
            trials: 1,
            ..injection(&plan, &["v2:errors=100%"])
        };
        run(&injection, 100, 10_000)
    });
    let stopped = |report: &InjectionReport| report.trials[0].v2_stopped.map(|moment| moment.ms);
    assert_eq!(stopped(&at_once), Some(1_000));
    assert_eq!(stopped(&late), Some(11_000));
    assert!(
        late.trials[0].v2_errors > 9 * at_once.trials[0].v2_errors,
        "{late:?}"
    );
    // What ends after `settle_seconds` does not count.
    assert_eq!(outcomes(&too_late), [Outcome::NotTripped]);
    let text = too_late.to_text();
    assert!(
        text.contains("An error takes 22,000 ms, and the guard counts none that takes longer than `settle_seconds`, 20 s."),
        "{text}"
    );
}

#[test]
fn a_guard_that_only_reports_stops_nothing() {
    let plan = policy("50", r#"{ "action": "report" }"#);
    let report = run(&injection(&plan, &["v2:errors=20%"]), 100, 10_000);
    for trial in &report.trials {
        assert_eq!(
            (trial.outcome, trial.v2_stopped),
            (Outcome::Tripped, None),
            "{trial:?}"
        );
    }
    assert!(
        report
            .to_text()
            .contains("`action` is `report`, so v2 still serves requests")
    );
}

#[test]
fn slow_requests_trip_a_guard_that_compares_them() {
    let plan = policy("50", r#"{ "slow": { "over_ms": 1500 } }"#);
    let report = run(
        &injection(&plan, &["v1:slow=1%", "v2:slow=20%"]),
        100,
        100_000,
    );
    assert_eq!(report.results[0].trials, 20, "{:?}", report.results);
    assert_eq!(report.results[0].v2_errors.most, 0);
    assert!(
        report.to_text().contains(" slow requests of v2 ("),
        "{}",
        report.to_text()
    );
}

#[test]
fn a_limit_needs_no_control() {
    for plan in [
        policy("100", r#"{ "limit": { "error_percent": 2 } }"#),
        policy(
            "100",
            r#"{ "errors": {}, "limit": { "error_percent": 2 } }"#,
        ),
    ] {
        let report = run(&injection(&plan, &["v2:errors=50%"]), 100, 10_000);
        assert_eq!(report.results[0].outcome, Outcome::Tripped);
        assert_eq!(report.guard.strata[0].errors_needed, None);
    }
}

#[test]
fn an_account_is_sent_to_v1_alone() {
    let plan = policy("50", r#"{ "accounts": {} }"#);
    let injection = Injection {
        trials: 3,
        ..injection(&plan, &["v2:errors=100%"])
    };
    let sent = AccountRequests {
        per_second: 10,
        requests: 10_000,
    };
    let report = injection
        .with_accounts(traffic(&plan, 1), sent)
        .expect("a report");
    for trial in &report.trials {
        assert_eq!(
            (trial.outcome, trial.ejected_accounts),
            (Outcome::NotTripped, 1),
            "{trial:?}"
        );
        assert!(trial.v2_errors < 100, "{trial:?}");
        assert_eq!((trial.accounts_on_v2, trial.accounts_with_v2_error), (1, 1));
    }
}

#[test]
fn requests_that_are_not_compared_count_apart() {
    let plan = rules(
        r#"{ "when": { "in": ["all"] }, "accounts": 100, "requests": 100 }, { "accounts": 100, "requests": 50 }"#,
        "{}",
    );
    let injection = Injection {
        trials: 1,
        ..injection(&plan, &["v2:errors=0%"])
    };
    let sent = AccountRequests {
        per_second: 10,
        requests: 3_000,
    };
    let report = injection
        .with_accounts(traffic(&plan, 2), sent)
        .expect("a report");
    let trial = &report.trials[0];
    assert!(trial.v2_not_compared.abs_diff(1_500) < 100, "{trial:?}");
    assert!(trial.v2_requests.abs_diff(2_250) < 100, "{trial:?}");
    let text = report.to_text();
    assert!(text.contains("The guard does not compare 6"), "{text}");
}

struct OnlyGuard<'g>(&'g RolloutGuard);

impl Guards for OnlyGuard<'_> {
    fn reason(&self, rollout: &Rollout, account: &Account<'_>) -> Option<Reason> {
        self.0.reason(rollout, account)
    }
}

/// Every request of v2 fails, so which one fails needs no seed.
#[test]
fn a_trial_with_a_log_does_what_a_proxy_does() {
    let plan = policy("10", r#"{ "settle_seconds": 7 }"#);
    let requests: Vec<(i64, String, String)> = (0..3_000)
        .map(|number| {
            (
                1_700_000_000 + number / 7,
                format!("a{}", number % 50),
                format!("i{number}"),
            )
        })
        .collect();
    let log: String = requests
        .iter()
        .map(|(time, account, id)| line(*time, account, id))
        .collect();
    let injection = Injection {
        trials: 1,
        ..injection(&plan, &["v2:errors=100%"])
    };
    let (_, report) = run_log(&injection, &log);
    let found = report.expect("a report").trials[0].clone();

    let rollout = injection.rollout;
    let epoch = rollout.guard.as_ref().expect("a guard").epoch;
    let mut guard = RolloutGuard::new(rollout).expect("a guard");
    let (mut second, mut errors, mut v2_stopped) = (requests[0].0, 0, None);
    let mut tripped = None;
    for (time, account, id) in &requests {
        while second < *time {
            second += 1;
            guard.guard_mut().tick(&OtherWorkers::new(epoch));
            let since = u64::try_from(second - requests[0].0).expect("a time") * 1_000;
            match guard.guard().state() {
                GuardState::Armed | GuardState::Invalid => v2_stopped = None,
                GuardState::Holding => v2_stopped = v2_stopped.or(Some(since)),
                GuardState::Tripped => {
                    v2_stopped = v2_stopped.or(Some(since));
                    tripped = tripped.or(Some(since));
                }
            }
        }
        let headers = [
            (&b"x-account"[..], account.as_bytes()),
            (b"x-request-id", id.as_bytes()),
            (b":path", b"/chat/1"),
        ];
        let request = plan.request(Headers::new(&headers), Inbound::Strip, AT);
        let decision = decide_guarded(&plan, &OnlyGuard(&guard), &request);
        let is_v2 = decision.treatment == Treatment::V2;
        let response = if is_v2 {
            Response::Error
        } else {
            Response::Success
        };
        errors += u64::from(is_v2);
        if let Some(request) = guard.note_decision(&decision, &request) {
            guard.guard_mut().note_end(request, response, 0);
        }
    }
    assert_eq!(guard.guard().state(), GuardState::Tripped);
    assert_eq!((found.outcome, found.v2_errors), (Outcome::Tripped, errors));
    assert_eq!(found.v2_stopped.map(|moment| moment.ms), v2_stopped);
    assert_eq!(found.tripped.map(|moment| moment.ms), tripped);
}

/// Years without a request take no time, and change nothing but the times.
#[test]
fn a_gap_of_years_in_a_log_is_skipped() {
    let plan = policy(
        "10",
        r#"{ "settle_seconds": 7, "accounts": {}, "slow": { "over_ms": 500 }, "errors": {} }"#,
    );
    let log = |gap: i64| -> String {
        let number = |number: i64| {
            let time = number / 10 + if number < 200 { 0 } else { gap };
            line(time, &format!("a{}", number % 9), &format!("i{number}"))
        };
        (0..20_000).map(number).collect()
    };
    let simulated = |gap| -> Vec<TrialResult> {
        let injection = injection(&plan, &["v1:errors=0.5%", "v2:errors=4%", "v2:slow=1%"]);
        let (read, report) = run_log(&injection, &log(gap));
        assert_eq!(read.out_of_order.requests, 0);
        let mut trials = report.expect("a report").trials;
        for trial in &mut trials {
            assert_eq!(trial.outcome, Outcome::Tripped);
            for moment in trial.v2_stopped.iter_mut().chain(&mut trial.tripped) {
                moment.ms = 0;
            }
        }
        trials
    };
    let short = simulated(3_003);
    assert_eq!(simulated(3_003 + 7 * 100_000_000), short);
    assert_eq!(simulated(3_003 + 7 * 10_000_000_000), short);
}

#[test]
fn a_log_whose_times_go_back_is_simulated_at_the_latest_time() {
    let plan = policy("50", "{}");
    let lines = |time: fn(i64) -> i64| -> String {
        (0..3_000)
            .map(|number| line(time(number), "a1", &format!("i{number}")))
            .collect()
    };
    let injection = injection(&plan, &["v2:errors=50%"]);
    let (read, report) = run_log(&injection, &lines(|number| 1_000 - number));
    assert_eq!(
        (read.out_of_order.requests, read.out_of_order.most_ms),
        (2_999, 2_999_000)
    );
    let warning = read.out_of_order.warning().expect("a warning");
    assert!(
        warning.starts_with("the times of the log go back by up to 2999 s"),
        "{warning}"
    );
    // All of them are in one second.
    assert_eq!(report.expect("a report").results[0].requests.most, 3_000);

    let (read, _) = run_log(&injection, &lines(|number| number / 10 - (number % 3)));
    assert!(read.out_of_order.requests > 0);
    assert_eq!(read.out_of_order.warning(), None);
}

#[test]
fn a_client_that_chooses_its_ids_makes_the_guard_invalid() {
    let plan = policy("10", "{}");
    let takes_v2 = |id: &String| {
        let headers = [
            (&b"x-account"[..], &b"a1"[..]),
            (b"x-request-id", id.as_bytes()),
            (b":path", b"/chat"),
        ];
        let request = plan.request(Headers::new(&headers), Inbound::Strip, AT);
        turnout_core::decide(&plan, &request).treatment == Treatment::V2
    };
    let ids = (0..).map(|number| format!("i{number}")).filter(takes_v2);
    let log: String = (0..)
        .zip(ids.take(300))
        .map(|(time, id)| line(time / 10, "a1", &id))
        .collect();
    let (_, report) = run_log(&injection(&plan, &["v2:errors=0"]), &log);
    let report = report.expect("a report");
    assert_eq!(outcomes(&report), [Outcome::Invalid; 20]);
    assert!(
        report
            .to_text()
            .contains("The arms are out of balance in 20 of 20 trials, so the guard does not act."),
        "{}",
        report.to_text()
    );
}

#[test]
fn a_log_that_is_not_enough_is_an_error() {
    let plan = policy("50", "{}");
    let injection = injection(&plan, &["v2:errors=50%"]);
    let other =
        r#"{"start_time":"2026-11-21T00:00:00Z","account":"a1","path":"/other","request_id":"i"}"#;
    let without_time = r#"{"response_code":200,"account":"a1","path":"/chat","request_id":"i"}"#;
    for (log, expected) in [
        (other, "no request belongs to rollout `chat`"),
        ("", "no request belongs to rollout `chat`"),
        (
            without_time,
            "the log has no times, and a guard needs them; log %START_TIME% as `start_time`, or map its field with \
             --field start_time=FIELD",
        ),
    ] {
        let (_, report) = run_log(&injection, log);
        assert_eq!(report.expect_err("an error").to_string(), expected, "{log}");
    }
    let without_id = line(0, "a1", "i").replace("request_id", "other");
    let (read, report) = run_log(&injection, &without_id);
    assert_eq!(read.missing_fields[0].field, "request_id");
    assert_eq!(report.expect("a report").trials[0].v2_requests, 0);
}

#[test]
fn a_guard_that_cannot_find_what_is_injected_is_an_error() {
    for (from, to, rate, expected) in [
        (
            r#""guard": {}"#,
            r#""rules": []"#,
            "v2:errors=1",
            "rollout `chat` has no guard; add \"guard\": {} to the rollout",
        ),
        (
            "split",
            "dark",
            "v2:errors=1",
            "rollout `chat` has mode `dark`, in which v2 serves no request and no guard runs; set the mode to `split`",
        ),
        (
            "split",
            "off",
            "v2:errors=1",
            "rollout `chat` has mode `off`, in which v2 serves no request and no guard runs; set the mode to `split`",
        ),
        (
            r#""mode""#,
            r#""halted": true, "mode""#,
            "v2:errors=1",
            "rollout `chat` is halted, so v2 serves no request; remove `halted` from the policy and from the rollout",
        ),
        (
            r#""version": 1"#,
            r#""version": 1, "halted": true"#,
            "v2:errors=1",
            "rollout `chat` is halted, so v2 serves no request; remove `halted` from the policy and from the rollout",
        ),
        (
            r#""requests": 50"#,
            r#""requests": 100"#,
            "v2:errors=1",
            "the guard of rollout `chat` compares no request, because no rule has `requests` above 0 and below 100; write \"requests\": 99 to keep 1 % of the requests as a control, or add `limit` to the guard",
        ),
        (
            r#""requests": 50"#,
            r#""requests": 0"#,
            "v2:errors=1",
            "the guard of rollout `chat` compares no request, because no rule has `requests` above 0 and below 100; write \"requests\": 99 to keep 1 % of the requests as a control, or add `limit` to the guard",
        ),
        (
            "split",
            "on",
            "v2:errors=1",
            "the guard of rollout `chat` compares no request, because v2 serves all of them; add `limit` to the guard, or use mode `split` with a rule that has `requests` below 100",
        ),
        (
            "split",
            "split",
            "v2:slow=1",
            "the guard of rollout `chat` does not compare slow requests; add `slow` to the guard, or inject errors",
        ),
        (
            r#""guard": {}"#,
            r#""guard": { "slow": { "over_ms": 5 } }"#,
            "v1:errors=1",
            "the guard of rollout `chat` does not compare errors; add `errors` to the guard, or inject slow requests",
        ),
    ] {
        let text = r#"{ "version": 1, "account": { "from": [{ "header": "x-account" }], "format": "opaque" },
            "rollouts": [{ "name": "chat", "match": {}, "v1": "a", "v2": "b", "mode": "split",
                           "rules": [{ "requests": 50 }], "guard": {} }] }"#;
        let text = match to {
            r#""rules": []"# => text.replace(r#", "guard": {}"#, ""),
            _ => text.replace(from, to),
        };
        let plan = Plan::from_json(&text).expect("a valid policy");
        let mut rates = InjectedRates::default();
        rates.add(rate).expect("a rate");
        let valid = policy("50", "{}");
        let injection = Injection {
            plan: &plan,
            rollout: &plan.rollouts()[0],
            rates,
            ..injection(&valid, &[])
        };
        assert_eq!(
            injection.check().expect_err("an error").to_string(),
            expected
        );
    }
}

#[test]
fn one_of_several_guards_has_to_be_chosen() {
    let rollout = |name: &str, mode: &str| {
        json!({ "name": name, "match": { "path": { "prefix": format!("/{name}") } }, "v1": "a", "v2": "b",
                "mode": mode, "rules": [{ "requests": 50 }], "guard": {} })
    };
    let only = |rollouts: &[serde_json::Value]| {
        let policy = json!({ "version": 1, "account": { "from": [{ "header": "x" }], "format": "opaque" },
                             "rollouts": rollouts });
        let plan = Plan::from_json(&policy.to_string()).expect("a valid policy");
        let found = Injection::only_guarded_rollout(&plan);
        found
            .map(|rollout| rollout.name.clone())
            .map_err(|error| error.to_string())
    };
    assert_eq!(
        only(&[rollout("a", "split"), rollout("b", "off")]),
        Ok("a".to_owned())
    );
    assert_eq!(
        only(&[rollout("a", "split"), rollout("b", "on")]),
        Err("the rollouts a and b have a guard; choose one with --rollout".to_owned())
    );
    assert_eq!(
        only(&[rollout("a", "off")]),
        Err(
            "no rollout in mode `split` or `on` has a guard; add \"guard\": {} to the rollout"
                .to_owned()
        )
    );
}
