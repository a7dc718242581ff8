//! What the demo runs on: two upstreams, and an Envoy with the files of the folder `envoy/`.

use harness::client::Client;
use harness::envoy::{Bootstrap, Envoy, Swap, file};
use harness::render::discovered;
use harness::upstream::Upstream;
use turnout_core::{Configuration, Inbound};

use crate::compare::Counts;
use crate::steps::Step;

/// What stands before the name of every counter of a filter in Envoy's statistics.
const PREFIX: &str = "wasmcustom.";

/// Everything that runs. Dropped, nothing is left behind.
pub(crate) struct Stage {
    // Before the upstreams, which finish what they have begun.
    pub(crate) envoy: Envoy,
    pub(crate) v1: Upstream,
    pub(crate) v2: Upstream,
    pub(crate) client: Client,
}

impl Stage {
    /// Starts everything with a first policy.
    pub(crate) async fn start(first: &Step) -> Result<Self, String> {
        let (v1, v2) = (Upstream::start("v1"), Upstream::start("v2"));
        let filter = filter(first)?;
        let bootstrap = Bootstrap::live(file("live-policy.yaml"), filter, &v1, &v2);
        let envoy = Envoy::start(bootstrap).await;
        let client = envoy.client();
        Ok(Self {
            envoy,
            v1,
            v2,
            client,
        })
    }

    /// Replaces the policy's file, and returns once the new policy is in force.
    pub(crate) async fn swap(&self, step: &Step) -> Result<(), String> {
        match self.envoy.swap_filter(&filter(step)?).await {
            Swap::Accepted => Ok(()),
            Swap::Rejected => Err(format!("Envoy refuses the policy of step {:?}", step.title)),
        }
    }

    /// What the filter has counted since Envoy started.
    pub(crate) async fn counts(&self) -> Counts {
        let filter = format!("^{PREFIX}turnout.decisions.").replace('.', "\\.");
        let stats = self.envoy.admin().settled_stats(&filter).await;
        stats
            .into_iter()
            .map(|(name, count)| (name.trim_start_matches(PREFIX).to_owned(), count))
            .collect()
    }

    /// What the filter has counted since an earlier count.
    pub(crate) async fn counts_since(&self, before: &Counts) -> Counts {
        let mut counts = self.counts().await;
        for (name, count) in &mut counts {
            *count -= before.get(name).copied().unwrap_or_default();
        }
        counts
    }

    pub(crate) fn admin_page(&self) -> String {
        format!("http://{}", self.envoy.admin().address())
    }
}

/// What Envoy discovers.
fn filter(step: &Step) -> Result<String, String> {
    let configuration = Configuration::to_json(&step.policy()?, Inbound::Strip);
    Ok(discovered(&configuration))
}
