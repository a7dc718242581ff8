//! Steady traffic: accounts that keep sending requests.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use support::client::{Client, Request};
use support::demo::accounts::Segment;
use support::envoy::{LOGGED_HEADER, logged};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use xxhash_rust::xxh3::xxh3_64;

/// How many clients send, and the pause of each: together some 300 requests per second.
const CLIENTS: usize = 12;
const PAUSE: Duration = Duration::from_millis(40);
const HOST: &str = "flex.example.com";

/// One request and its response.
pub(crate) struct Exchange {
    pub(crate) sid: String,
    pub(crate) sent: Instant,
    pub(crate) received: Instant,
    pub(crate) outcome: Result<Response, String>,
}

/// The parts of a response that the demo checks.
pub(crate) struct Response {
    pub(crate) status: u16,
    /// `v1` or `v2`; `None` for a response of Envoy itself.
    pub(crate) version: Option<String>,
    /// The revision of the policy that decided.
    pub(crate) revision: Option<String>,
}

/// Clients that send until [`finish`](Self::finish) stops them.
pub(crate) struct Traffic {
    clients: JoinSet<()>,
    stop: Arc<AtomicBool>,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

impl Traffic {
    pub(crate) fn start(client: &Client) -> Self {
        let accounts = Arc::new(accounts());
        let stop = Arc::new(AtomicBool::new(false));
        let exchanges = Arc::new(Mutex::new(Vec::new()));
        let mut clients = JoinSet::new();
        for first in 0..CLIENTS {
            let (client, accounts) = (client.clone(), Arc::clone(&accounts));
            let (stop, exchanges) = (Arc::clone(&stop), Arc::clone(&exchanges));
            clients.spawn(async move {
                let mut own = accounts.iter().cycle().skip(first).step_by(CLIENTS);
                let mut pause = interval(PAUSE);
                pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
                while !stop.load(Ordering::SeqCst) {
                    pause.tick().await;
                    let Some(sid) = own.next() else { return };
                    let one = send(&client, sid).await;
                    exchanges.lock().expect("the exchanges").push(one);
                }
            });
        }
        Self {
            clients,
            stop,
            exchanges,
        }
    }

    /// The time of the last response of v2.
    pub(crate) fn last_of_v2(&self) -> Option<Instant> {
        let exchanges = self.exchanges.lock().expect("the exchanges");
        let is_v2 = |one: &&Exchange| {
            let response = one.outcome.as_ref().ok();
            response.is_some_and(|response| response.version.as_deref() == Some("v2"))
        };
        let of_v2 = exchanges.iter().filter(is_v2);
        of_v2.map(|one| one.received).max()
    }

    /// Stops the clients and returns all requests.
    pub(crate) async fn finish(self) -> Vec<Exchange> {
        self.stop.store(true, Ordering::SeqCst);
        self.clients.join_all().await;
        std::mem::take(&mut *self.exchanges.lock().expect("the exchanges"))
    }
}

/// The accounts in the order of their requests, which is the same in every run. Large accounts come more often.
fn accounts() -> Vec<String> {
    let of_segment = |segment: Segment| {
        let sids = segment.sids();
        sids.flat_map(move |sid| std::iter::repeat_n(sid, segment.requests_each()))
    };
    let mut accounts: Vec<String> = Segment::ALL.into_iter().flat_map(of_segment).collect();
    let mut place = 0_u64;
    accounts.sort_by_cached_key(|_| {
        place += 1;
        xxh3_64(&place.to_le_bytes())
    });
    accounts
}

async fn send(client: &Client, sid: &str) -> Exchange {
    let request = Request::get("/v1/Channels")
        .header("host", HOST)
        .header("x-account-sid", sid);
    let sent = Instant::now();
    let outcome = client.try_send(request).await;
    let received = Instant::now();
    let outcome = outcome.map(|response| {
        let header = |name: &str| {
            let value = response.headers.get(name)?;
            Some(value.to_str().ok()?.to_owned())
        };
        Response {
            status: response.status,
            version: header("x-version"),
            revision: header(LOGGED_HEADER)
                .and_then(|entry| logged(entry.as_bytes()).remove("revision")),
        }
    });
    Exchange {
        sid: sid.to_owned(),
        sent,
        received,
        outcome,
    }
}
