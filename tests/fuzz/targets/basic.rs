//! No client can hide its Basic credentials: any `authorization` names the account that each lenient server reads in
//! it, or is malformed.
//!
//! The input is lines, each a value of any bytes, in which `^` stands for `Basic` and `~` for credentials.
#![no_main]

#[path = "../../core/basic_auth/lenient_servers.rs"]
mod lenient_servers;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use turnout_core::{Account, Headers, Inbound, Plan, Time};

static PLAN: LazyLock<Plan> = LazyLock::new(|| {
    let policy = r#"{
        "version": 1,
        "account": {"from": [{"basic_auth": "username"}, {"path": "/Accounts/{account}"}],
                    "format": "sid"},
        "rollouts": []
    }"#;
    Plan::from_json(policy).expect("a valid policy")
});

const USER: &[u8] = b"ACf0f19c557067cbbe80c46d1fb6dfbdb0";
/// The credentials of that user.
const CREDENTIALS: &[u8] = b"QUNmMGYxOWM1NTcwNjdjYmJlODBjNDZkMWZiNmRmYmRiMDpzZWNyZXQ=";

fuzz_target!(|bytes: &[u8]| {
    let spelled = |byte: &u8| match byte {
        b'^' => b"Basic".to_vec(),
        b'~' => CREDENTIALS.to_vec(),
        byte => vec![*byte],
    };
    let values: Vec<Vec<u8>> = bytes
        .split(|byte| *byte == b'\n')
        .map(|line| line.iter().flat_map(spelled).collect())
        .collect();
    let mut pairs: Vec<(&[u8], &[u8])> =
        vec![(b":path", b"/Accounts/AC7342e9713fa896e4af00c654c444aada")];
    pairs.extend(
        values
            .iter()
            .map(|value| (&b"authorization"[..], &value[..])),
    );
    let request = PLAN.request(Headers::new(&pairs), Inbound::Strip, Time::default());
    let values: Vec<&[u8]> = values.iter().map(|value| &value[..]).collect();
    let users = lenient_servers::users(&values);
    for user in users.iter().filter(|user| is_sid(user)) {
        match &request.account {
            Account::Malformed => {}
            Account::Known(account) => assert_eq!(account.as_slice(), &user[..]),
            Account::Absent => panic!("absent"),
        }
    }
    if let Account::Known(account) = &request.account {
        let is_in_path = account.as_slice() != USER && !users.iter().any(|user| is_sid(user));
        assert!(is_in_path || users.iter().any(|user| user == account.as_slice()));
    }
});

fn is_sid(user: &[u8]) -> bool {
    let digits = user.strip_prefix(b"AC");
    digits.is_some_and(|digits| {
        digits.len() == 32
            && digits
                .iter()
                .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}
