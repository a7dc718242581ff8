//! The testbed of the demo, and the policies of its two steps.

use serde_json::{Value, json};
use support::demo;
use support::scripted_upstream::Scripted;

use crate::messaging_api::{ROUTES, Version, respond};
use crate::traffic::{SEGMENTS, accounts};

/// The name of the rollout.
pub(crate) const ROLLOUT: &str = "chat-users-dynamodb";

/// Two upstreams and Envoy.
pub(crate) type Testbed = demo::Testbed<Scripted>;

/// Starts everything, without shadow requests.
pub(crate) async fn start() -> Testbed {
    let v1 = Scripted::start(|request| respond(Version::V1, request));
    let v2 = Scripted::start(|request| respond(Version::V2, request));
    Testbed::start(v1, v2, &policy("dark", None), |bootstrap| bootstrap).await
}

/// Starts shadowing: once this returns, every request is sampled.
pub(crate) async fn start_shadowing(testbed: &Testbed) -> Result<(), String> {
    testbed.swap(&policy("shadow", Some(shadow()))).await
}

/// The rollout's `shadow`. Every request is sampled, and only differences of v1 to itself count as noise.
pub(crate) fn shadow() -> Value {
    json!({
        "requests": 100,
        "strip_headers": ["authorization"],
        "routes": ROUTES,
        "noise": { "requests": 5 },
        "reveal": ["/user/state"],
        "summary_seconds": 1,
    })
}

fn policy(mode: &str, shadow: Option<Value>) -> String {
    let mut segments = json!({});
    for (name, _) in SEGMENTS.iter().filter(|(name, _)| *name != "-") {
        segments[*name] = json!({ "accounts": accounts(name) });
    }
    let mut rollout = json!({
        "name": ROLLOUT,
        "match": { "path": { "prefix": "/v1/" } },
        "v1": "channels-v1",
        "v2": "channels-v2",
        "mode": mode,
    });
    if let Some(shadow) = shadow {
        rollout["shadow"] = shadow;
    }
    let policy = json!({
        "version": 1,
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
        "segments": segments,
        "rollouts": [rollout],
    });
    policy.to_string()
}
