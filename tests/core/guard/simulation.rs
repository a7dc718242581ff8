//! Simulated rollouts: requests with random arms and outcomes, whose ends are noted when they come, and a guard that is
//! looked at after every second.

use support::random::Random;
use turnout_core::guard::{ComparedRequest, GuardState, SlowSettings};

use super::*;

/// How v1 and v2 respond, and to whom. Rates are in millionths.
#[derive(Clone, Copy)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) settings: GuardSettings,
    pub(super) seconds: u32,
    pub(super) requests_per_second: u32,
    /// The percentages of v2, each for an equal part of the time.
    pub(super) requests: &'static [&'static str],
    /// How often v1 fails in a second.
    pub(super) fails: fn(u32) -> u64,
    /// How many times as often v2 fails, in thousandths.
    pub(super) ratio: u64,
    /// How often v1 is slow, and how many times as often v2 is, in thousandths.
    pub(super) slow: [u64; 2],
    /// How long an error takes in v1 and v2, in seconds.
    pub(super) error_seconds: [u32; 2],
    /// How many times a request that failed is repeated with the same id.
    pub(super) retries: u32,
    /// The number of accounts.
    pub(super) accounts: u64,
    /// How many times as often the requests of an account fail, in thousandths.
    pub(super) account_fails: fn(u64) -> u64,
    /// Whether account 0 has half of the requests.
    pub(super) has_giant: bool,
}

pub(super) const PLAIN: Scenario = Scenario {
    name: "",
    settings: GuardSettings {
        errors: Ratio::new(1_200),
        slow: None,
        limit: None,
        alpha: Alpha::new(10_000).expect("a probability"),
        settle_seconds: SettleSeconds::new(5).expect("a time"),
        action: turnout_core::guard::GuardAction::Halt,
        accounts: None,
    },
    seconds: 150,
    requests_per_second: 30,
    requests: &["20"],
    fails: |_| 30_000,
    ratio: 1_000,
    slow: [0, 1_000],
    error_seconds: [0, 0],
    retries: 0,
    accounts: 1,
    account_fails: |_| 1_000,
    has_giant: false,
};

pub(super) const SLOW: SlowSettings = SlowSettings {
    over_ms: 500,
    ratio: Ratio::new(1_500).expect("a ratio"),
};

/// What became of a simulated rollout.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Run {
    /// The last state.
    pub(super) state: GuardState,
    pub(super) has_held: bool,
    /// The number of v2's errors until the end or until it tripped, also of those whose second did not settle.
    pub(super) v2_errors: u64,
    pub(super) seconds: u32,
    pub(super) ejected: usize,
    /// Whether a test of two proportions at the same alpha found v2 worse, looked at after every second.
    pub(super) has_z_tripped: bool,
}

/// A request that has not ended.
struct Open {
    request: Option<ComparedRequest>,
    arm: usize,
    is_error: bool,
    duration_ms: u64,
}

pub(super) fn run(scenario: &Scenario, seed: u64) -> Run {
    let mut random = Random::new(seed);
    let mut guard = WorkerGuard::new(scenario.settings, EPOCH);
    let percentages: Vec<(Stratum, u64)> = scenario
        .requests
        .iter()
        .map(|requests| {
            let requests = percent(requests);
            let stratum = guard.stratum(requests).expect("a stratum");
            (stratum, u64::from(requests.millionths()) / 100)
        })
        .collect();
    let slots = scenario.error_seconds.into_iter().max().unwrap_or(0) as usize + 1;
    let mut ends: Vec<Vec<Open>> = (0..slots).map(|_| Vec::new()).collect();
    let mut run = Run::default();
    // By arm: ended requests and errors, as a dashboard has them.
    let mut ended = [[0_u64; 2]; 2];
    let others = OtherWorkers::new(EPOCH);
    let z_of_alpha = 2.326_347_9;
    for second in 0..scenario.seconds {
        let stage = second as usize * percentages.len() / scenario.seconds as usize;
        let (stratum, of_v2) = percentages[stage];
        let fails = (scenario.fails)(second);
        for _ in 0..scenario.requests_per_second {
            let account = match scenario.has_giant && random.below(2) == 0 {
                true => 0,
                false => random.below(scenario.accounts),
            };
            let arm = usize::from(random.happens(of_v2));
            let treatment = Treatment::ALL[arm];
            let id = random.next();
            let fails = fails * (scenario.account_fails)(account) / 1_000;
            let fails = if arm == 1 {
                fails * scenario.ratio / 1_000
            } else {
                fails
            };
            let mut attempts = 0;
            loop {
                // A request that failed once mostly fails again.
                let is_error = random.happens(if attempts == 0 { fails } else { 900_000 });
                let slow =
                    scenario.slow[0] * if arm == 1 { scenario.slow[1] } else { 1_000 } / 1_000;
                let is_slow = random.happens(slow);
                let request = guard.note_decision(stratum, treatment, id, Some(account + 1));
                let after = if is_error {
                    scenario.error_seconds[arm] as usize
                } else {
                    0
                };
                ends[(second as usize + after) % slots].push(Open {
                    request,
                    arm,
                    is_error,
                    duration_ms: if is_slow { 900 } else { 10 },
                });
                if !is_error || attempts == scenario.retries {
                    break;
                }
                attempts += 1;
            }
        }
        for open in ends[second as usize % slots].drain(..) {
            let counts = &mut ended[open.arm];
            counts[0] += 1;
            counts[1] += u64::from(open.is_error);
            let Some(request) = open.request else {
                continue;
            };
            run.v2_errors += u64::from(open.is_error && open.arm == 1);
            let response = if open.is_error {
                Response::Error
            } else {
                Response::Success
            };
            guard.note_end(request, response, open.duration_ms);
        }
        guard.tick(&others);
        run.has_held |= guard.state() == GuardState::Holding;
        run.has_z_tripped |= z_score(ended) > z_of_alpha;
        run.seconds = second + 1;
        if matches!(guard.state(), GuardState::Tripped | GuardState::Invalid) {
            break;
        }
    }
    run.state = guard.state();
    run.ejected = guard.ejected_accounts();
    run
}

/// The usual test of whether v2's error rate is more than 1.2 times that of v1, with at least five errors.
fn z_score([[v1, v1_errors], [v2, v2_errors]]: [[u64; 2]; 2]) -> f64 {
    if v1 == 0 || v2 == 0 || v1_errors + v2_errors < 5 {
        return 0.0;
    }
    let [v1, v1_errors, v2, v2_errors] = [v1, v1_errors, v2, v2_errors].map(|count| count as f64);
    let ratio = 1.2;
    let rate = (v1_errors + v2_errors) / (v1 + v2);
    let variance = rate * (1.0 - rate) * (1.0 / v2 + ratio * ratio / v1);
    (v2_errors / v2 - ratio * v1_errors / v1) / variance.sqrt()
}
