//! The users: they send requests and expect the responses that v1 gives without a proxy.

use std::collections::HashMap;

use serde_json::Value;
use support::client::{Client, Request, Response};
use xxhash_rust::xxh3::xxh3_128;

use crate::messaging_api::NOISE;

const CONCURRENCY: usize = 8;
/// How often each account sends each request.
const ROUNDS: usize = 24;
/// Headers that a proxy sets or that depend on the time.
const PROXY_HEADERS: [&str; 4] = [
    "connection",
    "date",
    "server",
    "x-envoy-upstream-service-time",
];

/// Segments of the policy and their numbers of accounts. The last row is for accounts in no segment.
pub(crate) const SEGMENTS: [(&str, usize); 3] = [("hvc", 3), ("big-customers", 4), ("-", 7)];

/// The accounts of a segment, the same in every run.
pub(crate) fn accounts(segment: &str) -> Vec<String> {
    let size = SEGMENTS.iter().find(|(name, _)| *name == segment);
    let size = size.map_or(0, |(_, size)| *size);
    (0..size)
        .map(|number| sid("AC", &format!("{segment} {number}")))
        .collect()
}

fn sid(kind: &str, seed: &str) -> String {
    format!("{kind}{:032x}", xxh3_128(seed.as_bytes()))
}

/// A request of an account. Equal requests get equal responses, except for the noise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    pub(crate) account: String,
    pub(crate) method: &'static str,
    pub(crate) path: String,
}

impl Call {
    fn request(&self) -> Request {
        let request = match self.method {
            "POST" => Request::post(self.path.as_str(), r#"{"body":"hello"}"#)
                .header("content-type", "application/json"),
            method => Request::new(method, self.path.as_str()),
        };
        request
            .header("x-account-sid", &self.account)
            .header("authorization", "Bearer of-a-user")
    }
}

/// The requests of a step, in turn from all accounts.
pub(crate) fn calls() -> Vec<Call> {
    let accounts: Vec<String> = SEGMENTS
        .iter()
        .flat_map(|(name, _)| accounts(name))
        .collect();
    let once = accounts.iter().flat_map(|account| {
        requests_of(account).into_iter().map(|(method, path)| Call {
            account: account.clone(),
            method,
            path,
        })
    });
    let once: Vec<Call> = once.collect();
    std::iter::repeat_n(once, ROUNDS).flatten().collect()
}

/// Most requests are to the route without a mistake, so that its bound is below one request in a thousand.
fn requests_of(account: &str) -> Vec<(&'static str, String)> {
    let (user, service) = (sid("US", account), sid("IS", account));
    let right = (1..=14).map(|limit| ("GET", format!("/v1/Users/{user}/Channels?limit={limit}")));
    let mut requests = vec![
        ("GET", "/v1/Channels".to_owned()),
        ("GET", "/v1/Channels/general".to_owned()),
        ("GET", "/v1/Channels/support".to_owned()),
        ("GET", "/v1/Channels/general/Messages".to_owned()),
        ("POST", "/v1/Channels/support/Messages".to_owned()),
        ("GET", format!("/v1/Users/{user}")),
        ("GET", format!("/v1/Services/{service}")),
    ];
    requests.extend(right);
    requests
}

/// A response without the noise and without the headers of a proxy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Comparable {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: String,
}

/// The response to each call.
pub(crate) type Responses = HashMap<Call, Comparable>;

/// Sends each call once to v1 directly.
pub(crate) async fn send_directly(client: &Client, calls: &[Call]) -> Result<Responses, String> {
    let mut responses = Responses::new();
    for call in calls {
        if !responses.contains_key(call) {
            let response = comparable(&client.try_send(call.request()).await?)?;
            responses.insert(call.clone(), response);
        }
    }
    Ok(responses)
}

/// Sends all calls, and returns the responses that are not those of v1.
pub(crate) async fn send_all(client: &Client, calls: &[Call], direct: &Responses) -> Vec<String> {
    let requests = calls.iter().map(Call::request).collect();
    let responses = client.send_all(requests, CONCURRENCY).await;
    let pairs = calls.iter().zip(&responses);
    pairs
        .filter_map(|(call, response)| difference(call, response, direct))
        .collect()
}

fn difference(call: &Call, response: &Response, direct: &Responses) -> Option<String> {
    let expected = direct.get(call);
    match comparable(response) {
        Ok(response) if Some(&response) == expected => None,
        other => Some(format!(
            "{} {} of {}:\n      actual   {other:?}\n      expected {expected:?}",
            call.method, call.path, call.account
        )),
    }
}

fn comparable(response: &Response) -> Result<Comparable, String> {
    let document: Value = serde_json::from_slice(&response.body)
        .map_err(|error| format!("status {}, no JSON: {error}", response.status))?;
    let mut body = response.text();
    // The text itself without the two noisy values, so that everything else is compared byte for byte.
    for field in NOISE {
        let value = document.pointer(field).and_then(Value::as_str);
        let value = value.ok_or_else(|| format!("no {field} in {body}"))?;
        body = body.replacen(value, "", 1);
    }
    let mut headers: Vec<_> = response
        .headers
        .iter()
        .filter(|(name, _)| !PROXY_HEADERS.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect();
    headers.sort();
    Ok(Comparable {
        status: response.status,
        headers,
        body,
    })
}
