//! Packed accounts in a running Envoy: a hundred thousand of them, under load and after a swap.

use serde_json::{Value, json};
use support::client::Request;
use support::envoy::Swap;
use turnout_core::{AccountListBuilder, Format};

use crate::testbed::{Testbed, policy, request_of, strip, version};

const ACCOUNTS: u128 = 100_000;

#[tokio::test]
async fn a_hundred_thousand_packed_accounts_decide_and_change() {
    let testbed = Testbed::live(&strip(&with_packed(0)), |bootstrap| bootstrap).await;
    let client = testbed.client();
    for first in [0, ACCOUNTS / 2] {
        let configuration = strip(&with_packed(first));
        assert_eq!(testbed.swap(&configuration).await, Swap::Accepted);
        let last = first + ACCOUNTS - 1;
        for (number, expected) in [
            (first, "v2"),
            (first + 1, "v2"),
            (last, "v2"),
            (last + 1, "v1"),
            (first.wrapping_sub(1), "v1"),
        ] {
            let response = client.send(request_of(&sid(number))).await;
            assert_eq!(version(&response), expected, "{number} from {first}");
        }
        let response = client.send(Request::get("/v1/Channels")).await;
        assert_eq!(version(&response), "v1");
    }
    // Invalid base64 changes nothing.
    let cut = strip(&with_packed(0)).replace("==\"", "-\"");
    assert_eq!(testbed.swap(&cut).await, Swap::Rejected);
    testbed
        .envoy
        .wait_for_log("at /segments/packed/accounts_packed")
        .await;
    let response = client.send(request_of(&sid(ACCOUNTS))).await;
    assert_eq!(version(&response), "v2");
}

/// Numbers far apart, so that the accounts are spread as real ones are.
fn sid(number: u128) -> String {
    let spread = number.wrapping_mul(1 << 108);
    format!("AC{:032x}", spread | number)
}

fn with_packed(first: u128) -> Value {
    let mut gathered = AccountListBuilder::new(Format::Sid);
    for (line, number) in (1..).zip(first..first + ACCOUNTS) {
        gathered.push(line, sid(number).as_bytes());
    }
    let mut policy = policy(&json!({}));
    policy["segments"] = json!({ "packed": { "accounts_packed": gathered.pack() } });
    policy["rollouts"][0]["rules"] = json!([{ "when": { "in": ["packed"] } }]);
    policy
}
