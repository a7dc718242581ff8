//! Steady traffic: three thousand accounts and ten high-visibility customers, through both Envoys.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use support::client::{Client, Request};
use support::demo::Traffic;
use support::demo::accounts::Segment;
use support::envoy::{LOGGED_HEADER, logged};
use support::random::Random;
use turnout_core::Treatment;

/// How many connections send, and the pause of each: together 400 requests per second. Every second one is to the other
/// Envoy.
const CONNECTIONS: u64 = 40;
const PAUSE: Duration = Duration::from_millis(100);
/// The requests per second.
pub(crate) const RATE: u64 = CONNECTIONS * 1_000 / PAUSE.as_millis() as u64;
/// The same requests in every run.
const SEED: u64 = 29;
pub(crate) const HOST: &str = "flex.example.com";
pub(crate) const PATH: &str = "/v1/Channels";

/// One request and its response.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) connection: u64,
    pub(crate) sid: Arc<str>,
    /// The request id, which decides whether a request takes v2.
    pub(crate) id: String,
    pub(crate) sent: Instant,
    pub(crate) received: Instant,
    /// The error is the reason why there is no response.
    pub(crate) response: Result<Response, String>,
}

/// The parts of a response that the demo checks.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Who responded; `None` for a response of Envoy itself.
    pub(crate) by: Option<Treatment>,
    /// Why, as the filter logs it.
    pub(crate) reason: String,
    /// The revision of the policy that decided.
    pub(crate) revision: String,
}

impl Exchange {
    pub(crate) fn is_by(&self, treatment: Treatment) -> bool {
        let response = self.response.as_ref();
        response.is_ok_and(|response| response.by == Some(treatment))
    }

    /// Whether a user saw an error: status 5xx, or no response.
    pub(crate) fn is_error(&self) -> bool {
        let response = self.response.as_ref();
        response.map_or(true, |response| response.status >= 500)
    }

    /// Whether no upstream responded.
    pub(crate) fn is_lost(&self) -> bool {
        let response = self.response.as_ref();
        response.map_or(true, |response| response.by.is_none())
    }

    pub(crate) fn has_reason(&self, reason: &str) -> bool {
        let response = self.response.as_ref();
        response.is_ok_and(|response| response.reason == reason)
    }
}

/// A connection to one of the Envoys.
struct Connection {
    number: u64,
    client: Client,
    accounts: Arc<[Arc<str>]>,
}

/// Starts the traffic with the request of the number `next`, which grows with each request.
pub(crate) fn start(proxies: [SocketAddr; 2], next: &Arc<AtomicU64>) -> Traffic<Exchange> {
    let segments = [Segment::Regular, Segment::HighVisibility];
    let sids = segments.into_iter().flat_map(Segment::sids);
    let accounts: Arc<[Arc<str>]> = sids.map(Arc::from).collect();
    let connection = |number: u64| Connection {
        number,
        // A client that sends one request at a time uses one connection.
        client: Client::new(proxies[number as usize % proxies.len()]),
        accounts: Arc::clone(&accounts),
    };
    let connections = (0..CONNECTIONS).map(connection).collect();
    Traffic::start(connections, PAUSE, next, send)
}

async fn send(connection: Arc<Connection>, number: u64) -> Exchange {
    let mut random = Random::new(Random::new(SEED ^ number).next());
    let accounts = &connection.accounts;
    let sid = Arc::clone(&accounts[random.below(accounts.len() as u64) as usize]);
    let id = format!("{:016x}", random.next());
    let request = Request::get(PATH)
        .header("host", HOST)
        .header("x-account-sid", &*sid)
        .header("x-request-id", &id);
    let sent = Instant::now();
    let response = connection.client.try_send(request).await;
    let received = Instant::now();
    let response = response.map(|response| {
        let header = |name: &str| response.headers.get(name)?.to_str().ok();
        let version = header("x-version");
        let mut treatments = Treatment::ALL.into_iter();
        let entry = header(LOGGED_HEADER).unwrap_or_default();
        let mut entry = match entry.is_empty() {
            true => Default::default(),
            false => logged(entry.as_bytes()),
        };
        Response {
            status: response.status,
            by: treatments.find(|treatment| version == Some(treatment.as_str())),
            reason: entry.remove("reason").unwrap_or_default(),
            revision: entry.remove("revision").unwrap_or_default(),
        }
    });
    Exchange {
        connection: connection.number,
        sid,
        id,
        sent,
        received,
        response,
    }
}
