//! Warnings about rules agree with `decide`.

use proptest::prelude::*;
use turnout_core::lint::{Options, lint};
use turnout_core::{Headers, Inbound, Plan, Time, decide};

const SEGMENTS: [&str; 4] = ["a", "b", "c", "d"];

/// The segments of each of a few accounts, as bits.
fn classes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0..16_u8, 0..5)
}

#[derive(Clone, Debug)]
struct Rule {
    within: Option<u8>,
    outside: u8,
    /// The header value, and whether it must match as a whole.
    header: Option<(String, bool)>,
    region: Option<usize>,
}

const REGIONS: [&str; 2] = ["east", "west"];

fn rule(conditions: bool) -> impl Strategy<Value = Rule> {
    let header = prop::option::weighted(0.4, ("y{1,2}", any::<bool>()));
    let region = prop::option::weighted(0.3, 0..REGIONS.len());
    let segments = (prop::option::of(1..16_u8), prop_oneof![Just(0), 0..16_u8]);
    (segments, header, region).prop_map(move |((within, outside), header, region)| Rule {
        within,
        outside,
        header: header.filter(|_| conditions),
        region: region.filter(|_| conditions),
    })
}

fn names(bits: u8) -> String {
    let names = SEGMENTS.iter().enumerate();
    let names = names.filter(|(bit, _)| bits >> bit & 1 != 0);
    let names: Vec<String> = names.map(|(_, name)| format!("\"{name}\"")).collect();
    format!("[{}]", names.join(","))
}

impl Rule {
    fn as_json(&self) -> String {
        let mut when = Vec::new();
        when.extend(self.within.map(|bits| format!("\"in\":{}", names(bits))));
        if self.outside != 0 {
            when.push(format!("\"not_in\":{}", names(self.outside)));
        }
        if let Some((value, is_whole)) = &self.header {
            let test = if *is_whole { "exact" } else { "prefix" };
            when.push(format!(
                "\"headers\":{{\"x-h\":{{\"{test}\":\"{value}\"}}}}"
            ));
        }
        when.extend(
            self.region
                .map(|at| format!("\"regions\":[\"{}\"]", REGIONS[at])),
        );
        format!("{{\"when\":{{{}}},\"accounts\":50}}", when.join(","))
    }
}

fn policy(classes: &[u8], rules: &[Rule]) -> String {
    let segments = SEGMENTS.iter().enumerate().map(|(bit, name)| {
        let accounts = classes.iter().enumerate();
        let accounts = accounts.filter(|(_, bits)| *bits >> bit & 1 != 0);
        let accounts: Vec<String> = accounts.map(|(n, _)| format!("\"u{n}\"")).collect();
        format!("\"{name}\":{{\"accounts\":[{}]}}", accounts.join(","))
    });
    let segments: Vec<String> = segments.collect();
    let rules: Vec<String> = rules.iter().map(Rule::as_json).collect();
    format!(
        r#"{{"version":1,"account":{{"from":[{{"header":"x-user"}}],"format":"opaque"}},
            "segments":{{{}}},
            "rollouts":[{{"name":"r","v1":"v","v2":"w","mode":"split","rules":[{}]}}]}}"#,
        segments.join(","),
        rules.join(",")
    )
}

/// The rules that lint calls unreachable.
fn unreachable(text: &str, rules: usize) -> Vec<bool> {
    let found = lint(text.as_bytes(), &Options::default());
    let is_said = |rule: usize| {
        let pointer = format!("/rollouts/0/rules/{rule}");
        let mut found = found.as_slice().iter();
        found.any(|d| d.code() == "unreachable-rule" && d.pointer == pointer)
    };
    (0..rules).map(is_said).collect()
}

/// The rules that decide something: for each account and one in no segment, with each header value, in each
/// region and in an unknown one.
fn deciding(text: &str, accounts: usize, rules: usize) -> Vec<bool> {
    let mut decides = vec![false; rules];
    for region in ["", "east", "west", "north"] {
        let mut plan = Plan::from_json(text).expect("a valid policy");
        plan.set_region(region);
        for account in (0..accounts)
            .map(|n| format!("u{n}"))
            .chain(["nobody".into()])
        {
            for value in [None, Some("y"), Some("yy"), Some("yyy"), Some("z")] {
                let mut pairs = vec![
                    (&b":path"[..], &b"/"[..]),
                    (&b"x-user"[..], account.as_bytes()),
                ];
                pairs.extend(value.map(|value| (&b"x-h"[..], value.as_bytes())));
                let at = Time::from_seconds(0);
                let request = plan.request(Headers::new(&pairs), Inbound::Strip, at);
                if let Some(rule) = decide(&plan, &request).rule {
                    decides[rule] = true;
                }
            }
        }
    }
    decides
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_rule_reported_as_unreachable_decides_nothing(
        classes in classes(),
        rules in prop::collection::vec(rule(true), 1..6),
    ) {
        let text = policy(&classes, &rules);
        let decides = deciding(&text, classes.len(), rules.len());
        for (rule, said) in unreachable(&text, rules.len()).into_iter().enumerate() {
            prop_assert!(!(said && decides[rule]), "rule {} of {}", rule, text);
        }
    }

    #[test]
    fn every_rule_not_reported_as_unreachable_decides_something(
        classes in classes(),
        rules in prop::collection::vec(rule(false), 1..6),
    ) {
        let text = policy(&classes, &rules);
        let decides = deciding(&text, classes.len(), rules.len());
        let said = unreachable(&text, rules.len());
        for rule in 0..rules.len() {
            prop_assert!(said[rule] != decides[rule], "rule {} of {}", rule, text);
        }
    }
}
