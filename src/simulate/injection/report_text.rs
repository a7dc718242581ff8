//! Formats the report of a simulated guard as text.

use turnout_text::{
    Table, counted, format_decimal, format_millionths, join_list, plural, thousands,
};

use super::range::Range;
use super::report::{InjectionReport, RateSummary};
use super::result_group::ResultGroup;
use super::trial_result::{Outcome, TrialResult};
use crate::report_text::{read_accounts, read_log};
use crate::wording::percent;

impl InjectionReport {
    /// Formats the report as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{} ({}): {}\n{}\n",
            self.rollout,
            self.mode,
            self.injected.to_text(),
            self.requests()
        );
        for group in &self.results {
            text.push_str(&format!("\n{}\n", self.sentence(group)));
            if matches!(group.outcome, Outcome::Tripped | Outcome::NotTripped) {
                text.push_str(&self.table(group));
            }
        }
        text.push('\n');
        for note in self.notes() {
            text.push_str(&format!("{note}\n"));
        }
        text
    }

    /// Where the requests come from.
    fn requests(&self) -> String {
        let trials = counted(count(self.trials.len()), "trial", "trials");
        match (&self.accounts, &self.log) {
            (Some(accounts), _) => format!(
                "{}; {} per second, each of a random account; {trials} of up to {}",
                read_accounts(&accounts.read),
                counted(accounts.per_second.into(), "request", "requests"),
                counted(accounts.requests, "request", "requests")
            ),
            (None, Some(log)) => format!("{}; {trials}", read_log(&log.log)),
            (None, None) => trials,
        }
    }

    fn sentence(&self, group: &ResultGroup) -> String {
        let trials = match self.trials.len() {
            1 => String::new(),
            all => format!(
                " in {} of {} trials",
                thousands(count(group.trials)),
                thousands(count(all))
            ),
        };
        match group.outcome {
            Outcome::Tripped => {
                let effect = match self.guard.action {
                    "halt" => "everyone is back on v1",
                    _ => "`action` is `report`, so v2 still serves requests",
                };
                format!(
                    "The guard trips{trials}, after {}; {effect}.",
                    self.damage(group)
                )
            }
            Outcome::NotTripped => format!(
                "The guard does not trip{trials}: the evidence reaches 10^{}, and the guard trips at 10^{}.",
                format_decimal(group.evidence_milli.most, 3),
                format_decimal(self.guard.threshold_milli, 3)
            ),
            Outcome::TrippedBefore => {
                format!("The guard trips{trials} before v2 fails: a false alarm.")
            }
            Outcome::Invalid => {
                format!("The arms are out of balance{trials}, so the guard does not act.")
            }
        }
    }

    /// The errors of v2, or its slow requests if it has no errors of its own.
    fn damage(&self, group: &ResultGroup) -> String {
        let (range, one, many) = match group.v2_errors.most {
            0 => (group.v2_slow, "slow request", "slow requests"),
            _ => (group.v2_errors, "error", "errors"),
        };
        let mut text = format!("{} of v2", counted(range.median, one, many));
        if range.least < range.most {
            text.push_str(&format!(
                " ({} to {})",
                thousands(range.least),
                thousands(range.most)
            ));
        }
        text
    }

    fn table(&self, group: &ResultGroup) -> String {
        let is_one = group.trials == 1;
        let mut table = Table::default();
        if !is_one {
            table.push_row(["", "median", "least", "most"].map(String::from));
        }
        let mut row = |name: &str, range: Range, format: fn(u64) -> String| {
            let numbers = [range.median, range.least, range.most];
            let shown = if is_one { 1 } else { numbers.len() };
            let numbers = numbers.into_iter().take(shown).map(format);
            table.push_row([String::from(name)].into_iter().chain(numbers));
        };
        row("v2 errors, which users see", group.v2_errors, thousands);
        row(
            "accounts with a v2 error",
            group.accounts_with_v2_error,
            thousands,
        );
        if self.injected.v2.slow_millionths.is_some() {
            row("slow v2 requests", group.v2_slow, thousands);
        }
        row("v2 requests", group.v2_requests, thousands);
        row("accounts on v2", group.accounts_on_v2, thousands);
        if self.guard.tests_accounts {
            row(
                "accounts sent to v1 alone",
                group.ejected_accounts,
                thousands,
            );
        }
        row("requests of the rollout", group.requests, thousands);
        if let Some(stopped) = group.v2_stopped_ms {
            row("seconds until no request takes v2", stopped, seconds);
        }
        if let Some(tripped) = group.tripped_ms {
            row("seconds until the guard trips", tripped, seconds);
        }
        table.format()
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let with_message = self.trials.iter().find_map(|trial| {
            let message = trial.message.as_ref()?;
            Some(format!(
                "With seed {}, the proxy logs: {message}",
                trial.seed
            ))
        });
        notes.extend(with_message);
        for stratum in &self.guard.strata {
            if let Some(needed) = stratum.errors_needed {
                notes.push(format!(
                    "At {} % of the requests, the guard needs {} of v2 if v1 has none.",
                    format_millionths(stratum.requests_millionths),
                    counted(needed, "error", "errors")
                ));
            }
        }
        let sum = |number: fn(&TrialResult) -> u64| {
            let numbers = self.trials.iter().map(number);
            numbers.fold(0, u64::saturating_add)
        };
        let (v2, not_compared) = (
            sum(|trial| trial.v2_requests),
            sum(|trial| trial.v2_not_compared),
        );
        if v2 == 0 {
            notes.push(String::from(
                "No request takes v2. `turnout simulate` without --inject shows why.",
            ));
        } else if not_compared > 0 {
            notes.push(format!(
                "The guard does not compare {} of v2's requests: their rule has `requests` 100, or they have no id.",
                percent(not_compared, v2)
            ));
        }
        let held = self.trials.iter().filter(|trial| trial.passed_holds > 0);
        let held = count(held.count());
        if held > 0 {
            notes.push(format!(
                "In {} the guard held at times, and then found that v2 was not worse.",
                counted(held, "trial", "trials")
            ));
        }
        // A second settles so long after its end.
        let settle_seconds = u64::from(self.guard.settle_seconds).saturating_add(1);
        if self.injected.error_ms > settle_seconds.saturating_mul(1_000) {
            notes.push(format!(
                "An error takes {} ms, and the guard counts none that takes longer than `settle_seconds`, {} s.",
                thousands(self.injected.error_ms),
                self.guard.settle_seconds
            ));
        }
        if let Some(accounts) = &self.accounts
            && !accounts.headers.is_empty()
        {
            notes.push(format!(
                "Rules depend on the {} {}; the requests have none.",
                plural(count(accounts.headers.len()), "header", "headers"),
                join_list(&accounts.headers, "and")
            ));
        }
        notes.extend(self.assumptions());
        notes
    }

    fn assumptions(&self) -> [String; 2] {
        let ends = match self.injected.error_ms {
            0 => String::from("Every request ends at once"),
            error_ms => format!(
                "An error takes {} ms, and every other request ends at once",
                thousands(error_ms)
            ),
        };
        let slow = match self.injected.v2.slow_millionths {
            Some(_) => ", except that a slow one takes `over_ms`",
            None => "",
        };
        [
            String::from(
                "This simulates one proxy, whose workers know each other's counts at once (in Envoy within a second).",
            ),
            format!(
                "Each proxy has a guard of its own, which counts only its errors. {ends}{slow}."
            ),
        ]
    }
}

impl RateSummary {
    fn to_text(self) -> String {
        let from = thousands(self.at_request);
        let mut text = format!(
            "from request {from} on, v2 fails {} % of its requests, and v1 {} %",
            format_millionths(self.v2.errors_millionths),
            format_millionths(self.v1.errors_millionths)
        );
        if let (Some(v2), Some(v1)) = (self.v2.slow_millionths, self.v1.slow_millionths) {
            text.push_str(&format!(
                "; {} % of v2's requests are slow, and {} % of v1's",
                format_millionths(v2),
                format_millionths(v1)
            ));
        }
        text
    }
}

fn seconds(milliseconds: u64) -> String {
    let tenths = milliseconds.div_ceil(100);
    format_decimal(tenths, 1)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
