//! What differs between two policies, rollout by rollout, in words.
//!
//! This compares what the policies say. Whom a change moves depends on the accounts, and is counted by
//! `turnout plan`.

use std::collections::{BTreeMap, BTreeSet};

use crate::bucketing::Fraction;
use crate::plan::path_match::PathMatch;
use crate::plan::ramp::Ramp;
use crate::plan::request_match::{HeaderMatch, HeaderTest, RequestMatch, When};
use crate::plan::segments::SegmentSet;
use crate::plan::{Plan, Rollout, Rule, Serve};

/// What differs in one part of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanChange {
    /// Which part.
    pub part: ChangedPart,
    /// The differences, each a phrase: `rule 3 accounts 5 % → 10 %`.
    pub what: Vec<String>,
}

/// A part of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangedPart {
    /// The policy as a whole.
    Policy,
    /// The segment of this name.
    Segment(String),
    /// The rollout of this name.
    Rollout(String),
}

impl Plan {
    /// What differs from an older policy: first in the policy as a whole, then in segments, then in
    /// rollouts, in the order of this one. Rollouts and segments are matched by name. Without an older
    /// one all of them are new.
    #[must_use]
    pub fn changes_since(&self, old: Option<&Self>) -> Vec<PlanChange> {
        let mut changes = vec![PlanChange {
            part: ChangedPart::Policy,
            what: of_whole(old, self),
        }];
        changes.extend(of_segments(old, self));
        changes.extend(of_rollouts(old, self));
        changes.retain(|change| !change.what.is_empty());
        changes
    }
}

fn of_whole(old: Option<&Plan>, new: &Plan) -> Vec<String> {
    let mut what = Vec::new();
    match (old.is_some_and(Plan::is_halted), new.halted) {
        (false, true) => what.push("halted: everyone takes v1".into()),
        (true, false) => what.push("not halted any more".into()),
        _ => {}
    }
    let Some(old) = old else {
        return what;
    };
    if old.format() != new.format() {
        what.push("the format of accounts".into());
    }
    if !old.same_account_sources(new) {
        what.push("`account.from`, where a request says its account".into());
    }
    if old.collector != new.collector {
        what.push(from_to(
            "collector",
            old.collector.as_deref(),
            new.collector.as_deref(),
        ));
    }
    let order = |plan: &Plan, other: &Plan| -> Vec<String> {
        let known: BTreeSet<&str> = names(other).collect();
        let common = names(plan).filter(|name| known.contains(name));
        common.map(str::to_owned).collect()
    };
    let new_order = order(new, old);
    if order(old, new) != new_order {
        what.push(format!("the order of rollouts: {}", new_order.join(", ")));
    }
    what
}

fn names(plan: &Plan) -> impl Iterator<Item = &str> {
    plan.rollouts.iter().map(|rollout| rollout.name.as_str())
}

fn of_segments(old: Option<&Plan>, new: &Plan) -> Vec<PlanChange> {
    let accounts = |plan: &Plan, name: &String| -> Option<BTreeSet<Vec<u8>>> {
        let place = plan.segment_names.iter().position(|known| known == name)?;
        Some(plan.accounts_of_segment(place).collect())
    };
    let gone = old.iter().flat_map(|old| &old.segment_names);
    let gone = gone.filter(|name| !new.segment_names.contains(name));
    let all = new.segment_names.iter().chain(gone);
    let change = |name: &String| {
        let what = match (old.and_then(|old| accounts(old, name)), accounts(new, name)) {
            (None, Some(new)) => format!("new, {}", counted(new.len())),
            (Some(old), None) => format!("removed, {}", counted(old.len())),
            (Some(old), Some(new)) if old != new => format!(
                "{} → {} accounts ({} added, {} removed)",
                old.len(),
                new.len(),
                new.difference(&old).count(),
                old.difference(&new).count()
            ),
            _ => return None,
        };
        Some(PlanChange {
            part: ChangedPart::Segment(name.clone()),
            what: vec![what],
        })
    };
    all.filter_map(change).collect()
}

fn counted(accounts: usize) -> String {
    match accounts {
        1 => "1 account".into(),
        accounts => format!("{accounts} accounts"),
    }
}

fn of_rollouts(old: Option<&Plan>, new: &Plan) -> Vec<PlanChange> {
    let pairs = old.iter().flat_map(|old| {
        let rollouts = old.rollouts.iter();
        rollouts.map(|rollout| (rollout.name.as_str(), (*old, rollout)))
    });
    let by_name: BTreeMap<&str, (&Plan, &Rollout)> = pairs.collect();
    let known: BTreeSet<&str> = names(new).collect();
    let change = |name: &str, what| PlanChange {
        part: ChangedPart::Rollout(name.to_owned()),
        what,
    };
    let kept = new.rollouts.iter().map(|rollout| {
        let what = match by_name.get(rollout.name.as_str()) {
            Some(before) => of_rollout(*before, (new, rollout)),
            None => introduced(new, rollout),
        };
        change(&rollout.name, what)
    });
    let gone = old.iter().flat_map(|old| &old.rollouts);
    let gone = gone.filter(|rollout| !known.contains(rollout.name.as_str()));
    let gone = gone.map(|rollout| {
        let what = format!("removed, its mode was {}", rollout.mode.as_str());
        change(&rollout.name, vec![what])
    });
    kept.chain(gone).collect()
}

/// What a rollout is that was not there before.
fn introduced(plan: &Plan, rollout: &Rollout) -> Vec<String> {
    let mut what = vec![
        format!("new, mode {}", rollout.mode.as_str()),
        format!("v1 {}, v2 {}", rollout.v1, rollout.v2),
        format!("match {}", match_words(&rollout.matches)),
    ];
    let rules = rollout.rules.iter().zip(1_usize..);
    what.extend(rules.map(|(rule, number)| format!("rule {number} {}", rule_words(plan, rule))));
    what
}

fn of_rollout((old, before): (&Plan, &Rollout), (new, after): (&Plan, &Rollout)) -> Vec<String> {
    let mut what = Vec::new();
    if before.mode != after.mode {
        what.push(format!(
            "mode {} → {}",
            before.mode.as_str(),
            after.mode.as_str()
        ));
    }
    for (name, before, after) in [("v1", &before.v1, &after.v1), ("v2", &before.v2, &after.v2)] {
        if before != after {
            what.push(format!("{name} {before} → {after}"));
        }
    }
    if !before.same_match(after) {
        let [before, after] = [before, after].map(|rollout| match_words(&rollout.matches));
        what.push(format!("match {before} → {after}"));
    }
    of_rules((old, &before.rules), (new, &after.rules), &mut what);
    what
}

/// Compares the rules between those that are the same at the beginning and at the end.
fn of_rules(
    (old, before): (&Plan, &[Rule]),
    (new, after): (&Plan, &[Rule]),
    what: &mut Vec<String>,
) {
    let is_same =
        |(a, b): &(&Rule, &Rule)| is_same_when(old, &a.when, new, &b.when) && a.serve == b.serve;
    let same = before.iter().zip(after).take_while(is_same).count();
    let shorter = before.len().min(after.len()).saturating_sub(same);
    let backwards = before.iter().rev().zip(after.iter().rev());
    let same_end = backwards.take(shorter).take_while(is_same).count();
    let middle = |rules: &[Rule]| same..rules.len().saturating_sub(same_end);
    let (of_before, of_after) = (middle(before), middle(after));
    let numbered =
        |range: &std::ops::Range<usize>| range.clone().map(|place| place.saturating_add(1));
    let olds = before.get(of_before.clone()).unwrap_or_default();
    let news = after.get(of_after.clone()).unwrap_or_default();
    if olds.len() == news.len() {
        for ((a, b), number) in olds.iter().zip(news).zip(numbered(&of_after)) {
            let differences = of_rule((old, a), (new, b));
            if !differences.is_empty() {
                what.push(format!("rule {number} {}", differences.join(", ")));
            }
        }
        return;
    }
    let count = |rules: &[Rule]| match rules.len() {
        1 => "1 rule".to_owned(),
        count => format!("{count} rules"),
    };
    what.push(format!("{} → {}", count(before), count(after)));
    for (rule, number) in olds.iter().zip(numbered(&of_before)) {
        what.push(format!(
            "without the rule {number} of before: {}",
            rule_words(old, rule)
        ));
    }
    for (rule, number) in news.iter().zip(numbered(&of_after)) {
        what.push(format!("new rule {number} {}", rule_words(new, rule)));
    }
}

fn of_rule((old, a): (&Plan, &Rule), (new, b): (&Plan, &Rule)) -> Vec<String> {
    let mut what = Vec::new();
    if !is_same_when(old, &a.when, new, &b.when) {
        let [before, after] = [(old, a), (new, b)].map(|(plan, rule)| when_words(plan, &rule.when));
        what.push(format!("when {before} → {after}"));
    }
    match (&a.serve, &b.serve) {
        (
            Serve::V2 { accounts, requests },
            Serve::V2 {
                accounts: new_accounts,
                requests: new_requests,
            },
        ) => {
            if accounts != new_accounts {
                let [before, after] = [accounts, new_accounts].map(ramp_words);
                what.push(format!("accounts {before} → {after}"));
            }
            if requests != new_requests {
                what.push(format!(
                    "requests {} → {}",
                    percent(*requests),
                    percent(*new_requests)
                ));
            }
        }
        (before, after) if before != after => {
            what.push(format!("{} → {}", serve_words(before), serve_words(after)));
        }
        _ => {}
    }
    what
}

/// Segments are numbered in each policy by itself, so they are compared by name.
fn is_same_when(old: &Plan, a: &When, new: &Plan, b: &When) -> bool {
    let within = |plan, when: &When| when.within.as_ref().map(|within| sorted(plan, within));
    within(old, a) == within(new, b)
        && sorted(old, &a.outside) == sorted(new, &b.outside)
        && a.headers == b.headers
        && a.regions == b.regions
}

fn sorted<'p>(plan: &'p Plan, segments: &SegmentSet) -> BTreeSet<&'p str> {
    let names = segments
        .iter()
        .filter_map(|segment| plan.segment_names.get(segment));
    names.map(String::as_str).collect()
}

fn rule_words(plan: &Plan, rule: &Rule) -> String {
    let serve = serve_words(&rule.serve);
    match when_words(plan, &rule.when).as_str() {
        "always" => serve,
        when => format!("{when}: {serve}"),
    }
}

fn serve_words(serve: &Serve) -> String {
    match serve {
        Serve::V1 => "v1".into(),
        Serve::V2 { accounts, requests } if *requests == Fraction::ALL => {
            format!("accounts {}", ramp_words(accounts))
        }
        Serve::V2 { accounts, requests } => {
            format!(
                "accounts {}, requests {}",
                ramp_words(accounts),
                percent(*requests)
            )
        }
    }
}

fn ramp_words(ramp: &Ramp) -> String {
    let step = |step: &crate::plan::ramp::Step| match step.from {
        None => percent(step.fraction),
        Some(from) => format!("{} from {from}", percent(step.fraction)),
    };
    match ramp.steps() {
        [only] => step(only),
        steps => format!(
            "({})",
            steps.iter().map(step).collect::<Vec<_>>().join(", ")
        ),
    }
}

fn percent(fraction: Fraction) -> String {
    format!("{fraction} %")
}

fn when_words(plan: &Plan, when: &When) -> String {
    let list = |segments| {
        sorted(plan, segments)
            .into_iter()
            .collect::<Vec<_>>()
            .join(" or ")
    };
    let mut parts = Vec::new();
    if let Some(within) = &when.within {
        parts.push(format!("in {}", list(within)));
    }
    if when.outside.first().is_some() {
        parts.push(format!("not in {}", list(&when.outside)));
    }
    parts.extend(when.headers.iter().map(header_words));
    if !when.regions.is_empty() {
        parts.push(format!("in region {}", when.regions.join(" or ")));
    }
    match parts.is_empty() {
        true => "always".into(),
        false => parts.join(" and "),
    }
}

fn match_words(matches: &RequestMatch) -> String {
    let RequestMatch {
        hosts,
        path,
        methods,
        headers,
    } = matches;
    let mut parts = Vec::new();
    if !hosts.is_empty() {
        parts.push(format!("host {}", hosts.join(" or ")));
    }
    parts.extend(path.as_ref().map(|path| match path {
        PathMatch::Exact(exact) => format!("path {exact}"),
        PathMatch::Prefix(prefix) => format!("path prefix {prefix}"),
        PathMatch::Template(template) => format!("path template {template}"),
    }));
    if !methods.is_empty() {
        parts.push(methods.join(" or "));
    }
    parts.extend(headers.iter().map(header_words));
    match parts.is_empty() {
        true => "all requests".into(),
        false => parts.join(" and "),
    }
}

fn header_words(header: &HeaderMatch) -> String {
    let name = &header.name;
    match &header.test {
        HeaderTest::Exact(exact) => format!("header {name} = {exact}"),
        HeaderTest::Prefix(prefix) => format!("header {name} = {prefix}…"),
        HeaderTest::Present(true) => format!("header {name}"),
        HeaderTest::Present(false) => format!("no header {name}"),
    }
}

fn from_to(name: &str, old: Option<&str>, new: Option<&str>) -> String {
    let [old, new] = [old, new].map(|value| value.unwrap_or("none"));
    format!("{name} {old} → {new}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(halted: bool, segments: &str, rollouts: &str) -> Plan {
        Plan::from_json(&format!(
            r#"{{"version": 1, "halted": {halted}, "segments": {segments},
                 "account": {{"from": [{{"header": "a"}}], "format": "opaque"}},
                 "rollouts": [{rollouts}]}}"#
        ))
        .unwrap()
    }

    fn rollout(rest: &str) -> String {
        format!(r#"{{"name": "r", "v1": "a", "v2": "b", "mode": "split", {rest}}}"#)
    }

    fn lines(old: &Plan, new: &Plan) -> Vec<String> {
        let changes = new.changes_since(Some(old)).into_iter();
        let line = |change: PlanChange| {
            let part = match change.part {
                ChangedPart::Policy => "policy".to_owned(),
                ChangedPart::Segment(name) => format!("segment {name}"),
                ChangedPart::Rollout(name) => name,
            };
            format!("{part}: {}", change.what.join("; "))
        };
        changes.map(line).collect()
    }

    const SEGMENTS: &str = r#"{"s": {"accounts": ["1", "2"]}, "t": {"accounts": ["3"]}}"#;

    #[test]
    fn a_rule_says_what_changes_in_it() {
        for (old, new, expected) in [
            (
                r#"{"accounts": 5}"#,
                r#"{"accounts": 10}"#,
                "rule 1 accounts 5 % → 10 %",
            ),
            (r#"{"accounts": 5}"#, r#"{"accounts": 5.0}"#, ""),
            (
                r#"{"accounts": 0.000001}"#,
                r#"{"accounts": 12.5, "requests": 1}"#,
                "rule 1 accounts 0.000001 % → 12.5 %, requests 100 % → 1 %",
            ),
            (
                r#"{"serve": "v1"}, {"accounts": 1}, {"accounts": 5}"#,
                r#"{"serve": "v1"}, {"accounts": 1}, {"accounts": 10}"#,
                "rule 3 accounts 5 % → 10 %",
            ),
            (
                r#"{"accounts": 5}"#,
                r#"{"serve": "v1"}"#,
                "rule 1 accounts 5 % → v1",
            ),
            (
                r#"{"when": {"in": ["s", "t"]}}"#,
                r#"{"when": {"in": ["t", "s"]}}"#,
                "",
            ),
            (
                r#"{"when": {"in": ["s"]}}"#,
                r#"{"when": {"not_in": ["s"], "headers": {"b": {"exact": "1"}}, "regions": ["eu"]}}"#,
                "rule 1 when in s → not in s and header b = 1 and in region eu",
            ),
            (
                r#"{"accounts": 5}"#,
                r#"{"accounts": [{"from": "2026-12-01T09:00:00Z", "percent": 1},
                                 {"from": "2026-12-02T09:00:00Z", "percent": 50}]}"#,
                "rule 1 accounts 5 % → (1 % from 2026-12-01T09:00:00Z, 50 % from 2026-12-02T09:00:00Z)",
            ),
            (
                r#"{"accounts": 5}"#,
                r#"{"when": {"in": ["s"]}, "serve": "v1"}, {"accounts": 5}"#,
                "1 rule → 2 rules; new rule 1 in s: v1",
            ),
            (
                r#"{"accounts": 5}, {"accounts": 1}, {"accounts": 7}"#,
                r#"{"accounts": 5}, {"accounts": 7}"#,
                "3 rules → 2 rules; without the rule 2 of before: accounts 1 %",
            ),
            (
                r#"{"accounts": 5}"#,
                "",
                "1 rule → 0 rules; without the rule 1 of before: accounts 5 %",
            ),
        ] {
            let of =
                |rules: &str| plan(false, SEGMENTS, &rollout(&format!(r#""rules": [{rules}]"#)));
            let expected: Vec<String> = match expected {
                "" => Vec::new(),
                expected => vec![format!("r: {expected}")],
            };
            assert_eq!(lines(&of(old), &of(new)), expected, "{old} {new}");
        }
    }

    #[test]
    fn a_rollout_that_is_new_or_gone_or_another_is_one_line() {
        let none = plan(false, "{}", "");
        let first = plan(false, SEGMENTS, &rollout(r#""rules": [{"serve": "v1"}]"#));
        assert_eq!(first.changes_since(None), first.changes_since(Some(&none)));
        let one = plan(false, "{}", &rollout(r#""rules": [{"accounts": 5}]"#));
        assert_eq!(
            lines(&none, &one),
            ["r: new, mode split; v1 a, v2 b; match all requests; rule 1 accounts 5 %"]
        );
        assert_eq!(lines(&one, &none), ["r: removed, its mode was split"]);
        let other = r#"{"name": "r", "v1": "c", "v2": "b", "mode": "on", "rules": [{"accounts": 5}],
                        "match": {"hosts": ["h"], "path": {"prefix": "/x"}, "methods": ["GET"]}}"#;
        assert_eq!(
            lines(&one, &plan(false, "{}", other)),
            [
                "r: mode split → on; v1 a → c; match all requests → host h and path prefix /x and GET"
            ]
        );
        assert_eq!(lines(&one, &one), [""; 0]);
    }

    #[test]
    fn the_policy_and_its_segments_have_lines_of_their_own() {
        let old = plan(false, SEGMENTS, "");
        let new = plan(
            true,
            r#"{"s": {"accounts": ["2", "4", "5"]}, "u": {"accounts": ["3"]}}"#,
            "",
        );
        assert_eq!(
            lines(&old, &new),
            [
                "policy: halted: everyone takes v1",
                "segment s: 2 → 3 accounts (2 added, 1 removed)",
                "segment u: new, 1 account",
                "segment t: removed, 1 account",
            ]
        );
        assert_eq!(
            lines(&new, &plan(false, "{}", ""))[0],
            "policy: not halted any more"
        );
        let named =
            |name: &str| format!(r#"{{"name": "{name}", "v1": "a", "v2": "b", "mode": "off"}}"#);
        let of = |names: [&str; 2]| plan(false, "{}", &names.map(named).join(","));
        assert_eq!(
            lines(&of(["x", "y"]), &of(["y", "x"])),
            ["policy: the order of rollouts: y, x"]
        );
    }
}
