//! Properties of any input: nothing panics, a larger percentage only adds accounts, and a client chooses nothing.

use proptest::prelude::*;
use serde_json::{Value, json};
use support::hostile_input::{bytes, header};
use turnout_core::lint::{Options, lint};
use turnout_core::{
    Account, Configuration, Fraction, Headers, Inbound, Plan, Position, Salt, Severity, Time,
    decide, is_turnout_header,
};

const VALID: &str = include_str!("../corpus/policies/valid/everything.json");

fn plan() -> Plan {
    Plan::from_json(VALID).expect("a valid policy")
}

/// A valid policy with one part removed or replaced.
fn broken_policy() -> impl Strategy<Value = String> {
    (0..VALID.len(), 0..40_usize, bytes(12)).prop_map(|(at, length, bytes)| {
        let mut text = VALID.as_bytes().to_vec();
        let end = (at + length).min(text.len());
        text.splice(at..end, bytes);
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// A valid policy with one value, at any depth, replaced.
pub(crate) fn policy_with_another_value() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        prop::collection::vec(".{0,8}", 0..4).prop_map(Value::from),
        prop::collection::hash_map("[a-z_]{1,8}", any::<u8>(), 0..4).prop_map(|map| json!(map)),
    ];
    (any::<prop::sample::Index>(), value).prop_map(|(index, value)| {
        let mut policy: Value = serde_json::from_str(VALID).expect("JSON");
        let pointers = pointers(&policy, "");
        let pointer = index.get(&pointers);
        *policy.pointer_mut(pointer).expect("a place") = value;
        policy.to_string()
    })
}

fn pointers(value: &Value, at: &str) -> Vec<String> {
    let inner = match value {
        Value::Array(items) => items
            .iter()
            .enumerate()
            .flat_map(|(index, item)| pointers(item, &format!("{at}/{index}")))
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, item)| pointers(item, &format!("{at}/{name}")))
            .collect(),
        _ => Vec::new(),
    };
    [vec![at.to_owned()], inner].concat()
}

proptest! {
    #[test]
    fn any_text_is_a_policy_or_has_errors(bytes in bytes(400)) {
        if let Err(diagnostics) = Configuration::from_json(&bytes) {
            prop_assert!(!diagnostics.as_slice().is_empty());
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Err(diagnostics) = Plan::from_json(&text) {
            prop_assert!(!diagnostics.as_slice().is_empty());
        }
    }

    #[test]
    fn a_broken_policy_says_where(text in prop_oneof![broken_policy(), policy_with_another_value()]) {
        if let Err(diagnostics) = Plan::from_json(&text) {
            let list = diagnostics.as_slice();
            prop_assert!(!list.is_empty());
            for diagnostic in list {
                prop_assert!(text.get(diagnostic.span.clone()).is_some(), "{diagnostic}");
                prop_assert!(!diagnostic.to_string().contains('\n'), "{diagnostic}");
                prop_assert!(!diagnostic.problem.help().is_empty());
            }
            prop_assert!(list.is_sorted_by_key(|diagnostic| (diagnostic.line, diagnostic.column)));
        }
    }

    #[test]
    fn a_broken_policy_is_linted(text in prop_oneof![broken_policy(), policy_with_another_value()]) {
        let old = plan();
        let options = Options { against: Some(&old), ..Options::default() };
        let found = lint(text.as_bytes(), &options);
        for diagnostic in found.as_slice() {
            let related = diagnostic.related.iter().map(|related| related.span.clone());
            for span in related.chain([diagnostic.span.clone()]) {
                prop_assert!(text.get(span).is_some(), "{diagnostic}");
            }
            prop_assert!(!diagnostic.to_string().contains('\n'), "{diagnostic}");
        }
        prop_assert!(found.as_slice().is_sorted_by_key(|d| (d.line, d.column)));
        let errors = Plan::from_json(&text).err().unwrap_or_default();
        let found = found.as_slice().iter();
        let found = found.filter(|diagnostic| diagnostic.severity() == Severity::Error);
        prop_assert!(found.eq(errors.as_slice()));
    }

    #[test]
    fn any_headers_are_decided(headers in prop::collection::vec(header(), 0..12), trust: bool) {
        let plan = plan();
        let inbound = if trust { Inbound::Trust } else { Inbound::Strip };
        let pairs: Vec<_> = headers.iter().map(|(n, v)| (&n[..], &v[..])).collect();
        let request = plan.request(Headers::new(&pairs), inbound, Time::default());
        let decision = decide(&plan, &request);
        prop_assert!(decision.reason.treatments().contains(&decision.treatment));
        prop_assert!(decision.rollout.is_some() == (decision.reason.as_str() != "no_rollout"));
        if let Some(rollout) = decision.rollout {
            prop_assert!(rollout.can_decide(inbound, decision.treatment, decision.reason));
            let value = rollout.decision_header(&request, decision.served());
            prop_assert!(value.len() < 5_000);
        }
        if let Account::Known(account) = &request.account {
            prop_assert!(account.as_slice().starts_with(b"AC") && account.as_slice().len() == 34);
        }
    }

    #[test]
    fn at_the_edge_no_turnout_header_changes_a_decision(
        headers in prop::collection::vec(header(), 0..12),
        forged in prop::collection::vec(("x[-_]turnout[-_][a-z]{0,10}", bytes(40)), 1..4),
    ) {
        let plan = plan();
        let outcome = |pairs: &[(&[u8], &[u8])]| {
            let request = plan.request(Headers::new(pairs), Inbound::Strip, Time::default());
            let decision = decide(&plan, &request);
            let rollout = decision.rollout.map(|rollout| rollout.name.clone());
            (rollout, decision.treatment, decision.reason, decision.served())
        };
        let honest: Vec<_> = headers.iter().map(|(n, v)| (&n[..], &v[..])).collect();
        let mut lying = honest.clone();
        lying.extend(forged.iter().map(|(n, v)| (n.as_bytes(), &v[..])));
        prop_assert!(forged.iter().all(|(name, _)| is_turnout_header(name.as_bytes())));
        prop_assert_eq!(outcome(&honest), outcome(&lying));
    }

    #[test]
    fn raising_a_percentage_moves_nobody_back(position: u64, low in 0..=100_000_000_u32, high in 0..=100_000_000_u32) {
        let (low, high) = (low.min(high), low.max(high));
        let included = |millionths| {
            Fraction::from_millionths(millionths).expect("a percentage").includes(Position(position))
        };
        prop_assert!(!included(low) || included(high));
    }

    #[test]
    fn a_percentage_is_parsed_exactly(millionths in 0..=100_000_000_u32, zeros in 0..4_usize) {
        let read = |literal: String| Fraction::from_percentage(&literal).map(|f| f.millionths());
        let (whole, decimals) = (millionths / 1_000_000, millionths % 1_000_000);
        let zeros = "0".repeat(zeros);
        prop_assert_eq!(read(format!("{whole}.{decimals:06}{zeros}")), Some(millionths));
        prop_assert_eq!(read(format!("{millionths}e-6")), Some(millionths));
        prop_assert_eq!(read(format!("0.{millionths:09}{zeros}E+3")), Some(millionths));
        // As other tools write the number.
        prop_assert_eq!(read((f64::from(millionths) / 1e6).to_string()), Some(millionths));
    }

    #[test]
    fn two_rollouts_bucket_independently_unless_they_share_a_salt(account in "AC[0-9a-f]{32}", a in "[a-z]{1,9}", b in "[a-z]{1,9}") {
        let position = |salt: &str| Salt::new(salt).account(account.as_bytes());
        prop_assert_eq!(position(&a) == position(&b), a == b);
    }
}
