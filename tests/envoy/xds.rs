//! A control plane sends the policy over gRPC to several Envoys at once, and requests continue whatever happens to the
//! policy and the control plane.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use support::control_plane::{ControlPlane, Event};
use support::envoy::{Bootstrap, Envoy, file};
use support::upstream::Upstream;
use tokio::time::{sleep, timeout};
use turnout_core::Revision;

use crate::steady_traffic::Steady;
use crate::testbed::{INSIDE, OUTSIDE, policy, request_of, strip, version};

/// Far longer than a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(60);
const NODES: [&str; 3] = ["a", "b", "c"];

/// Several proxies of one control plane, and their common upstreams.
struct Mesh {
    envoys: Vec<Envoy>,
    control_plane: ControlPlane,
    v1: Upstream,
    v2: Upstream,
}

impl Mesh {
    /// All of them start with this configuration.
    async fn under(configuration: &str) -> Self {
        let mut control_plane = ControlPlane::start();
        let revision = control_plane.push_good(configuration);
        let mut mesh = Self {
            envoys: Vec::new(),
            control_plane,
            v1: Upstream::start("v1"),
            v2: Upstream::start("v2"),
        };
        for node in NODES {
            mesh.join(node).await;
            mesh.control_plane
                .wait_until_accepted(node, &revision)
                .await;
        }
        mesh
    }

    async fn join(&mut self, node: &str) {
        let text = file("xds-policy.yaml");
        let bootstrap = Bootstrap::new(text, &self.v1, &self.v2)
            .controlled_by(self.control_plane.address(), node)
            .concurrency(1);
        self.envoys.push(Envoy::start(bootstrap).await);
    }

    fn traffic(&self) -> Steady {
        let clients = self.envoys.iter().map(Envoy::client);
        Steady::start(clients, |number| request_of([INSIDE, OUTSIDE][number % 2]))
    }

    /// The treatment that each proxy gives an account.
    async fn served(&self, account: &str) -> BTreeSet<String> {
        let mut served = BTreeSet::new();
        for envoy in &self.envoys {
            let response = envoy.client().send(request_of(account)).await;
            served.insert(version(&response).to_owned());
        }
        served
    }

    /// The values of the gauges.
    async fn revisions(&self) -> BTreeSet<Option<u64>> {
        let mut revisions = BTreeSet::new();
        for envoy in &self.envoys {
            let stats = envoy.admin().stats("revision").await;
            revisions.insert(stats.get("wasmcustom.turnout.revision.turnout").copied());
        }
        revisions
    }

    async fn assert_revision(&self, revision: &str) {
        let number = Revision::from_name(revision).expect("a revision").number();
        assert_eq!(self.revisions().await, BTreeSet::from([Some(number)]));
    }
}

fn named(revision: &str, changes: &Value) -> String {
    let mut policy = policy(changes);
    policy["revision"] = json!(revision);
    strip(&policy)
}

/// Whether a proxy is connected to a control plane.
async fn connected(envoy: &Envoy) -> bool {
    let name = "control_plane.connected_state";
    let stats = envoy.admin().stats(&format!("^{name}$")).await;
    stats[name] != 0
}

fn only(version: &str) -> BTreeSet<String> {
    BTreeSet::from([version.to_owned()])
}

#[tokio::test]
async fn all_proxies_accept_a_good_policy_and_reject_a_bad_one() {
    let mut mesh = Mesh::under(&named("1.half", &json!({}))).await;
    mesh.assert_revision("1.half").await;
    assert_eq!(mesh.served(INSIDE).await, only("v2"));
    assert_eq!(mesh.served(OUTSIDE).await, only("v1"));
    let traffic = mesh.traffic();

    mesh.control_plane
        .push_good(&named("2.on", &json!({ "mode": "on" })));
    for node in NODES {
        mesh.control_plane.wait_until_accepted(node, "2.on").await;
    }
    mesh.assert_revision("2.on").await;
    assert_eq!(mesh.served(OUTSIDE).await, only("v2"));

    let bad = named("3.bad", &json!({ "mode": "onn" }));
    mesh.control_plane.push("3.bad", &bad);
    for (node, envoy) in NODES.iter().zip(&mesh.envoys) {
        let reason = mesh.control_plane.wait_until_refused(node, "3.bad").await;
        // The proxy's log has the messages of the filter.
        assert!(reason.contains("Wasm"), "{reason}");
        envoy.wait_for_log("unknown mode `onn`").await;
    }
    mesh.assert_revision("2.on").await;
    assert_eq!(mesh.served(OUTSIDE).await, only("v2"));

    mesh.control_plane
        .push_good(&named("4.off", &json!({ "mode": "off" })));
    for node in NODES {
        mesh.control_plane.wait_until_accepted(node, "4.off").await;
    }
    mesh.assert_revision("4.off").await;
    assert_eq!(mesh.served(INSIDE).await, only("v1"));

    traffic.end_without_loss().await;
    // The rejected version has decided nothing.
    for envoy in &mesh.envoys {
        for line in envoy.access_log(1).await {
            let revision = line["revision"].as_str().expect("a revision");
            assert!(["1.half", "2.on", "4.off"].contains(&revision), "{line}");
        }
    }
}

#[tokio::test]
async fn requests_continue_without_the_control_plane_and_after_its_return() {
    let mut mesh = Mesh::under(&named("1.half", &json!({}))).await;
    let traffic = mesh.traffic();

    mesh.control_plane.kill();
    let all_know = async {
        for envoy in &mesh.envoys {
            while connected(envoy).await {
                sleep(Duration::from_millis(5)).await;
            }
        }
    };
    timeout(PATIENCE, all_know).await.expect("it is gone");
    mesh.assert_revision("1.half").await;
    assert_eq!(mesh.served(INSIDE).await, only("v2"));
    assert_eq!(mesh.served(OUTSIDE).await, only("v1"));

    // A proxy that starts meanwhile has no policy.
    mesh.join("newcomer").await;
    let newcomer = mesh.envoys.last().expect("an Envoy").client();
    let response = newcomer.send(request_of(INSIDE)).await;
    assert_eq!(version(&response), "v1");
    let newcomer = Steady::start([newcomer], |_| request_of(INSIDE));

    // After its return the control plane knows nothing: the proxies keep their policy until it has one.
    mesh.control_plane.restart();
    for node in NODES.into_iter().chain(["newcomer"]) {
        let node = node.to_owned();
        let connected = Event::Connected { node };
        mesh.control_plane
            .wait_for(|event| *event == connected)
            .await;
    }
    assert_eq!(mesh.served(OUTSIDE).await, only("v1"));
    mesh.control_plane
        .push_good(&named("2.on", &json!({ "mode": "on" })));
    for node in NODES.into_iter().chain(["newcomer"]) {
        mesh.control_plane.wait_until_accepted(node, "2.on").await;
    }
    mesh.assert_revision("2.on").await;
    assert_eq!(mesh.served(OUTSIDE).await, only("v2"));

    traffic.end_without_loss().await;
    newcomer.end_without_loss().await;
}
