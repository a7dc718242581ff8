//! Prints the result of a change as text and as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use turnout_live::{Action, Change, Outcome, Preview, ProxyResult, ProxyState, RecordedOutcome};
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
    pub(super) is_resume: bool,
    /// For a halt, the rollout that was halted, or `None` for everyone.
    pub(super) halted: Option<Option<&'a str>>,
    pub(super) timeout: Duration,
    pub(super) changes: Option<&'a Changes>,
    pub(super) change: &'a Change,
    pub(super) asked: &'a ProxySource,
    pub(super) results: &'a [ProxyResult],
    pub(super) outcome: Outcome,
    pub(super) recorded: Option<&'a RecordedOutcome>,
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
        if let Some(rollout) = self.halted {
            text.push_str(&self.confirmed(rollout));
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
        let mut text = match (self.change.is_unchanged, entry.action) {
            (true, _) if let Some(Some(rollout)) = self.halted => format!(
                "{filter} already has {revision}, in which rollout {} is halted; nothing was written\n",
                escape_for_terminal(rollout)
            ),
            (true, _) if entry.halted => {
                format!("{filter} already has {revision}, which is halted; nothing was written\n")
            }
            (true, _) => format!("{filter} already has {revision}; nothing was written\n"),
            (_, Action::Rollback) => {
                format!("rolled back to {revision}, written to {filter} (entry {number})\n")
            }
            _ => format!("{revision} written to {filter} (entry {number})\n"),
        };
        if self.halted.is_none() {
            self.push_kept_halts(&mut text);
            self.push_own_halts(&mut text);
            self.push_guards(&mut text);
        }
        text
    }

    /// What was halted before and still is, and what lifts the halt.
    fn push_kept_halts(&self, text: &mut String) {
        let keeps = &self.change.keeps;
        let command = match self.change.entry.action {
            _ if self.is_resume => None,
            Action::Rearm => None,
            Action::Rollback => Some("rollback"),
            _ => Some("apply"),
        };
        if keeps.everyone {
            let or = command.map_or(String::new(), |command| {
                format!(" or `turnout {command} --resume`")
            });
            let _ = writeln!(
                text,
                "still halted: proxies that run it send everyone to v1; `turnout resume`{or} lifts the halt"
            );
        }
        for rollout in &keeps.rollouts {
            let rollout = escape_for_terminal(rollout);
            let or = command.map_or(String::new(), |command| {
                format!(" or `turnout {command} --resume-rollout {rollout}`")
            });
            let _ = writeln!(
                text,
                "still halted: rollout {rollout}; `turnout resume --rollout {rollout}`{or} lifts its halt"
            );
        }
    }

    /// What the written policy halts itself.
    fn push_own_halts(&self, text: &mut String) {
        let (entry, keeps) = (&self.change.entry, &self.change.keeps);
        if self.change.is_unchanged {
            return;
        }
        if entry.halted && !keeps.everyone {
            text.push_str(
                "it is halted: proxies that run it send everyone to v1; `turnout resume` lifts the halt\n",
            );
        }
        for rollout in entry.halted_rollouts.difference(&keeps.rollouts) {
            let rollout = escape_for_terminal(rollout);
            let _ = writeln!(
                text,
                "rollout {rollout} is halted in this policy; `turnout resume --rollout {rollout}` lifts its halt"
            );
        }
    }

    /// Which guards keep the `rearmed` of the policy before, and which may have tripped.
    fn push_guards(&self, text: &mut String) {
        for (rollout, count) in &self.change.keeps_rearmed {
            let _ = writeln!(
                text,
                "rollout {}: the guard keeps `\"rearmed\": {count}` of the active policy",
                escape_for_terminal(rollout)
            );
        }
        for rollout in &self.change.guarded {
            let rollout = escape_for_terminal(rollout);
            let _ = writeln!(
                text,
                "rollout {rollout}: if its guard has tripped, requests still take v1; \
                 `turnout rearm --rollout {rollout}` re-arms it"
            );
        }
    }

    /// Which proxies confirm a halt. Only for those, the text says that everyone is on v1.
    fn confirmed(&self, rollout: Option<&str>) -> String {
        let effect = match rollout {
            None => "everyone is on v1".to_owned(),
            Some(rollout) => format!(
                "every request of rollout {} gets v1",
                escape_for_terminal(rollout)
            ),
        };
        let (confirmed, others): (Vec<&ProxyResult>, Vec<&ProxyResult>) = self
            .results
            .iter()
            .partition(|proxy| proxy.verdict == ProxyState::Accepted);
        let names = |proxies: &[&ProxyResult]| {
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
            ([_], []) => format!("confirmed: {effect} at {}\n", names(&confirmed)),
            (_, []) => {
                format!("confirmed by all {all} proxies that were asked: {effect} there\n")
            }
            ([], _) => format!("not confirmed by any proxy: {}\n", names(&others)),
            (some, _) => format!(
                "confirmed by {} of {all} proxies: {effect} at {}; not confirmed by {}\n",
                some.len(),
                names(&confirmed),
                names(&others)
            ),
        }
    }

    fn sentence(&self, verdict: &ProxyState) -> String {
        let instead = |running: &Option<String>| match running {
            Some(revision) => format!("; it runs {}", escape_for_terminal(revision)),
            None => String::new(),
        };
        match verdict {
            ProxyState::Accepted => "accepted".into(),
            ProxyState::Rejected { running } => format!("rejected{}", instead(running)),
            ProxyState::Unconfirmed { running } => format!(
                "not confirmed within {:?}{}; does it watch {}?",
                self.timeout,
                instead(running),
                self.filter
            ),
            ProxyState::NotDiscovered { .. }
            | ProxyState::NotEnvoy(_)
            | ProxyState::Unreachable(_) => verdict
                .readiness()
                .map_or_else(String::new, |it| it.to_string()),
        }
    }

    fn restored(&self) -> Option<&String> {
        self.recorded
            .and_then(|recorded| recorded.restored.as_ref())
    }

    /// Prints why proxies refused the policy. `has_log`: whether `--log` is set.
    pub(super) fn print_reasons(&self, has_log: bool) {
        let reasons = self.recorded.map(|recorded| recorded.reasons.as_slice());
        let reasons = reasons.unwrap_or_default();
        let reasons_of_entry = self.recorded.and_then(|recorded| recorded.reasons_of_entry);
        match (reasons_of_entry, reasons) {
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
                ProxyState::Accepted => Some(&entry.revision),
                ProxyState::Rejected { running } | ProxyState::Unconfirmed { running } => {
                    running.as_ref()
                }
                ProxyState::NotDiscovered { .. }
                | ProxyState::NotEnvoy(_)
                | ProxyState::Unreachable(_) => None,
            };
            json!({
                "admin": proxy.admin,
                "state": proxy.verdict.as_str(),
                "running": running,
                "sentence": self.sentence(&proxy.verdict),
            })
        });
        let names = |confirmed: bool| -> Vec<&String> {
            let is_wanted =
                |proxy: &&ProxyResult| (proxy.verdict == ProxyState::Accepted) == confirmed;
            let proxies = self.results.iter().filter(is_wanted);
            proxies.map(|proxy| &proxy.admin).collect()
        };
        let recorded = self.recorded;
        let report = json!({
            "action": entry.action.as_str(),
            "sequence": entry.sequence,
            "revision": entry.revision,
            "number": entry.number,
            "rollout": entry.rollout,
            "halted": entry.halted,
            "halted_rollouts": entry.halted_rollouts,
            "rearmed": entry.rearmed,
            "keeps_halt": self.change.keeps.everyone,
            "keeps_halted_rollouts": self.change.keeps.rollouts,
            "keeps_rearmed": self.change.keeps_rearmed,
            "unchanged": self.change.is_unchanged,
            "outcome": self.outcome.as_str(),
            "changes": self.changes.map(Changes::to_json).unwrap_or_default(),
            "violations": [],
            "restored": self.restored(),
            "reasons": recorded.map(|recorded| recorded.reasons.as_slice()).unwrap_or_default(),
            "reasons_of_entry": recorded.and_then(|recorded| recorded.reasons_of_entry),
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
    let were_halted = before.as_ref().map(|before| &before.halted_rollouts);
    let keeps = after.halted_rollouts.iter();
    let keeps = keeps.filter(|rollout| were_halted.is_some_and(|were| were.contains(*rollout)));
    let report = json!({
        "action": Value::Null,
        "sequence": Value::Null,
        "revision": after.revision,
        "number": after.number,
        "rollout": Value::Null,
        "halted": after.halted,
        "halted_rollouts": after.halted_rollouts,
        "rearmed": after.rearmed,
        "keeps_halt": was_halted && after.halted,
        "keeps_halted_rollouts": keeps.collect::<Vec<_>>(),
        "keeps_rearmed": preview.keeps_rearmed,
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
