//! Reports agree with the decisions of the corpus, for lines of an access log and for accounts of a list.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use serde_json::{Map, Value, json};
use support::corpus::{Case, Scenario, borrowed, now};
use turnout_core::{Account, Headers, Plan};
use turnout_simulate::{
    AccountGroup, AccountReport, ListOptions, LogFields, Replay, TrafficReport,
};

/// A decision: rollout, treatment and reason.
type DecisionCount = (Option<String>, String, String);

#[test]
fn the_replay_of_a_log_decides_every_case_that_a_line_can_describe() {
    let (mut replayed, mut left_out) = (0, 0);
    for (file, scenario) in Scenario::all() {
        let plan = scenario.plan();
        for case in &scenario.cases {
            if !is_in_log(case) {
                left_out += 1;
                continue;
            }
            replayed += 1;
            let found = decided(&plan, &line_of(case), &replay_of(case));
            let expect = &case.expect;
            let expected = (
                expect.rollout.clone(),
                expect.treatment.clone(),
                expect.reason.clone(),
            );
            assert_eq!(found, expected, "{file}: {}", case.name);
        }
    }
    assert!(replayed > 9 * left_out, "{replayed}, without {left_out}");
}

/// Whether a log line can describe the request: a line has one value per header, `-` for an absent one, and no
/// decision of an earlier hop.
fn is_in_log(case: &Case) -> bool {
    let mut seen = BTreeSet::new();
    let headers = case.request.pairs();
    let is_said = |(name, value): &(String, String)| seen.insert(name.clone()) && value != "-";
    case.expect.reason != "inbound" && headers.iter().all(is_said)
}

fn line_of(case: &Case) -> String {
    let request = &case.request;
    let mut line = json!({
        "start_time": "2026-11-21T03:00:00.123Z",
        "method": request.method,
        "authority": request.host,
        "path": request.path,
        "account": null,
        "treatment": case.expect.treatment,
    });
    for (name, value) in headers_of(case) {
        line[name] = value;
    }
    line.to_string()
}

/// All headers, with their names in a log.
fn headers_of(case: &Case) -> Map<String, Value> {
    let headers = case.request.headers.iter();
    let named = headers.map(|(name, value)| {
        let name = match name.to_lowercase() {
            id if id == "x-request-id" => "request_id".to_owned(),
            name => format!("req.{name}"),
        };
        (name, Value::from(value.as_str()))
    });
    named.collect()
}

fn replay_of(case: &Case) -> Replay {
    let mut fields = LogFields::default();
    for field in headers_of(case).keys() {
        if let Some(name) = field.strip_prefix("req.") {
            fields
                .map(&format!("header:{name}={field}"))
                .expect("a header");
        }
    }
    Replay {
        fields,
        format: None,
        threads: NonZeroUsize::MIN,
    }
}

fn decided(plan: &Plan, line: &str, replay: &Replay) -> DecisionCount {
    let traffic = TrafficReport::of(plan, now(), replay, line.as_bytes()).expect("a log in memory");
    assert_eq!((traffic.log.lines, traffic.log.requests), (1, 1), "{line}");
    let of_rollout = |rollout: &turnout_simulate::RolloutTraffic| {
        let [decided] = rollout.total.decisions.as_slice() else {
            return None;
        };
        let recorded = rollout.recorded.expect("the line has a decision");
        assert_eq!(recorded.same, 1, "{line}");
        let (treatment, reason) = (decided.treatment.to_owned(), decided.reason.to_owned());
        Some((Some(rollout.rollout.clone()), treatment, reason))
    };
    let found: Vec<DecisionCount> = traffic.rollouts.iter().filter_map(of_rollout).collect();
    match (found.as_slice(), traffic.no_rollout) {
        ([found], 0) => found.clone(),
        ([], 1) => (None, "v1".to_owned(), "no_rollout".to_owned()),
        _ => panic!("{traffic:?}"),
    }
}

#[test]
fn the_report_of_a_list_counts_every_account_by_its_treatment() {
    let mut asked = BTreeSet::new();
    for (file, scenario) in Scenario::all() {
        let plan = scenario.plan();
        for case in &scenario.cases {
            let pairs = case.request.pairs();
            let pairs = borrowed(&pairs);
            let request = plan.request(Headers::new(&pairs), scenario.inbound(), now());
            let (Account::Known(account), Some(name)) = (&request.account, &case.expect.rollout)
            else {
                continue;
            };
            // A list of accounts has no headers and no earlier hop.
            let wants = plan.required_inputs();
            let is_asked = |name: &[u8]| wants.headers.iter().any(|known| known.as_bytes() == name);
            if case.expect.reason == "inbound" || pairs.iter().any(|(name, _)| is_asked(name)) {
                continue;
            }
            let census =
                AccountReport::of(&plan, now(), &ListOptions::default(), account.as_slice())
                    .expect("a list");
            let rollout = census.rollouts.iter().find(|r| r.rollout == *name);
            let found = columns(&rollout.expect("the rollout").total);
            let expect = &case.expect;
            let expected = match (expect.treatment.as_str(), expect.reason.as_str()) {
                ("v2", _) => &["v2_all", "v2_part"][..],
                // Of other requests of the account, none or a part takes v2.
                (_, "outside_requests") => &["outside_requests", "v2_part"],
                (_, reason) => &[reason],
            };
            assert!(
                matches!(found.as_slice(), [one] if expected.contains(one)),
                "{file}: {}: {found:?}, not {expected:?}",
                case.name
            );
            asked.extend(found);
        }
    }
    let all = columns(&EVERYWHERE);
    assert_eq!(
        asked.into_iter().collect::<Vec<_>>(),
        all,
        "not all was asked"
    );
}

/// The columns in which an account is counted.
fn columns(group: &AccountGroup) -> Vec<&'static str> {
    let columns = [
        ("default", group.default),
        ("halted", group.halted),
        ("no_region", group.no_region),
        ("off", group.off),
        ("outside_accounts", group.outside_accounts),
        ("outside_requests", group.outside_requests),
        ("rule", group.rule_v1),
        ("v2_all", group.v2_all),
        ("v2_part", group.v2_part),
    ];
    let counted = columns.into_iter().filter(|(_, count)| *count > 0);
    counted.map(|(name, _)| name).collect()
}

const EVERYWHERE: AccountGroup = AccountGroup {
    segment: None,
    accounts: 9,
    v2: 2,
    v2_all: 1,
    v2_part: 1,
    outside_accounts: 1,
    outside_requests: 1,
    rule_v1: 1,
    default: 1,
    no_region: 1,
    halted: 1,
    off: 1,
};
