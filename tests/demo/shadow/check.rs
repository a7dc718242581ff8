//! Checks that the filter found the mistakes of v2 and reported nothing else.

use std::collections::BTreeMap;

use support::scripted_upstream::Received;

use crate::counters::Counters;
use crate::messaging_api::{MISTAKES, Mistake, NOISE, ROUTES};
use crate::records::Records;
use crate::traffic::{Call, SEGMENTS, accounts};

/// The only path whose values the policy reveals.
pub(crate) const REVEALED: &str = "/user/state";

/// How often the filter found a mistake.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MistakeResult {
    /// How many requests to its route were compared.
    pub(crate) compared: u64,
    /// In how many of them the filter found it.
    pub(crate) found: u64,
    /// Whether there is also a record of such a difference.
    pub(crate) recorded: bool,
}

impl MistakeResult {
    pub(crate) fn of(mistake: &Mistake, records: &Records) -> Self {
        let outcomes = records.outcomes(Some(mistake.route));
        let count = |outcome: &str| outcomes.get(outcome).copied().unwrap_or_default();
        let mut differences = records.differences.iter();
        Self {
            compared: count("equal") + count("noise") + count("different"),
            found: records.found(mistake.route, mistake.finding),
            recorded: differences.any(|difference| {
                let mut findings = difference.findings.iter();
                difference.route == mistake.route
                    && findings.any(|finding| finding.place() == mistake.finding)
            }),
        }
    }

    /// Whether the filter found it in each request to the route.
    pub(crate) fn is_right(&self) -> bool {
        self.compared > 0 && self.found == self.compared && self.recorded
    }
}

/// Errors in the findings of the filter.
pub(crate) fn findings(records: &Records) -> Vec<String> {
    let mut wrong = Vec::new();
    for mistake in &MISTAKES {
        let result = MistakeResult::of(mistake, records);
        if !result.is_right() {
            wrong.push(format!(
                "{} {:?}: {result:?}",
                mistake.route, mistake.finding
            ));
        }
    }
    for ((route, place), ()) in records.reported() {
        let is_expected = MISTAKES.iter().any(|mistake| {
            mistake.route == route
                && (place == mistake.finding || mistake.follows.iter().any(|one| place == *one))
        });
        if NOISE.contains(&place[1].as_str()) {
            wrong.push(format!("{route} {place:?}: noise that the filter reports"));
        } else if !is_expected {
            wrong.push(format!(
                "{route} {place:?}: reported, but v1 and v2 are equal there"
            ));
        }
    }
    let findings = records.differences.iter().flat_map(|one| &one.findings);
    for finding in findings.filter(|finding| finding.shows_a_value()) {
        let [part, pointer, _] = finding.place();
        if part != "status" && pointer != REVEALED {
            wrong.push(format!(
                "{pointer}: a value in a record that the policy does not reveal"
            ));
        }
    }
    wrong
}

/// Requests that the counters or the summaries miss, in total or for their segment and route.
pub(crate) fn counts(calls: &[Call], counters: &Counters, records: &Records) -> Vec<String> {
    let mut wrong = Vec::new();
    if !counters.accounts_for(calls.len() as u64) {
        wrong.push(format!(
            "{} requests, but the counters are {counters:?}",
            calls.len()
        ));
    }
    let summed = records.outcomes(None);
    if summed != counters.outcomes {
        wrong.push(format!(
            "the summaries have {summed:?}, the counters {:?}",
            counters.outcomes
        ));
    }
    let mut expected: BTreeMap<_, u64> = BTreeMap::new();
    for call in calls {
        let row = (
            segment_of(&call.account).to_owned(),
            route_of(&call.path).to_owned(),
        );
        *expected.entry(row).or_default() += 1;
    }
    let rows = records.rows.iter();
    let actual: BTreeMap<_, u64> = rows
        .map(|(row, actual)| (row.clone(), actual.outcomes.values().sum()))
        .collect();
    if actual != expected {
        wrong.push(format!(
            "rows of the summaries: expected {expected:?}, actual {actual:?}"
        ));
    }
    wrong
}

/// Requests that reached v2 although shadowing is off.
pub(crate) fn no_requests(received: &[Received]) -> Vec<String> {
    let describe = |one: &Received| format!("v2 got {} {}", one.method, one.path);
    received.iter().map(describe).collect()
}

/// Shadow requests that v2 must never get: with a method that writes, with credentials of a user, or without
/// the header that marks them.
pub(crate) fn shadow_requests(requests: &[Received]) -> Vec<String> {
    let is_wrong = |request: &&Received| {
        request.method != "GET"
            || request.headers.contains_key("authorization")
            || request.header("x-turnout-shadow") != Some("1")
    };
    let wrong = requests.iter().filter(is_wrong);
    wrong
        .map(|request| {
            format!(
                "v2 got {} {} {:?}",
                request.method, request.path, request.headers
            )
        })
        .collect()
}

fn segment_of(account: &str) -> &'static str {
    let mut names = SEGMENTS.iter().map(|(name, _)| *name);
    names
        .find(|name| accounts(name).iter().any(|one| one == account))
        .unwrap_or("-")
}

fn route_of(path: &str) -> &'static str {
    let path: Vec<&str> = path
        .split('?')
        .next()
        .unwrap_or_default()
        .split('/')
        .collect();
    let is_of = |route: &&str| {
        let route: Vec<&str> = route.split('/').collect();
        let mut pairs = route.iter().zip(&path);
        route.len() == path.len() && pairs.all(|(part, of)| *part == "*" || part == of)
    };
    ROUTES.into_iter().find(is_of).unwrap_or("-")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testbed::ROLLOUT;
    use crate::traffic::calls;

    fn line(what: &str, fields: &Value) -> String {
        let fields = fields.to_string();
        let record = format!("{{\"turnout\":\"{what}\",{}", &fields[1..]);
        format!(
            "[2026-11-21 03:00:00.000][12][info][wasm] [source/extensions/common/wasm/context.cc:1137] wasm log: turnout: {record}"
        )
    }

    fn mistake_of(route: &str) -> Option<&'static Mistake> {
        MISTAKES.iter().find(|mistake| mistake.route == route)
    }

    fn difference(route: &str, [part, pointer, kind]: [&str; 3], side: &Value) -> String {
        let finding =
            json!({ "part": part, "pointer": pointer, "kind": kind, "v1": side, "v2": null });
        let fields = json!({ "rollout": ROLLOUT, "route": route, "findings": [finding] });
        line("difference", &fields)
    }

    /// The log of a filter that reports everything correctly.
    fn log() -> Vec<String> {
        let summaries = calls().into_iter().map(|call| {
            let route = route_of(&call.path);
            let mistake = mistake_of(route).filter(|_| call.method == "GET");
            let outcome = match (call.method, mistake) {
                ("GET", Some(_)) => "different",
                ("GET", None) => "noise",
                _ => "skipped_method",
            };
            let places = mistake
                .into_iter()
                .flat_map(|mistake| std::iter::once(&mistake.finding).chain(mistake.follows));
            let findings = places.map(|[part, pointer, kind]| json!([part, pointer, kind, "-", 1]));
            let fields = json!({
                "rollout": ROLLOUT,
                "segment": segment_of(&call.account),
                "route": route,
                "outcomes": { outcome: 1 },
                "findings": findings.collect::<Vec<_>>(),
            });
            line("summary", &fields)
        });
        let hash = json!({ "type": "string", "hash": "9f0e" });
        let differences = MISTAKES.iter();
        let differences = differences.map(|one| difference(one.route, one.finding, &hash));
        let others = [
            line("options", &json!({ "rollout": ROLLOUT })),
            "turnout: a word".to_owned(),
        ];
        summaries.chain(differences).chain(others).collect()
    }

    fn records(log: &[String]) -> Records {
        Records::of(log).unwrap()
    }

    fn counters(records: &Records) -> Counters {
        let outcomes = records.outcomes(None);
        let sampled = outcomes.values().sum();
        Counters {
            sampled,
            outcomes,
            in_flight: 0,
        }
    }

    #[test]
    fn a_correct_report_has_no_errors() {
        let report = crate::report::of(&log(), "").unwrap();
        assert_eq!(crate::report::wrong(&report), [""; 0]);
        let records = records(&log());
        assert_eq!(findings(&records), [""; 0]);
        assert_eq!(counts(&calls(), &counters(&records), &records), [""; 0]);
    }

    #[test]
    fn a_mistake_that_is_missing_in_one_request_is_an_error() {
        for mistake in &MISTAKES {
            let finding = json!(mistake.finding).to_string();
            let finding = finding.trim_end_matches(']');
            let mut log = log();
            let of_route = log.iter_mut().find(|line| line.contains(finding));
            let of_route = of_route.unwrap();
            *of_route = of_route.replacen(finding, &finding.replace("\",\"", "\",\"x"), 1);
            // One request misses the mistake, and another finding is unexpected.
            assert_eq!(findings(&records(&log)).len(), 2, "{finding}");

            let mut unrecorded = self::log();
            unrecorded.retain(|line| {
                !(line.contains("\"difference\"")
                    && line.contains(&format!("\"{}\"", mistake.route)))
            });
            assert_eq!(findings(&records(&unrecorded)).len(), 1, "{finding}");
        }
    }

    #[test]
    fn noise_that_is_reported_is_an_error() {
        for pointer in NOISE {
            let mut log = log();
            log.push(difference(
                "/v1/Users/*/Channels",
                ["body", pointer, "value"],
                &Value::Null,
            ));
            let wrong = findings(&records(&log));
            assert!(wrong.len() == 1 && wrong[0].contains("noise"), "{wrong:?}");
        }
    }

    #[test]
    fn a_value_that_the_policy_does_not_reveal_is_an_error() {
        let shown = json!({ "type": "string", "value": "ann" });
        for (place, expected) in [(MISTAKES[3].finding, 0), (MISTAKES[1].finding, 1)] {
            let mut log = log();
            let route = MISTAKES
                .iter()
                .find(|one| one.finding == place)
                .unwrap()
                .route;
            log.push(difference(route, place, &shown));
            assert_eq!(findings(&records(&log)).len(), expected, "{place:?}");
        }
    }

    #[test]
    fn one_request_without_an_outcome_is_an_error() {
        let whole = counters(&records(&log()));
        let mut log = log();
        let lost = log.iter().position(|line| line.contains("\"noise\""));
        log.remove(lost.unwrap());
        let records = records(&log);
        // First only the summaries miss the request, then also the counters.
        assert_eq!(counts(&calls(), &whole, &records).len(), 2);
        assert_eq!(counts(&calls(), &counters(&records), &records).len(), 2);
    }

    #[test]
    fn a_truncated_record_is_an_error() {
        let broken = r#"turnout: {"turnout":"summary","rollout":"#.to_owned();
        Records::of(&[broken]).unwrap_err();
    }

    #[test]
    fn routes_are_matched_as_in_the_policy() {
        for (path, route) in [
            ("/v1/Channels", "/v1/Channels"),
            ("/v1/Channels/general", "/v1/Channels/*"),
            ("/v1/Users/US1/Channels?limit=2", "/v1/Users/*/Channels"),
            ("/v1/Users", "-"),
            ("/v1/Users/US1/Channels/x", "-"),
        ] {
            assert_eq!(route_of(path), route);
        }
    }
}
