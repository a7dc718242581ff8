//! Hostile clients, upstreams and environments: whatever is sent is rejected or decided by the policy, users get their
//! responses, and the counters stay exact.

mod clusters;
mod crashes;
mod headers;
mod http2_frames;
mod memory;
mod request_ids;
mod restarts;
mod targets;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::client::raw;
use support::envoy::Envoy;

use crate::testbed::Testbed;

/// The result of a request that was sent as bytes.
#[derive(Debug)]
struct Outcome {
    /// 0 if the connection was closed without a response.
    status: u16,
    /// The request as an upstream saw it.
    reached: Option<Value>,
}

impl Outcome {
    fn of(response: &[u8]) -> Self {
        let response = String::from_utf8_lossy(response);
        let status = response.strip_prefix("HTTP/1.1 ");
        let status = status.and_then(|rest| rest.get(..3)?.parse().ok());
        let body = response.split_once("\r\n\r\n").map(|(_, body)| body);
        Self {
            status: status.unwrap_or_default(),
            reached: body.and_then(|body| serde_json::from_str(body).ok()),
        }
    }

    /// Whether Envoy itself responded or closed the connection.
    fn is_refused(&self) -> bool {
        self.reached.is_none() && matches!(self.status, 0 | 400..=499 | 501)
    }

    /// The request as an upstream saw it. Panics if none did.
    #[track_caller]
    fn reached(&self) -> &Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.reached.as_ref().expect("an upstream's answer")
    }
}

/// Sends bytes on a new connection.
async fn send(testbed: &Testbed, bytes: &[u8]) -> Outcome {
    Outcome::of(&raw(testbed.envoy.address(), bytes).await)
}

/// Far longer than a loaded machine needs. Reaching it means that it will not happen.
const PATIENCE: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(20);

/// Waits until a condition is true.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(POLL).await;
    }
}

/// The filter's counters with this prefix that are not 0, once the filter has published all requests.
async fn stats(envoy: &Envoy, prefix: &str) -> BTreeMap<String, u64> {
    let prefix = format!("wasmcustom.turnout.{prefix}");
    let stats = envoy.admin().settled_stats(r"^wasmcustom\.").await;
    let named = |(name, count): (String, u64)| {
        let name = name.strip_prefix(&prefix)?.to_owned();
        (count > 0).then_some((name, count))
    };
    stats.into_iter().filter_map(named).collect()
}

/// The shadow outcomes of a rollout, once so many sampled requests have one.
async fn outcomes_of(envoy: &Envoy, rollout: &str, requests: u64) -> BTreeMap<String, u64> {
    let (outcomes, sampled) = (
        format!("shadow.{rollout}."),
        format!("shadow_sampled.{rollout}"),
    );
    let mut found = BTreeMap::new();
    until("each sampled request has an outcome", async || {
        found = stats(envoy, &outcomes).await;
        found.values().sum::<u64>() >= requests
    })
    .await;
    let sampled = stats(envoy, &sampled).await;
    assert_eq!(sampled.values().sum::<u64>(), requests, "{found:?}");
    found
}
