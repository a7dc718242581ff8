//! The measured policies: a large segment, and three rules that together send one request in twenty to v2.

use serde_json::{Value, json};
use turnout_core::{Configuration, EmittedHeaders, Inbound, Plan, Proxy};

use super::accounts::{packed, sid};

/// The default size of the large segment.
pub const ACCOUNTS: u32 = 100_000;
/// The percentage of requests to v2, in variants with a split.
pub const PERCENT: u32 = 5;
/// The first account of a small segment, for which the client sends no requests.
const HVC: u32 = 2_000_000;
/// The rollout that matches the requests.
pub const ROLLOUT: &str = "chat";

/// How the requests to v2 are selected.
#[derive(Clone, Copy, PartialEq)]
pub enum Selection {
    /// By account in the large segment, and for the others by request in half of the accounts.
    Mixed,
    /// By request in all accounts, so a guard compares every request.
    ByRequest,
    /// The same, with a guard.
    ByRequestGuarded,
}

/// A measured policy.
#[derive(Clone, Copy, PartialEq)]
pub struct Policy {
    /// The mode of each rollout.
    pub mode: &'static str,
    /// The size of the large segment, which has the accounts with the lowest numbers.
    pub accounts: u32,
    /// The number of rollouts. The last one matches the requests.
    pub rollouts: u32,
    /// How the rules select requests.
    pub selection: Selection,
    /// The headers that the proxy writes.
    pub headers: EmittedHeaders,
}

impl Policy {
    /// The policy of one rollout in a mode, of the default size.
    #[must_use]
    pub const fn of(mode: &'static str) -> Self {
        Self {
            mode,
            accounts: ACCOUNTS,
            rollouts: 1,
            selection: Selection::Mixed,
            headers: EmittedHeaders::ALL,
        }
    }

    /// The policy of one rollout in mode `split`, of the default size.
    #[must_use]
    pub const fn split(selection: Selection) -> Self {
        Self {
            selection,
            ..Self::of("split")
        }
    }

    /// The plugin configuration. The access log and the header have its revision.
    ///
    /// # Errors
    /// When the policy is not valid.
    pub fn configuration(self, revision: &str) -> Result<String, String> {
        let Self {
            mode,
            accounts,
            selection,
            ..
        } = self;
        let others = (1..self.rollouts).map(|number| {
            let name = format!("service-{number}");
            rollout(&name, &format!("/v1/Services/{number}"), mode, selection)
        });
        let last = rollout(ROLLOUT, "/v1/Channels", mode, selection);
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

fn rollout(name: &str, prefix: &str, mode: &str, selection: Selection) -> Value {
    let rules = match selection {
        Selection::Mixed => json!([
            { "when": { "in": ["hvc"] }, "accounts": 1 },
            { "when": { "in": ["big"] }, "accounts": PERCENT },
            // The same share of requests, selected one by one from half of the accounts.
            { "when": { "not_in": ["hvc", "big"] }, "accounts": 50, "requests": 2 * PERCENT },
        ]),
        Selection::ByRequest | Selection::ByRequestGuarded => json!([
            { "when": { "in": ["hvc"] }, "requests": 1 },
            { "when": { "in": ["big"] }, "requests": PERCENT },
            { "when": { "not_in": ["hvc", "big"] }, "requests": PERCENT },
        ]),
    };
    let mut rollout = json!({
        "name": name,
        "match": { "hosts": ["flex.example.com"], "path": { "prefix": prefix } },
        "v1": "channels-v1", "v2": "channels-v2",
        "mode": mode,
        "rules": rules,
    });
    if selection == Selection::ByRequestGuarded {
        rollout["guard"] = json!({});
    }
    if mode == "shadow" {
        rollout["shadow"] = json!({ "requests": 0 });
    }
    rollout
}
