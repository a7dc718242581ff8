//! Both levels of an allocation: which accounts, and which of their requests.
//!
//! The test computes the expected result from the contract, without code of the filter.

use std::collections::BTreeSet;

use serde_json::json;
use support::client::Request;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::testbed::{ROLLOUT, Testbed, policy, request_of, strip, version};

const ACCOUNTS: usize = 2_000;
const REQUESTS: usize = 40_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_named_accounts_and_requests_take_v2() {
    let traffic: Vec<Sent> = (0..REQUESTS).map(Sent::nth).collect();
    let testbed = Testbed::live(&strip(&allocation(50, 10)), |b| b).await;
    let at_50 = served_by_v2(&testbed, &traffic).await;
    assert_eq!(at_50, named(&traffic, 50, 10));

    let outside_accounts = traffic
        .iter()
        .filter(|sent| !includes(50, sent.account_position()))
        .count();
    let outside_requests = REQUESTS - outside_accounts - at_50.len();
    let decisions = testbed.decisions().await;
    let counted: Vec<_> = decisions
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect();
    let expected = [
        ("chat.v1.outside_accounts", outside_accounts),
        ("chat.v1.outside_requests", outside_requests),
        ("chat.v2.rule", at_50.len()),
    ]
    .map(|(name, count)| (name.to_owned(), count as u64));
    assert_eq!(counted, expected);

    testbed.swap_policy(&allocation(60, 10)).await;
    let at_60 = served_by_v2(&testbed, &traffic).await;
    assert_eq!(at_60, named(&traffic, 60, 10));
    assert!(at_50.is_subset(&at_60), "an account moved back");
    assert!(at_50 != at_60, "no account is new");
}

fn allocation(accounts: u32, requests: u32) -> serde_json::Value {
    policy(&json!({ "rules": [{ "accounts": accounts, "requests": requests }] }))
}

struct Sent {
    account: String,
    id: String,
}

impl Sent {
    /// Realistic accounts and ids, the same in each run.
    fn nth(number: usize) -> Self {
        let account = number % ACCOUNTS;
        let noise = |of: usize, draw: u64| xxh3_64_with_seed(&of.to_le_bytes(), draw);
        let id = format!("{:016x}{:016x}", noise(number, 3), noise(number, 4));
        Self {
            account: format!("AC{:016x}{:016x}", noise(account, 1), noise(account, 2)),
            id: [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-"),
        }
    }

    fn request(&self) -> Request {
        request_of(&self.account).header("x-request-id", &self.id)
    }

    fn account_position(&self) -> u64 {
        position(&self.account, "/accounts")
    }

    fn request_position(&self) -> u64 {
        position(&self.id, "/requests")
    }
}

fn position(id: &str, draw: &str) -> u64 {
    let seed = xxh3_64(format!("{ROLLOUT}{draw}").as_bytes());
    xxh3_64_with_seed(id.as_bytes(), seed)
}

/// Whether position < floor(p · 2⁶⁴ / 10⁸), with p in millionths of a percent, without a division: both sides
/// are integers, so it is equivalent to position + 1 ≤ p · 2⁶⁴ / 10⁸.
fn includes(percent: u128, position: u64) -> bool {
    let millionths = percent * 1_000_000;
    (u128::from(position) + 1) * 100_000_000 <= millionths << 64
}

/// The indexes of the requests that must take v2.
fn named(traffic: &[Sent], accounts: u128, requests: u128) -> BTreeSet<usize> {
    let is_named = |sent: &Sent| {
        includes(accounts, sent.account_position()) && includes(requests, sent.request_position())
    };
    places(traffic.iter().map(is_named))
}

/// The indexes of the requests that took v2.
async fn served_by_v2(testbed: &Testbed, traffic: &[Sent]) -> BTreeSet<usize> {
    let requests = traffic.iter().map(Sent::request).collect();
    let responses = testbed.client().send_all(requests, 32).await;
    places(responses.iter().map(|response| version(response) == "v2"))
}

fn places(hits: impl Iterator<Item = bool>) -> BTreeSet<usize> {
    hits.enumerate()
        .filter_map(|(place, hit)| hit.then_some(place))
        .collect()
}
