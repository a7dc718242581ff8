//! The error rate of the verdict: whole rollouts are simulated with a v1 and a v2 that fail or vary at random, and
//! judged by the real trial, noise model and report.
//!
//! `docs/shadow.md` has the numbers, and the test compares them.

use std::fmt::Write as _;

use turnout_report::{ErrorBudget, Report, Totals, Verdict as Ready};

use super::*;

/// The numbers of requests after which the verdict is computed.
const LOOKS: [usize; 4] = [30, 300, 3_000, 6_000];
/// Sampled requests in flight at the same time.
const AT_ONCE: usize = 16;
/// The default of `--allow`.
const ALLOWED_PER_MILLION: u64 = 1_000;

/// How v1 and v2 respond. Rates are in millionths.
#[derive(Clone, Copy, Default)]
struct Scenario {
    name: &'static str,
    /// The rates at which v1 and v2 return 500.
    fails: [u64; 2],
    /// The rates at which v1 and v2 return another balance.
    errs: [u64; 2],
    /// The number of fields with one of two random values, in v1 and v2.
    noisy_fields: usize,
    /// The number of fields that are present at random, in v1 and v2.
    optional_fields: usize,
    /// The rate of the rarer value of a noisy or optional field.
    rarer: u64,
    /// The number of routes of the requests. Noise is known by route.
    routes: u64,
}

impl Scenario {
    /// The number of simulated rollouts, fewer if each of their requests differs.
    fn rollouts(&self) -> u64 {
        let differs_always =
            self.noisy_fields + self.optional_fields > 0 || self.true_rate() >= 1_000_000;
        if differs_always { 40 } else { 120 }
    }

    /// The rate, in millionths, of responses of v2 that v1 never gives. Failures of v1 do not count.
    fn true_rate(&self) -> u64 {
        self.fails[1] + self.errs[1]
    }
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "both always the same",
        ..QUIET
    },
    Scenario {
        name: "v2 returns 500 to 0.05 %",
        fails: [0, 500],
        ..QUIET
    },
    Scenario {
        name: "v2 returns 500 to 0.2 %",
        fails: [0, 2_000],
        ..QUIET
    },
    Scenario {
        name: "v2 returns 500 to 0.5 %",
        fails: [0, 5_000],
        ..QUIET
    },
    Scenario {
        name: "v2 returns 500 to 5 %",
        fails: [0, 50_000],
        ..QUIET
    },
    Scenario {
        name: "v2 returns another balance to 0.05 %",
        errs: [0, 500],
        ..QUIET
    },
    Scenario {
        name: "v2 returns another balance to 0.2 %",
        errs: [0, 2_000],
        ..QUIET
    },
    Scenario {
        name: "v2 returns another balance to 0.5 %",
        errs: [0, 5_000],
        ..QUIET
    },
    Scenario {
        name: "v2 returns another balance to 5 %",
        errs: [0, 50_000],
        ..QUIET
    },
    Scenario {
        name: "v1 returns 500 to 0.05 %",
        fails: [500, 0],
        ..QUIET
    },
    Scenario {
        name: "v1 returns 500 to 0.2 %",
        fails: [2_000, 0],
        ..QUIET
    },
    Scenario {
        name: "v1 returns 500 to 0.5 %",
        fails: [5_000, 0],
        ..QUIET
    },
    Scenario {
        name: "v1 returns 500 to 5 %",
        fails: [50_000, 0],
        ..QUIET
    },
    Scenario {
        name: "v1 returns another balance to 0.05 %",
        errs: [500, 0],
        ..QUIET
    },
    Scenario {
        name: "v1 returns another balance to 0.2 %",
        errs: [2_000, 0],
        ..QUIET
    },
    Scenario {
        name: "v1 returns another balance to 0.5 %",
        errs: [5_000, 0],
        ..QUIET
    },
    Scenario {
        name: "v1 returns another balance to 5 %",
        errs: [50_000, 0],
        ..QUIET
    },
    Scenario {
        name: "both return 500 to 0.05 %",
        fails: [500, 500],
        ..QUIET
    },
    Scenario {
        name: "both return 500 to 0.2 %",
        fails: [2_000, 2_000],
        ..QUIET
    },
    Scenario {
        name: "both return 500 to 0.5 %",
        fails: [5_000, 5_000],
        ..QUIET
    },
    Scenario {
        name: "both return 500 to 5 %",
        fails: [50_000, 50_000],
        ..QUIET
    },
    Scenario {
        name: "v1 returns 500 to 5 %, v2 to 0.05 %",
        fails: [50_000, 500],
        ..QUIET
    },
    Scenario {
        name: "both return another balance to 0.5 %",
        errs: [5_000, 5_000],
        ..QUIET
    },
    Scenario {
        name: "v1 another balance to 5 %, v2 to 0.05 %",
        errs: [50_000, 500],
        ..QUIET
    },
    Scenario {
        name: "one random flag",
        noisy_fields: 1,
        ..QUIET
    },
    Scenario {
        name: "ten fields that are random",
        noisy_fields: 10,
        ..QUIET
    },
    Scenario {
        name: "ten fields that are there at random",
        optional_fields: 10,
        ..QUIET
    },
    Scenario {
        name: "one flag that is set in 10 %",
        noisy_fields: 1,
        rarer: 100_000,
        ..QUIET
    },
    Scenario {
        name: "one flag that is set in 2 %",
        noisy_fields: 1,
        rarer: 20_000,
        ..QUIET
    },
    Scenario {
        name: "ten flags that are set in 10 % each",
        noisy_fields: 10,
        rarer: 100_000,
        ..QUIET
    },
    Scenario {
        name: "ten fields that are there in 10 % each",
        optional_fields: 10,
        rarer: 100_000,
        ..QUIET
    },
    Scenario {
        name: "one flag that is set in 10 %, on 50 routes",
        noisy_fields: 1,
        rarer: 100_000,
        routes: 50,
        ..QUIET
    },
    Scenario {
        name: "ten flags that are set in 10 %, v2 returns 500 to 0.5 %",
        noisy_fields: 10,
        rarer: 100_000,
        fails: [0, 5_000],
        ..QUIET
    },
    Scenario {
        name: "ten random fields, v2 returns 500 to 0.5 %",
        noisy_fields: 10,
        fails: [0, 5_000],
        ..QUIET
    },
    Scenario {
        name: "ten random fields, v2 always another balance",
        noisy_fields: 10,
        errs: [0, 1_000_000],
        ..QUIET
    },
    Scenario {
        name: "v1 returns 500 to 0.5 %, v2 always",
        fails: [5_000, 1_000_000],
        ..QUIET
    },
];

const QUIET: Scenario = Scenario {
    name: "",
    fails: [0, 0],
    errs: [0, 0],
    noisy_fields: 0,
    optional_fields: 0,
    rarer: 500_000,
    routes: 1,
};

/// SplitMix64, so that the numbers are the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn happens(&mut self, per_million: u64) -> bool {
        self.next() % 1_000_000 < per_million
    }
}

fn respond(scenario: &Scenario, version: usize, random: &mut Random) -> StoredResponse {
    if random.happens(scenario.fails[version]) {
        return StoredResponse {
            status: 500,
            headers: vec![],
            body: b"{\"error\":\"oops\"}".to_vec(),
        };
    }
    let balance = if random.happens(scenario.errs[version]) {
        8
    } else {
        7
    };
    let mut body = format!("{{\"balance\":{balance}");
    for field in 0..scenario.noisy_fields {
        let name = char::from(b'a' + field as u8);
        let host =
            ["api-1.example.com", "api-2.example.com"][usize::from(random.happens(scenario.rarer))];
        let _ = write!(body, ",\"{name}\":\"{host}\"");
    }
    for field in 0..scenario.optional_fields {
        if random.happens(scenario.rarer) {
            let _ = write!(body, ",\"{}\":true", char::from(b'k' + field as u8));
        }
    }
    body.push('}');
    StoredResponse {
        status: 200,
        headers: vec![],
        body: body.into_bytes(),
    }
}

/// The counts by outcome, and last those of unproven differences.
type Counts = [u64; Outcome::ALL.len() + 1];

/// The outcomes of one rollout at each look.
fn rollout(plan: &Plan, scenario: &Scenario, seed: u64) -> [Counts; LOOKS.len()] {
    let mut random = Random(seed);
    let mut model = NoiseModel::new(shadow(plan));
    let mut counts: Counts = [0; Outcome::ALL.len() + 1];
    let mut seen = [counts; LOOKS.len()];
    let (mut started, mut now_ms) = (0, 1_000_000);
    for (look, requests) in LOOKS.into_iter().enumerate() {
        while started < requests {
            // So many requests start together, and each has a call in flight: a response takes 10 ms.
            let batch = AT_ONCE.min(requests - started);
            started += batch;
            let mut trials = Vec::new();
            for _ in 0..batch {
                let [v1, v2] = [0, 1].map(|version| respond(scenario, version, &mut random));
                if (v1.status, &v1.body) == (v2.status, &v2.body) {
                    counts[Outcome::Equal as usize] += 1;
                    continue;
                }
                let (trial, _) = Trial::start(v1, true, false, &mut model);
                let route =
                    (scenario.routes > 1).then(|| (random.next() % scenario.routes) as usize);
                trials.push((trial, CallResult::Response(v2), route));
            }
            while !trials.is_empty() {
                now_ms += 10;
                trials.retain_mut(|(trial, next, route)| {
                    let mut judge = TrialContext {
                        shadow: shadow(plan),
                        model: &mut model,
                        route: *route,
                        now_ms,
                    };
                    let answered = std::mem::replace(next, CallResult::Failed(Outcome::Timeout));
                    match trial.handle_result(answered, &mut judge) {
                        NextStep::Call(version) => {
                            *next = CallResult::Response(respond(
                                scenario,
                                version as usize,
                                &mut random,
                            ));
                            true
                        }
                        NextStep::Done(verdict) => {
                            counts[verdict.outcome as usize] += 1;
                            let is_unproven =
                                verdict.difference.is_some_and(|found| !found.is_proven);
                            counts[Outcome::ALL.len()] += u64::from(is_unproven);
                            false
                        }
                    }
                });
            }
            now_ms += 160;
        }
        seen[look] = counts;
    }
    seen
}

/// The verdict of the report for these counters.
fn verdict(counts: &Counts) -> Ready {
    let mut text = String::new();
    for (outcome, count) in Outcome::ALL.into_iter().zip(counts) {
        let _ = writeln!(
            text,
            "turnout_shadow{{rollout=\"r\",outcome=\"{outcome}\"}} {count}"
        );
    }
    let [outcomes @ .., unproven] = counts;
    let _ = writeln!(text, "turnout_shadow_unproven{{rollout=\"r\"}} {unproven}");
    let sampled: u64 = outcomes.iter().sum();
    let _ = writeln!(text, "turnout_shadow_sampled{{rollout=\"r\"}} {sampled}");
    let mut totals = Totals::default();
    totals.read("counters", text.as_bytes()).expect("text");
    let report = Report::new(&totals, ErrorBudget::default(), None).expect("a report");
    let (_, verdict) = report.verdicts().next().expect("a rollout");
    verdict
}

#[test]
fn the_verdict_is_wrong_in_at_most_one_rollout_of_twenty() {
    let plan = plan("shadow", &json!({ "requests": 100 }));
    let mut table = String::from(
        "| 6,000 requests, of which | READY | NOT READY | NOT ENOUGH DATA | wrong |\n|---|---|---|---|---|\n",
    );
    for (index, scenario) in SCENARIOS.iter().enumerate() {
        let rollouts = scenario.rollouts();
        let is_bad = scenario.true_rate() > ALLOWED_PER_MILLION;
        let mut verdicts = [[0_u64; 3]; LOOKS.len()];
        for rollout_number in 0..rollouts {
            let seed = (index as u64) << 32 | rollout_number;
            let looks = rollout(&plan, scenario, seed);
            for (verdicts, counts) in verdicts.iter_mut().zip(&looks) {
                verdicts[verdict(counts) as usize] += 1;
            }
        }
        for (verdicts, requests) in verdicts.iter().zip(LOOKS) {
            let wrong = verdicts[if is_bad {
                Ready::Ready
            } else {
                Ready::NotReady
            } as usize];
            assert!(
                wrong * 20 <= rollouts,
                "{}: {wrong} of {rollouts} wrong after {requests} requests: {verdicts:?}",
                scenario.name
            );
        }
        let percent = |count: u64| format!("{:.1} %", count as f64 * 100.0 / rollouts as f64);
        let [ready, not_ready, not_enough_data] = verdicts[LOOKS.len() - 1];
        let worst = verdicts.iter().map(|verdicts| {
            verdicts[if is_bad {
                Ready::Ready
            } else {
                Ready::NotReady
            } as usize]
        });
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} |",
            scenario.name,
            percent(ready),
            percent(not_ready),
            percent(not_enough_data),
            percent(worst.max().unwrap_or(0))
        );
    }
    println!("{table}");
    let page = include_str!("../../../docs/shadow.md");
    assert!(
        page.contains(&table),
        "docs/shadow.md shows another table than\n{table}"
    );
}
