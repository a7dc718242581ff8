//! Formats judgments as text for people, in at most 100 columns.

use turnout_core::Fraction;
use turnout_core::guard::{ArmCounts, GuardState, RatioEstimate};
use turnout_text::{counted, escape_for_terminal, join_first, percent, thousands};

use crate::format::{bar, duration, evidence, ratio_in_words};
use crate::{JudgedProxy, JudgedStratum, Judgment, Verdict};

const COLUMNS: usize = 100;
/// The width of the labels on the left.
const LABEL: usize = 12;
/// The largest number of proxies that a line names.
const MOST_NAMED: usize = 3;

/// Formats judgments as text for people, the verdict of each first.
#[must_use]
pub fn to_text(judgments: &[Judgment]) -> String {
    let texts: Vec<String> = judgments.iter().map(Judgment::to_text).collect();
    texts.join("\n")
}

impl Judgment {
    /// Formats the judgment as text for people, in at most 100 columns.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = Text::default();
        let verdict = self.verdict.as_str();
        text.paragraph(0, "", &format!("{}: {verdict}", self.rollout));
        for reason in &self.reasons {
            text.paragraph(2, "", &reason.sentence());
        }
        for warning in &self.warnings {
            text.paragraph(LABEL, "note", &warning.sentence());
        }
        self.events(&mut text, "errors", |arm| arm.errors);
        if self.settings.slow.is_some() {
            self.events(&mut text, "slow", |arm| arm.slow);
        }
        if self.are_comparable() {
            self.evidence(&mut text);
        }
        self.balance(&mut text);
        if let Some(proxies) = &self.proxies {
            text.paragraph(LABEL, "proxies", &proxies_in_words(proxies));
        }
        if let Some(coverage) = self.coverage {
            let decided = coverage.decided.min(coverage.served);
            let share = percent(decided, coverage.served).unwrap_or_default();
            let words = format!(
                "the filter decided {share} of {} that the clusters completed",
                counted(coverage.served, "request", "requests")
            );
            text.paragraph(LABEL, "coverage", &words);
        }
        text.0
    }

    /// Adds a line for each stratum with compared requests.
    fn events(&self, text: &mut Text, label: &str, events: fn(ArmCounts) -> u64) {
        for JudgedStratum { requests, arms, .. } in &self.strata {
            let arm = |arm: ArmCounts| {
                let events = events(arm);
                let share =
                    percent(events.min(arm.all), arm.all).map(|share| format!(" ({share})"));
                format!(
                    "{} of {}{}",
                    thousands(events),
                    thousands(arm.all),
                    share.unwrap_or_default()
                )
            };
            let [v1, v2] = [arms.v1, arms.v2].map(arm);
            let words = format!("v1 {v1}   v2 {v2}   compared at {requests} %");
            text.paragraph(LABEL, label, &words);
        }
    }

    /// Adds the ratio, what is allowed, and the evidence.
    fn evidence(&self, text: &mut Text) {
        if self.settings.errors.is_some() {
            let words = self.ratio_in_words(&self.ratio, "fails");
            text.paragraph(LABEL, "ratio", &words);
        }
        if let Some(estimate) = &self.slow_ratio {
            let words = self.ratio_in_words(estimate, "is slow");
            text.paragraph(LABEL, "ratio", &words);
        }
        text.paragraph(LABEL, "allowed", &self.allowed());
        let worse = evidence(self.evidence.total, self.ln_threshold);
        let worse_bar = bar(self.evidence.total, self.ln_threshold);
        text.paragraph(
            LABEL,
            "worse",
            &format!("{worse_bar}   {worse}{}", self.worst()),
        );
        let healthy = evidence(self.health.total, self.ln_threshold);
        let healthy_bar = bar(self.health.total, self.ln_threshold);
        text.paragraph(LABEL, "healthy", &format!("{healthy_bar}   {healthy}"));
        if let Some(words) = self.needed_in_words() {
            text.paragraph(LABEL, "needed", &words);
        }
    }

    fn ratio_in_words(&self, estimate: &RatioEstimate, fails: &str) -> String {
        let mut strata = self.strata.iter();
        match strata.any(|stratum| stratum.requests < Fraction::ALL) {
            true => ratio_in_words(estimate, fails, self.settings.alpha),
            false => "unknown, because no request of v2 is compared with v1".to_owned(),
        }
    }

    /// Describes what v2 may do: the guard's settings and the excess.
    fn allowed(&self) -> String {
        let ratio = |thousandths: u32| turnout_text::format_decimal(thousandths.into(), 3);
        let mut parts = Vec::new();
        // Where v1 serves nothing, only the limit is judged.
        let compares = |kind: Option<f64>| kind.is_some() || self.health.limit.is_none();
        let errors = self
            .settings
            .errors
            .filter(|_| compares(self.health.errors));
        let slow = self.settings.slow.filter(|_| compares(self.health.slow));
        if let Some(allowed) = errors {
            parts.push(format!(
                "v2 fails {} times as often as v1",
                ratio(allowed.get())
            ));
        }
        if let Some(slow) = slow {
            let allowed = ratio(slow.ratio.get());
            parts.push(format!("v2 is slow {allowed} times as often as v1"));
        }
        if let Some(limit) = self.settings.limit {
            let limit = turnout_text::format_millionths(limit.get());
            parts.push(format!("v2 fails in {limit} % of its requests"));
        }
        let excess = match errors.is_some() || slow.is_some() {
            true => format!("; for HEALTHY, plus {} % of v2's requests", self.excess),
            false => String::new(),
        };
        format!("{}{excess}", parts.join(", "))
    }

    /// The stratum with the strongest evidence, if there are others.
    fn worst(&self) -> String {
        match self.worst_stratum {
            Some(worst) if self.strata.len() > 1 => format!(", strongest at {worst} %"),
            _ => String::new(),
        }
    }

    fn needed_in_words(&self) -> Option<String> {
        if self.verdict != Verdict::NotEnoughData {
            return None;
        }
        let Some(needed) = self.needed else {
            let is_enough = self.health.total >= self.ln_threshold;
            return (!is_enough).then(|| {
                "at the present rates, more requests would not show that v2 is healthy".to_owned()
            });
        };
        if self.strata.is_empty() {
            let requests = counted(needed.v2_requests, "request", "requests");
            return Some(format!("{requests} of v2 if none fails"));
        }
        let requests = counted(needed.v2_requests, "more request", "more requests");
        Some(match needed.seconds {
            Some(seconds) => format!(
                "{requests} of v2 if the rates stay what they are: {} at the present traffic",
                duration(seconds)
            ),
            None if needed.is_rate_known => format!(
                "{requests} of v2 if the rates stay what they are; none were compared between the last two readings"
            ),
            None => format!("{requests} of v2 if the rates stay what they are"),
        })
    }

    fn balance(&self, text: &mut Text) {
        for JudgedStratum {
            requests,
            arms,
            is_balanced,
            ..
        } in &self.strata
        {
            let all = arms.v1.all.saturating_add(arms.v2.all);
            let Some(share) = percent(arms.v2.all, all) else {
                continue;
            };
            let balanced = if *is_balanced { "" } else { ": OUT OF BALANCE" };
            let words =
                format!("v2 has {share} of the compared requests, expected {requests} %{balanced}");
            text.paragraph(LABEL, "balance", &words);
        }
    }
}

fn proxies_in_words(proxies: &[JudgedProxy]) -> String {
    let names = |is: &dyn Fn(&JudgedProxy) -> bool| -> Vec<&str> {
        let proxies = proxies.iter().filter(|proxy| is(proxy));
        proxies.map(|proxy| proxy.name.as_str()).collect()
    };
    let missing = names(&|proxy| proxy.missing.is_some());
    let read = proxies.len().saturating_sub(missing.len());
    let mut parts = vec![format!("{read} of {} read", proxies.len())];
    let mut part = |names: &[&str], words: &str| {
        if !names.is_empty() {
            parts.push(format!("{words}: {}", join_first(names, MOST_NAMED)));
        }
    };
    part(&missing, "missing");
    for state in [
        GuardState::Tripped,
        GuardState::Invalid,
        GuardState::Holding,
    ] {
        let is = |proxy: &JudgedProxy| proxy.missing.is_none() && proxy.state == Some(state);
        part(&names(&is), &state.as_str().to_uppercase());
    }
    part(&names(&|proxy| proxy.restarts > 0), "restarted");
    parts.join("   ")
}

#[derive(Default)]
struct Text(String);

impl Text {
    /// Adds a paragraph that is indented by so many columns, with a label in the first line.
    fn paragraph(&mut self, indent: usize, label: &str, text: &str) {
        let mut line = match label {
            "" => " ".repeat(indent),
            label => format!("  {label:<width$}", width = indent.saturating_sub(2)),
        };
        let mut is_begun = false;
        // Three spaces separate columns; other spaces separate words.
        for word in escape_for_terminal(text).split(' ') {
            let with = line.chars().count().saturating_add(word.chars().count());
            if is_begun && !word.is_empty() && with >= COLUMNS {
                self.line(&line);
                line = " ".repeat(indent);
                is_begun = false;
            }
            if is_begun {
                line.push(' ');
            }
            is_begun |= !word.is_empty();
            line.push_str(word);
        }
        self.line(&line);
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }
}

#[cfg(test)]
mod tests;
