//! The policies that are measured: a large segment, and three rules that send about one request of
//! twenty to v2.

use serde_json::{Value, json};
use support::bench::accounts::{packed, sid};
use turnout_core::{Configuration, EmittedHeaders, Inbound, Plan, Proxy};

/// Of the large segment, unless it is what varies.
pub(crate) const ACCOUNTS: u32 = 100_000;
/// How many percent of the requests v2 is to answer, wherever anything is sent there.
pub(crate) const PERCENT: u32 = 5;
/// Accounts of a small segment, from this number: the client asks for none of them.
const HVC: u32 = 2_000_000;
/// The rollout that has the requests.
pub(crate) const ROLLOUT: &str = "chat";

/// One of them.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Policy {
    pub(crate) mode: &'static str,
    /// Of the large segment: those of the lowest numbers.
    pub(crate) accounts: u32,
    /// One of them has the requests: the last.
    pub(crate) rollouts: u32,
    /// What the proxy writes.
    pub(crate) headers: EmittedHeaders,
}

impl Policy {
    pub(crate) const fn of(mode: &'static str) -> Self {
        Self {
            mode,
            accounts: ACCOUNTS,
            rollouts: 1,
            headers: EmittedHeaders::ALL,
        }
    }

    /// The plugin's configuration with it. Its revision is in the log and in the header.
    pub(crate) fn configuration(self, revision: &str) -> Result<String, String> {
        let Self { mode, accounts, .. } = self;
        let others = (1..self.rollouts).map(|number| {
            let name = format!("service-{number}");
            rollout(&name, &format!("/v1/Services/{number}"), mode)
        });
        let last = rollout(ROLLOUT, "/v1/Channels", mode);
        let rollouts: Vec<Value> = others.chain([last]).collect();
        let hvc: Vec<String> = (HVC..HVC + 10).map(sid).collect();
        let policy = json!({
            "version": 1,
            "revision": revision,
            "account": { "from": [{ "header": "x-account-sid" }], "format": "sid" },
            "segments": {
                "hvc": { "accounts": hvc },
                "big": { "accounts_packed": packed(0..accounts) },
            },
            "rollouts": rollouts,
        });
        let policy = policy.to_string();
        Plan::from_json(&policy)
            .map_err(|problems| format!("the policy of {mode} with {accounts}:\n{problems}"))?;
        let proxy = Proxy {
            inbound: Inbound::Strip,
            headers: self.headers,
            ..Proxy::default()
        };
        Ok(Configuration::to_json(&policy, proxy))
    }
}

fn rollout(name: &str, prefix: &str, mode: &str) -> Value {
    let mut rollout = json!({
        "name": name,
        "match": { "hosts": ["flex.example.com"], "path": { "prefix": prefix } },
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
    rollout
}
