//! What Envoy counts about the filter that it discovers, and what follows from that.
//!
//! Envoy's own word for the version, `version_text`, and its dump of the configuration say what it
//! was given last; that it was accepted is certain only together with what the filter itself says
//! (the gauge `turnout.revision.<plugin>`), or with the counters. Seen in Envoy 1.36.2 and 1.40.0: a refused
//! configuration that is given once more is counted as a success, and its version shown, while the
//! one before goes on running.

use turnout_core::render::FILTER_NAME;
use turnout_core::{REVISION_GAUGES, plugin_label};

/// The page with all of it, and with what every Envoy says of itself.
pub(crate) const PAGE: &str = "/stats?filter=%5Eextension_config_discovery%5C.http_filter%5C.%7C%5Ewasmcustom%5C.turnout%5C.revision%5C.%7C%5Eserver%5C.live%24";

const PREFIX: &str = "extension_config_discovery.http_filter.";
const LIVE: &str = "server.live";
/// The prefix of the names of the filter's metrics.
const METRICS: &str = "wasmcustom.";

/// What one look saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// It is an Envoy, by a counter that only an Envoy has.
    pub(crate) is_envoy: bool,
    /// It discovers a filter of our name.
    is_discovered: bool,
    /// What it was given last.
    version: Option<String>,
    /// What the filter of our name says that it runs.
    number: Option<u64>,
    /// It has a filter of Turnout, of whatever name.
    has_filter: bool,
    attempts: u64,
    successes: u64,
    /// By the filter, and what already the parser refuses.
    refusals: u64,
    reloads: u64,
    fails: u64,
}

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) revision: String,
    pub(crate) number: u64,
}

/// What a look says, if it says anything yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    Accepted,
    /// And what it runs instead.
    Rejected(Option<String>),
    NotDiscovered,
    NotYet(Option<String>),
}

impl Seen {
    /// Reads the page.
    pub(crate) fn read(page: &str) -> Self {
        let mut seen = Self::default();
        for line in page.lines() {
            let Some((name, value)) = line.split_once(": ") else {
                continue;
            };
            let number = value.trim().parse::<u64>();
            let gauge = name.strip_prefix(METRICS);
            if let Some(plugin) = gauge.and_then(|name| name.strip_prefix(REVISION_GAUGES)) {
                // The proxy may have others, which no folder changes.
                if plugin == plugin_label(FILTER_NAME) {
                    seen.number = number.clone().ok();
                }
                seen.has_filter |= number.is_ok();
                seen.is_envoy |= number.is_ok();
                continue;
            }
            if name == LIVE {
                seen.is_envoy |= number.is_ok();
                continue;
            }
            seen.is_envoy |= name.starts_with(PREFIX);
            let ours = name.strip_prefix(PREFIX);
            let ours = ours.and_then(|name| name.strip_prefix(FILTER_NAME));
            let Some(stat) = ours.and_then(|name| name.strip_prefix('.')) else {
                continue;
            };
            seen.is_discovered = true;
            let number = number.unwrap_or_default();
            match stat {
                "version_text" => {
                    let text = value.trim().trim_matches('"');
                    seen.version = (!text.is_empty()).then(|| text.to_owned());
                }
                "update_attempt" => seen.attempts = number,
                "update_success" => seen.successes = number,
                "update_rejected" | "update_failure" => {
                    seen.refusals = seen.refusals.saturating_add(number);
                }
                "config_reload" => seen.reloads = number,
                "config_fail" => seen.fails = number,
                _ => {}
            }
        }
        seen
    }

    /// What it means for a change. `before` is a look from before the change, if there was one.
    pub(crate) fn judge(&self, before: Option<&Self>, wanted: &Wanted) -> Judged {
        if !self.is_discovered {
            return Judged::NotDiscovered;
        }
        // One that was restarted counts from 0.
        let zero = Self::default();
        let before = before.map(|before| {
            if self.is_younger(before) {
                &zero
            } else {
                before
            }
        });
        let is_given = self.version.as_ref() == Some(&wanted.revision);
        let is_loaded = before.is_some_and(|before| {
            self.successes > before.successes
                && self.reloads > before.reloads
                && self.fails == before.fails
        });
        if is_given && (self.number == Some(wanted.number) || is_loaded) {
            return Judged::Accepted;
        }
        if before.is_some_and(|before| self.refusals > before.refusals) {
            let running = self.version.clone().filter(|_| !is_given);
            return Judged::Rejected(running);
        }
        Judged::NotYet(self.version.clone().filter(|_| !is_given))
    }

    /// Whether it discovers a filter of our name.
    pub(crate) fn is_discovered(&self) -> bool {
        self.is_discovered
    }

    /// Whether it has a filter of Turnout that is not discovered.
    pub(crate) fn has_static_filter(&self) -> bool {
        !self.is_discovered && self.has_filter
    }

    /// What it was given last, as far as it says.
    pub(crate) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Whether it runs a revision. Envoy shows the version that it was given last, also of one that it
    /// has refused earlier; so where it ever refused one, the filter itself has to say it.
    pub(crate) fn runs(&self, revision: &str, number: u64) -> bool {
        let was_never_refused = self.refusals == 0 && self.fails == 0;
        self.version.as_deref() == Some(revision)
            && (self.number == Some(number) || was_never_refused)
    }

    fn is_younger(&self, before: &Self) -> bool {
        self.attempts < before.attempts
            || self.successes < before.successes
            || self.refusals < before.refusals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Envoy 1.40.0 shows it.
    fn page(version: &str, counts: [u64; 5], number: u64) -> Seen {
        let [attempts, successes, rejected, reloads, fails] = counts;
        Seen::read(&format!(
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

    fn wanted() -> Wanted {
        Wanted {
            revision: "r2".into(),
            number: 2,
        }
    }

    #[test]
    fn it_is_accepted_refused_or_not_seen_yet() {
        let before = page("r1", [1, 1, 0, 1, 0], 1);
        let judge = |now: &Seen| now.judge(Some(&before), &wanted());
        assert_eq!(judge(&before), Judged::NotYet(Some("r1".into())));
        assert_eq!(judge(&page("r2", [2, 2, 0, 2, 0], 2)), Judged::Accepted);
        let refused = page("r1", [2, 1, 1, 2, 1], 1);
        assert_eq!(judge(&refused), Judged::Rejected(Some("r1".into())));
        // Another filter of Turnout in this proxy of the same name writes the same gauge.
        assert_eq!(judge(&page("r2", [2, 2, 0, 2, 0], 9)), Judged::Accepted);
        assert_eq!(judge(&Seen::read("")), Judged::NotDiscovered);
    }

    /// Given once more, a refused one is counted as a success, and shown.
    #[test]
    fn what_envoy_only_says_it_runs_is_not_accepted() {
        let before = page("r1", [2, 1, 1, 2, 1], 1);
        let again = page("r2", [3, 2, 1, 2, 1], 1);
        assert_eq!(again.judge(Some(&before), &wanted()), Judged::NotYet(None));
        assert_eq!(again.judge(None, &wanted()), Judged::NotYet(None));
    }

    #[test]
    fn an_envoy_that_was_restarted_counts_anew() {
        let before = page("r1", [9, 7, 2, 9, 2], 1);
        let judge = |now: &Seen| now.judge(Some(&before), &wanted());
        assert_eq!(judge(&page("r2", [1, 1, 0, 1, 0], 2)), Judged::Accepted);
        let refused = page("", [1, 0, 1, 1, 1], 0);
        assert_eq!(judge(&refused), Judged::Rejected(None));
    }

    #[test]
    fn garbage_is_nothing() {
        for page in ["", ": ", "\u{0}", "a: b\nextension_config_discovery: 1"] {
            assert_eq!(Seen::read(page), Seen::default());
        }
        let page = "extension_config_discovery.http_filter.turnout.update_attempt: -1";
        assert_eq!(Seen::read(page).attempts, 0);
    }
}
