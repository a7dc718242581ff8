//! Packed accounts behave exactly like the same accounts in lists.

use proptest::prelude::*;
use turnout_core::{AccountListBuilder, Configuration, Format, Inbound, Plan, Revision};

fn pack(accounts: &[u128]) -> String {
    let mut gathered = AccountListBuilder::new(Format::Sid);
    for (line, account) in (1..).zip(accounts) {
        gathered.push(line, sid(*account).as_bytes());
    }
    gathered.pack().expect("SIDs")
}

fn sid(account: u128) -> String {
    format!("AC{account:032x}")
}

fn policy(segments: &[String]) -> String {
    let segments: Vec<String> = segments
        .iter()
        .enumerate()
        .map(|(index, segment)| format!("\"s{index}\": {segment}"))
        .collect();
    format!(
        r#"{{"version": 1, "account": {{"from": [{{"header": "a"}}], "format": "sid"}},
            "segments": {{{}}}, "rollouts": []}}"#,
        segments.join(", ")
    )
}

/// Few enough that segments overlap; some close together, some far apart.
fn account() -> impl Strategy<Value = u128> {
    prop_oneof![
        0..40_u128,
        (0..40_u128).prop_map(|n| n << 100),
        (0..40_u128).prop_map(|n| u128::MAX - (n << 64)),
    ]
}

proptest! {
    #[test]
    fn packed_and_listed_accounts_are_in_the_same_segments(
        lists in prop::collection::vec((any::<bool>(), prop::collection::vec(account(), 0..60)), 0..6),
    ) {
        let listed = |accounts: &[u128]| {
            let accounts: Vec<String> = accounts.iter().map(|a| format!("\"{}\"", sid(*a))).collect();
            format!("{{\"accounts\": [{}]}}", accounts.join(","))
        };
        let mixed: Vec<String> = lists
            .iter()
            .map(|(is_packed, accounts)| match is_packed {
                true => format!("{{\"accounts_packed\": \"{}\"}}", pack(accounts)),
                false => listed(accounts),
            })
            .collect();
        let plan = Plan::from_json(&policy(&mixed)).expect("a policy");
        for account in lists.iter().flat_map(|(_, accounts)| accounts).chain(&[5, 1 << 100, 7 << 120]) {
            let text = sid(*account);
            let id = plan.account(text.as_bytes()).expect("a SID");
            let found: Vec<usize> = plan.segments_of(&id).collect();
            let of = lists.iter().enumerate().filter(|(_, (_, all))| all.contains(account));
            let expected: Vec<usize> = of.map(|(index, _)| index).collect();
            prop_assert_eq!(found, expected, "{}", text);
        }
    }

    /// A problem in a packed segment has its position in the author's text, and problems after the segment keep
    /// theirs.
    #[test]
    fn positions_after_packed_accounts_are_those_of_the_text(
        text in "([A-Za-z0-9+/]{0,90}|(AAAAAAAAAAAAAAAAAAAAA[A-Z]==)?)[-é=\\\\u0041/ ]{0,3}",
        lines in "[ \\n]{0,3}",
    ) {
        let text = text.replace('\\', "\\u0041");
        let packed = format!("{{\"accounts_packed\": \"{text}\", \"é\": 1,{lines} \"acounts\": 2}}");
        let policy = policy(&[packed]);
        let diagnostics = Plan::from_json(&policy).expect_err("unknown fields");
        let found = diagnostics.as_slice();
        let misspelt = found.iter().find(|found| found.pointer == "/segments/s0/acounts");
        let misspelt = misspelt.expect("the unknown field");
        let place = policy.find("\"acounts\"").expect("the field");
        prop_assert_eq!(misspelt.span.clone(), place..place + "\"acounts\"".len());
        let before = &policy[..place];
        let line = before.rsplit('\n').next().unwrap_or_default();
        prop_assert_eq!(misspelt.column, line.chars().count() + 1);
        prop_assert_eq!(misspelt.line, before.matches('\n').count() + 1);
        // Also inside of a configuration.
        let configuration = Configuration::to_json(&policy, Inbound::Strip);
        let wrapped = Configuration::from_json(configuration.as_bytes()).expect_err("as before");
        prop_assert_eq!(wrapped, diagnostics);
    }
}

/// A policy without a revision has the hash of its text as revision, even after its accounts were lifted out.
#[test]
fn the_default_revision_hashes_the_whole_text() {
    let accounts: Vec<u128> = (0..1_000).collect();
    let policy = policy(&[format!("{{\"accounts_packed\": \"{}\"}}", pack(&accounts))]);
    let expected = Revision::of_text(&policy);
    let plan = Plan::from_json(&policy).expect("a policy");
    assert_eq!(*plan.revision(), expected);
    let configuration = Configuration::to_json(&policy, Inbound::Strip);
    let read = Configuration::from_json(configuration.as_bytes()).expect("a configuration");
    assert_eq!(*read.plan.revision(), expected);
}
