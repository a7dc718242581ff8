//! Prints the result of a change as text and as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use turnout_live::{Change, Outcome, Preview, Proxy, Settled, Verdict, What};
use turnout_text::escape_for_terminal;

use crate::support::policy_changes::Changes;
use crate::support::safe_output::SafeText;
use crate::support::safe_output::print_error_line;

use super::print_note;

/// The proxies to ask, and where their addresses come from.
pub(super) enum ProxySource {
    /// The addresses of `--admin`.
    Given(Vec<String>),
    /// The addresses of the last apply.
    Remembered(Vec<String>),
    /// No proxy is asked.
    None,
}

/// The result of a change, after the proxies were asked.
pub(super) struct ChangeReport<'a> {
    /// The path of `filter.json`, as it is shown.
    pub(super) filter: String,
    pub(super) is_halt: bool,
    pub(super) timeout: Duration,
    pub(super) changes: Option<&'a Changes>,
    pub(super) change: &'a Change,
    pub(super) asked: &'a ProxySource,
    pub(super) results: &'a [Proxy],
    pub(super) outcome: Outcome,
    pub(super) settled: Option<&'a Settled>,
}

impl ProxySource {
    pub(super) fn addresses(&self) -> &[String] {
        match self {
            Self::Given(addresses) | Self::Remembered(addresses) => addresses,
            Self::None => &[],
        }
    }

    fn as_str(&self) -> &'static str {
        match self {
            Self::Given(_) => "given",
            Self::Remembered(_) => "remembered",
            Self::None => "none",
        }
    }
}

impl ChangeReport<'_> {
    pub(super) fn to_text(&self) -> String {
        let mut text = self.changes.map(Changes::to_text).unwrap_or_default();
        text.push_str(&self.written());
        if let ProxySource::Remembered(addresses) = self.asked {
            let proxies = match addresses.len() {
                1 => "the proxy".to_owned(),
                count => format!("the {count} proxies"),
            };
            let _ = writeln!(
                text,
                "asked: {proxies} of the last `turnout apply`; use --admin ADDRESS for others"
            );
        }
        for proxy in self.results {
            let sentence = self.sentence(&proxy.verdict);
            let _ = writeln!(text, "{}: {sentence}", escape_for_terminal(&proxy.admin));
        }
        if self.is_halt {
            text.push_str(&self.confirmed());
        }
        if let Some(revision) = self.restored() {
            let _ = writeln!(
                text,
                "{} has {} again",
                self.filter,
                escape_for_terminal(revision)
            );
        }
        text
    }

    /// What was written. It says nothing about the proxies.
    fn written(&self) -> String {
        let entry = &self.change.entry;
        let (revision, number) = (escape_for_terminal(&entry.revision), entry.sequence);
        let filter = &self.filter;
        let mut text = match (self.change.is_already, entry.what) {
            (true, _) if entry.halted => {
                format!("{filter} already has {revision}, which is halted; nothing was written\n")
            }
            (true, _) => format!("{filter} already has {revision}; nothing was written\n"),
            (_, What::Rollback) => {
                format!("rolled back to {revision}, written to {filter} (entry {number})\n")
            }
            _ => format!("{revision} written to {filter} (entry {number})\n"),
        };
        if self.change.keeps_halt {
            text.push_str(match entry.what {
                What::Rollback => {
                    "still halted: proxies that run it send everyone to v1; `turnout resume` or \
                     `turnout rollback --resume` lifts the halt\n"
                }
                _ => {
                    "still halted: proxies that run it send everyone to v1; `turnout resume` or \
                     `turnout apply --resume` lifts the halt\n"
                }
            });
        } else if !self.change.is_already && entry.halted && !self.is_halt {
            text.push_str(
                "it is halted: proxies that run it send everyone to v1; `turnout resume` lifts the halt\n",
            );
        }
        text
    }

    /// Which proxies confirm a halt. Only for those, the text says that everyone is on v1.
    fn confirmed(&self) -> String {
        let (confirmed, others): (Vec<&Proxy>, Vec<&Proxy>) = self
            .results
            .iter()
            .partition(|proxy| proxy.verdict == Verdict::Accepted);
        let names = |proxies: &[&Proxy]| {
            let names = proxies
                .iter()
                .map(|proxy| escape_for_terminal(&proxy.admin));
            names.collect::<Vec<_>>().join(", ")
        };
        let all = self.results.len();
        match (confirmed.as_slice(), others.as_slice()) {
            ([], []) => {
                "no proxy was asked to confirm the halt; use --admin ADDRESS to ask one\n".into()
            }
            ([_], []) => format!("confirmed: everyone is on v1 at {}\n", names(&confirmed)),
            (_, []) => {
                format!("confirmed by all {all} proxies that were asked: everyone is on v1 there\n")
            }
            ([], _) => format!("not confirmed by any proxy: {}\n", names(&others)),
            (some, _) => format!(
                "confirmed by {} of {all} proxies: everyone is on v1 at {}; not confirmed by {}\n",
                some.len(),
                names(&confirmed),
                names(&others)
            ),
        }
    }

    fn sentence(&self, verdict: &Verdict) -> String {
        let instead = |running: &Option<String>| match running {
            Some(revision) => format!("; it runs {}", escape_for_terminal(revision)),
            None => String::new(),
        };
        match verdict {
            Verdict::Accepted => "accepted".into(),
            Verdict::Rejected { running } => format!("rejected{}", instead(running)),
            Verdict::Unconfirmed { running } => format!(
                "not confirmed within {:?}{}; does it watch {}?",
                self.timeout,
                instead(running),
                self.filter
            ),
            Verdict::NotDiscovered { .. } | Verdict::NotEnvoy(_) | Verdict::Unreachable(_) => {
                verdict
                    .readiness()
                    .map_or_else(String::new, |it| it.to_string())
            }
        }
    }

    fn restored(&self) -> Option<&String> {
        self.settled.and_then(|settled| settled.put_back.as_ref())
    }

    /// Prints why proxies refused the policy. `has_log`: whether `--log` is set.
    pub(super) fn print_reasons(&self, has_log: bool) {
        let reasons = self.settled.map(|settled| settled.reasons.as_slice());
        let reasons = reasons.unwrap_or_default();
        let reasons_of = self.settled.and_then(|settled| settled.reasons_of);
        match (reasons_of, reasons) {
            (_, []) if has_log => {
                print_note(
                    "Envoy's log has no reason for the refusal; is it the log of that proxy?",
                );
            }
            (_, []) => print_note("Envoy's log has the reasons; use --log FILE to show them here"),
            (Some(entry), _) => {
                print_note(&format!("entry {entry} was refused for these reasons:"));
            }
            (None, _) => {}
        }
        for reason in reasons {
            print_error_line(&format!("  {}", escape_for_terminal(reason)));
        }
    }

    pub(super) fn to_json(&self) -> SafeText {
        let entry = &self.change.entry;
        let proxies = self.results.iter().map(|proxy| {
            let running = match &proxy.verdict {
                Verdict::Accepted => Some(&entry.revision),
                Verdict::Rejected { running } | Verdict::Unconfirmed { running } => {
                    running.as_ref()
                }
                Verdict::NotDiscovered { .. } | Verdict::NotEnvoy(_) | Verdict::Unreachable(_) => {
                    None
                }
            };
            json!({
                "admin": proxy.admin,
                "state": proxy.verdict.as_str(),
                "running": running,
                "sentence": self.sentence(&proxy.verdict),
            })
        });
        let names = |confirmed: bool| -> Vec<&String> {
            let is_wanted = |proxy: &&Proxy| (proxy.verdict == Verdict::Accepted) == confirmed;
            let proxies = self.results.iter().filter(is_wanted);
            proxies.map(|proxy| &proxy.admin).collect()
        };
        let settled = self.settled;
        let report = json!({
            "action": entry.what.as_str(),
            "sequence": entry.sequence,
            "revision": entry.revision,
            "number": entry.number,
            "halted": entry.halted,
            "keeps_halt": self.change.keeps_halt,
            "unchanged": self.change.is_already,
            "outcome": self.outcome.as_str(),
            "changes": self.changes.map(Changes::to_json).unwrap_or_default(),
            "violations": [],
            "restored": self.restored(),
            "reasons": settled.map(|settled| settled.reasons.as_slice()).unwrap_or_default(),
            "reasons_of_entry": settled.and_then(|settled| settled.reasons_of),
            "asked": self.asked.as_str(),
            "confirmed": names(true),
            "not_confirmed": names(false),
            "proxies": proxies.collect::<Vec<_>>(),
        });
        SafeText::json(&format!("{report:#}\n"))
    }
}

/// Like [`ChangeReport::to_json`], for a change that violates its limits and was not written.
pub(super) fn forbidden_as_json(
    preview: &Preview,
    changes: &Changes,
    violations: &[String],
) -> SafeText {
    let Preview { before, after, .. } = preview;
    let was_halted = before.as_ref().is_some_and(|before| before.halted);
    let report = json!({
        "action": Value::Null,
        "sequence": Value::Null,
        "revision": after.revision,
        "number": after.number,
        "halted": after.halted,
        "keeps_halt": was_halted && after.halted,
        "unchanged": false,
        "outcome": "forbidden",
        "changes": changes.to_json(),
        "violations": violations,
        "restored": Value::Null,
        "reasons": [],
        "reasons_of_entry": Value::Null,
        "asked": ProxySource::None.as_str(),
        "confirmed": [],
        "not_confirmed": [],
        "proxies": [],
    });
    SafeText::json(&format!("{report:#}\n"))
}
