use expect_test::expect;
use turnout_core::guard::{Bounded, ErrorLimit, GuardState, SlowSettings};

use crate::test_counts::{chat, counters, observed};
use crate::{Criteria, JudgedRollout, Observation, judge, to_json, to_text};

fn text(observation: &Observation) -> String {
    text_of(&chat(), observation)
}

fn text_of(rollout: &JudgedRollout, observation: &Observation) -> String {
    let text = to_text(&[judge(rollout, observation, &Criteria::default())]);
    let is_narrow = |line: &str| line.chars().count() <= super::COLUMNS;
    assert!(text.lines().all(is_narrow), "{text}");
    text
}

#[test]
fn a_healthy_rollout() {
    expect![[r#"
        chat: HEALTHY
          v2 is not worse than the guard and the excess allow: over all proxies, the evidence has reached
          the threshold.
          errors    v1 180 of 180,000 (0.1 %)   v2 16 of 20,000 (0.1 %)   compared at 10 %
          ratio     v2 fails 0.80 times as often as v1: between 0.25 and 1.92, with 99 % confidence
          allowed   v2 fails 1.2 times as often as v1; for HEALTHY, plus 0.1 % of v2's requests
          worse     ░░░░░░░░░░░░░░░░░░░░   no evidence
          healthy   ████████████████████   evidence 10^3.9 of 10^2
          balance   v2 has 10.0 % of the compared requests, expected 10 %
          proxies   2 of 2 read
    "#]].assert_eq(&text(&observed(&[("10", [180_000, 180, 0], [20_000, 16, 0])])));
}

#[test]
fn too_few_requests() {
    let mut observation = observed(&[
        ("5", [9_500, 11, 0], [500, 0, 0]),
        ("10", [9_000, 9, 0], [1_000, 1, 0]),
    ]);
    observation.rates = Some(counters(&[("10", [90_000, 0, 0], [10_000, 0, 0])]));
    expect![[r#"
        chat: NOT ENOUGH DATA
          The compared requests show neither that v2 is worse than allowed nor that it is not. Wait for more
          requests.
          errors    v1 11 of 9,500 (0.1 %)   v2 0 of 500 (0 %)   compared at 5 %
          errors    v1 9 of 9,000 (0.1 %)   v2 1 of 1,000 (0.1 %)   compared at 10 %
          ratio     v2 fails 0.63 times as often as v1: between <0.01 and 7.06, with 99 % confidence
          allowed   v2 fails 1.2 times as often as v1; for HEALTHY, plus 0.1 % of v2's requests
          worse     ░░░░░░░░░░░░░░░░░░░░   no evidence
          healthy   █░░░░░░░░░░░░░░░░░░░   evidence 10^0.1 of 10^2
          needed    7,720 more requests of v2 if the rates stay what they are: 12 min at the present traffic
          balance   v2 has 5.0 % of the compared requests, expected 5 %
          balance   v2 has 10.0 % of the compared requests, expected 10 %
          proxies   2 of 2 read
    "#]].assert_eq(&text(&observation));
}

#[test]
fn a_regression() {
    let mut observation = observed(&[
        ("5", [9_500, 11, 0], [500, 0, 0]),
        ("10", [9_000, 9, 0], [1_000, 21, 0]),
    ]);
    let proxies = observation.proxies.as_mut().unwrap();
    proxies[0].missing = Some("connection refused".to_owned());
    proxies[1].restarts = 1;
    let guard = proxies[1].guards.get_mut("chat").unwrap();
    guard.state = Some(GuardState::Tripped);
    expect![[r#"
        chat: REGRESSED
          v2 is worse than the guard allows: over all proxies, the evidence has reached the threshold. Send
          its requests back to v1 with turnout halt.
          The guard has tripped on b: v2 is worse than the guard allows. When v2 is fixed: turnout rearm
          a (connection refused) could not be read, and v2 may fail there. Read it again, or leave it out if
          it is no longer there.
          errors    v1 11 of 9,500 (0.1 %)   v2 0 of 500 (0 %)   compared at 5 %
          errors    v1 9 of 9,000 (0.1 %)   v2 21 of 1,000 (2.1 %)   compared at 10 %
          ratio     v2 fails 11.5 times as often as v1: between 3.42 and 39.4, with 99 % confidence
          allowed   v2 fails 1.2 times as often as v1; for HEALTHY, plus 0.1 % of v2's requests
          worse     ████████████████████   evidence 10^8.7 of 10^2, strongest at 10 %
          healthy   ░░░░░░░░░░░░░░░░░░░░   no evidence
          balance   v2 has 5.0 % of the compared requests, expected 5 %
          balance   v2 has 10.0 % of the compared requests, expected 10 %
          proxies   1 of 2 read   missing: a   TRIPPED: b   restarted: b
    "#]].assert_eq(&text(&observation));
}

#[test]
fn swapped_arms_and_proxies_that_differ() {
    let mut observation = observed(&[("10", [1_000, 1, 0], [9_000, 9, 0])]);
    let proxies = observation.proxies.as_mut().unwrap();
    proxies[0].revision_number = Some(8);
    proxies[1].guards.clear();
    expect![[r#"
        chat: INVALID
          The arms are out of balance: v2 has 90.0 % of 10,000 compared requests at 10 %, so their errors
          cannot be compared. Find out why requests of one arm are missing or the arms are swapped. Then
          re-arm the guard and count from then on.
          The proxies have different revisions: number 7 on b and 8 on a. Wait until all have the same. If
          they do not, turnout watch shows which proxy rejects the policy.
          b does not report a guard of this rollout. Has the policy reached it, is the build of the filter
          old, or does a `stats_matcher` of Envoy exclude wasmcustom.turnout?
          errors    v1 1 of 1,000 (0.1 %)   v2 9 of 9,000 (0.1 %)   compared at 10 %
          balance   v2 has 90.0 % of the compared requests, expected 10 %: OUT OF BALANCE
          proxies   2 of 2 read
    "#]].assert_eq(&text(&observation));
}

#[test]
fn nothing_compared() {
    expect![[r#"
        chat: NOT ENOUGH DATA
          No request was compared since the counts began. If this lasts, check that a rule sends v2 a part
          of the requests, and that requests have an x-request-id. A request counts after the guard's
          `settle_seconds`.
          ratio     unknown, because no request of v2 is compared with v1
          allowed   v2 fails 1.2 times as often as v1; for HEALTHY, plus 0.1 % of v2's requests
          worse     ░░░░░░░░░░░░░░░░░░░░   no evidence
          healthy   ░░░░░░░░░░░░░░░░░░░░   no evidence
          needed    6,123 requests of v2 if none fails
          proxies   2 of 2 read
    "#]].assert_eq(&text(&observed(&[])));
}

#[test]
fn slow_requests_and_a_limit() {
    let mut rollout = chat();
    rollout.settings.slow = Some(SlowSettings {
        over_ms: 500,
        ratio: Bounded::new(1_500).unwrap(),
    });
    rollout.settings.limit = ErrorLimit::new(2_500_000);
    let observation = Observation {
        proxies: None,
        ..observed(&[("50", [2_000, 0, 30], [2_000, 0, 0])])
    };
    expect![[r#"
        chat: NOT ENOUGH DATA
          The compared requests show neither that v2 is worse than allowed nor that it is not. Wait for more
          requests.
          errors    v1 0 of 2,000 (0 %)   v2 0 of 2,000 (0 %)   compared at 50 %
          slow      v1 30 of 2,000 (1.5 %)   v2 0 of 2,000 (0 %)   compared at 50 %
          ratio     unknown, because neither v1 nor v2 fails
          ratio     only v1 is slow: v2 is slow at most 0.26 times as often, with 99 % confidence
          allowed   v2 fails 1.2 times as often as v1, v2 is slow 1.5 times as often as v1, v2 fails in 2.5
                    % of its requests; for HEALTHY, plus 0.1 % of v2's requests
          worse     ░░░░░░░░░░░░░░░░░░░░   no evidence
          healthy   ████░░░░░░░░░░░░░░░░   evidence 10^0.4 of 10^2
          needed    4,123 more requests of v2 if the rates stay what they are: 20 min at the present traffic
          balance   v2 has 50.0 % of the compared requests, expected 50 %
    "#]].assert_eq(&text_of(&rollout, &observation));
}

/// A name from a metrics file can have any characters.
#[test]
fn names_are_escaped() {
    let mut observation = observed(&[]);
    let proxies = observation.proxies.as_mut().unwrap();
    proxies[0].missing = Some("\u{1b}[2J\u{202e}".to_owned());
    let text = text(&observation);
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{202e}'),
        "{text}"
    );
}

#[test]
fn json_has_every_number() {
    let observation = observed(&[("10", [180_000, 180, 0], [20_000, 16, 0])]);
    let judgment = judge(&chat(), &observation, &Criteria::default());
    expect![[r#"
        {
          "rollouts": [
            {
              "coverage": null,
              "excess_millionths": 100000,
              "health_evidence": 9.091075899103599,
              "health_evidence_errors": 9.091075899103599,
              "health_evidence_limit": null,
              "health_evidence_slow": null,
              "log_evidence": -3.892135546554693,
              "log_evidence_errors": -3.892135546554693,
              "log_evidence_limit": null,
              "log_evidence_slow": null,
              "log_threshold": 4.605170185988092,
              "needed": null,
              "observed_seconds": 600,
              "proxies": [
                {
                  "missing": null,
                  "proxy": "a",
                  "restarts": 0,
                  "revision_number": 7,
                  "state": "armed"
                },
                {
                  "missing": null,
                  "proxy": "b",
                  "restarts": 0,
                  "revision_number": 7,
                  "state": "armed"
                }
              ],
              "ratio": 0.8,
              "ratio_high": 1.9249525041199458,
              "ratio_low": 0.25092908029931454,
              "reasons": [
                {
                  "code": "healthy",
                  "text": "v2 is not worse than the guard and the excess allow: over all proxies, the evidence has reached the threshold."
                }
              ],
              "rollout": "chat",
              "slow_ratio": null,
              "slow_ratio_high": null,
              "slow_ratio_low": null,
              "strata": [
                {
                  "is_balanced": true,
                  "log_evidence": -3.892135546554693,
                  "requests_millionths": 10000000,
                  "v1": {
                    "all": 180000,
                    "errors": 180,
                    "slow": 0
                  },
                  "v2": {
                    "all": 20000,
                    "errors": 16,
                    "slow": 0
                  }
                }
              ],
              "verdict": "healthy",
              "warnings": [],
              "worst_stratum_millionths": null
            }
          ]
        }
    "#]].assert_eq(&to_json(&[judgment]));
    // JSON has no infinity.
    let only_v2 = observed(&[("10", [9_000, 0, 0], [1_000, 1, 0])]);
    let judgment = judge(&chat(), &only_v2, &Criteria::default());
    let value = judgment.to_json_value();
    assert!(value["ratio"].is_null() && value["ratio_high"].is_null());
    assert!(value["ratio_low"].as_f64().is_some_and(|low| low > 0.0));
}
