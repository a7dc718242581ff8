//! An Envoy between a client and two upstreams, and the policies that the tests share.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};
use support::client::{Client, Request, Response};
use support::envoy::{Bootstrap, Envoy, Swap};
use support::render::{discovered, rendered_with};
use support::upstream::Upstream;
use support::wasm::Build;
use turnout_core::{Configuration, Inbound};

/// The name of the rollout of [`policy`], and so its salt.
pub(crate) const ROLLOUT: &str = "chat";
/// At 50 % of the accounts of the rollout `chat`, this one is inside and the next is outside.
pub(crate) const INSIDE: &str = "AC7342e9713fa896e4af00c654c444aada";
pub(crate) const OUTSIDE: &str = "ACf0f19c557067cbbe80c46d1fb6dfbdb0";

/// The gauge of the policy's revision.
const REVISION: &str = "wasmcustom.turnout.revision.turnout";
/// The gauge of the bytes that the filter holds.
const HELD_BYTES: &str = "wasmcustom.turnout.held_bytes";

/// An Envoy and its upstreams. Envoy is dropped first.
pub(crate) struct Testbed {
    pub(crate) envoy: Envoy,
    pub(crate) v1: Upstream,
    pub(crate) v2: Upstream,
}

impl Testbed {
    /// Starts a file of `envoy/` that contains the filter.
    pub(crate) async fn of(
        file: &str,
        configuration: &str,
        adapt: impl FnOnce(Bootstrap) -> Bootstrap,
    ) -> Self {
        Self::of_build(Build::Whole, file, configuration, adapt).await
    }

    /// Like [`of`](Self::of), with either build of the filter.
    pub(crate) async fn of_build(
        build: Build,
        file: &str,
        configuration: &str,
        adapt: impl FnOnce(Bootstrap) -> Bootstrap,
    ) -> Self {
        let (v1, v2) = upstreams();
        let text = rendered_with(build, file, configuration);
        let bootstrap = adapt(Bootstrap::new(text, &v1, &v2));
        let envoy = Envoy::start(bootstrap).await;
        Self { envoy, v1, v2 }
    }

    /// Starts `live-policy.yaml`, whose policy can change. Clients may set their own
    /// request ids.
    pub(crate) async fn live(
        configuration: &str,
        adapt: impl FnOnce(Bootstrap) -> Bootstrap,
    ) -> Self {
        let (v1, v2) = upstreams();
        let text = support::envoy::file("live-policy.yaml");
        let bootstrap = Bootstrap::live(text, filter(configuration), &v1, &v2).keep_request_ids();
        let envoy = Envoy::start(adapt(bootstrap)).await;
        Self { envoy, v1, v2 }
    }

    /// Starts `behind-the-edge.yaml`, whose policy can change.
    pub(crate) async fn behind_the_edge(configuration: &str) -> Self {
        Self::discovering("behind-the-edge.yaml", configuration).await
    }

    /// Starts a file of `envoy/` that discovers the filter in a watched folder.
    pub(crate) async fn discovering(file: &str, configuration: &str) -> Self {
        Self::discovering_with(file, configuration, |b| b).await
    }

    /// Like [`discovering`](Self::discovering), with changes of the file.
    pub(crate) async fn discovering_with(
        file: &str,
        configuration: &str,
        adapt: impl FnOnce(Bootstrap) -> Bootstrap,
    ) -> Self {
        let (v1, v2) = upstreams();
        let text = support::envoy::file(file);
        let bootstrap = Bootstrap::live(text, filter(configuration), &v1, &v2);
        let envoy = Envoy::start(adapt(bootstrap)).await;
        Self { envoy, v1, v2 }
    }

    /// Starts a file of `envoy/` that gets the filter from a control plane, without one.
    pub(crate) async fn without_a_control_plane(file: &str) -> Self {
        let (v1, v2) = upstreams();
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        let bootstrap = Bootstrap::new(support::envoy::file(file), &v1, &v2);
        let envoy = Envoy::start(bootstrap.controlled_by(nowhere, "absent")).await;
        Self { envoy, v1, v2 }
    }

    pub(crate) fn client(&self) -> Client {
        self.envoy.client()
    }

    /// Gives an Envoy of [`live`](Self::live) another configuration.
    pub(crate) async fn swap(&self, configuration: &str) -> Swap {
        self.envoy.swap_filter(&filter(configuration)).await
    }

    /// Gives it another policy, which it must accept.
    pub(crate) async fn swap_policy(&self, policy: &Value) {
        assert_eq!(self.swap(&strip(policy)).await, Swap::Accepted, "{policy}");
    }

    /// All counters of decisions, by the name after `turnout.decisions.`.
    pub(crate) async fn decisions(&self) -> BTreeMap<String, u64> {
        const PREFIX: &str = "wasmcustom.turnout.decisions.";
        let stats = self.envoy.admin().settled_stats(r"^wasmcustom\.").await;
        stats
            .into_iter()
            .filter(|(name, _)| ![REVISION, HELD_BYTES].contains(&name.as_str()))
            .map(|(name, count)| {
                let decision = name.strip_prefix(PREFIX).map(str::to_owned);
                (decision.unwrap_or(name), count)
            })
            .collect()
    }

    /// The revision gauge of the active policy.
    pub(crate) async fn revision(&self) -> Option<u64> {
        let stats = self
            .envoy
            .admin()
            .stats(r"^wasmcustom\.turnout\.revision\.turnout$")
            .await;
        stats.get(REVISION).copied()
    }

    /// The numbers of requests at v1 and v2.
    pub(crate) fn reached(&self) -> (u64, u64) {
        (self.v1.requests(), self.v2.requests())
    }
}

fn upstreams() -> (Upstream, Upstream) {
    (Upstream::start("v1"), Upstream::start("v2"))
}

/// The file that an Envoy of [`Testbed::live`] watches.
pub(crate) fn filter(configuration: &str) -> String {
    discovered(configuration)
}

/// The plugin configuration of a proxy at the edge.
pub(crate) fn strip(policy: &Value) -> String {
    Configuration::to_json(&policy.to_string(), Inbound::Strip)
}

/// A policy with one rollout: [`split`] with these changes.
pub(crate) fn policy(changes: &Value) -> Value {
    let mut rollout = split();
    for (field, value) in changes.as_object().expect("fields of a rollout") {
        rollout[field] = value.clone();
    }
    json!({
        "version": 1,
        "account": {
            "from": [{ "header": "x-account-sid" }, { "basic_auth": "username" }],
            "format": "sid",
        },
        "rollouts": [rollout],
    })
}

/// Half of all accounts, for the requests under `/v1/Channels`.
fn split() -> Value {
    json!({
        "name": ROLLOUT,
        "match": { "path": { "prefix": "/v1/Channels" } },
        "v1": "channels-v1",
        "v2": "channels-v2",
        "mode": "split",
        "rules": [{ "accounts": 50 }],
    })
}

/// A request of an account that matches the rollout of [`policy`].
pub(crate) fn request_of(account: &str) -> Request {
    Request::get("/v1/Channels").header("x-account-sid", account)
}

/// Who responded: `v1` or `v2`.
pub(crate) fn version(response: &Response) -> &str {
    let version = response.headers.get("x-version");
    let version = version.and_then(|value| value.to_str().ok());
    version.unwrap_or_else(|| panic!("status {}: {}", response.status, response.text()))
}

/// The headers at an upstream that could be taken for ours, in any
/// spelling.
pub(crate) fn turnout_headers(reached: &Value) -> Vec<(String, String)> {
    let all: Vec<(String, String)> =
        serde_json::from_value(reached["headers"].clone()).expect("names and values");
    let mut ours: Vec<_> = all
        .into_iter()
        .filter(|(name, _)| {
            name.to_lowercase()
                .replace('_', "-")
                .starts_with("x-turnout-")
        })
        .collect();
    ours.sort();
    ours
}

/// The headers of a request at an upstream, with this treatment by the rollout of [`policy`].
pub(crate) fn headers_of(served: &str) -> Vec<(String, String)> {
    [
        ("x-turnout-cluster", format!("channels-{served}")),
        ("x-turnout-decision", format!("{ROLLOUT}={served}")),
        ("x-turnout-treatment", served.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// The lines of a log that show a trap of the filter.
pub(crate) fn traps(log: &[String]) -> Vec<&String> {
    const SIGNS: [&str; 3] = ["panicked", "RuntimeError", "in-VM backtrace"];
    let broken = |line: &&String| SIGNS.iter().any(|sign| line.contains(sign));
    log.iter().filter(broken).collect()
}
