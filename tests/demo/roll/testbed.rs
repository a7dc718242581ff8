//! The testbed of the demo: two Envoys that discover their policy in one folder, two upstreams, and the commands.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::demo;
use support::envoy::{Bootstrap, Envoy, file};
use support::scripted_upstream::{Received, Response, Scripted};

use crate::counts::Counts;

/// The number of workers of each Envoy.
pub(crate) const WORKERS: u32 = 2;
/// Far longer than a loaded machine needs. Reaching it means that the event will not happen.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

/// Everything that the demo starts. Dropping it stops all of it.
pub(crate) struct Testbed {
    /// Dropped before the first, whose folder it watches.
    second: Envoy,
    pub(crate) first: demo::Testbed<Scripted>,
}

impl Testbed {
    /// Starts both Envoys with a first policy.
    pub(crate) async fn start(policy: &Value) -> Self {
        let v1 = Scripted::start(|_| ok("v1"));
        let v2 = Scripted::start(|_| ok("v2"));
        let adapt = |bootstrap: Bootstrap| {
            let bootstrap = bootstrap.concurrency(WORKERS).expose_decision();
            bootstrap.keep_request_ids()
        };
        let first = demo::Testbed::start(v1, v2, &policy.to_string(), adapt).await;
        let bootstrap = Bootstrap::new(file("live-policy.yaml"), &first.v1, &first.v2);
        let bootstrap = bootstrap.discover_in(&first.envoy.watched());
        Self {
            second: Envoy::start(adapt(bootstrap)).await,
            first,
        }
    }

    fn envoys(&self) -> [&Envoy; 2] {
        [&self.first.envoy, &self.second]
    }

    pub(crate) fn addresses(&self) -> [SocketAddr; 2] {
        self.envoys().map(Envoy::address)
    }

    /// The addresses of the admin endpoints.
    pub(crate) fn admins(&self) -> [String; 2] {
        self.envoys()
            .map(|envoy| format!("http://{}", envoy.admin().address()))
    }

    /// The folder that both Envoys watch.
    pub(crate) fn watched(&self) -> PathBuf {
        self.first.envoy.watched()
    }

    /// Writes a file for a command. It is removed with Envoy's folder, however the demo ends.
    pub(crate) fn write(&self, name: &str, document: &Value) -> Result<String, String> {
        let file = self.watched().with_file_name(name);
        let text = format!("{document:#}\n");
        std::fs::write(&file, text)
            .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
        Ok(file.display().to_string())
    }

    /// Another release of v2, which responds with 500 to these requests.
    pub(crate) fn release_v2(&self, fails: impl Fn(&Received) -> bool + Send + Sync + 'static) {
        self.first
            .v2
            .respond_with(move |received| match fails(received) {
                true => ok("v2").status(500),
                false => ok("v2"),
            });
    }

    /// How many requests v1 and v2 have received.
    pub(crate) fn received(&self) -> [u64; 2] {
        [self.first.v1.requests(), self.first.v2.requests()]
    }

    /// What the guards of both Envoys have counted.
    pub(crate) async fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for envoy in self.envoys() {
            let stats = envoy.admin().stats(r"^wasmcustom\.turnout\.guard\.").await;
            sum = sum.plus(Counts::of(&stats));
        }
        sum
    }

    /// What they have counted since `before`, once they have settled so many requests.
    ///
    /// # Errors
    /// When they do not.
    pub(crate) async fn settled(&self, before: Counts, requests: u64) -> Result<Counts, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let counts = self.counts().await.since(before);
            if counts.v1.all + counts.v2.all >= requests {
                return Ok(counts);
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "{requests} requests, but the guards counted {counts:?}"
                ));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

fn ok(version: &str) -> Response {
    Response::json(&json!({ "version": version })).header("x-version", version)
}
