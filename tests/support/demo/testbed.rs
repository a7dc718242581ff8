//! An Envoy that watches its policy, between a client and two upstreams.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use turnout_core::{Configuration, Inbound};

use crate::client::Client;
use crate::envoy::{Bootstrap, Envoy, Swap, file};
use crate::render::discovered;

/// The prefix of the filter's counters in Envoy's statistics.
const PREFIX: &str = "wasmcustom.";

/// Everything that a demo starts. Dropping it stops all of it.
pub struct Testbed<U> {
    // Dropped before the upstreams, because it has connections to them.
    pub envoy: Envoy,
    pub v1: U,
    pub v2: U,
    pub client: Client,
}

impl<U> Testbed<U>
where
    SocketAddr: for<'a> From<&'a U>,
{
    /// Starts Envoy with `envoy/live-policy.yaml` and a first policy.
    pub async fn start(
        v1: U,
        v2: U,
        policy: &str,
        adapt: impl FnOnce(Bootstrap) -> Bootstrap,
    ) -> Self {
        let bootstrap = Bootstrap::live(file("live-policy.yaml"), filter(policy), &v1, &v2);
        let envoy = Envoy::start(adapt(bootstrap)).await;
        let client = envoy.client();
        Self {
            envoy,
            v1,
            v2,
            client,
        }
    }
}

impl<U> Testbed<U> {
    /// Replaces the policy and returns when it is active.
    ///
    /// # Errors
    /// When Envoy rejects the policy, with the lines that the filter logged.
    pub async fn swap(&self, policy: &str) -> Result<(), String> {
        if self.envoy.swap_filter(&filter(policy)).await == Swap::Accepted {
            return Ok(());
        }
        let mut log = self.envoy.settled_log().await;
        log.retain(|line| line.contains("turnout"));
        Err(format!("Envoy rejects the policy:\n{}", log.join("\n")))
    }

    /// The filter's counters whose names begin with `turnout.` and this text, without Envoy's prefix.
    pub async fn counters(&self, name: &str) -> BTreeMap<String, u64> {
        let filter = format!("^{PREFIX}turnout.{name}").replace('.', "\\.");
        let stats = self.envoy.admin().settled_stats(&filter).await;
        let without_prefix =
            |(name, count): (String, u64)| (name.trim_start_matches(PREFIX).to_owned(), count);
        stats.into_iter().map(without_prefix).collect()
    }

    /// The address of Envoy's admin endpoint.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.envoy.admin().address()
    }
}

/// The file that Envoy watches, for a policy at the edge.
#[must_use]
pub fn filter(policy: &str) -> String {
    discovered(&Configuration::to_json(policy, Inbound::Strip))
}
