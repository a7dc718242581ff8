//! Properties of any plan.

use proptest::prelude::*;
use turnout_core::{AccountFiles, ParsedPolicy, Plan};

use crate::{ParsedPlan, RollPlan};

use super::corpus::{check, plans, policy, read};

const POLICIES: [&str; 5] = ["base", "one-rule", "no-rules", "limit", "ramp"];

fn percentage() -> impl Strategy<Value = String> {
    prop_oneof![
        (0_u32..=100).prop_map(|whole| whole.to_string()),
        (0_u32..1_000).prop_map(|tenths| format!("{}.{}", tenths / 10, tenths % 10)),
        Just("1e1".to_owned()),
        Just("0.000001".to_owned()),
    ]
}

fn rules() -> impl Strategy<Value = String> {
    let when = prop_oneof![
        Just(""),
        Just(r#""when": { "in": ["hvc"] }, "#),
        Just(r#""when" :{"not_in":["beta"]}, "#),
    ];
    let rule = prop_oneof![
        (when, percentage(), percentage())
            .prop_map(|(when, a, r)| format!("{{ {when}\"accounts\": {a}, \"requests\":{r} }}")),
        Just("{}".to_owned()),
        Just("{ \"serve\": \"v1\" }".to_owned()),
    ];
    proptest::collection::vec(rule, 0..4).prop_map(|rules| format!("[ {} ]", rules.join(" ,")))
}

fn change() -> impl Strategy<Value = String> {
    let rule = prop_oneof![
        Just(String::new()),
        (1_u32..4).prop_map(|rule| format!("\"rule\": {rule}, ")),
    ];
    prop_oneof![
        rules().prop_map(|rules| format!("\"rules\": {rules}")),
        (rule.clone(), percentage()).prop_map(|(rule, a)| format!("{rule}\"accounts\": {a}")),
        (rule, percentage(), percentage())
            .prop_map(|(rule, a, r)| format!("{rule}\"requests\": {r}, \"accounts\": {a}")),
    ]
}

fn plan() -> impl Strategy<Value = String> {
    let steps = proptest::collection::vec(change(), 1..6);
    (steps, proptest::option::of(0_usize..6)).prop_map(|(steps, forbidden)| {
        let count = steps.len();
        let steps: Vec<String> = steps
            .into_iter()
            .enumerate()
            .map(|(index, change)| {
                let bake = r#""bake": { "requests": 10000 }"#;
                format!(r#"{{ "name": "s{index}", {change}, {bake} }}"#)
            })
            .collect();
        let forbid = forbidden.filter(|until| (1..count).contains(until));
        let forbid = forbid.map_or(String::new(), |until| {
            format!(r#", "forbid": [{{ "segment": "hvc", "until": "s{until}" }}]"#)
        });
        let steps = steps.join(", ");
        format!(r#"{{ "version": 1, "policy": "p", "rollout": "chat-users", "steps": [{steps}]{forbid} }}"#)
    })
}

/// Returns a text without the rules of its rollout and without its revision.
fn rest(text: &str) -> String {
    let places = ParsedPolicy::parse(text)
        .edit_places("chat-users")
        .expect("the rollout");
    let cut = |text: &str, range: std::ops::Range<usize>| {
        [&text[..range.start], &text[range.end..]].concat()
    };
    let mut rest = text.to_owned();
    if let Some(rules) = places.rules {
        rest = cut(&rest, rules);
    }
    // The revision comes before the rollouts.
    if let Some(revision) = places.revision {
        rest = cut(&rest, revision);
    }
    rest
}

proptest! {
    #[test]
    fn the_steps_of_a_plan_without_errors_compile_and_change_only_the_rules(
        plan in plan(),
        policy_index in 0..POLICIES.len(),
    ) {
        let policy = policy(POLICIES[policy_index]);
        let checked = check(&plan, &policy);
        for step in &checked.steps {
            let compiled = Plan::from_json(&step.policy_text);
            let compiled = compiled.map_err(|problems| TestCaseError::fail(problems.to_string()))?;
            prop_assert_eq!(compiled.revision(), &step.revision);
            let inserted = rest(&step.policy_text).replace("\"rules\":,", "");
            prop_assert_eq!(inserted, rest(&policy).replace("\"rules\":,", ""));
        }
        let mut revisions: Vec<&str> = checked.steps.iter().map(|step| step.revision.as_str()).collect();
        revisions.sort_unstable();
        revisions.dedup();
        prop_assert_eq!(revisions.len(), checked.steps.len());
        let again = check(&plan, &policy);
        prop_assert_eq!(again.steps, checked.steps);
    }

    #[test]
    fn a_mutated_plan_or_policy_never_panics(
        index in any::<prop::sample::Index>(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_usize..30), 1..4),
        policy_index in 0..POLICIES.len(),
        mutates_policy in any::<bool>(),
    ) {
        let files = plans();
        let mut plan = read(&files[index.index(files.len())]);
        let mut policy = policy(POLICIES[policy_index]);
        let text = if mutates_policy { &mut policy } else { &mut plan };
        for (at, from, length) in edits {
            let mut chars: Vec<char> = text.chars().collect();
            if chars.is_empty() {
                break;
            }
            let from = from.index(chars.len());
            let part: Vec<char> = chars[from..chars.len().min(from + length)].to_vec();
            let at = at.index(chars.len());
            chars.splice(at..chars.len().min(at + part.len() / 2), part);
            *text = chars.into_iter().collect();
        }
        let checked = check(&plan, &policy);
        for diagnostic in checked.diagnostics.as_slice() {
            prop_assert!(plan.get(diagnostic.span.clone()).is_some(), "{diagnostic}");
            prop_assert!(!diagnostic.problem.help().is_empty(), "{diagnostic}");
        }
        prop_assert_eq!(RollPlan::parse(&plan).ok(), checked.plan);
        let parsed = ParsedPlan::parse(&plan);
        let empty = parsed.check(&ParsedPolicy::parse(""), &AccountFiles::default());
        prop_assert!(empty.steps.is_empty());
    }
}
