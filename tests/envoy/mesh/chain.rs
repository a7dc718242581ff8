//! The two hops, the service between them, and the observed treatments of a request.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::IntoResponse;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use support::client::{Client, Request, Response};
use support::envoy::{Bootstrap, Envoy, Swap, file};
use support::render::discovered;
use support::upstream::Upstream;
use tokio::net::TcpListener;
use turnout_core::{Configuration, Inbound};

use crate::testbed::{turnout_headers, version};

/// Headers that a service must propagate.
const HANDED_ON: [&str; 3] = ["x-request-id", "x-turnout-decision", "x-account-sid"];

/// Edge, A, sidecar and B.
pub(super) struct Mesh {
    pub(super) edge: Envoy,
    sidecar: Envoy,
    _b: [Upstream; 2],
}

/// The observed treatments of a request.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Chain {
    pub(super) path: String,
    pub(super) account: String,
    pub(super) id: String,
    /// Who served as A.
    pub(super) version: String,
    /// Our headers that reached A.
    pub(super) headers: Vec<(String, String)>,
    pub(super) calls: Vec<Call>,
}

/// A's request to B.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) path: String,
    /// Who served as B.
    pub(super) version: String,
    /// Our headers that reached B.
    pub(super) headers: Vec<(String, String)>,
}

pub(super) fn chain_of(response: &Response) -> Chain {
    assert_eq!(response.status, 200, "{}", response.text());
    serde_json::from_slice(&response.body).expect("a chain")
}

impl Mesh {
    pub(super) async fn start(at_edge: &Value, behind: &Value) -> Self {
        let b = [Upstream::start("v1"), Upstream::start("v2")];
        let sidecar = Bootstrap::live(file("behind-the-edge.yaml"), trusting(behind), &b[0], &b[1]);
        let sidecar = Envoy::start(sidecar).await;
        let a1 = service_a("v1", sidecar.client()).await;
        let a2 = service_a("v2", sidecar.client()).await;
        let edge = Bootstrap::live(file("live-policy.yaml"), stripping(at_edge), a1, a2);
        // Otherwise no forged header with an underscore reaches the filter.
        let edge = edge.allow_underscores();
        let edge = Envoy::start(edge).await;
        Self {
            edge,
            sidecar,
            _b: b,
        }
    }

    pub(super) async fn swap_edge(&self, policy: &Value) {
        let swap = self.edge.swap_filter(&stripping(policy)).await;
        assert_eq!(swap, Swap::Accepted, "{policy}");
    }

    pub(super) async fn swap_sidecar(&self, policy: &Value) {
        let swap = self.sidecar.swap_filter(&trusting(policy)).await;
        assert_eq!(swap, Swap::Accepted, "{policy}");
    }

    /// The sidecar's decisions about a rollout, with their reasons and counts.
    pub(super) async fn sidecar_decisions(&self, rollout: &str) -> BTreeMap<String, u64> {
        let prefix = format!("wasmcustom.turnout.decisions.{rollout}.");
        let stats = self
            .sidecar
            .admin()
            .settled_stats(&format!("^{prefix}"))
            .await;
        let name = |name: &str| name.strip_prefix(&prefix).expect("its prefix").to_owned();
        let stats = stats.iter();
        stats.map(|(full, count)| (name(full), *count)).collect()
    }
}

fn stripping(policy: &Value) -> String {
    discovered(&Configuration::to_json(&policy.to_string(), Inbound::Strip))
}

fn trusting(policy: &Value) -> String {
    discovered(&Configuration::to_json(&policy.to_string(), Inbound::Trust))
}

/// A version of service A, as long as the runtime runs: through the sidecar it sends B the requests that `x-calls`
/// names, and responds with the chain.
async fn service_a(version: &'static str, sidecar: Client) -> std::net::SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let app = Router::new().fallback(serve).with_state((version, sidecar));
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn serve(
    State((of_a, sidecar)): State<(&'static str, Client)>,
    uri: Uri,
    headers: HeaderMap,
) -> impl IntoResponse {
    let text = |name: &str| {
        let value = headers.get(name).expect(name);
        value.to_str().expect("text").to_owned()
    };
    let mut calls = Vec::new();
    for path in text("x-calls").split(' ') {
        let mut request = Request::get(path);
        for name in HANDED_ON {
            for value in headers.get_all(name) {
                request = request.header(name, value);
            }
        }
        let response = sidecar.send(request).await;
        calls.push(Call {
            path: path.to_owned(),
            version: version(&response).to_owned(),
            headers: turnout_headers(&response.json()),
        });
    }
    let of_ours = |name: &str| name.replace('_', "-").starts_with("x-turnout-");
    let pairs = headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.to_string(), value.into_owned())
    });
    let mut ours: Vec<_> = pairs.filter(|(name, _)| of_ours(name)).collect();
    ours.sort();
    Json(Chain {
        path: uri.path().to_owned(),
        account: text("x-account-sid"),
        id: text("x-request-id"),
        version: of_a.to_owned(),
        headers: ours,
        calls,
    })
}
