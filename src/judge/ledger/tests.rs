use std::collections::BTreeMap;

use turnout_admin::{Counter, CounterValues};

use super::{Ledger, UPTIME_LAG_MS};
use crate::reading::{Reading, Scrape};

const ALL: &str = "wasmcustom.turnout.guard.chat.10.v1.all";
const ERRORS: &str = "wasmcustom.turnout.guard.chat.10.v1.errors";
const CLUSTER: &str = "cluster.a.upstream_rq_completed";

fn counter(name: &str) -> Counter {
    Counter::from_stat_name(name).unwrap()
}

fn reading(proxy: &str, at: u64, uptime: Option<u64>, all: u64, errors: u64) -> Scrape {
    let mut counters = CounterValues::default();
    counters.insert(counter(ALL), all);
    counters.insert(counter(ERRORS), errors);
    Scrape::Read(Reading {
        proxy: proxy.to_owned(),
        at_ms: at * 1_000,
        uptime,
        counters,
        ..Reading::default()
    })
}

fn missing(proxy: &str) -> Scrape {
    Scrape::Missing {
        proxy: proxy.to_owned(),
        why: "no response".to_owned(),
    }
}

fn counted(ledger: &Ledger) -> [u64; 2] {
    let counters = ledger.observation().counters;
    [ALL, ERRORS].map(|name| counters.get(&counter(name)).unwrap_or_default())
}

fn restarts(ledger: &Ledger) -> u64 {
    let proxies = ledger.observation().proxies.unwrap();
    proxies.iter().map(|proxy| proxy.restarts).sum()
}

/// A ledger without a baseline after these readings of one proxy: time, uptime, and the two counters.
fn after(readings: &[(u64, Option<u64>, u64, u64)]) -> Ledger {
    let mut ledger = Ledger::default();
    for (at, uptime, all, errors) in readings {
        ledger.record(&[reading("a", *at, *uptime, *all, *errors)]);
    }
    ledger
}

#[test]
fn without_a_baseline_everything_counts() {
    let ledger = after(&[(1_000, Some(500), 90, 3), (1_010, Some(510), 100, 3)]);
    assert_eq!(counted(&ledger), [100, 3]);
    assert_eq!(restarts(&ledger), 0);
    let observation = ledger.observation();
    assert_eq!(observation.observed_seconds, 510);
    let rates = observation.rates.unwrap();
    assert_eq!(rates.get(&counter(ALL)), Some(1_000));
}

#[test]
fn earlier_readings_count_once_and_show_what_came_before_a_restart() {
    let mut ledger = Ledger::default();
    ledger.start_over(&[reading("a", 1_000, Some(500), 100, 1)]);
    assert_eq!(ledger.newest_reading_ms(), Some(1_000_000));
    let earlier = [
        // Seen before.
        reading("a", 990, Some(490), 90, 1),
        reading("a", 1_000, Some(500), 100, 1),
        reading("a", 1_100, Some(600), 150, 2),
        // A proxy that began and ended meanwhile.
        reading("b", 1_100, Some(10), 5, 0),
        reading("b", 1_150, Some(60), 20, 3),
    ];
    ledger.record_unseen(&earlier);
    ledger.record(&[reading("a", 1_200, Some(20), 180, 0)]);
    assert_eq!(counted(&ledger), [50 + 180 + 20, 1 + 3]);
    assert_eq!(restarts(&ledger), 1);
    // The same again changes nothing.
    ledger.record_unseen(&earlier);
    assert_eq!(counted(&ledger), [250, 4]);
    assert_eq!(ledger.observation().proxies.unwrap().len(), 1);
}

#[test]
fn a_restart_shows_by_any_lower_counter_or_by_the_uptime() {
    for (what, second) in [
        ("one counter is lower", (1_010, Some(510), 200, 2)),
        (
            "one counter is lower, uptime unknown",
            (1_010, None, 200, 2),
        ),
        ("the uptime is lower", (1_010, Some(5), 200, 4)),
        ("younger than the last reading", (9_000, Some(600), 200, 4)),
        ("younger, uptime unknown before", (9_000, Some(600), 200, 4)),
    ] {
        let uptime = (!what.ends_with("before")).then_some(500);
        let ledger = after(&[(1_000, uptime, 100, 3), second]);
        assert_eq!(restarts(&ledger), 1, "{what}");
        assert_eq!(counted(&ledger), [300, 3 + second.3], "{what}");
    }
    for (what, second) in [
        ("nothing happened", (1_010, Some(510), 200, 4)),
        ("the uptime is unknown", (9_000, None, 200, 4)),
        // Envoy has not flushed its stats since.
        ("the uptime is old", (1_050, Some(500), 200, 4)),
        ("counters are equal", (1_010, Some(510), 100, 3)),
    ] {
        let ledger = after(&[(1_000, Some(500), 100, 3), second]);
        assert_eq!(restarts(&ledger), 0, "{what}");
        assert_eq!(counted(&ledger), [second.2, second.3], "{what}");
    }
}

/// Envoy computes the uptime from the clock of its machine, which also dates its responses.
#[test]
fn a_clock_that_jumps_is_no_restart() {
    for (at, uptime) in [(8_000, 7_500), (700, 200), (510, 10)] {
        let ledger = after(&[(1_000, Some(500), 100, 3), (at, Some(uptime), 200, 4)]);
        assert_eq!(restarts(&ledger), 0, "{at}");
        assert_eq!(counted(&ledger), [200, 4], "{at}");
    }
    // The dates are of another clock than the uptime, and that one jumps by less than the proxy has run.
    for at in [1_300, 700] {
        let ledger = after(&[(1_000, Some(500), 100, 3), (at, Some(510), 200, 4)]);
        assert_eq!(counted(&ledger), [200, 4], "{at}");
        assert_eq!(ledger.observation().observed_seconds, 510);
    }
}

#[test]
fn a_baseline_forgets_what_was_before() {
    let mut ledger = after(&[(1_000, Some(500), 100, 3)]);
    ledger.start_over(&[reading("a", 1_010, Some(510), 110, 4), missing("b")]);
    assert_eq!(counted(&ledger), [0, 0]);
    assert_eq!(ledger.observation().observed_seconds, 0);
    ledger.record(&[
        reading("a", 1_020, Some(520), 115, 4),
        // It was there before the baseline, so what it counted until now is not counted.
        reading("b", 1_020, Some(900), 70, 7),
        // It is not known whether it was there.
        reading("c", 1_020, None, 70, 7),
        // It has started since.
        reading("d", 1_020, Some(5), 1_000, 9),
    ]);
    assert_eq!(counted(&ledger), [1_005, 9]);
    ledger.record(&[
        reading("a", 1_030, Some(530), 115, 4),
        reading("b", 1_030, Some(910), 71, 7),
        reading("c", 1_030, None, 72, 7),
        reading("d", 1_030, Some(15), 1_003, 9),
    ]);
    assert_eq!(counted(&ledger), [1_011, 9]);
    assert_eq!(ledger.observation().observed_seconds, 20);
}

#[test]
fn a_baseline_of_no_proxy_counts_nothing_from_before() {
    let mut ledger = Ledger::default();
    ledger.start_over(&[missing("a")]);
    ledger.record(&[reading("a", 1_000, Some(500), 100, 3)]);
    assert_eq!(counted(&ledger), [0, 0]);
    ledger.record(&[reading("a", 1_010, Some(510), 101, 3)]);
    assert_eq!(counted(&ledger), [1, 0]);
}

#[test]
fn a_proxy_that_is_missing_keeps_its_counts() {
    let mut ledger = Ledger::default();
    ledger.record(&[
        reading("a", 10, Some(10), 5, 0),
        reading("b", 10, Some(10), 7, 0),
    ]);
    ledger.record(&[reading("a", 20, Some(20), 6, 0), missing("b")]);
    assert_eq!(counted(&ledger), [13, 0]);
    let why = |ledger: &Ledger| -> BTreeMap<String, Option<String>> {
        let proxies = ledger.observation().proxies.unwrap().into_iter();
        proxies.map(|proxy| (proxy.name, proxy.missing)).collect()
    };
    assert_eq!(why(&ledger)["a"], None);
    assert_eq!(why(&ledger)["b"].as_deref(), Some("no response"));
    // Without a reading of `b`, its rate is unknown.
    let rates = ledger.observation().rates.unwrap();
    assert_eq!(rates.get(&counter(ALL)), Some(100));
    // It is gone, and comes back under the same name, as another process.
    ledger.record(&[reading("a", 30, Some(30), 6, 0)]);
    assert_eq!(why(&ledger).len(), 1);
    ledger.record(&[
        reading("a", 40, Some(40), 6, 0),
        reading("b", 40, Some(3), 9, 0),
    ]);
    assert_eq!(counted(&ledger), [6 + 7 + 9, 0]);
    assert_eq!(restarts(&ledger), 1);
}

#[test]
fn counters_that_a_page_lacks_keep_their_values() {
    let mut ledger = after(&[(10, Some(10), 5, 1)]);
    let with_cluster = |at: u64, completed: Option<u64>| {
        let Scrape::Read(mut read) = reading("a", at, Some(at), 5, 1) else {
            panic!("it is a reading");
        };
        if let Some(completed) = completed {
            read.counters.insert(counter(CLUSTER), completed);
        }
        Scrape::Read(read)
    };
    let completed = |ledger: &Ledger| ledger.observation().counters.get(&counter(CLUSTER));
    // The cluster is new to the policy, but not to the proxy.
    ledger.record(&[with_cluster(11, Some(5_000))]);
    assert_eq!(completed(&ledger), None);
    ledger.record(&[with_cluster(12, Some(5_007))]);
    ledger.record(&[with_cluster(13, None)]);
    ledger.record(&[with_cluster(14, Some(5_009))]);
    assert_eq!(completed(&ledger), Some(9));
}

#[test]
fn a_ledger_survives_serialization() {
    let mut ledger = after(&[(10, Some(10), 5, 1), (20, Some(3), 2, 0)]);
    let json = serde_json::to_string(&ledger).unwrap();
    let mut read: Ledger = serde_json::from_str(&json).unwrap();
    for ledger in [&mut ledger, &mut read] {
        ledger.record(&[reading("a", 30, Some(13), 9, 0)]);
    }
    assert_eq!(counted(&ledger), [14, 1]);
    assert_eq!(ledger, read);
    ledger.start_over(&[]);
    let json = serde_json::to_string(&ledger).unwrap();
    assert_eq!(serde_json::from_str::<Ledger>(&json).unwrap(), ledger);
    for damaged in [
        "",
        "{}",
        "null",
        r#"{"version":2,"since":"proxies_started","proxies":{}}"#,
        r#"{"version":1,"since":"proxies_started","proxies":{"a":{}}}"#,
        r#"{"version":1,"since":"proxies_started","proxies":{},"more":1}"#,
        r#"{"version":1,"since":"yesterday","proxies":{}}"#,
    ] {
        assert!(
            serde_json::from_str::<Ledger>(damaged).is_err(),
            "{damaged}"
        );
    }
}

/// splitmix64
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// A proxy that counts. It knows what nobody has read yet.
#[derive(Clone, Default)]
struct Proxy {
    started: u64,
    values: [u64; 2],
    /// The values at the last reading; zero after a restart.
    read: [u64; 2],
    /// The age, the time and the values at the last reading, even before a restart.
    last: Option<(u64, u64, [u64; 2])>,
    is_restarted: bool,
}

impl Proxy {
    /// Whether a restart shows: by a lower counter, by a lower uptime, or because the proxy is younger than its last
    /// reading.
    fn shows_restart(&self, now: u64) -> bool {
        let Some((age, at, values)) = self.last else {
            return false;
        };
        let is_lower = self
            .values
            .iter()
            .zip(values)
            .any(|(now, then)| *now < then);
        let uptime = now - self.started;
        is_lower || uptime < age || uptime + UPTIME_LAG_MS / 1_000 < now - at
    }
}

/// The ledger has the sum of all increases that its readings show, whatever happens between them.
#[test]
fn any_history_counts_each_visible_increase_once() {
    for seed in 0..1_000 {
        let mut random = Random(seed);
        let mut ledger = Ledger::default();
        let mut proxies = [Proxy::default(), Proxy::default(), Proxy::default()];
        let (mut now, mut visible, mut true_sum) = (1_000, [0; 2], [0; 2]);
        let mut expected_restarts = 0;
        for proxy in &mut proxies {
            proxy.started = now;
        }
        if random.below(2) == 0 {
            ledger.start_over(&[]);
            let scrapes = [0, 1, 2].map(|n| reading(&format!("p{n}"), now, Some(0), 0, 0));
            ledger.start_over(&scrapes);
            for proxy in &mut proxies {
                proxy.last = Some((0, now, [0; 2]));
            }
        }
        for _ in 0..60 {
            now += [0, 1, 7, 80, 4_000][random.below(5) as usize];
            let index = random.below(3) as usize;
            let proxy = &mut proxies[index];
            match random.below(6) {
                0 => {
                    *proxy = Proxy {
                        started: now,
                        last: proxy.last,
                        is_restarted: true,
                        ..Proxy::default()
                    };
                }
                1..4 => {
                    let more = [random.below(1_000), random.below(3)];
                    for ((value, sum), more) in proxy.values.iter_mut().zip(&mut true_sum).zip(more)
                    {
                        *value += more;
                        *sum += more;
                    }
                }
                4 => {
                    let shows = proxy.shows_restart(now);
                    let base = match (proxy.is_restarted, shows) {
                        (true, false) => proxy.last.map_or([0; 2], |(.., values)| values),
                        (_, true) => [0; 2],
                        (false, false) => proxy.read,
                    };
                    expected_restarts += u64::from(shows);
                    for ((sum, value), base) in visible.iter_mut().zip(proxy.values).zip(base) {
                        *sum += value - base;
                    }
                    assert!(
                        proxy.is_restarted || !shows,
                        "{seed}: no restart is imagined"
                    );
                    let uptime = now - proxy.started;
                    let [all, errors] = proxy.values;
                    ledger.record(&[reading(
                        &format!("p{index}"),
                        now,
                        Some(uptime),
                        all,
                        errors,
                    )]);
                    proxy.read = proxy.values;
                    proxy.last = Some((uptime, now, proxy.values));
                    proxy.is_restarted = false;
                }
                _ => ledger.record(&[missing(&format!("p{index}"))]),
            }
            if random.below(10) == 0 {
                let json = serde_json::to_string(&ledger).unwrap();
                ledger = serde_json::from_str(&json).unwrap();
            }
            assert_eq!(counted(&ledger), visible, "{seed}");
            for (counted, sum) in counted(&ledger).into_iter().zip(true_sum) {
                assert!(counted <= sum, "{seed}: nothing counts twice");
            }
        }
        let all: u64 = ledger.proxies.values().map(|proxy| proxy.restarts).sum();
        assert_eq!(all, expected_restarts, "{seed}");
    }
}

/// Whether all counters since the start of the process count, in the readings of one proxy.
#[test]
fn the_counters_of_a_process_are_whole_unless_it_has_a_baseline() {
    let process = |ledger: &Ledger| ledger.observation().proxies.unwrap()[0].process.clone();
    let ledger = after(&[(1_000, Some(500), 90, 3), (1_010, Some(510), 100, 3)]);
    let whole = process(&ledger).unwrap();
    let all = |counters: &CounterValues| counters.get(&counter(ALL));
    assert_eq!(all(&whole.last), Some(100));
    assert_eq!(whole.before.as_ref().and_then(all), Some(90));
    // After a restart, only the counters of the new process are those of its guards.
    let ledger = after(&[(1_000, Some(500), 90, 3), (1_010, Some(5), 10, 0)]);
    let restarted = process(&ledger).unwrap();
    assert_eq!((all(&restarted.last), &restarted.before), (Some(10), &None));
    assert_eq!(all(&restarted.counted), Some(100));
    let mut ledger = Ledger::default();
    ledger.start_over(&[reading("a", 1_000, Some(500), 90, 3)]);
    ledger.record(&[reading("a", 1_010, Some(510), 100, 3)]);
    assert_eq!(process(&ledger), None);
    let text = serde_json::to_string(&ledger).unwrap();
    let mut ledger: Ledger = serde_json::from_str(&text).unwrap();
    ledger.record(&[reading("a", 1_020, Some(7), 2, 0)]);
    assert!(process(&ledger).is_some());
    // Several plugins share the counters and the gauges.
    let mut several = reading("a", 1_030, Some(17), 4, 0);
    if let Scrape::Read(reading) = &mut several {
        reading.has_several_plugins = true;
    }
    ledger.record(&[several]);
    assert_eq!(process(&ledger), None);
    ledger.record(&[missing("a")]);
    assert_eq!(process(&ledger), None);
}

#[test]
fn a_definition_that_changes_is_noted_until_the_ledger_starts_over() {
    let plan = |requests: u32| {
        let policy = serde_json::json!({
            "version": 1,
            "account": { "from": [{ "header": "x" }], "format": "opaque" },
            "rollouts": [{ "name": "chat", "v1": "v1", "v2": "v2", "mode": "split",
                "rules": [{ "requests": requests }], "guard": {} }],
        });
        turnout_core::Plan::from_json(&policy.to_string()).unwrap()
    };
    let is_changed = |ledger: &Ledger| !ledger.observation().changed_rollouts.is_empty();
    let mut ledger = Ledger::default();
    ledger.note_definitions(&plan(10));
    // There is nothing yet that could be of the earlier one.
    ledger.note_definitions(&plan(20));
    assert!(!is_changed(&ledger));
    ledger.record(&[reading("a", 1_000, Some(500), 90, 3)]);
    ledger.note_definitions(&plan(20));
    assert!(!is_changed(&ledger));
    ledger.note_definitions(&plan(10));
    assert!(is_changed(&ledger));
    // Back to the first one: the guard has started over twice.
    ledger.note_definitions(&plan(20));
    let text = serde_json::to_string(&ledger).unwrap();
    let mut ledger: Ledger = serde_json::from_str(&text).unwrap();
    assert!(is_changed(&ledger));
    ledger.start_over(&[reading("a", 1_010, Some(510), 95, 3)]);
    ledger.note_definitions(&plan(20));
    assert!(!is_changed(&ledger));
}
