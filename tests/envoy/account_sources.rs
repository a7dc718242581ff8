//! Clients like Twilio's own: they name the account in the path and authenticate with the account's token, an API
//! key, or the token of another account. With each configuration of the folder `envoy/` and the account sources of
//! `envoy/policy.json`, all requests of one account get one treatment.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::client::Request;
use support::random::basic;
use support::sized_policy::sid;

use crate::testbed::{Testbed, strip, version};

const ACCOUNTS: u32 = 100;
const KEY: &str = "SK7342e9713fa896e4af00c654c444aada";

#[tokio::test]
async fn every_request_of_an_account_gets_one_treatment_however_it_is_authenticated() {
    let policy = policy();
    let configuration = strip(&policy);
    for file in ["cluster-header.yaml", "treatment-header.yaml"] {
        let testbed = Testbed::of(file, &configuration, |b| b).await;
        check(&testbed, file).await;
    }
    for file in ["live-policy.yaml", "behind-the-edge.yaml", "fallback.yaml"] {
        let testbed = Testbed::discovering(file, &configuration).await;
        check(&testbed, file).await;
    }
}

/// The shipped policy, with a rollout for the paths of these clients.
fn policy() -> Value {
    let text = support::envoy::file("policy.json");
    let mut policy: Value = serde_json::from_str(&text).expect("a policy");
    policy["rollouts"][0]["match"] = json!({ "path": { "prefix": "/2010-04-01/" } });
    policy["rollouts"][0]["rules"] = json!([{ "accounts": 50 }]);
    policy
}

async fn check(testbed: &Testbed, file: &str) {
    let mut requests = Vec::new();
    let mut names = Vec::new();
    for number in 0..ACCOUNTS {
        let account = sid(number);
        for (name, request) in of_account(&account, &sid(number + ACCOUNTS)) {
            requests.push(request);
            names.push((account.clone(), name));
        }
    }
    let responses = testbed.client().send_all(requests, 16).await;
    let mut treatments: BTreeMap<String, BTreeMap<String, &str>> = BTreeMap::new();
    for ((account, name), response) in names.into_iter().zip(&responses) {
        assert_eq!(response.status, 200, "{file}: {name}");
        treatments
            .entry(account)
            .or_default()
            .insert(name, version(response));
    }
    let mut on_v2 = 0;
    for (account, treatments) in &treatments {
        let first = treatments.values().next().expect("a request");
        assert!(
            treatments.values().all(|treatment| treatment == first),
            "{file}: {account}: {treatments:?}"
        );
        on_v2 += u32::from(*first == "v2");
    }
    assert!((25..75).contains(&on_v2), "{file}: {on_v2} of {ACCOUNTS}");
    let decisions = testbed.decisions().await;
    let refused = decisions.iter().filter(|(name, count)| {
        **count > 0 && (name.contains("malformed_account") || name.contains("no_account"))
    });
    assert_eq!(refused.count(), 0, "{file}: {decisions:?}");
}

/// Fetch, create, list and delete, each with every credential.
fn of_account(account: &str, other: &str) -> Vec<(String, Request)> {
    let mut all = Vec::new();
    for (how, credentials) in [
        ("its token", Some(basic(account))),
        ("an API key", Some(basic(KEY))),
        ("another account's token", Some(basic(other))),
        ("a bearer token", Some(String::from("Bearer x"))),
        ("nothing", None),
    ] {
        for (method, path) in [
            ("GET", format!("{account}.json")),
            ("POST", format!("{account}.json")),
            ("POST", format!("{account}/Messages.json")),
            ("GET", format!("{account}/Messages.json?PageSize=50")),
            (
                "DELETE",
                format!("{account}/Messages/SM{}.json", &account[2..]),
            ),
        ] {
            let request = Request::new(method, format!("/2010-04-01/Accounts/{path}"))
                .header("host", "api.example.com");
            let request = match &credentials {
                Some(credentials) => request.header("authorization", credentials),
                None => request,
            };
            all.push((format!("{method} {path} by {how}"), request));
        }
    }
    all
}
