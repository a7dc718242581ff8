//! The traffic: what the accounts ask, and which version answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::client::{Answer, Client, Request};
use serde::Deserialize;
use tokio::task::JoinSet;
use turnout_core::Treatment;
use xxhash_rust::xxh3::xxh3_64;

use harness::accounts::Segment;

/// Whom the requests are sent to, as in the `match` of the policy.
pub(crate) const HOST: &str = "flex.example.com";
const CONCURRENCY: usize = 32;

/// A request of an account. It brings no `x-request-id`: Envoy makes one, as for any client.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) segment: Segment,
    pub(crate) sid: String,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
}

/// What an upstream answered.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    /// The version that the upstream says it is.
    pub(crate) by: Treatment,
    /// The `x-request-id` that reached it, by which the request was drawn.
    pub(crate) id: String,
}

/// An answer, or why there is none: no connection, a status other than 2xx, something unexpected.
pub(crate) type Outcome = Result<Answered, String>;

const ASKED: [(&str, &str); 4] = [
    ("GET", "/v1/Channels"),
    ("POST", "/v1/Channels"),
    ("GET", "/v1/Channels/support"),
    ("GET", "/v1/Channels/general"),
];

/// Every request of one step. The segments are mixed, in the same order in each run.
pub(crate) fn calls() -> Vec<Call> {
    let mut calls: Vec<Call> = Segment::ALL.into_iter().flat_map(calls_of).collect();
    let mut place = 0_u64;
    calls.sort_by_cached_key(|_| {
        place += 1;
        xxh3_64(&place.to_le_bytes())
    });
    calls
}

fn calls_of(segment: Segment) -> impl Iterator<Item = Call> {
    segment.sids().flat_map(move |sid| {
        let asked = ASKED.into_iter().cycle().take(segment.requests_each());
        asked.map(move |(method, path)| Call {
            segment,
            sid: sid.clone(),
            method,
            path,
        })
    })
}

/// Sends every request, some at a time; the outcomes come in the order of the requests.
pub(crate) async fn send_all(client: &Client, calls: &Arc<Vec<Call>>) -> Vec<Outcome> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut senders = JoinSet::new();
    for _ in 0..CONCURRENCY {
        senders.spawn(send_in_turn(client.clone(), calls.clone(), next.clone()));
    }
    let mut outcomes: Vec<_> = senders.join_all().await.into_iter().flatten().collect();
    outcomes.sort_unstable_by_key(|(place, _)| *place);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

async fn send_in_turn(
    client: Client,
    calls: Arc<Vec<Call>>,
    next: Arc<AtomicUsize>,
) -> Vec<(usize, Outcome)> {
    let mut outcomes = Vec::new();
    loop {
        let place = next.fetch_add(1, Ordering::Relaxed);
        let Some(call) = calls.get(place) else {
            return outcomes;
        };
        outcomes.push((place, send(&client, call).await));
    }
}

/// Sends one request.
pub(crate) async fn send(client: &Client, call: &Call) -> Outcome {
    let request = Request::new(call.method, call.path)
        .header("host", HOST)
        .header("x-account-sid", &call.sid);
    read(&client.try_send(request).await?)
}

/// What the upstream says about itself and about the request that reached it.
#[derive(Deserialize)]
struct Echo {
    version: String,
    headers: Vec<(String, String)>,
}

fn read(answer: &Answer) -> Outcome {
    if !(200..300).contains(&answer.status) {
        return Err(format!("status {}: {}", answer.status, answer.text()));
    }
    let echo: Echo = serde_json::from_slice(&answer.body)
        .map_err(|error| format!("not the API's JSON: {error}"))?;
    let by = Treatment::ALL
        .into_iter()
        .find(|version| version.as_str() == echo.version)
        .ok_or_else(|| format!("answered by {:?}", echo.version))?;
    let mut ids = echo
        .headers
        .into_iter()
        .filter(|(name, _)| name == "x-request-id");
    match (ids.next(), ids.next()) {
        (Some((_, id)), None) => Ok(Answered { by, id }),
        _ => Err("the upstream did not get one x-request-id".to_owned()),
    }
}
