//! Steady traffic: three thousand accounts, one of which sends a third of the requests.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use support::client::{Client, Request};
use support::envoy::{LOGGED_HEADER, logged};
use support::random::Random;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at};
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
/// Far longer than a loaded machine needs. Reaching it means that the event will not happen.
const PATIENCE: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(20);

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

/// Connections that send until [`finish`](Self::finish) stops them.
pub(crate) struct Traffic {
    senders: JoinSet<()>,
    stop: Arc<AtomicBool>,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

impl Traffic {
    /// Starts with the request of the number `next`, which grows with each request.
    pub(crate) fn start(proxy: SocketAddr, next: &Arc<AtomicU64>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let exchanges = Arc::new(Mutex::new(Vec::new()));
        let mut senders = JoinSet::new();
        let start = tokio::time::Instant::now();
        for (connection, delay) in (0..CONNECTIONS).zip(0_u32..) {
            let (next, stop) = (Arc::clone(next), Arc::clone(&stop));
            let exchanges = Arc::clone(&exchanges);
            // Evenly spaced.
            let first = start + PAUSE * delay / CONNECTIONS as u32;
            senders.spawn(async move {
                // A client that sends one request at a time uses one connection.
                let client = Client::new(proxy);
                let mut pause = interval_at(first, PAUSE);
                pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    pause.tick().await;
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let exchange = send(&client, connection, number).await;
                    lock(&exchanges).push(exchange);
                }
            });
        }
        Self {
            senders,
            stop,
            exchanges,
        }
    }

    /// Waits until the requests so far satisfy a condition.
    ///
    /// # Errors
    /// When they never do; `what` describes the condition.
    pub(crate) async fn wait_until(
        &self,
        what: &str,
        condition: impl Fn(&[Exchange]) -> bool,
    ) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while !condition(&lock(&self.exchanges)) {
            if Instant::now() > deadline {
                let sent = lock(&self.exchanges).len();
                return Err(format!("after {sent} requests, still not: {what}"));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Waits until so many more requests have a response.
    pub(crate) async fn wait_for(&self, more: usize) -> Result<(), String> {
        let enough = lock(&self.exchanges).len() + more;
        self.wait_until("enough requests", |exchanges| exchanges.len() >= enough)
            .await
    }

    /// Stops the connections and returns all requests, in the order of their responses.
    pub(crate) async fn finish(self) -> Vec<Exchange> {
        self.stop.store(true, Ordering::SeqCst);
        self.senders.join_all().await;
        std::mem::take(&mut *lock(&self.exchanges))
    }
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

fn lock(exchanges: &Mutex<Vec<Exchange>>) -> MutexGuard<'_, Vec<Exchange>> {
    exchanges.lock().unwrap_or_else(PoisonError::into_inner)
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
