//! No client can hide its Basic credentials: a user name that some server reads is the account, or the account is
//! malformed. It is never absent (then the next source would decide) and never another account.

mod lenient_servers;

use proptest::prelude::*;
use support::hostile_input::bytes;
use turnout_core::{Account, Headers, Inbound, Plan, Time};

use lenient_servers::users;

const USER: &str = "ACf0f19c557067cbbe80c46d1fb6dfbdb0";
/// The credentials of that user.
const CREDENTIALS: &str = "QUNmMGYxOWM1NTcwNjdjYmJlODBjNDZkMWZiNmRmYmRiMDpzZWNyZXQ=";
const IN_PATH: &str = "AC7342e9713fa896e4af00c654c444aada";
const POLICY: &str = r#"{
    "version": 1,
    "account": {"from": [{"basic_auth": "username"}, {"path": "/Accounts/{account}"}], "format": "sid"},
    "rollouts": []
}"#;

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "Basic",
        "basic",
        "BASIC",
        "bAsIc",
        "Bearer",
        "Digest a=\"b",
        "Basi",
        "c",
        "x",
        "\"",
        ",",
        ", ",
        " ",
        "  ",
        "\t",
        ":",
        "=",
        ";",
        "\u{a0}",
        "\u{feff}",
        "\u{b}",
        "\u{c}",
        "\u{85}",
        "realm=",
        "-",
        "*",
    ];
    let credentials = [
        CREDENTIALS,
        "QUNmMGYxOWM1NTcwNjdjYmJlODBjNDZkMWZiNmRmYmRiMDo=",
        // Without its padding, and without a colon.
        "QUNmMGYxOWM1NTcwNjdjYmJlODBjNDZkMWZiNmRmYmRiMDphOmI",
        "QUNmMGYxOWM1NTcwNjdjYmJlODBjNDZkMWZiNmRmYmRiMA==",
    ];
    prop_oneof![
        6 => prop::sample::select(words.map(|word| word.as_bytes().to_vec()).to_vec()),
        3 => prop::sample::select(credentials.map(|text| text.as_bytes().to_vec()).to_vec()),
        1 => bytes(4),
    ]
}

fn authorization() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(piece(), 0..7).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_spelling_of_basic_that_a_server_reads_is_absent_or_another_account(
        values in prop::collection::vec(authorization(), 1..3),
    ) {
        let plan = Plan::from_json(POLICY).expect("a policy");
        let path = format!("/Accounts/{IN_PATH}");
        let mut pairs = vec![(&b":path"[..], path.as_bytes())];
        pairs.extend(values.iter().map(|value| (&b"authorization"[..], &value[..])));
        let request = plan.request(Headers::new(&pairs), Inbound::Strip, Time::default());
        let values: Vec<&[u8]> = values.iter().map(|value| &value[..]).collect();
        for user in users(&values).iter().filter(|user| **user == USER.as_bytes()) {
            match &request.account {
                Account::Malformed => {}
                Account::Known(account) => prop_assert_eq!(account.as_slice(), &user[..]),
                Account::Absent => prop_assert!(false, "absent"),
            }
        }
    }
}

/// Ensures that the property above is not vacuous.
#[test]
fn the_model_reads_what_servers_read() {
    let credentials = CREDENTIALS;
    for authorization in [
        format!("Basic {credentials}"),
        format!("basic\t{credentials}"),
        format!("Basic:{credentials}"),
        format!("Basic{credentials}"),
        format!("Bearer x, BASIC {credentials}"),
        format!("Digest a=\"b, Basic {credentials}\""),
        format!("Bearer x Basic {credentials}"),
        format!("\u{feff}Basic\u{a0}{credentials}"),
        format!("Basic {}*{}", &credentials[..9], &credentials[9..]),
    ] {
        let users = users(&[authorization.as_bytes()]);
        assert!(
            users.iter().any(|user| user == USER.as_bytes()),
            "{authorization:?}"
        );
    }
    assert!(users(&[b"Bearer eyJhbGciOi.basic"]).is_empty());
}
