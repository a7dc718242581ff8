//! Whether the filter has found what there is to find, and nothing else.

use std::collections::BTreeMap;

use harness::scripted::Received;

use crate::api::{MISTAKES, Mistake, NOISE, ROUTES};
use crate::counted::Counted;
use crate::records::Records;
use crate::traffic::{Call, SEGMENTS, accounts};

/// The one path whose values the policy reveals.
pub(crate) const REVEALED: &str = "/user/state";

/// What the filter has made of a mistake.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// How many requests to its route were compared.
    pub(crate) compared: u64,
    /// Of how many of these it was found.
    pub(crate) found: u64,
    /// Whether there is a record of such a difference, too.
    pub(crate) recorded: bool,
}

impl Verdict {
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

    /// Each request to the route has the mistake.
    pub(crate) fn is_right(&self) -> bool {
        self.compared > 0 && self.found == self.compared && self.recorded
    }
}

/// All that is wrong about what the filter has found.
pub(crate) fn of_findings(records: &Records) -> Vec<String> {
    let mut wrong = Vec::new();
    for mistake in &MISTAKES {
        let verdict = Verdict::of(mistake, records);
        if !verdict.is_right() {
            wrong.push(format!(
                "{} {:?}: {verdict:?}",
                mistake.route, mistake.finding
            ));
        }
    }
    for ((route, place), ()) in records.blamed() {
        let is_expected = MISTAKES.iter().any(|mistake| {
            mistake.route == route
                && (place == mistake.finding || mistake.follows.iter().any(|one| place == *one))
        });
        if NOISE.contains(&place[1].as_str()) {
            wrong.push(format!("{route} {place:?}: noise, and blamed"));
        } else if !is_expected {
            wrong.push(format!("{route} {place:?}: blamed, and the same in both"));
        }
    }
    let findings = records.differences.iter().flat_map(|one| &one.findings);
    for finding in findings.filter(|finding| finding.shows_a_value()) {
        let [part, pointer, _] = finding.place();
        if part != "status" && pointer != REVEALED {
            wrong.push(format!(
                "{pointer}: a value in a record, which nothing reveals"
            ));
        }
    }
    wrong
}

/// Each request that is not accounted for as it has to be: in the counters and in the summaries, of
/// its segment and its route.
pub(crate) fn of_accounts(calls: &[Call], counted: &Counted, records: &Records) -> Vec<String> {
    let mut wrong = Vec::new();
    if !counted.accounts_for(calls.len() as u64) {
        wrong.push(format!("{} requests, and counted {counted:?}", calls.len()));
    }
    let summed = records.outcomes(None);
    if summed != counted.outcomes {
        wrong.push(format!(
            "summaries say {summed:?}, counters {:?}",
            counted.outcomes
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
    let seen: BTreeMap<_, u64> = rows
        .map(|(row, seen)| (row.clone(), seen.outcomes.values().sum()))
        .collect();
    if seen != expected {
        wrong.push(format!("rows of the summaries: {seen:?}, not {expected:?}"));
    }
    wrong
}

/// What v2 sees before there is a shadow: nothing.
pub(crate) fn of_silence(received: &[Received]) -> Vec<String> {
    let said = |one: &Received| format!("v2 got {} {}", one.method, one.path);
    received.iter().map(said).collect()
}

/// What v2 must never see: a request that changes something, a user's credentials, or anything that
/// does not say that it is a copy.
pub(crate) fn of_copies(copies: &[Received]) -> Vec<String> {
    let is_wrong = |copy: &&Received| {
        copy.method != "GET"
            || copy.headers.contains_key("authorization")
            || copy.header("x-turnout-shadow") != Some("1")
    };
    let wrong = copies.iter().filter(is_wrong);
    wrong
        .map(|copy| format!("v2 got {} {} {:?}", copy.method, copy.path, copy.headers))
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
    use crate::stage::ROLLOUT;
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

    /// What a filter writes that is right, request by request.
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

    fn counted(records: &Records) -> Counted {
        let outcomes = records.outcomes(None);
        let sampled = outcomes.values().sum();
        Counted {
            sampled,
            outcomes,
            in_flight: 0,
        }
    }

    #[test]
    fn a_right_filter_is_right() {
        let report = crate::report::of(&log(), "").unwrap();
        assert_eq!(crate::report::wrong(&report), [""; 0]);
        let records = records(&log());
        assert_eq!(of_findings(&records), [""; 0]);
        assert_eq!(of_accounts(&calls(), &counted(&records), &records), [""; 0]);
    }

    #[test]
    fn a_mistake_that_one_request_hides_is_not_found() {
        for mistake in &MISTAKES {
            let finding = json!(mistake.finding).to_string();
            let finding = finding.trim_end_matches(']');
            let mut log = log();
            let of_route = log.iter_mut().find(|line| line.contains(finding));
            let of_route = of_route.unwrap();
            *of_route = of_route.replacen(finding, &finding.replace("\",\"", "\",\"x"), 1);
            // Not found once, and something else blamed.
            assert_eq!(of_findings(&records(&log)).len(), 2, "{finding}");

            let mut unrecorded = self::log();
            unrecorded.retain(|line| {
                !(line.contains("\"difference\"")
                    && line.contains(&format!("\"{}\"", mistake.route)))
            });
            assert_eq!(of_findings(&records(&unrecorded)).len(), 1, "{finding}");
        }
    }

    #[test]
    fn noise_that_is_blamed_is_seen() {
        for pointer in NOISE {
            let mut log = log();
            log.push(difference(
                "/v1/Users/*/Channels",
                ["body", pointer, "value"],
                &Value::Null,
            ));
            let wrong = of_findings(&records(&log));
            assert!(wrong.len() == 1 && wrong[0].contains("noise"), "{wrong:?}");
        }
    }

    #[test]
    fn a_value_that_is_not_revealed_is_seen() {
        let shown = json!({ "type": "string", "value": "ann" });
        for (place, expected) in [(MISTAKES[3].finding, 0), (MISTAKES[1].finding, 1)] {
            let mut log = log();
            let route = MISTAKES
                .iter()
                .find(|one| one.finding == place)
                .unwrap()
                .route;
            log.push(difference(route, place, &shown));
            assert_eq!(of_findings(&records(&log)).len(), expected, "{place:?}");
        }
    }

    #[test]
    fn one_request_that_is_not_accounted_for_is_seen() {
        let whole = counted(&records(&log()));
        let mut log = log();
        let lost = log.iter().position(|line| line.contains("\"noise\""));
        log.remove(lost.unwrap());
        let records = records(&log);
        // In the summaries, where the counters have it; then in both.
        assert_eq!(of_accounts(&calls(), &whole, &records).len(), 2);
        assert_eq!(of_accounts(&calls(), &counted(&records), &records).len(), 2);
    }

    #[test]
    fn a_line_that_only_begins_as_a_record_is_refused() {
        let broken = r#"turnout: {"turnout":"summary","rollout":"#.to_owned();
        Records::of(&[broken]).unwrap_err();
    }

    #[test]
    fn routes_are_found_as_the_policy_does_it() {
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
