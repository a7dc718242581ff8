//! The stats page of Envoy's admin endpoint.
//!
//! A malformed line is skipped, and the number of plugins that a page can name is limited.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use turnout_core::render::FILTER_NAME;
use turnout_core::{REVISION_GAUGES, Time, plugin_label};

use crate::counters::{ClusterStat, Counter, CounterValues};
use crate::guard_metrics::{GuardGauges, GuardMetric};

/// The bytes that the value of a query parameter escapes.
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-');

/// The prefix of the names of the filter's metrics.
const METRICS: &str = "wasmcustom.";
pub(crate) const TURNOUT: &str = "wasmcustom.turnout.";
const UPTIME: &str = "server.uptime";
const DISCOVERY: &str = "extension_config_discovery.http_filter.";
/// The longest list of cluster names that fits into one request, in bytes.
const LONGEST_NAMES: usize = 2_000;
/// The largest number of plugins that are kept, and the longest name of a plugin, in bytes.
const MOST_PLUGINS: usize = 64;
const LONGEST_PLUGIN: usize = 256;
/// How much of a version is kept, in characters.
const LONGEST_VERSION: usize = 256;

/// The stats of one proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsPage {
    /// How long the proxy has run, in seconds. Envoy updates it when it flushes its stats, every five seconds by
    /// default.
    pub uptime: Option<u64>,
    /// The proxy's clock when it sent the page, if the response has a date.
    pub date: Option<Time>,
    /// The revision numbers of the active policies, by Turnout plugin.
    pub revision_numbers: BTreeMap<String, u64>,
    /// The stats of extension discovery, if the proxy discovers the filter.
    pub discovery: Option<FilterDiscovery>,
    /// The gauges of the guards, by rollout. Envoy keeps those of a guard that is gone.
    pub guards: BTreeMap<String, GuardGauges>,
    /// The counters of the filter and of the clusters.
    pub counters: CounterValues,
}

/// What Envoy reports about the filter that it discovers (ECDS).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilterDiscovery {
    /// The version that it accepted last. It may be wrong after a rejection, see `DiscoveryStats`.
    pub version: Option<String>,
    /// How many updates were rejected.
    pub rejected: u64,
    /// When it accepted an update last, in milliseconds since 1970.
    pub updated: Option<u64>,
}

/// Returns the path of the stats page, with a filter for the stats of Turnout and of these clusters.
pub fn stats_path<'a>(clusters: impl IntoIterator<Item = &'a str>) -> String {
    let names: BTreeSet<_> = clusters.into_iter().map(stat_name).collect();
    let names: Vec<_> = names.iter().map(|name| escaped(name)).collect();
    let names = names.join("|");
    let stats = ClusterStat::ALL.map(|(_, stat)| stat).join("|");
    let of_clusters = match names.len() {
        0 => String::new(),
        // The names are too long for one request, so it asks for all clusters.
        length if length > LONGEST_NAMES => format!(r"|cluster\..*\.({stats})$"),
        _ => format!(r"|cluster\.({names})\.({stats})$"),
    };
    let filter = format!(
        r"^(wasmcustom\.turnout\.|extension_config_discovery\.http_filter\.{FILTER_NAME}\.|server\.uptime${of_clusters})"
    );
    format!("/stats?filter={}", utf8_percent_encode(&filter, IN_QUERY))
}

/// Returns the name of a cluster as Envoy writes it in its stats.
#[must_use]
pub fn stat_name(cluster: &str) -> Cow<'_, str> {
    match cluster.contains(':') {
        false => Cow::Borrowed(cluster),
        true => cluster
            .replace("://", "_")
            .replace(":/", "_")
            .replace(':', "_")
            .into(),
    }
}

/// Escapes a name for a regular expression.
fn escaped(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_punctuation() && !matches!(c, '_' | '-') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

impl StatsPage {
    /// Whether the page has a stat that only Envoy has.
    #[must_use]
    pub fn is_of_envoy(&self) -> bool {
        self.uptime.is_some() || !self.revision_numbers.is_empty() || self.discovery.is_some()
    }

    /// Returns the plugin to watch: the one that `turnout apply` writes, or else the first by name.
    #[must_use]
    pub fn plugin(&self) -> Option<&str> {
        let ours = plugin_label(FILTER_NAME);
        let is_there = self.revision_numbers.contains_key(&ours);
        let mut plugins = self.revision_numbers.keys();
        let plugin = plugins.find(|plugin| !is_there || **plugin == ours);
        plugin.map(String::as_str)
    }

    /// Returns the revision number of the active policy of the plugin to watch.
    #[must_use]
    pub fn revision_number(&self) -> Option<u64> {
        self.revision_numbers.get(self.plugin()?).copied()
    }

    /// Parses the page.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut page = Self::default();
        for line in text.lines() {
            if let Some((name, value)) = line.split_once(": ") {
                page.take(name, value.trim());
            }
        }
        page
    }

    fn take(&mut self, name: &str, value: &str) {
        let discovery = name.strip_prefix(DISCOVERY);
        let discovery = discovery.and_then(|name| name.strip_prefix(FILTER_NAME));
        if let Some(stat) = discovery.and_then(|name| name.strip_prefix('.')) {
            self.discovery.get_or_insert_default().take(stat, value);
            return;
        }
        // A histogram has no single value.
        let Ok(number) = value.parse() else {
            return;
        };
        let gauge = name.strip_prefix(METRICS);
        if let Some(plugin) = gauge.and_then(|name| name.strip_prefix(REVISION_GAUGES)) {
            let is_plain = plugin.len() <= LONGEST_PLUGIN && plugin_label(plugin) == plugin;
            let is_ours = plugin == plugin_label(FILTER_NAME);
            if is_plain && (is_ours || self.revision_numbers.len() < MOST_PLUGINS) {
                self.revision_numbers.insert(plugin.to_owned(), number);
            }
            return;
        }
        let guard = name.strip_prefix(TURNOUT);
        if let Some(GuardMetric::Gauge(rollout, gauge)) =
            guard.and_then(GuardMetric::from_stat_name)
        {
            self.guards.entry(rollout).or_default().set(gauge, number);
            return;
        }
        match name {
            UPTIME => self.uptime = Some(number),
            _ => {
                if let Some(counter) = Counter::from_stat_name(name) {
                    self.counters.insert(counter, number);
                }
            }
        }
    }
}

impl FilterDiscovery {
    fn take(&mut self, stat: &str, value: &str) {
        let number = || value.parse::<u64>().unwrap_or_default();
        match stat {
            "version_text" => {
                let version: String = value
                    .trim_matches('"')
                    .chars()
                    .take(LONGEST_VERSION)
                    .collect();
                self.version = (!version.is_empty()).then_some(version);
            }
            // The filter rejects an update; a failure happens before, when Envoy reads the file.
            "update_rejected" | "update_failure" => {
                self.rejected = self.rejected.saturating_add(number());
            }
            "update_time" => self.updated = Some(number()).filter(|updated| *updated > 0),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use turnout_core::guard::{ArmCounts, Arms, GuardState};
    use turnout_core::{Reason, Treatment};

    use super::*;

    #[test]
    fn a_page_of_envoy_is_read() {
        let page = StatsPage::read(
            "extension_config_discovery.http_filter.turnout.version_text: \"r1\"
cluster.a.b.upstream_rq_completed: 12
cluster.a.b.external.upstream_rq_completed: 11
cluster.a.b.upstream_rq_200: 1
extension_config_discovery.http_filter.turnout.update_failure: 1
extension_config_discovery.http_filter.turnout.update_rejected: 2
extension_config_discovery.http_filter.turnout.update_time: 1795266053924
server.uptime: 7
wasmcustom.turnout.decisions.chat.v2.rule: 3
wasmcustom.turnout.decisions.chat.v3.rule: 3
wasmcustom.turnout.shadow.chat.equal: 4
wasmcustom.turnout.revision.another: 98
wasmcustom.turnout.revision.turnout: 99
extension_config_discovery.http_filter.turnout.update_duration: No recorded values
",
        );
        assert_eq!((page.uptime, page.revision_number()), (Some(7), Some(99)));
        let discovery = page.discovery.unwrap();
        assert_eq!(discovery.version.as_deref(), Some("r1"));
        assert_eq!(
            (discovery.rejected, discovery.updated),
            (3, Some(1_795_266_053_924))
        );
        let decision = Counter::Decision("chat".into(), Treatment::V2, Reason::Rule);
        let cluster = Counter::Cluster("a.b".into(), ClusterStat::Completed);
        let shadow = Counter::Shadow("chat".into(), "equal".into());
        for (counter, count) in [(decision, 3), (cluster, 12), (shadow, 4)] {
            assert_eq!(page.counters.get(&counter), Some(count), "{counter:?}");
        }
    }

    #[test]
    fn guards_are_read() {
        let page = StatsPage::read(
            "wasmcustom.turnout.guard.chat.0_5.v1.all: 1990
wasmcustom.turnout.guard.chat.0_5.v1.errors: 2
wasmcustom.turnout.guard.chat.0_5.v2.all: 10
wasmcustom.turnout.guard.chat.0_5.v2.slow: 4
wasmcustom.turnout.guard.chat.10.v2.errors: 7
wasmcustom.turnout.guard_state.chat: 2
wasmcustom.turnout.guard_evidence_milli.chat: 2301
wasmcustom.turnout.guard_threshold_milli.chat: 2000
wasmcustom.turnout.guard_state.calls: 9
",
        );
        let chat = GuardGauges {
            state: Some(GuardState::Tripped),
            evidence_milli: Some(2_301),
            threshold_milli: Some(2_000),
        };
        let guards = [
            ("calls".to_owned(), GuardGauges::default()),
            ("chat".to_owned(), chat),
        ];
        assert_eq!(page.guards, guards.into());
        let counts = page.counters.guard_counts();
        let strata = counts.get("chat").unwrap().strata();
        let arms: Vec<_> = strata
            .iter()
            .map(|stratum| {
                let arm = |arm: ArmCounts| [arm.all, arm.errors, arm.slow];
                let Arms { v1, v2 } = stratum.arms.map(arm);
                (stratum.requests.to_string(), v1, v2)
            })
            .collect();
        assert_eq!(
            arms,
            [
                ("0.5".to_owned(), [1_990, 2, 0], [10, 0, 4]),
                ("10".to_owned(), [0; 3], [0, 7, 0])
            ]
        );
    }

    #[test]
    fn of_several_plugins_the_one_that_apply_writes_is_watched() {
        let page = |plugins: &[&str]| {
            let lines = plugins.iter().zip(1..);
            let lines = lines.map(|(plugin, number)| {
                format!("wasmcustom.turnout.revision.{plugin}: {number}\n")
            });
            StatsPage::read(&lines.collect::<String>())
        };
        let watched = |plugins: &[&str]| {
            let page = page(plugins);
            page.plugin().map(str::to_owned).zip(page.revision_number())
        };
        assert_eq!(watched(&[]), None);
        let found = watched(&["z", "turnout", "a"]);
        assert_eq!(found, Some(("turnout".into(), 2)));
        let found = watched(&["istio-ingress_turnout"]);
        assert_eq!(found, Some(("istio-ingress_turnout".into(), 1)));
        assert_eq!(watched(&["z", "a"]), Some(("a".into(), 2)));
        let many: Vec<_> = (0..1_000).map(|number| number.to_string()).collect();
        let mut many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(page(&many).revision_numbers.len(), MOST_PLUGINS);
        many.push("turnout");
        assert_eq!(page(&many).plugin(), Some("turnout"));
    }

    #[test]
    fn garbage_is_left_out() {
        let label = "x".repeat(64);
        for line in [
            "",
            ": ",
            "wasmcustom.turnout.revision: 1",
            "wasmcustom.turnout.revision.: 1",
            "wasmcustom.turnout.revision.a.b: 1",
            "wasmcustom.turnout.revision.a\u{1b}[2J: 1",
            "wasmcustom.turnout.revision.turnout: -1",
            "wasmcustom.turnout.revision.turnout: 99999999999999999999999",
            "wasmcustom.turnout.decisions.: 1",
            "wasmcustom.turnout.decisions.a\u{1b}[2J.v1.rule: 1",
            &format!("wasmcustom.turnout.decisions.{label}.v1.rule: 1"),
            "wasmcustom.turnout.shadow.a.<b>: 1",
            "wasmcustom.turnout.guard.: 1",
            "wasmcustom.turnout.guard_state.a\u{1b}[2J: 1",
            "wasmcustom.turnout.guard_state.a: -1",
            "wasmcustom.turnout.guard.a.10.v1.all: 1.5",
            "cluster.: 1",
            "server.uptime: P0(nan,1)",
            "<html>",
        ] {
            assert_eq!(StatsPage::read(line), StatsPage::default(), "{line}");
        }
        let version = format!(
            "extension_config_discovery.http_filter.turnout.version_text: \"{}\"",
            "é".repeat(100_000)
        );
        let version = StatsPage::read(&version)
            .discovery
            .unwrap()
            .version
            .unwrap();
        assert_eq!(version.chars().count(), LONGEST_VERSION);
    }

    #[test]
    fn clusters_are_asked_for_by_name() {
        let address = stats_path(["channels-v1", "outbound|80||a.b:1"]);
        assert!(address.contains("channels-v1"), "{address}");
        // outbound\|80\|\|a\.b_1
        assert!(
            address.contains("outbound%5C%7C80%5C%7C%5C%7Ca%5C.b_1"),
            "{address}"
        );
        let many: Vec<_> = (0..1_000)
            .map(|number| format!("cluster-{number}"))
            .collect();
        let address = stats_path(many.iter().map(String::as_str));
        assert!(address.len() < 1_000, "{address}");
    }
}
