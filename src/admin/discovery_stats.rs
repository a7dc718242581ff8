//! Envoy's stats about the filter that it discovers (ECDS), and whether they show that a policy is active.
//!
//! `version_text` and the configuration dump have the configuration that Envoy received last. Only the
//! filter's gauge `turnout.revision.<plugin>`, or the counters, prove that it was accepted. In Envoy 1.36.2
//! and 1.40.0, a rejected configuration that is sent again is counted as a success and its version is shown,
//! while the previous configuration stays active.

use turnout_core::render::FILTER_NAME;
use turnout_core::{REVISION_GAUGES, plugin_label};

/// The path of the page with all of these stats, and with one that every Envoy has.
pub const DISCOVERY_STATS_PATH: &str = "/stats?filter=%5Eextension_config_discovery%5C.http_filter%5C.%7C%5Ewasmcustom%5C.turnout%5C.revision%5C.%7C%5Eserver%5C.live%24";

const PREFIX: &str = "extension_config_discovery.http_filter.";
const LIVE: &str = "server.live";
/// The prefix of the names of the filter's metrics.
const METRICS: &str = "wasmcustom.";

/// The stats of one proxy about the filter that it discovers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiscoveryStats {
    /// Whether the page has a stat that only Envoy has.
    pub is_envoy: bool,
    /// Whether Envoy discovers a filter named `turnout`.
    is_discovered: bool,
    /// The version that Envoy received last.
    version: Option<String>,
    /// The revision number of the active policy, from the filter's gauge.
    number: Option<u64>,
    /// Whether it has a Turnout filter of any name.
    has_filter: bool,
    attempts: u64,
    successes: u64,
    /// Rejections by the filter, and failures to parse the configuration.
    rejections: u64,
    reloads: u64,
    fails: u64,
}

/// The policy that a proxy should run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedPolicy {
    /// Its revision.
    pub revision: String,
    /// The number of its revision, as the gauge has it.
    pub number: u64,
}

/// What has become of the expected policy, see [`DiscoveryStats::policy_state`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyState {
    /// It is active.
    Accepted,
    /// It was rejected. The version is the active one, if it is known.
    Rejected(Option<String>),
    /// The proxy discovers no filter named `turnout`.
    NotDiscovered,
    /// It is neither active nor rejected yet. The version is the active one, if it is known.
    Pending(Option<String>),
}

impl DiscoveryStats {
    /// Parses the page.
    #[must_use]
    pub fn read(page: &str) -> Self {
        let mut stats = Self::default();
        for line in page.lines() {
            let Some((name, value)) = line.split_once(": ") else {
                continue;
            };
            let number = value.trim().parse::<u64>();
            let gauge = name.strip_prefix(METRICS);
            if let Some(plugin) = gauge.and_then(|name| name.strip_prefix(REVISION_GAUGES)) {
                // The proxy may have other Turnout filters, which it does not discover.
                if plugin == plugin_label(FILTER_NAME) {
                    stats.number = number.clone().ok();
                }
                stats.has_filter |= number.is_ok();
                stats.is_envoy |= number.is_ok();
                continue;
            }
            if name == LIVE {
                stats.is_envoy |= number.is_ok();
                continue;
            }
            stats.is_envoy |= name.starts_with(PREFIX);
            let ours = name.strip_prefix(PREFIX);
            let ours = ours.and_then(|name| name.strip_prefix(FILTER_NAME));
            let Some(stat) = ours.and_then(|name| name.strip_prefix('.')) else {
                continue;
            };
            stats.is_discovered = true;
            let number = number.unwrap_or_default();
            match stat {
                "version_text" => {
                    let text = value.trim().trim_matches('"');
                    stats.version = (!text.is_empty()).then(|| text.to_owned());
                }
                "update_attempt" => stats.attempts = number,
                "update_success" => stats.successes = number,
                "update_rejected" | "update_failure" => {
                    stats.rejections = stats.rejections.saturating_add(number);
                }
                "config_reload" => stats.reloads = number,
                "config_fail" => stats.fails = number,
                _ => {}
            }
        }
        stats
    }

    /// Returns what has become of the expected policy. `before` has the stats from before the change.
    #[must_use]
    pub fn policy_state(&self, before: Option<&Self>, expected: &ExpectedPolicy) -> PolicyState {
        if !self.is_discovered {
            return PolicyState::NotDiscovered;
        }
        // A restarted proxy counts from 0.
        let zero = Self::default();
        let before = before.map(|before| {
            if self.has_restarted_since(before) {
                &zero
            } else {
                before
            }
        });
        let is_shown = self.version.as_ref() == Some(&expected.revision);
        let is_loaded = before.is_some_and(|before| {
            self.successes > before.successes
                && self.reloads > before.reloads
                && self.fails == before.fails
        });
        if is_shown && (self.number == Some(expected.number) || is_loaded) {
            return PolicyState::Accepted;
        }
        if before.is_some_and(|before| self.rejections > before.rejections) {
            let running = self.version.clone().filter(|_| !is_shown);
            return PolicyState::Rejected(running);
        }
        PolicyState::Pending(self.version.clone().filter(|_| !is_shown))
    }

    /// Whether Envoy discovers a filter named `turnout`.
    #[must_use]
    pub fn is_discovered(&self) -> bool {
        self.is_discovered
    }

    /// Whether the proxy has a Turnout filter only in its own configuration.
    #[must_use]
    pub fn has_static_filter(&self) -> bool {
        !self.is_discovered && self.has_filter
    }

    /// Returns the version that Envoy received last.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Whether a policy is active. Once the proxy has rejected an update, `version_text` may be wrong, so
    /// the filter's gauge has to confirm it.
    #[must_use]
    pub fn runs(&self, revision: &str, number: u64) -> bool {
        let never_rejected = self.rejections == 0 && self.fails == 0;
        self.version.as_deref() == Some(revision) && (self.number == Some(number) || never_rejected)
    }

    fn has_restarted_since(&self, before: &Self) -> bool {
        self.attempts < before.attempts
            || self.successes < before.successes
            || self.rejections < before.rejections
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stats page of Envoy 1.40.0.
    fn page(version: &str, counts: [u64; 5], number: u64) -> DiscoveryStats {
        let [attempts, successes, rejected, reloads, fails] = counts;
        DiscoveryStats::read(&format!(
            "extension_config_discovery.http_filter.turnout.version_text: \"{version}\"
extension_config_discovery.http_filter.turnout.config_fail: {fails}
extension_config_discovery.http_filter.turnout.config_reload: {reloads}
extension_config_discovery.http_filter.turnout.update_attempt: {attempts}
extension_config_discovery.http_filter.turnout.update_failure: 0
extension_config_discovery.http_filter.turnout.update_rejected: {rejected}
extension_config_discovery.http_filter.turnout.update_success: {successes}
extension_config_discovery.http_filter.turnout.update_duration: No recorded values
wasmcustom.turnout.revision.turnout: {number}
wasmcustom.turnout.revision.another: 2
"
        ))
    }

    fn expected() -> ExpectedPolicy {
        ExpectedPolicy {
            revision: "r2".into(),
            number: 2,
        }
    }

    #[test]
    fn it_is_accepted_rejected_or_pending() {
        let before = page("r1", [1, 1, 0, 1, 0], 1);
        let judge = |now: &DiscoveryStats| now.policy_state(Some(&before), &expected());
        assert_eq!(judge(&before), PolicyState::Pending(Some("r1".into())));
        assert_eq!(
            judge(&page("r2", [2, 2, 0, 2, 0], 2)),
            PolicyState::Accepted
        );
        let rejected = page("r1", [2, 1, 1, 2, 1], 1);
        assert_eq!(judge(&rejected), PolicyState::Rejected(Some("r1".into())));
        // Another Turnout filter of the same name in this proxy writes the same gauge.
        assert_eq!(
            judge(&page("r2", [2, 2, 0, 2, 0], 9)),
            PolicyState::Accepted
        );
        assert_eq!(judge(&DiscoveryStats::read("")), PolicyState::NotDiscovered);
    }

    /// Envoy counts a rejected configuration that is sent again as a success, and shows its version.
    #[test]
    fn a_version_that_envoy_only_shows_is_not_accepted() {
        let before = page("r1", [2, 1, 1, 2, 1], 1);
        let again = page("r2", [3, 2, 1, 2, 1], 1);
        assert_eq!(
            again.policy_state(Some(&before), &expected()),
            PolicyState::Pending(None)
        );
        assert_eq!(
            again.policy_state(None, &expected()),
            PolicyState::Pending(None)
        );
    }

    #[test]
    fn a_restarted_envoy_counts_from_zero() {
        let before = page("r1", [9, 7, 2, 9, 2], 1);
        let judge = |now: &DiscoveryStats| now.policy_state(Some(&before), &expected());
        assert_eq!(
            judge(&page("r2", [1, 1, 0, 1, 0], 2)),
            PolicyState::Accepted
        );
        let rejected = page("", [1, 0, 1, 1, 1], 0);
        assert_eq!(judge(&rejected), PolicyState::Rejected(None));
    }

    #[test]
    fn malformed_lines_are_skipped() {
        for page in ["", ": ", "\u{0}", "a: b\nextension_config_discovery: 1"] {
            assert_eq!(DiscoveryStats::read(page), DiscoveryStats::default());
        }
        let page = "extension_config_discovery.http_filter.turnout.update_attempt: -1";
        assert_eq!(DiscoveryStats::read(page).attempts, 0);
    }
}
