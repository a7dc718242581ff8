//! A change equals the difference between two account reports.

use std::collections::BTreeSet;

use proptest::prelude::*;
use turnout_core::{Account, Fraction, Plan, Time};
use turnout_simulate::{Change, ChangeLimits, ListOptions, PolicyAt};

use crate::policies::{ACCOUNTS, SEGMENTS, account, moment, plan, policy, region};

/// The accounts on v2 in a rollout, with the percentage of their requests.
fn on_v2(
    plan: &Plan,
    rollout: &str,
    at: Time,
    numbers: &BTreeSet<usize>,
) -> Vec<(usize, Fraction)> {
    let Some(rollout) = plan.rollouts().iter().find(|known| known.name == rollout) else {
        return Vec::new();
    };
    let takes = |number: &usize| {
        let text = account(*number);
        let account = Account::Known(plan.account(text.as_bytes()).expect("an account"));
        let requests = rollout.served(&plan.account_outcome(rollout, &account, at));
        (requests != Fraction::NONE).then_some((*number, requests))
    };
    numbers.iter().filter_map(takes).collect()
}

fn list(numbers: &[usize]) -> String {
    numbers
        .iter()
        .map(|number| account(*number) + "\n")
        .collect()
}

proptest! {
    #[test]
    fn a_change_is_the_difference_of_two_simulations(
        old in policy(), new in policy(), region in region(), at in moment(), at_new in moment(),
        numbers in prop::collection::vec(0..ACCOUNTS, 1..80),
    ) {
        let (old, new) = (plan(&old, region), plan(&new, region));
        let versions = [PolicyAt { plan: &old, at }, PolicyAt { plan: &new, at: at_new }];
        let [before, after] = versions;
        let change = Change::between(before, after, &ListOptions::default(), &ChangeLimits::default(), list(&numbers).as_bytes())
            .expect("it is read");
        let different: BTreeSet<usize> = numbers.iter().copied().collect();
        prop_assert_eq!(change.accounts, different.len() as u64);
        prop_assert_eq!(change.duplicates, (numbers.len() - different.len()) as u64);
        let mut newly_anywhere = BTreeSet::new();
        for rollout in &change.rollouts {
            let [then, now] = versions.map(|v| on_v2(v.plan, &rollout.rollout, v.at, &different));
            let [was, is] = [&then, &now]
                .map(|on| on.iter().map(|(number, _)| *number).collect::<BTreeSet<_>>());
            let moved = |to: &str| -> BTreeSet<String> {
                let moves = rollout.moves.iter().filter(|moved| moved.to == to);
                moves.map(|moved| moved.account.clone()).collect()
            };
            let named = |numbers: BTreeSet<usize>| -> BTreeSet<String> {
                numbers.into_iter().map(account).collect()
            };
            prop_assert_eq!(moved("v2"), named(&is - &was));
            prop_assert_eq!(moved("v1"), named(&was - &is));
            let shares = then.iter().filter(|(number, _)| is.contains(number));
            let shares = shares.filter(|on| !now.contains(on)).map(|(number, _)| *number);
            prop_assert_eq!(moved("percentage"), named(shares.collect()));
            let total = &rollout.total;
            prop_assert_eq!(total.newly_v2, (&is - &was).len() as u64);
            prop_assert_eq!(total.back_to_v1, (&was - &is).len() as u64);
            prop_assert_eq!(total.stay_v2, (&was & &is).len() as u64);
            prop_assert_eq!(total.accounts, different.len() as u64);
            prop_assert_eq!(total.newly_v2 + total.back_to_v1 + total.stay_v2 + total.stay_v1, total.accounts);
            newly_anywhere.extend(&is - &was);
        }
        prop_assert_eq!(change.newly_v2, newly_anywhere.len() as u64);
    }

    /// All accounts of a forbidden segment are checked, whatever the list contains.
    #[test]
    fn all_accounts_of_a_forbidden_segment_are_checked(old in policy(), new in policy(), number in 0..ACCOUNTS) {
        let (old, new) = (plan(&old, None), plan(&new, None));
        let at = Time::from_seconds(150);
        let forbidden = ChangeLimits { forbidden_segments: vec![String::from("hvc")], max_new: None };
        let change = |numbers: &[usize], forbidden: &ChangeLimits| {
            let versions = [&old, &new].map(|plan| PolicyAt { plan, at });
            let [old, new] = versions;
            Change::between(old, new, &ListOptions::default(), forbidden, list(numbers).as_bytes()).expect("it is read")
        };
        let all: Vec<usize> = (0..ACCOUNTS).collect();
        let moved = change(&all, &ChangeLimits::default()).rollouts.iter().any(|rollout| {
            let hvc = rollout.segments.iter().find(|moves| moves.segment.as_deref() == Some("hvc"));
            hvc.is_some_and(|moves| moves.newly_v2 + moves.back_to_v1 > 0)
        });
        let change = change(&[number], &forbidden);
        prop_assert_eq!(!change.violations.is_empty(), moved, "{:?}", change.violations);
        prop_assert!(SEGMENTS.contains(&"hvc"));
    }
}

#[test]
fn renamed_segments_and_rollouts_are_reported() {
    let policy = |segment: &str, rollout: &str, format: &str| {
        let account = account(1);
        let text = format!(
            r#"{{ "version": 1, "account": {{ "from": [{{ "header": "x" }}], "format": "{format}" }},
                "segments": {{ "{segment}": {{ "accounts": ["{account}"] }} }},
                "rollouts": [{{ "name": "{rollout}", "v1": "a", "v2": "b", "mode": "split", "rules": [] }}] }}"#
        );
        plan(&text, None)
    };
    let at = Time::from_seconds(0);
    let (old, new) = (
        policy("hvc", "chat", "sid"),
        policy("vips", "talk", "opaque"),
    );
    let [old, new] = [&old, &new].map(|plan| PolicyAt { plan, at });
    let list = list(&[1, 2]);
    let change = Change::between(
        old,
        new,
        &ListOptions::default(),
        &ChangeLimits::default(),
        list.as_bytes(),
    );
    assert_eq!(
        change.expect("it is read").notes,
        [
            "the format of accounts has changed: an account that is valid under only one policy counts as malformed \
             under the other",
            "the rollout `chat` is removed, and `talk` has its clusters, so it seems to be renamed; its accounts are \
             rebucketed; set `salt` to the old name to keep them",
            "the segment `hvc` is removed, and `vips` has the same accounts of the list, so it seems to be renamed",
        ]
    );
}

#[test]
fn a_halt_of_a_rollout_moves_its_accounts_alone_and_is_reported() {
    let policy = |halted: bool| {
        let rollout = |name: &str, halted: bool| {
            format!(
                r#"{{ "name": "{name}", "v1": "a", "v2": "b", "mode": "on", "halted": {halted},
                      "match": {{ "path": {{ "exact": "/{name}" }} }} }}"#
            )
        };
        let text = format!(
            r#"{{ "version": 1, "account": {{ "from": [{{ "header": "x" }}], "format": "sid" }},
                "rollouts": [{}, {}] }}"#,
            rollout("calls", halted),
            rollout("chat", false)
        );
        plan(&text, None)
    };
    let at = Time::from_seconds(0);
    let (going, halted) = (policy(false), policy(true));
    let [going, halted] = [&going, &halted].map(|plan| PolicyAt { plan, at });
    let list = list(&[1, 2]);
    let (options, limits) = (ListOptions::default(), ChangeLimits::default());
    for (old, new, note, [newly_v2, back_to_v1]) in [
        (
            going,
            halted,
            "calls: the new policy halts it: everyone takes v1 in it",
            [0, 2],
        ),
        (
            halted,
            going,
            "calls: the old policy halts it, the new one does not",
            [2, 0],
        ),
    ] {
        let change = Change::between(old, new, &options, &limits, list.as_bytes());
        let change = change.expect("it is read");
        assert_eq!(change.notes, [note]);
        assert_eq!((change.newly_v2, change.back_to_v1), (newly_v2, back_to_v1));
        assert!(
            change
                .rollouts
                .iter()
                .any(|it| it.rollout == "chat" && it.moves.is_empty())
        );
    }
}

#[test]
fn a_guard_that_re_arms_or_is_removed_is_reported() {
    let policy = |rollout: &str| {
        let text = format!(
            r#"{{ "version": 1, "account": {{ "from": [{{ "header": "x" }}], "format": "sid" }},
                "rollouts": [{{ "name": "chat", "v1": "a", "v2": "b", {rollout} }}] }}"#
        );
        plan(&text, None)
    };
    let at = Time::from_seconds(0);
    let guarded = r#""mode": "split", "rules": [{ "requests": 10 }], "guard": {}"#;
    let re_arms = "chat: its definition has changed, so its guard re-arms; if the guard has tripped, it no longer \
                   keeps everyone on v1";
    let removed = "chat: it no longer has a guard; if the guard has tripped, it no longer keeps everyone on v1";
    for (new, expected) in [
        (guarded, &[][..]),
        (
            r#""guard": { }, "rules": [{ "requests": 10.0 }], "mode": "split""#,
            &[],
        ),
        (
            r#""mode": "split", "rules": [{ "requests": 20 }], "guard": {}"#,
            &[re_arms],
        ),
        (
            r#""mode": "split", "rules": [{ "requests": 10 }], "guard": { "rearmed": 1 }"#,
            &[re_arms],
        ),
        (
            r#""mode": "split", "rules": [{ "requests": 10 }]"#,
            &[removed],
        ),
        (
            r#""mode": "off", "rules": [{ "requests": 10 }], "guard": {}"#,
            &[],
        ),
    ] {
        let (old, new) = (policy(guarded), policy(new));
        let [old, new] = [&old, &new].map(|plan| PolicyAt { plan, at });
        let (options, limits) = (ListOptions::default(), ChangeLimits::default());
        let change = Change::between(old, new, &options, &limits, list(&[1]).as_bytes());
        assert_eq!(change.expect("it is read").notes, expected);
    }
}

#[test]
fn rebucketed_rollouts_are_reported() {
    let policy = |rollout: &str| {
        let text = format!(
            r#"{{ "version": 1, "account": {{ "from": [{{ "header": "x" }}], "format": "sid" }},
                "rollouts": [{{ "v1": "a", "v2": "b", "mode": "split", "rules": [], {rollout} }}] }}"#
        );
        plan(&text, None)
    };
    let renamed =
        "the rollout `chat` is removed, and `talk` has its clusters, so it seems to be renamed; ";
    let split = r#""hash": { "split": { "seed": 1 } }"#;
    let other = r#""hash": { "split": { "seed": 2 } }"#;
    for (old, new, expected) in [
        (
            r#""name": "chat""#.to_owned(),
            r#""name": "chat", "salt": "chat""#.to_owned(),
            None,
        ),
        (
            r#""name": "chat""#.to_owned(),
            r#""name": "chat", "salt": "s""#.to_owned(),
            Some(
                "chat: accounts and requests are rebucketed, because its salt has changed"
                    .to_owned(),
            ),
        ),
        (
            r#""name": "chat""#.to_owned(),
            format!(r#""name": "chat", {split}"#),
            Some("chat: accounts are rebucketed, because its hash has changed".to_owned()),
        ),
        (
            format!(r#""name": "chat", {split}"#),
            format!(r#""name": "chat", {other}"#),
            Some("chat: accounts are rebucketed, because its hash has changed".to_owned()),
        ),
        (
            format!(r#""name": "chat", {split}"#),
            format!(r#""name": "chat", "salt": "s", {split}"#),
            Some("chat: requests are rebucketed, because its salt has changed".to_owned()),
        ),
        (
            format!(r#""name": "chat", {split}"#),
            format!(r#""name": "talk", {split}"#),
            Some(format!(
                "{renamed}its accounts keep their buckets, and its requests are rebucketed; set `salt` to the old name to keep them"
            )),
        ),
        (
            format!(r#""name": "chat", {split}"#),
            r#""name": "talk""#.to_owned(),
            Some(format!(
                "{renamed}its accounts are rebucketed; set the old `hash` to keep them"
            )),
        ),
        (
            format!(r#""name": "chat", {split}"#),
            format!(r#""name": "talk", "salt": "chat", {split}"#),
            Some(format!("{renamed}its buckets stay the same")),
        ),
    ] {
        let versions = [policy(&old), policy(&new)];
        let at = Time::from_seconds(0);
        let [before, after] = versions.each_ref().map(|plan| PolicyAt { plan, at });
        let list = list(&[1]);
        let change = Change::between(
            before,
            after,
            &ListOptions::default(),
            &ChangeLimits::default(),
            list.as_bytes(),
        );
        let notes = change.expect("it is read").notes;
        assert_eq!(notes, Vec::from_iter(expected), "{old} {new}");
    }
}

/// A thousand removed and a thousand added names are a million pairs: only pairs that share an account are
/// compared.
#[test]
fn many_segments_with_other_names_are_compared_quickly() {
    const SEGMENTS: usize = 1_000;
    let policy = |prefix: &str| {
        let segments = (0..SEGMENTS).map(|n| {
            let account = account(n);
            format!(r#""{prefix}{n}": {{ "accounts": ["{account}"] }}"#)
        });
        let segments = segments.collect::<Vec<_>>().join(",");
        let text = format!(
            r#"{{ "version": 1, "account": {{ "from": [{{ "header": "x" }}], "format": "sid" }},
                "segments": {{ {segments} }},
                "rollouts": [{{ "name": "r", "v1": "a", "v2": "b", "mode": "split", "rules": [] }}] }}"#
        );
        plan(&text, None)
    };
    let at = Time::from_seconds(0);
    let [old, new] = &[policy("old-"), policy("new-")];
    let [old, new] = [old, new].map(|plan| PolicyAt { plan, at });
    let list = list(&Vec::from_iter(0..SEGMENTS));
    let before = std::time::Instant::now();
    let change = Change::between(
        old,
        new,
        &ListOptions::default(),
        &ChangeLimits::default(),
        list.as_bytes(),
    );
    assert_eq!(change.expect("it is read").notes.len(), SEGMENTS);
    assert!(before.elapsed().as_secs() < 10, "{:?}", before.elapsed());
}

/// Counts by account do not show it, so "nobody moves" alone would be wrong.
#[test]
fn changed_request_matches_and_account_sources_are_reported() {
    let policy = |header: &str, prefix: &str| {
        let text = format!(
            r#"{{ "version": 1, "account": {{ "from": [{{ "header": "{header}" }}], "format": "sid" }},
                "rollouts": [{{ "name": "r", "match": {{ "path": {{ "prefix": "{prefix}" }} }}, "v1": "a", "v2": "b",
                               "mode": "split", "rules": [{{ "accounts": 50 }}] }}] }}"#
        );
        plan(&text, None)
    };
    let at = Time::from_seconds(0);
    let notes = |new: &Plan| {
        let old = &policy("x", "/a");
        let [old, new] = [old, new].map(|plan| PolicyAt { plan, at });
        let list = list(&[1]);
        let change = Change::between(
            old,
            new,
            &ListOptions::default(),
            &ChangeLimits::default(),
            list.as_bytes(),
        );
        change.expect("it is read").notes
    };
    let beginnings = |new: &Plan| -> Vec<String> {
        let notes = notes(new).into_iter();
        notes
            .map(|note| {
                note.split(" has changed")
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect()
    };
    assert_eq!(beginnings(&policy("x", "/a")), [""; 0]);
    assert_eq!(beginnings(&policy("x", "/b")), ["r: its `match`"]);
    assert_eq!(beginnings(&policy("y", "/a")), ["`account.from`"]);
}
