//! Steady traffic: three thousand accounts, one of which sends a third of the requests.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use support::client::{Client, Request};
use support::demo::Traffic;
use support::envoy::{LOGGED_HEADER, logged};
use support::random::Random;
use turnout_core::Treatment;

/// The accounts, by number. The first is the largest customer.
pub(crate) const ACCOUNTS: u64 = 3_000;
pub(crate) const LARGEST: u64 = 0;
/// How many connections send, and the pause of each: together some 480 requests per second. A connection belongs to one
/// worker of Envoy.
pub(crate) const CONNECTIONS: usize = 48;
const PAUSE: Duration = Duration::from_millis(100);
/// The same requests in every run.
const SEED: u64 = 17;

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    ListChannels,
    GetChannel,
    ListMessages,
    SendMessage,
    /// A message with an image.
    SendMedia,
}

/// The kinds, each as frequent as the others.
const KINDS: [Kind; 5] = [
    Kind::ListChannels,
    Kind::GetChannel,
    Kind::ListMessages,
    Kind::SendMessage,
    Kind::SendMedia,
];

/// One request and its response.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) connection: usize,
    pub(crate) account: u64,
    pub(crate) kind: Kind,
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
}

impl Exchange {
    /// Whether a user saw an error: status 5xx, or no response.
    pub(crate) fn is_error(&self) -> bool {
        match &self.response {
            Ok(response) => response.status >= 500,
            Err(_) => true,
        }
    }

    pub(crate) fn by(&self) -> Option<Treatment> {
        self.response.as_ref().ok()?.by
    }

    /// Why the request took its treatment; empty if there was no response.
    pub(crate) fn reason(&self) -> &str {
        let response = self.response.as_ref();
        response.map_or("", |response| &response.reason)
    }

    /// Whether the guard compares it: its treatment was random.
    pub(crate) fn is_compared(&self) -> bool {
        matches!(self.reason(), "rule" | "outside_requests")
    }
}

/// Starts the traffic with the request of the number `next`, which grows with each request.
pub(crate) fn start(proxy: SocketAddr, next: &Arc<AtomicU64>) -> Traffic<Exchange> {
    // A client that sends one request at a time uses one connection.
    let connections = (0..CONNECTIONS).map(|connection| (connection, Client::new(proxy)));
    let send = |connection: Arc<(usize, Client)>, number| async move {
        let (connection, client) = &*connection;
        send(client, *connection, number).await
    };
    Traffic::start(connections.collect(), PAUSE, next, send)
}

/// Whether the last request of each connection satisfies a condition. All workers of Envoy that have a connection do
/// then, because each connection belongs to one.
pub(crate) fn is_so_on_each_connection(
    exchanges: &[Exchange],
    account: impl Fn(u64) -> bool,
    condition: impl Fn(&Exchange) -> bool,
) -> bool {
    (0..CONNECTIONS).all(|connection| {
        let mut latest = exchanges.iter().rev();
        let last = latest.find(|one| one.connection == connection && account(one.account));
        last.is_some_and(&condition)
    })
}

/// The SID of an account.
pub(crate) fn sid(account: u64) -> String {
    format!("AC{account:032x}")
}

async fn send(client: &Client, connection: usize, number: u64) -> Exchange {
    let mut random = Random::new(Random::new(SEED ^ number).next());
    let account = match random.below(3) {
        0 => LARGEST,
        _ => 1 + random.below(ACCOUNTS - 1),
    };
    let kind = KINDS[random.below(KINDS.len() as u64) as usize];
    let request = request(kind)
        .header("host", "flex.example.com")
        .header("x-account-sid", sid(account))
        // It decides whether the request takes v2.
        .header("x-request-id", format!("{:016x}", random.next()));
    let sent = Instant::now();
    let response = client.try_send(request).await;
    let received = Instant::now();
    let response = response.map(|response| {
        let header = |name: &str| response.headers.get(name)?.to_str().ok();
        let version = header("x-version");
        let mut treatments = Treatment::ALL.into_iter();
        let entry = header(LOGGED_HEADER).unwrap_or_default();
        Response {
            status: response.status,
            by: treatments.find(|treatment| version == Some(treatment.as_str())),
            reason: match entry.is_empty() {
                true => String::new(),
                false => logged(entry.as_bytes())
                    .remove("reason")
                    .unwrap_or_default(),
            },
        }
    });
    Exchange {
        connection,
        account,
        kind,
        sent,
        received,
        response,
    }
}

fn request(kind: Kind) -> Request {
    const CHANNELS: &str = "/v1/Channels";
    const MESSAGES: &str = "/v1/Channels/general/Messages";
    match kind {
        Kind::ListChannels => Request::get(CHANNELS),
        Kind::GetChannel => Request::get("/v1/Channels/general"),
        Kind::ListMessages => Request::get(MESSAGES),
        Kind::SendMessage => Request::post(MESSAGES, r#"{"body":"hello"}"#),
        Kind::SendMedia => Request::post(MESSAGES, r#"{"body":"hello","media":"ME7342"}"#),
    }
}
