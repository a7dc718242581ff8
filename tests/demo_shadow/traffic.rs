//! The users: what their accounts ask, and whether they get what v1 alone would have answered.

use std::collections::HashMap;

use harness::client::{Answer, Client, Request};
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_128;

use crate::api::NOISE;

const CONCURRENCY: usize = 8;
/// How often each account asks everything.
const ROUNDS: usize = 24;
/// Of headers: what a proxy says for itself, and when.
const OF_THE_WAY: [&str; 4] = [
    "connection",
    "date",
    "server",
    "x-envoy-upstream-service-time",
];

/// Segments of the policy, and how many accounts each has. The last ones are in none.
pub(crate) const SEGMENTS: [(&str, usize); 3] = [("hvc", 3), ("big-customers", 4), ("-", 7)];

/// The accounts of a segment: the same ones in every run.
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

/// A request of an account. No two that are equal are answered differently, but for the noise.
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

/// Every request of a step; all accounts in turn.
pub(crate) fn calls() -> Vec<Call> {
    let accounts: Vec<String> = SEGMENTS
        .iter()
        .flat_map(|(name, _)| accounts(name))
        .collect();
    let once = accounts.iter().flat_map(|account| {
        asked(account).into_iter().map(|(method, path)| Call {
            account: account.clone(),
            method,
            path,
        })
    });
    let once: Vec<Call> = once.collect();
    std::iter::repeat_n(once, ROUNDS).flatten().collect()
}

/// Of what v2 answers right there is more, enough to say so of one request in a thousand.
fn asked(account: &str) -> Vec<(&'static str, String)> {
    let (user, service) = (sid("US", account), sid("IS", account));
    let right = (1..=14).map(|limit| ("GET", format!("/v1/Users/{user}/Channels?limit={limit}")));
    let mut asked = vec![
        ("GET", "/v1/Channels".to_owned()),
        ("GET", "/v1/Channels/general".to_owned()),
        ("GET", "/v1/Channels/support".to_owned()),
        ("GET", "/v1/Channels/general/Messages".to_owned()),
        ("POST", "/v1/Channels/support/Messages".to_owned()),
        ("GET", format!("/v1/Users/{user}")),
        ("GET", format!("/v1/Services/{service}")),
    ];
    asked.extend(right);
    asked
}

/// What a user sees of an answer: all of it but the noise, and but what a proxy says for itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: String,
}

/// What each call comes to.
pub(crate) type Answers = HashMap<Call, Seen>;

/// Asks an address everything once: of v1, what it answers when nobody is in between.
pub(crate) async fn ask_alone(client: &Client, calls: &[Call]) -> Result<Answers, String> {
    let mut answers = Answers::new();
    for call in calls {
        if !answers.contains_key(call) {
            let seen = seen(&client.try_send(call.request()).await?)?;
            answers.insert(call.clone(), seen);
        }
    }
    Ok(answers)
}

/// Sends all calls, and returns what is wrong: each answer that is not what v1 alone answers.
pub(crate) async fn send_all(client: &Client, calls: &[Call], alone: &Answers) -> Vec<String> {
    let requests = calls.iter().map(Call::request).collect();
    let answers = client.send_all(requests, CONCURRENCY).await;
    let pairs = calls.iter().zip(&answers);
    pairs
        .filter_map(|(call, answer)| differs(call, answer, alone))
        .collect()
}

fn differs(call: &Call, answer: &Answer, alone: &Answers) -> Option<String> {
    let expected = alone.get(call);
    match seen(answer) {
        Ok(seen) if Some(&seen) == expected => None,
        other => Some(format!(
            "{} {} of {}:\n      seen     {other:?}\n      expected {expected:?}",
            call.method, call.path, call.account
        )),
    }
}

fn seen(answer: &Answer) -> Result<Seen, String> {
    let document: Value = serde_json::from_slice(&answer.body)
        .map_err(|error| format!("status {}, no JSON: {error}", answer.status))?;
    let mut body = answer.text();
    // The text itself, without these two values: byte for byte, for all the rest.
    for field in NOISE {
        let value = document.pointer(field).and_then(Value::as_str);
        let value = value.ok_or_else(|| format!("no {field} in {body}"))?;
        body = body.replacen(value, "", 1);
    }
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !OF_THE_WAY.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
        .collect();
    headers.sort();
    Ok(Seen {
        status: answer.status,
        headers,
        body,
    })
}
