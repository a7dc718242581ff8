//! A file of `envoy/` in a real Envoy between clients and two upstreams, for the time of an attack.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::json;
use support::client::{Client, Request};
use support::envoy::{Bootstrap, Envoy, file, files};
use support::open_files;
use support::render::rendered;
use support::scripted_upstream::{Response, Scripted};
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::testbed::{OUTSIDE, filter, policy, request_of, strip, version};

/// The number of well-behaved clients.
const OTHERS: usize = 20;
/// Far longer than a loaded machine needs. Reaching it means that it will not happen.
const DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// The path whose responses have [`BIG_BYTES`].
pub(super) const BIG: &str = "/big";
const BIG_BYTES: usize = 1_000_000;

/// The files that this process opens for an attack, for clients and upstreams, and those of Envoy.
const OPEN_FILES: u64 = 8_192;

/// One attack at a time, because each takes thousands of this process's file descriptors.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

pub(super) struct Testbed {
    pub(super) name: String,
    pub(super) envoy: Envoy,
    // Dropped after Envoy, which has connections to them.
    _upstreams: [Scripted; 2],
}

/// Under this attack on each of the files in turn, all well-behaved clients get a response. The attack returns the
/// number of these responses.
pub(super) async fn all_others_are_served(attack: impl AsyncFn(&Testbed) -> usize) {
    let mut served = BTreeMap::new();
    each_file_with(
        |bootstrap| bootstrap,
        async |testbed: &Testbed| {
            let count = attack(testbed).await;
            (testbed.name.clone(), count)
        },
        |(name, count)| {
            served.insert(name, count);
        },
    )
    .await;
    assert!(
        served.values().all(|count| *count == OTHERS),
        "of {OTHERS}: {served:#?}"
    );
}

/// Runs each of the files in turn, with this change.
pub(super) async fn each_file_with<T>(
    adapt: impl Fn(Bootstrap) -> Bootstrap,
    attack: impl AsyncFn(&Testbed) -> T,
    mut done: impl FnMut(T),
) {
    let _turn = ONE_AT_A_TIME.lock().await;
    open_files::allow(OPEN_FILES);
    let mut count = 0;
    for name in files(".yaml") {
        let testbed = Testbed::of(name, &adapt).await;
        done(attack(&testbed).await);
        count += 1;
    }
    assert!(count >= 6, "only {count} files");
}

impl Testbed {
    async fn of(name: String, adapt: impl Fn(Bootstrap) -> Bootstrap) -> Self {
        let upstreams = ["v1", "v2"].map(|version| {
            Scripted::start(move |received| {
                let response = match received.path.as_str() {
                    BIG => Response::text(vec![b'x'; BIG_BYTES]),
                    _ => Response::json(&json!({})),
                };
                response.header("x-version", version)
            })
        });
        let [v1, v2] = &upstreams;
        let configuration = strip(&policy(&json!({})));
        let text = file(&name);
        let bootstrap = if text.contains("ads: {}") {
            // The control plane may be absent: without a policy everyone is on v1.
            let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
            Bootstrap::new(text, v1, v2).controlled_by(nowhere, "absent")
        } else if text.contains("@TURNOUT_CONFIGURATION@") {
            Bootstrap::new(rendered(&name, &configuration), v1, v2)
        } else {
            Bootstrap::live(text, filter(&configuration), v1, v2)
        };
        let envoy = Envoy::start(adapt(bootstrap)).await;
        Self {
            name,
            envoy,
            _upstreams: upstreams,
        }
    }

    /// Waits until a counter or gauge of Envoy has at least this value.
    pub(super) async fn wait_for(&self, stat: &str, least: usize) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let now = self.stat(stat).await;
            if now >= least as u64 {
                return;
            }
            assert!(Instant::now() < deadline, "{}: {stat} is {now}", self.name);
            sleep(POLL).await;
        }
    }

    /// The value of a counter or gauge, or the sum of those that match the pattern.
    pub(super) async fn stat(&self, stat: &str) -> u64 {
        let stats = self.envoy.admin().stats(&format!("^{stat}$")).await;
        stats.values().sum()
    }

    /// How many of [`OTHERS`] new concurrent clients, each with its own connection, get v1's
    /// response.
    pub(super) async fn served_others(&self) -> usize {
        let all = (0..OTHERS).map(|_| {
            let client = Client::new(self.envoy.address());
            tokio::spawn(async move { one_other(client).await })
        });
        let all: Vec<_> = all.collect();
        let mut served = 0;
        for one in all {
            match one.await.expect("a client") {
                Ok(()) => served += 1,
                Err(failure) => eprintln!("{}: {failure}", self.name),
            }
        }
        served
    }
}

async fn one_other(client: Client) -> Result<(), String> {
    let request: Request = request_of(OUTSIDE);
    let response = client.try_send(request).await?;
    match (response.status, response.headers.contains_key("x-version")) {
        (200, true) if version(&response) == "v1" => Ok(()),
        (status, _) => Err(format!("status {status}: {}", response.text())),
    }
}
