//! Access-log entries: reading back an entry gives the same decision, for any account.

use proptest::prelude::*;
use turnout_core::{AccessLogEntry, Account, Headers, Inbound, Plan, Time, decide};

const POLICY: &str = r#"{
    "version": 1, "revision": "2026-11-21.3",
    "account": {"from": [{"header": "x-account"}], "format": "opaque"},
    "rollouts": [{"name": "chat", "match": {"path": {"prefix": "/chat"}}, "v1": "a", "v2": "b",
                  "mode": "split", "rules": [{}]}]
}"#;

/// The entry of a request, and the account that was read from it.
fn entry(path: &str, account: Option<&[u8]>) -> (Vec<u8>, Option<Vec<u8>>) {
    let plan = Plan::from_json(POLICY).unwrap();
    let mut headers = vec![(&b":path"[..], path.as_bytes())];
    headers.extend(account.map(|account| (&b"x-account"[..], account)));
    let request = plan.request(Headers::new(&headers), Inbound::Strip, Time::default());
    let mut entry = b"before ".to_vec();
    decide(&plan, &request).log(plan.revision(), &request.account, &mut entry);
    let account = match &request.account {
        Account::Known(account) => Some(account.as_slice().to_vec()),
        Account::Absent | Account::Malformed => None,
    };
    (entry.split_off(b"before ".len()), account)
}

#[test]
fn the_log_is_read_as_documented() {
    let text = |path, account: Option<&str>| {
        let (entry, _) = entry(path, account.map(str::as_bytes));
        String::from_utf8(entry).unwrap()
    };
    assert_eq!(
        text("/chat", Some("acme/7")),
        "rollout=chat treatment=v2 reason=rule revision=2026-11-21.3 account=acme/7"
    );
    assert_eq!(
        text("/chat", Some("a b=\"c\\%\u{e9}")),
        "rollout=chat treatment=v2 reason=rule revision=2026-11-21.3 \
         account=a%20b%3d%22c%5c%25%c3%a9"
    );
    assert_eq!(
        text("/chat", None),
        "rollout=chat treatment=v1 reason=no_account revision=2026-11-21.3"
    );
    assert_eq!(
        text("/chat", Some("")),
        "rollout=chat treatment=v1 reason=malformed_account revision=2026-11-21.3"
    );
    assert_eq!(
        text("/other", Some("a")),
        "rollout=- treatment=v1 reason=no_rollout revision=2026-11-21.3 account=a"
    );
}

#[test]
fn invalid_entries_are_not_read() {
    for text in [
        "",
        "chat",
        "rollout=chat ",
        "account=%2",
        "account=%zz",
        "a  b=c",
    ] {
        assert_eq!(AccessLogEntry::parse(text.as_bytes()), None, "{text:?}");
    }
    let more = AccessLogEntry::parse(b"rollout=chat later=1").unwrap();
    assert_eq!(
        more.rollout, b"chat",
        "a pair of a later version is passed over"
    );
}

proptest! {
    #[test]
    fn an_account_of_any_bytes_is_read_back(account in prop::collection::vec(any::<u8>(), 0..140)) {
        let (entry, known) = entry("/chat", Some(&account));
        prop_assert!(entry.iter().all(|byte| *byte == b' ' || byte.is_ascii_graphic()));
        let pairs = entry.split(|byte| *byte == b' ').count();
        prop_assert_eq!(pairs, if known.is_some() { 5 } else { 4 });
        let logged = AccessLogEntry::parse(&entry).unwrap();
        prop_assert_eq!(logged.account.map(|account| account.into_owned()), known);
        prop_assert_eq!(logged.rollout, b"chat");
        prop_assert_eq!(logged.revision, b"2026-11-21.3");
    }

    #[test]
    fn reading_never_fails(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = AccessLogEntry::parse(&text);
    }
}
