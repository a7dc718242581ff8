//! The cost of a decision in core, by the size of the policy.
//!
//! `cargo bench -p turnout-tests --bench decide`, or `make bench-core`.
//!
//! * `read`: reads a request of 11 headers, including its account.
//! * `decide`: decides a request that was read, by three rules.
//! * `read+decide`: both, which is the work of core for a request in the filter.
//!
//! In a proxy the headers have just been written, so they are in the cache here too. The account is not: each
//! request is for another one, from anywhere in the segment or, as often, from outside of it. So the figures
//! include the time that a look-up waits for memory. The number of accounts should make almost no difference,
//! and a thousand rollouts should cost a few times as much as one.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use support::corpus::borrowed;
use support::sized_policy::{ACCOUNT_HEADER, By, Size, sid};
use turnout_core::{Headers, Inbound, Plan, Request, Time, decide};

/// Requests that are prepared at a time: few enough to stay in the cache.
const BLOCK: u32 = 32;
/// The number of accounts that are used in turn.
const ACCOUNTS: u32 = 1 << 18;

type Pairs<'a> = Vec<(&'a [u8], &'a [u8])>;

/// The time per request in a block.
type Step = fn(&Plan, &[Pairs<'_>]) -> Duration;

const STEPS: [(&str, Step); 3] = [("read", read), ("decide", decided), ("read+decide", both)];

fn read(plan: &Plan, block: &[Pairs<'_>]) -> Duration {
    let start = Instant::now();
    for pairs in block {
        black_box(request(plan, pairs));
    }
    start.elapsed()
}

fn decided(plan: &Plan, block: &[Pairs<'_>]) -> Duration {
    let requests: Vec<_> = block.iter().map(|pairs| request(plan, pairs)).collect();
    let start = Instant::now();
    for request in &requests {
        black_box(decide(plan, request));
    }
    start.elapsed()
}

fn both(plan: &Plan, block: &[Pairs<'_>]) -> Duration {
    let start = Instant::now();
    for pairs in block {
        black_box(decide(plan, &request(plan, pairs)));
    }
    start.elapsed()
}

fn request<'a>(plan: &Plan, pairs: &'a Pairs<'_>) -> Request<'a> {
    plan.request(Headers::new(pairs), Inbound::Strip, Time::default())
}

fn decisions(criterion: &mut Criterion) {
    let accounts = [10, 1_000, 100_000, 1_000_000].map(|accounts| Size {
        accounts,
        rollouts: 1,
        by: By::Path,
    });
    let rollouts = [By::Path, By::Host].map(|by| {
        [1, 10, 100, 1_000].map(|rollouts| Size {
            accounts: 1_000,
            rollouts,
            by,
        })
    });
    for size in accounts {
        bench(criterion, "accounts", size.accounts, size);
    }
    for size in rollouts.into_iter().flatten() {
        let name = format!("rollouts by {:?}", size.by).to_lowercase();
        bench(criterion, &name, size.rollouts, size);
    }
}

fn bench(criterion: &mut Criterion, name: &str, count: u32, size: Size) {
    let plan = size.plan();
    // The requests match rollouts all over the policy.
    let requests = (0..BLOCK).map(|number| size.request(number.wrapping_mul(7_919)));
    let requests: Vec<_> = requests.collect();
    let accounts: Vec<String> = (0..ACCOUNTS).map(|n| sid(size.account(n))).collect();
    let mut block: Vec<Pairs<'_>> = requests.iter().map(|pairs| borrowed(pairs)).collect();
    let mut group = criterion.benchmark_group(name);
    for (step, measure) in STEPS {
        let mut accounts = accounts.iter().cycle();
        group.bench_function(BenchmarkId::new(step, count), |bencher| {
            bencher.iter_custom(|times| {
                let mut total = Duration::ZERO;
                let mut left = usize::try_from(times).expect("a number of times");
                while left > 0 {
                    let count = left.min(block.len());
                    let block = &mut block[..count];
                    for (pairs, account) in block.iter_mut().zip(&mut accounts) {
                        set_account(pairs, account);
                    }
                    total += measure(&plan, block);
                    left -= count;
                }
                total
            });
        });
    }
    group.finish();
}

fn set_account<'a>(pairs: &mut Pairs<'a>, account: &'a str) {
    for (name, value) in pairs {
        if *name == ACCOUNT_HEADER.as_bytes() {
            *value = account.as_bytes();
        }
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
