//! What a decision costs in core: reading the request and deciding it, by the size of a segment.
//!
//! `cargo bench -p turnout-tests --bench decide`. The three figures should be alike.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use turnout_core::{Headers, Inbound, Plan, Time, decide};

/// Spread over the whole range of SIDs, as real ones are.
fn sid(number: u64) -> String {
    let high = xxhash_rust::xxh3::xxh3_64(&number.to_le_bytes());
    let low = xxhash_rust::xxh3::xxh3_64_with_seed(&number.to_le_bytes(), 1);
    format!("AC{high:016x}{low:016x}")
}

fn plan(accounts: u64) -> Plan {
    let accounts: Vec<String> = (0..accounts).map(|n| format!("\"{}\"", sid(n))).collect();
    let policy = format!(
        r#"{{
            "version": 1,
            "account": {{"from": [{{"header": "x-account-sid"}}], "format": "sid"}},
            "segments": {{"hvc": {{"accounts": [{}]}}, "big": {{"accounts": []}}}},
            "rollouts": [{{
                "name": "chat",
                "match": {{"hosts": ["flex.example.com"], "path": {{"prefix": "/v1/Channels"}}}},
                "v1": "channels-v1", "v2": "channels-v2", "mode": "split",
                "rules": [
                    {{"when": {{"in": ["hvc"]}}, "accounts": 1}},
                    {{"when": {{"in": ["big"]}}, "accounts": 10}},
                    {{"when": {{"not_in": ["hvc", "big"]}}, "accounts": 50, "requests": 10}}
                ]
            }}]
        }}"#,
        accounts.join(",")
    );
    Plan::from_json(&policy).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Accounts of the segment and as many that are not in it, each with the headers of a browser.
fn requests(accounts: u64) -> Vec<Vec<(Vec<u8>, Vec<u8>)>> {
    (0..1_000)
        .map(|n| {
            let account = if n % 2 == 0 {
                n % accounts
            } else {
                accounts + n
            };
            let headers = [
                (":authority", "flex.example.com"),
                (":path", "/v1/Channels/CH1/Messages?PageSize=50"),
                (":method", "GET"),
                (":scheme", "https"),
                ("accept", "application/json"),
                ("accept-encoding", "gzip, deflate, br"),
                (
                    "user-agent",
                    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101",
                ),
                ("x-forwarded-for", "203.0.113.7"),
                ("x-forwarded-proto", "https"),
                ("x-account-sid", &sid(account)),
                ("x-request-id", &format!("00000000-0000-4000-8000-{n:012}")),
            ];
            headers
                .map(|(name, value)| (name.into(), value.into()))
                .to_vec()
        })
        .collect()
}

fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    for accounts in [10, 1_000, 100_000] {
        let plan = plan(accounts);
        let requests = requests(accounts);
        let requests: Vec<Vec<_>> = requests
            .iter()
            .map(|headers| headers.iter().map(|(n, v)| (&n[..], &v[..])).collect())
            .collect();
        let mut turn = requests.iter().cycle();
        group.bench_function(BenchmarkId::new("accounts", accounts), |bencher| {
            bencher.iter(|| {
                let headers = turn.next().expect("a cycle has no end");
                let request = plan.request(Headers::new(headers), Inbound::Strip, Time::default());
                black_box(decide(&plan, &request).treatment)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
