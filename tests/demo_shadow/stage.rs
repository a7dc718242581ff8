//! What the demo runs on: two upstreams, an Envoy with the files of the folder `envoy/`, and the
//! policies of the two steps.

use harness::client::Client;
use harness::envoy::{Bootstrap, Envoy, Swap, file};
use harness::render::discovered;
use harness::scripted::Scripted;
use serde_json::{Value, json};
use turnout_core::{Configuration, Inbound};

use crate::api::{ROUTES, Version, answer};
use crate::counted::Counted;
use crate::traffic::{SEGMENTS, accounts};

/// The name of the rollout.
pub(crate) const ROLLOUT: &str = "chat-users-dynamodb";

/// Everything that runs. Dropped, nothing is left behind.
pub(crate) struct Stage {
    // Before the upstreams, that it does not miss them.
    pub(crate) envoy: Envoy,
    pub(crate) v1: Scripted,
    pub(crate) v2: Scripted,
    pub(crate) client: Client,
}

impl Stage {
    /// Starts everything, with v2 asked nothing.
    pub(crate) async fn start() -> Self {
        let v1 = Scripted::start(|request| answer(Version::V1, request));
        let v2 = Scripted::start(|request| answer(Version::V2, request));
        let filter = filter(&policy("dark", None));
        let bootstrap = Bootstrap::live(file("live-policy.yaml"), filter, &v1, &v2);
        let envoy = Envoy::start(bootstrap).await;
        let client = envoy.client();
        Self {
            envoy,
            v1,
            v2,
            client,
        }
    }

    /// From the return of this on, all requests are copied.
    pub(crate) async fn shadow(&self) -> Result<(), String> {
        let policy = policy("shadow", Some(shadow()));
        if self.envoy.swap_filter(&filter(&policy)).await == Swap::Accepted {
            return Ok(());
        }
        let mut log = self.envoy.settled_log().await;
        log.retain(|line| line.contains("turnout"));
        Err(format!("Envoy refuses the policy:\n{}", log.join("\n")))
    }

    /// What the filter has counted of copies.
    pub(crate) async fn counted(&self) -> Counted {
        let stats = self
            .envoy
            .admin()
            .stats(r"^wasmcustom\.turnout\.shadow")
            .await;
        Counted::of(&stats)
    }
}

/// Each request is copied, whatever its account; only what v1 itself says twice in two ways is noise.
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

fn policy(mode: &str, shadow: Option<Value>) -> Value {
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
    json!({
        "version": 1,
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
        "segments": segments,
        "rollouts": [rollout],
    })
}

/// What Envoy discovers.
fn filter(policy: &Value) -> String {
    let configuration = Configuration::to_json(&policy.to_string(), Inbound::Strip);
    discovered(&configuration)
}
