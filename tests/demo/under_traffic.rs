//! Replaces the policy while requests keep coming, and measures how long it takes until the last
//! of them has left v2.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use harness::client::Client;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use turnout_core::{Plan, Treatment};

use crate::compare::Exchange;
use crate::stage::Stage;
use crate::steps::Step;
use crate::traffic::{Call, Outcome, send};

/// How many clients keep sending, each one request after the other.
pub(crate) const CLIENTS: usize = 4;

/// What happened to the requests around a swap.
pub(crate) struct Swapped {
    requests: Vec<Timed>,
    /// When the policy's file was about to be replaced.
    replacing: Instant,
    /// When Envoy said that the new policy is in force.
    accepted: Instant,
}

struct Timed {
    call: Call,
    sent: Instant,
    answered: Instant,
    outcome: Outcome,
}

/// Swaps to a step's policy with requests coming before, during and after.
pub(crate) async fn swap(
    stage: &Stage,
    step: &Step,
    calls: &Arc<Vec<Call>>,
) -> Result<Swapped, String> {
    let all_sending = Arc::new(Barrier::new(CLIENTS + 1));
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for first in 0..CLIENTS {
        clients.spawn(keep_sending(
            stage.client.clone(),
            calls.clone(),
            first,
            all_sending.clone(),
            stop.clone(),
        ));
    }
    all_sending.wait().await;
    let replacing = Instant::now();
    stage.swap(step).await?;
    let accepted = Instant::now();
    stop.store(true, Ordering::SeqCst);
    Ok(Swapped {
        requests: clients.join_all().await.into_iter().flatten().collect(),
        replacing,
        accepted,
    })
}

/// Sends the requests from one on, every [`CLIENTS`]th; at least one before `all_sending`, and one
/// after `stop`.
async fn keep_sending(
    client: Client,
    calls: Arc<Vec<Call>>,
    first: usize,
    all_sending: Arc<Barrier>,
    stop: Arc<AtomicBool>,
) -> Vec<Timed> {
    let mut own_calls = calls.iter().cycle().skip(first).step_by(CLIENTS);
    let mut requests = Vec::new();
    requests.extend(send_next(&client, &mut own_calls).await);
    all_sending.wait().await;
    loop {
        let last = stop.load(Ordering::SeqCst);
        requests.extend(send_next(&client, &mut own_calls).await);
        if last {
            return requests;
        }
    }
}

async fn send_next<'a>(
    client: &Client,
    calls: &mut impl Iterator<Item = &'a Call>,
) -> Option<Timed> {
    let call = calls.next()?.clone();
    let sent = Instant::now();
    let outcome = send(client, &call).await;
    let answered = Instant::now();
    Some(Timed {
        call,
        sent,
        answered,
        outcome,
    })
}

impl Swapped {
    /// How long after the file was replaced v2 still answered. Measured from just before that, thus
    /// rather a little too long.
    pub(crate) fn last_of_v2(&self) -> Option<Duration> {
        self.requests
            .iter()
            .filter(|request| matches!(&request.outcome, Ok(seen) if seen.by == Treatment::V2))
            .filter_map(|request| request.answered.checked_duration_since(self.replacing))
            .max()
    }

    /// Every request with the policies that may have decided it; `both` is the one before the swap
    /// and the one after it.
    pub(crate) fn exchanges<'a>(&'a self, both: &'a [&'a Plan; 2]) -> Vec<Exchange<'a>> {
        let exchange = |request: &'a Timed| Exchange {
            call: &request.call,
            outcome: &request.outcome,
            plans: if request.answered < self.replacing {
                &both[..1]
            } else if request.sent > self.accepted {
                &both[1..]
            } else {
                both
            },
        };
        self.requests.iter().map(exchange).collect()
    }
}
