//! Steady traffic: accounts that keep asking, and what became of each request.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use harness::accounts::Segment;
use harness::client::{Client, Request};
use harness::envoy::{LOGGED_HEADER, logged};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use xxhash_rust::xxh3::xxh3_64;

/// How many clients ask, each so often: some 300 requests a second.
const CLIENTS: usize = 12;
const PAUSE: Duration = Duration::from_millis(40);
const HOST: &str = "flex.example.com";

/// One request.
pub(crate) struct Asked {
    pub(crate) sid: String,
    pub(crate) sent: Instant,
    pub(crate) answered: Instant,
    pub(crate) outcome: Result<Answered, String>,
}

/// What the answer says.
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// Who answered; nobody, where Envoy did.
    pub(crate) version: Option<String>,
    /// By which policy it was decided.
    pub(crate) revision: Option<String>,
}

/// Clients that ask until they are told to stop.
pub(crate) struct Traffic {
    clients: JoinSet<()>,
    stop: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Traffic {
    pub(crate) fn start(client: &Client) -> Self {
        let accounts = Arc::new(accounts());
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut clients = JoinSet::new();
        for first in 0..CLIENTS {
            let (client, accounts) = (client.clone(), Arc::clone(&accounts));
            let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
            clients.spawn(async move {
                let mut own = accounts.iter().cycle().skip(first).step_by(CLIENTS);
                let mut pause = interval(PAUSE);
                pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
                while !stop.load(Ordering::SeqCst) {
                    pause.tick().await;
                    let Some(sid) = own.next() else { return };
                    let one = ask(&client, sid).await;
                    asked.lock().expect("what was asked").push(one);
                }
            });
        }
        Self {
            clients,
            stop,
            asked,
        }
    }

    /// When v2 has answered last.
    pub(crate) fn last_of_v2(&self) -> Option<Instant> {
        let asked = self.asked.lock().expect("what was asked");
        let is_v2 = |one: &&Asked| {
            let answered = one.outcome.as_ref().ok();
            answered.is_some_and(|answered| answered.version.as_deref() == Some("v2"))
        };
        let of_v2 = asked.iter().filter(is_v2);
        of_v2.map(|one| one.answered).max()
    }

    /// What became of every request, once each has its answer.
    pub(crate) async fn finish(self) -> Vec<Asked> {
        self.stop.store(true, Ordering::SeqCst);
        self.clients.join_all().await;
        std::mem::take(&mut *self.asked.lock().expect("what was asked"))
    }
}

/// Who asks, one after the other; large accounts more often. The same in every run.
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

async fn ask(client: &Client, sid: &str) -> Asked {
    let request = Request::get("/v1/Channels")
        .header("host", HOST)
        .header("x-account-sid", sid);
    let sent = Instant::now();
    let outcome = client.try_send(request).await;
    let answered = Instant::now();
    let outcome = outcome.map(|answer| {
        let header = |name: &str| {
            let value = answer.headers.get(name)?;
            Some(value.to_str().ok()?.to_owned())
        };
        Answered {
            status: answer.status,
            version: header("x-version"),
            revision: header(LOGGED_HEADER)
                .and_then(|entry| logged(entry.as_bytes()).remove("revision")),
        }
    });
    Asked {
        sid: sid.to_owned(),
        sent,
        answered,
        outcome,
    }
}
