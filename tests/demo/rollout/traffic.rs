//! The traffic: the requests of the accounts, and who responded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Deserialize;
use support::client::{Client, Request, Response};
use tokio::task::JoinSet;
use turnout_core::Treatment;
use xxhash_rust::xxh3::xxh3_64;

use support::demo::accounts::Segment;

/// The host of all requests, as in the `match` of the policy.
pub(crate) const HOST: &str = "flex.example.com";
const CONCURRENCY: usize = 32;

/// A request of an account. It has no `x-request-id`: Envoy generates one, as for any client.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) segment: Segment,
    pub(crate) sid: String,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
}

/// The response of an upstream.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// v1 or v2, as the upstream reports itself.
    pub(crate) by: Treatment,
    /// The `x-request-id` that reached the upstream. It decides the bucket of the request.
    pub(crate) id: String,
}

/// A response, or why there is none: no connection, a status other than 2xx, an unexpected body.
pub(crate) type Outcome = Result<Received, String>;

const REQUESTS: [(&str, &str); 4] = [
    ("GET", "/v1/Channels"),
    ("POST", "/v1/Channels"),
    ("GET", "/v1/Channels/support"),
    ("GET", "/v1/Channels/general"),
];

/// The requests of one step. The segments are mixed, in the same order in every run.
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
        let asked = REQUESTS.into_iter().cycle().take(segment.requests_each());
        asked.map(move |(method, path)| Call {
            segment,
            sid: sid.clone(),
            method,
            path,
        })
    })
}

/// Sends all requests over several connections. The outcomes are in the order of the requests.
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

/// The body of a response: who responds, and the request as it arrived.
#[derive(Deserialize)]
struct Echo {
    version: String,
    headers: Vec<(String, String)>,
}

fn read(response: &Response) -> Outcome {
    if !(200..300).contains(&response.status) {
        return Err(format!("status {}: {}", response.status, response.text()));
    }
    let echo: Echo = serde_json::from_slice(&response.body)
        .map_err(|error| format!("not the API's JSON: {error}"))?;
    let by = Treatment::ALL
        .into_iter()
        .find(|version| version.as_str() == echo.version)
        .ok_or_else(|| format!("response of {:?}", echo.version))?;
    let mut ids = echo
        .headers
        .into_iter()
        .filter(|(name, _)| name == "x-request-id");
    match (ids.next(), ids.next()) {
        (Some((_, id)), None) => Ok(Received { by, id }),
        _ => Err("expected one x-request-id at the upstream".to_owned()),
    }
}
