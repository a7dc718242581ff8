//! What the source makes of a Prometheus server.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::float_arithmetic,
    reason = "a panic is a failing test"
)]

mod fake_server;
mod responses;

use std::collections::BTreeMap;

use turnout_admin::{Counter, CounterValues, GuardCounter, GuardEvent};
use turnout_core::{Fraction, Plan, Treatment};

use crate::ledger::Ledger;
use crate::metric_names::MetricNames;
use crate::prometheus_source::{PrometheusReadings, PrometheusSource};
use crate::prometheus_window::Since;
use crate::reading::Scrape;
use fake_server::{Data, FakeServer, Stored};

/// The start of the window, in milliseconds since 1970.
const START: i64 = 1_795_832_282_000;
const HOUR: i64 = 3_600_000;
const INTERVAL: i64 = 15_000;

/// What a proxy reports over time.
struct Proxy {
    name: &'static str,
    labels: Vec<(&'static str, &'static str)>,
    /// The times of its scrapes, relative to the start.
    scrapes: Vec<i64>,
    /// The times at which it started, relative to the start. Its counters begin at zero then.
    starts: Vec<i64>,
    /// Since when Prometheus cannot scrape it.
    is_down_from: i64,
    /// When Prometheus stopped to scrape it, and whether it has marked that.
    removed: Option<(i64, bool)>,
    has_uptime: bool,
}

impl Proxy {
    /// A proxy that ran before the start, and is scraped until after the end.
    fn old(name: &'static str) -> Self {
        Self {
            name,
            labels: Vec::new(),
            scrapes: (-40..=480)
                .map(|number| number * INTERVAL + 7_000)
                .collect(),
            starts: vec![-10 * HOUR],
            is_down_from: i64::MAX,
            removed: None,
            has_uptime: true,
        }
    }

    /// Requests per second. They are the counter, so that a count is a time.
    fn count(&self, at: i64) -> Option<i64> {
        let started = self.starts.iter().rev().find(|started| **started <= at)?;
        Some((at - started) / 1_000)
    }

    fn series(&self) -> Vec<Stored> {
        let labels = |own: &[(&str, &str)]| {
            let target = [("instance", self.name), ("job", "envoy")];
            let all = target.iter().chain(&self.labels).chain(own);
            all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect::<BTreeMap<_, _>>()
        };
        let guard = |event: &'static str, arm: &'static str| {
            vec![
                ("__name__", event),
                ("rollout", "chat"),
                ("stratum", "10"),
                ("treatment", arm),
            ]
        };
        let until = self.removed.map_or(i64::MAX, |(until, _)| until);
        let scrapes: Vec<i64> = self
            .scrapes
            .iter()
            .copied()
            .filter(|at| *at <= until)
            .collect();
        let marked_at = self
            .removed
            .and_then(|(until, is_marked)| is_marked.then_some(START + until + INTERVAL));
        let stored = |own: Vec<(&str, &str)>, value: &dyn Fn(i64) -> Option<i64>| Stored {
            labels: labels(&own),
            samples: scrapes
                .iter()
                .filter_map(|at| Some((START + at, value(*at)?.to_string())))
                .collect(),
            marked_at,
        };
        let reported = |at: i64| self.count(at).filter(|_| at < self.is_down_from);
        let mut series = vec![
            stored(vec![("__name__", "up")], &|at| {
                Some(i64::from(at < self.is_down_from))
            }),
            stored(
                vec![("__name__", "turnout_revision"), ("plugin", "turnout")],
                &|at| reported(at).map(|_| 99),
            ),
            stored(guard("turnout_guard_all", "v1"), &|at| {
                reported(at).map(|count| count * 9)
            }),
            stored(guard("turnout_guard_all", "v2"), &reported),
            stored(guard("turnout_guard_errors", "v2"), &|at| {
                reported(at).map(|count| count / 100)
            }),
            stored(
                vec![("__name__", "turnout_guard_state"), ("rollout", "chat")],
                &|at| reported(at).map(|_| 0),
            ),
            stored(
                vec![
                    ("__name__", "envoy_cluster_upstream_rq_completed"),
                    ("envoy_cluster_name", "v2"),
                ],
                &reported,
            ),
        ];
        if self.has_uptime {
            // Envoy updates it every five seconds.
            series.push(stored(vec![("__name__", "envoy_server_uptime")], &|at| {
                reported(at).map(|count| count / 5 * 5)
            }));
        }
        series
    }
}

/// A server that has scraped these proxies, two hours after the start.
fn server(proxies: &[Proxy]) -> FakeServer {
    FakeServer::start(Data {
        now: START + 2 * HOUR,
        series: proxies.iter().flat_map(Proxy::series).collect(),
        ..Data::default()
    })
}

fn source(server: &FakeServer) -> PrometheusSource {
    let policy = r#"{ "version": 1, "account": { "from": [ { "header": "a" } ], "format": "opaque" }, "rollouts": [
        { "name": "chat", "match": { "path": { "prefix": "/" } }, "v1": "v1", "v2": "v2", "mode": "split",
          "rules": [ { "requests": 10 } ], "guard": {} } ] }"#;
    let names = MetricNames::of(&Plan::from_json(policy).unwrap());
    PrometheusSource::new(&server.url(), None, &[], names).unwrap()
}

fn read(server: &FakeServer) -> PrometheusReadings {
    source(server).read(Since::SecondsAgo(7_200)).unwrap()
}

fn v2_all() -> Counter {
    Counter::Guard(GuardCounter {
        rollout: "chat".into(),
        requests: Fraction::from_percentage("10").unwrap(),
        arm: Treatment::V2,
        event: GuardEvent::All,
    })
}

/// What this proxy has counted.
fn counted(readings: &PrometheusReadings, proxy: &str) -> CounterValues {
    let is_of_proxy = |scrape: &&Scrape| match scrape {
        Scrape::Read(reading) => reading.proxy == proxy,
        Scrape::Missing { .. } => false,
    };
    let of_proxy = |scrapes: &[Scrape]| -> Vec<Scrape> {
        scrapes.iter().filter(is_of_proxy).cloned().collect()
    };
    let mut ledger = Ledger::default();
    ledger.start_over(&of_proxy(&readings.baseline));
    ledger.record(&of_proxy(&readings.history));
    ledger.record(&of_proxy(&readings.current));
    ledger.observation().counters
}

fn v2_counted(readings: &PrometheusReadings, proxy: &str) -> Option<u64> {
    counted(readings, proxy).get(&v2_all())
}

fn missing(readings: &PrometheusReadings) -> Vec<(&str, &str)> {
    let missing = readings.current.iter().filter_map(|scrape| match scrape {
        Scrape::Missing { proxy, why } => Some((proxy.as_str(), why.as_str())),
        Scrape::Read(_) => None,
    });
    missing.collect()
}

fn current(readings: &PrometheusReadings) -> Vec<&str> {
    let current = readings.current.iter().filter_map(|scrape| match scrape {
        Scrape::Read(reading) => Some(reading.proxy.as_str()),
        Scrape::Missing { .. } => None,
    });
    current.collect()
}

#[test]
fn counts_begin_at_the_last_sample_before_the_start() {
    let server = server(&[Proxy::old("a:1"), Proxy::old("b:1")]);
    let readings = read(&server);
    assert_eq!(current(&readings), ["a:1", "b:1"]);
    assert_eq!(missing(&readings), []);
    // From 8 s before the start to 8 s before the end.
    assert_eq!(v2_counted(&readings, "a:1"), Some(7_200));
    let Some(Scrape::Read(last)) = readings.current.first() else {
        panic!("{readings:?}");
    };
    assert_eq!(last.at_ms, u64::try_from(START + 2 * HOUR - 8_000).unwrap());
    assert_eq!(last.revision_number, Some(99));
    assert_eq!(last.uptime, Some(43_190));
    assert!(last.guards["chat"].state.is_some());
    assert_eq!(last.counters.iter().count(), 4);
    // Of 14 spans, the first and the last are read.
    let queries = &server.data.lock().unwrap().queries;
    let of_readings = queries.iter().filter(|query| query.contains("decisions"));
    assert_eq!(of_readings.count(), 2, "{queries:#?}");
}

#[test]
fn a_restart_loses_only_what_was_not_scraped() {
    let mut proxy = Proxy::old("a:1");
    // The last scrape before is at 3,607 s, and the first after at 3,622 s.
    proxy.starts.push(3_610_000);
    proxy.starts.push(5_000_000);
    let readings = read(&server(&[proxy]));
    let first = 3_607 + 8;
    let second = 4_987 - 3_610;
    let third = 7_192 - 5_000;
    assert_eq!(v2_counted(&readings, "a:1"), Some(first + second + third));
    let times = readings.history.iter().map(|scrape| match scrape {
        Scrape::Read(reading) => reading.at_ms,
        Scrape::Missing { .. } => panic!("{readings:?}"),
    });
    assert!(times.is_sorted());
}

#[test]
fn without_uptimes_all_samples_are_read() {
    let mut proxy = Proxy::old("a:1");
    proxy.has_uptime = false;
    proxy.starts.push(3_610_000);
    let readings = read(&server(&[proxy]));
    assert_eq!(
        v2_counted(&readings, "a:1"),
        Some(3_607 + 8 + 7_192 - 3_610)
    );
}

#[test]
fn counters_that_are_reset_without_a_restart_lose_nothing() {
    let proxy = Proxy::old("a:1");
    let mut series = proxy.series();
    for one in &mut series {
        if one.labels["__name__"].contains("guard") {
            let reset = one.samples.iter().map(|(at, value)| {
                let value: i64 = value.parse().unwrap();
                let is_after = *at > START + HOUR;
                (
                    *at,
                    if is_after {
                        (*at - START - HOUR) / 1_000
                    } else {
                        value
                    }
                    .to_string(),
                )
            });
            one.samples = reset.collect();
        }
    }
    let server = server(&[]);
    server.data.lock().unwrap().series = series;
    let readings = read(&server);
    assert_eq!(v2_counted(&readings, "a:1"), Some(3_592 + 8 + 3_592));
}

#[test]
fn a_proxy_that_has_started_later_counts_whole_and_an_older_one_from_its_first_sample() {
    let mut young = Proxy::old("young:1");
    young.starts = vec![1_000_000];
    young.scrapes.retain(|at| *at > 1_005_000);
    let mut old = Proxy::old("old:1");
    old.scrapes.retain(|at| *at > 1_005_000);
    let mut unknown = Proxy::old("unknown:1");
    unknown.scrapes.retain(|at| *at > 1_005_000);
    unknown.has_uptime = false;
    let readings = read(&server(&[young, old, unknown]));
    assert_eq!(v2_counted(&readings, "young:1"), Some(7_192 - 1_000));
    assert_eq!(v2_counted(&readings, "old:1"), Some(7_192 - 1_012));
    assert_eq!(v2_counted(&readings, "unknown:1"), Some(7_192 - 1_012));
    let cluster = |proxy: &str| {
        let counted = counted(&readings, proxy);
        let mut clusters = counted
            .iter()
            .filter(|(counter, _)| matches!(counter, Counter::Cluster(..)));
        clusters.next().map(|(_, count)| count)
    };
    assert_eq!(cluster("young:1"), Some(7_192 - 1_000));
}

#[test]
fn a_series_that_begins_later_counts_whole() {
    let proxy = Proxy::old("a:1");
    let mut series = proxy.series();
    for one in &mut series {
        if one.labels["__name__"].contains("guard") {
            one.samples.retain(|(at, _)| *at > START + HOUR);
        }
    }
    let server = server(&[]);
    server.data.lock().unwrap().series = series;
    let readings = read(&server);
    assert_eq!(v2_counted(&readings, "a:1"), Some(36_000 + 7_192));
}

#[test]
fn a_proxy_that_is_down_or_silent_is_missing() {
    let mut down = Proxy::old("down:1");
    down.is_down_from = 3_600_000;
    let mut silent = Proxy::old("silent:1");
    // `up` has this value for five minutes.
    silent.scrapes.retain(|at| *at < 2 * HOUR - 60_000);
    let readings = read(&server(&[Proxy::old("a:1"), down, silent]));
    assert_eq!(current(&readings), ["a:1"]);
    let time = |seconds: i64| turnout_core::Time::from_seconds(START / 1_000 + seconds);
    assert_eq!(
        missing(&readings),
        [
            (
                "down:1",
                format!("Prometheus has failed to scrape it since {}", time(3_592)).as_str()
            ),
            (
                "silent:1",
                format!("its last metrics are of {}", time(7_132)).as_str()
            ),
        ]
    );
    assert_eq!(v2_counted(&readings, "down:1"), Some(3_600));
}

#[test]
fn a_proxy_that_was_removed_is_not_missing_and_its_counts_stay() {
    let mut removed = Proxy::old("removed:1");
    removed.removed = Some((3_600_000, true));
    let mut before = Proxy::old("before:1");
    before.removed = Some((-100_000, true));
    let readings = read(&server(&[Proxy::old("a:1"), removed, before]));
    assert_eq!(current(&readings), ["a:1"]);
    assert_eq!(missing(&readings), []);
    assert_eq!(v2_counted(&readings, "removed:1"), Some(3_600));
    assert_eq!(v2_counted(&readings, "before:1"), None);
}

#[test]
fn a_proxy_that_prometheus_lost_is_missing() {
    let mut lost = Proxy::old("lost:1");
    lost.removed = Some((3_600_000, false));
    let readings = read(&server(&[Proxy::old("a:1"), lost]));
    let [(proxy, why)] = missing(&readings)[..] else {
        panic!("{readings:?}");
    };
    assert_eq!(proxy, "lost:1");
    assert!(why.contains("did not record that it was removed"), "{why}");
}

#[test]
fn a_target_that_was_never_seen_is_missing_if_its_job_has_only_proxies() {
    let mut never = Proxy::old("never:1");
    never.is_down_from = -10 * HOUR;
    let proxies = [Proxy::old("a:1"), never];
    let readings = read(&server(&proxies));
    let [(proxy, why)] = missing(&readings)[..] else {
        panic!("{readings:?}");
    };
    assert_eq!(proxy, "never:1");
    assert!(why.ends_with("that it can scrape are proxies"), "{why}");

    // Another program in the same job.
    let other = Proxy::old("other:1").series().into_iter();
    let other = other.filter(|series| series.labels["__name__"] == "up");
    let series = proxies.iter().flat_map(Proxy::series).chain(other);
    let server = server(&[]);
    server.data.lock().unwrap().series = series.collect();
    assert_eq!(missing(&read(&server)), []);
}

#[test]
fn warnings_of_the_server_are_missing_data() {
    let server = server(&[Proxy::old("a:1")]);
    server.data.lock().unwrap().warnings = vec!["store \u{1b}[2J is unreachable".into()];
    let readings = read(&server);
    let [(proxy, why)] = missing(&readings)[..] else {
        panic!("{readings:?}");
    };
    assert_eq!(proxy, "part of the data");
    assert!(
        why.contains("incomplete: store ") && !why.contains('\u{1b}'),
        "{why}"
    );
    assert_eq!(readings.warnings.len(), 1);
}

#[test]
fn a_span_that_is_too_long_for_the_server_is_halved() {
    let mut proxy = Proxy::old("a:1");
    proxy.starts.push(3_610_000);
    let server = server(&[proxy]);
    let whole = read(&server);
    server.data.lock().unwrap().limit = Some(150);
    let halved = read(&server);
    assert_eq!(counted(&halved, "a:1"), counted(&whole, "a:1"));
    server.data.lock().unwrap().limit = Some(1);
    let error = source(&server).read(Since::SecondsAgo(7_200)).unwrap_err();
    assert!(
        error.contains("422, execution: query processing would load too many samples"),
        "{error}"
    );
}

#[test]
fn two_series_for_one_proxy_are_refused() {
    let replica = |name| {
        let mut proxy = Proxy::old("a:1");
        proxy.labels.push(("prometheus_replica", name));
        proxy
    };
    let server = server(&[replica("0"), replica("1")]);
    let error = source(&server).read(Since::SecondsAgo(7_200)).unwrap_err();
    assert!(
        error.contains("two series for the same metric of the instance a:1"),
        "{error}"
    );
}

#[test]
fn sums_over_proxies_and_servers_without_turnout_are_refused() {
    let server = server(&[Proxy::old("a:1")]);
    let mut data = server.data.lock().unwrap();
    for series in &mut data.series {
        if series.labels["__name__"] != "up" {
            series.labels.remove("instance");
        }
    }
    drop(data);
    let error = source(&server).read(Since::SecondsAgo(7_200)).unwrap_err();
    assert!(error.contains("no label `instance`"), "{error}");
    server.data.lock().unwrap().series.clear();
    let error = source(&server).read(Since::SecondsAgo(7_200)).unwrap_err();
    assert!(
        error.contains("no metrics of Turnout in this time"),
        "{error}"
    );
}
