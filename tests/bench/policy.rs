//! The policy that is measured: a large segment, and three rules that send about one request of twenty
//! to v2.

use harness::bench::accounts::{packed, sid};
use serde_json::{Value, json};
use turnout_core::{Configuration, Inbound, Plan};

/// Of the large segment: those of the lowest numbers. The client asks for as many that are not in it.
pub(crate) const ACCOUNTS: u32 = 100_000;
/// How many percent of the requests v2 is to answer, wherever anything is sent there.
pub(crate) const PERCENT: u32 = 5;
pub(crate) const ROLLOUT: &str = "chat";

/// The plugin's configuration with this mode.
pub(crate) fn configuration(mode: &str) -> Result<String, String> {
    let mut rollout = json!({
        "name": ROLLOUT,
        "match": { "hosts": ["flex.example.com"], "path": { "prefix": "/v1/Channels" } },
        "v1": "channels-v1", "v2": "channels-v2",
        "mode": mode,
        "rules": [
            { "when": { "in": ["hvc"] }, "accounts": 1 },
            { "when": { "in": ["big"] }, "accounts": PERCENT },
            // As many requests, drawn one by one from half of the accounts.
            { "when": { "not_in": ["hvc", "big"] }, "accounts": 50, "requests": 2 * PERCENT },
        ],
    });
    if mode == "shadow" {
        rollout["shadow"] = json!({ "requests": 0 });
    }
    let hvc: Vec<String> = (0..10).map(sid).collect();
    let policy: Value = json!({
        "version": 1,
        "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
        "segments": {
            "hvc": { "accounts": hvc },
            "big": { "accounts_packed": packed(0..ACCOUNTS) },
        },
        "rollouts": [rollout],
    });
    let policy = policy.to_string();
    Plan::from_json(&policy).map_err(|problems| format!("the policy of {mode}:\n{problems}"))?;
    Ok(Configuration::to_json(&policy, Inbound::Strip))
}
