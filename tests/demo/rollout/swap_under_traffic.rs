//! Replaces the policy while requests keep coming, and measures how long v2 keeps responding.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use support::client::Client;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use turnout_core::{Plan, Treatment};

use crate::check::Exchange;
use crate::steps::Step;
use crate::testbed::{self, Testbed};
use crate::traffic::{Call, Outcome, send};

/// How many clients keep sending, each one request at a time.
pub(crate) const CLIENTS: usize = 4;

/// What happened to the requests around a swap.
pub(crate) struct Swapped {
    requests: Vec<Timed>,
    /// Just before the policy file was replaced.
    replacing: Instant,
    /// When Envoy reported that the new policy is active.
    accepted: Instant,
}

struct Timed {
    call: Call,
    sent: Instant,
    received: Instant,
    outcome: Outcome,
}

/// Replaces the policy with the one of a step, with requests before, during and after.
pub(crate) async fn swap(
    testbed: &Testbed,
    step: &Step,
    calls: &Arc<Vec<Call>>,
) -> Result<Swapped, String> {
    let all_sending = Arc::new(Barrier::new(CLIENTS + 1));
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for first in 0..CLIENTS {
        clients.spawn(keep_sending(
            testbed.client.clone(),
            calls.clone(),
            first,
            all_sending.clone(),
            stop.clone(),
        ));
    }
    all_sending.wait().await;
    let replacing = Instant::now();
    testbed::swap(testbed, step).await?;
    let accepted = Instant::now();
    stop.store(true, Ordering::SeqCst);
    Ok(Swapped {
        requests: clients.join_all().await.into_iter().flatten().collect(),
        replacing,
        accepted,
    })
}

/// Sends every [`CLIENTS`]th request, starting with `first`: at least one before `all_sending` and one
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
    let received = Instant::now();
    Some(Timed {
        call,
        sent,
        received,
        outcome,
    })
}

impl Swapped {
    /// How long v2 kept responding after the policy file was replaced. The time starts just before the
    /// replacement, so it is an upper bound.
    pub(crate) fn last_of_v2(&self) -> Option<Duration> {
        self.requests
            .iter()
            .filter(|request| matches!(&request.outcome, Ok(seen) if seen.by == Treatment::V2))
            .filter_map(|request| request.received.checked_duration_since(self.replacing))
            .max()
    }

    /// Every request with the policies that may have decided it. `both` holds the policy before the
    /// swap and the one after it.
    pub(crate) fn exchanges<'a>(&'a self, both: &'a [&'a Plan; 2]) -> Vec<Exchange<'a>> {
        let exchange = |request: &'a Timed| Exchange {
            call: &request.call,
            outcome: &request.outcome,
            plans: if request.received < self.replacing {
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
