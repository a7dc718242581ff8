//! One of the files of `envoy/` in a real Envoy, before two upstreams, for as long as an attack.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::json;
use support::client::{Client, Request};
use support::envoy::{Bootstrap, Envoy, file, files};
use support::open_files;
use support::render::rendered;
use support::scripted_upstream::{Answer, Scripted};
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::testbed::{OUTSIDE, filter, policy, request_of, strip, version};

/// Clients that do nothing wrong.
const OTHERS: usize = 20;
/// Far beyond what a loaded machine needs: reaching it means that it will not happen.
const DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Where answers have [`BIG_BYTES`].
pub(super) const BIG: &str = "/big";
const BIG_BYTES: usize = 1_000_000;

/// What this process opens for an attack, clients and upstreams together, and what Envoy opens.
const OPEN_FILES: u64 = 8_192;

/// One attack at a time: each takes thousands of this process's file descriptors.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

pub(super) struct Testbed {
    pub(super) name: String,
    pub(super) envoy: Envoy,
    // After Envoy, which asks them.
    _upstreams: [Scripted; 2],
}

/// Under this attack on each of the files, one after the other, all clients that do nothing wrong are
/// answered. The attack returns how many are.
pub(super) async fn all_others_are_answered(attack: impl AsyncFn(&Testbed) -> usize) {
    let mut answered = BTreeMap::new();
    each_file_with(
        |bootstrap| bootstrap,
        async |testbed: &Testbed| {
            let count = attack(testbed).await;
            (testbed.name.clone(), count)
        },
        |(name, count)| {
            answered.insert(name, count);
        },
    )
    .await;
    assert!(
        answered.values().all(|count| *count == OTHERS),
        "of {OTHERS}: {answered:#?}"
    );
}

/// Runs each of the files, one after the other, changed in this way.
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
                let answer = match received.path.as_str() {
                    BIG => Answer::text(vec![b'x'; BIG_BYTES]),
                    _ => Answer::json(&json!({})),
                };
                answer.header("x-version", version)
            })
        });
        let [v1, v2] = &upstreams;
        let configuration = strip(&policy(&json!({})));
        let text = file(&name);
        let bootstrap = if text.contains("ads: {}") {
            // Nobody has to be there: without a policy everyone is on v1.
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

    /// Waits until a counter or gauge of Envoy's is at least so high.
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

    /// What a counter or gauge is at, or the sum of those that the pattern finds.
    pub(super) async fn stat(&self, stat: &str) -> u64 {
        let stats = self.envoy.admin().stats(&format!("^{stat}$")).await;
        stats.values().sum()
    }

    /// How many of [`OTHERS`] new clients, all at once and each with a connection of its own, get v1's
    /// answer.
    pub(super) async fn others_answered(&self) -> usize {
        let all = (0..OTHERS).map(|_| {
            let client = Client::new(self.envoy.address());
            tokio::spawn(async move { one_other(client).await })
        });
        let all: Vec<_> = all.collect();
        let mut answered = 0;
        for one in all {
            match one.await.expect("a client") {
                Ok(()) => answered += 1,
                Err(failure) => eprintln!("{}: {failure}", self.name),
            }
        }
        answered
    }
}

async fn one_other(client: Client) -> Result<(), String> {
    let request: Request = request_of(OUTSIDE);
    let answer = client.try_send(request).await?;
    match (answer.status, answer.headers.contains_key("x-version")) {
        (200, true) if version(&answer) == "v1" => Ok(()),
        (status, _) => Err(format!("status {status}: {}", answer.text())),
    }
}
