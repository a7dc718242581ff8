//! Formats account and traffic reports as text.

use turnout_core::Time;
use turnout_text::{Table, counted, format_millionths, plural, thousands};

use crate::account_list::AccountListSummary;
use crate::account_report::{AccountGroup, AccountReport, RolloutAccounts, RuleAccounts};
use crate::log_summary::LogSummary;
use crate::traffic_report::{RequestGroup, RolloutTraffic, TrafficReport};
use crate::wording::percent;

/// The row of accounts in no segment.
pub(crate) const NO_SEGMENT: &str = "(no segment)";
/// The row of requests without an account.
const NO_ACCOUNT: &str = "(no account)";
pub(crate) const TOTAL: &str = "total";

impl AccountReport {
    /// Formats the report as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{}; at {}\n", read_accounts(&self.accounts), self.at);
        for rollout in &self.rollouts {
            text.push('\n');
            text.push_str(&rollout.to_text());
        }
        text
    }
}

pub(crate) fn read_accounts(read: &AccountListSummary) -> String {
    let mut text = counted(read.accounts, "account", "accounts");
    let malformed = read.malformed.count;
    if malformed > 0 {
        text.push_str(&format!(
            ", {}",
            counted(malformed, "malformed line", "malformed lines")
        ));
    }
    text
}

pub(crate) fn read_log(log: &LogSummary) -> String {
    let mut text = format!(
        "{} of {}",
        counted(log.requests, "request", "requests"),
        counted(log.lines, "line", "lines")
    );
    if log.not_requests.count() > 0 {
        text.push_str(&format!(", {}", log.not_requests.to_text()));
    }
    if log.unreadable.count > 0 {
        text.push_str(&format!(", {} unreadable", thousands(log.unreadable.count)));
    }
    match log.span {
        Some(span) => text.push_str(&format!("; from {} to {}", span.first, span.last)),
        None => text.push_str("; the log has no times"),
    }
    text
}

/// Describes a mode, and who serves decisions for v2.
fn mode(mode: &str, serves_v2: bool) -> String {
    match serves_v2 {
        true => mode.to_owned(),
        false => format!("{mode}: v1 serves everyone; the counts are for split"),
    }
}

/// A column that is shown if its total is not zero.
type Column<T> = (&'static str, fn(&T) -> u64);

const GROUPS: [Column<AccountGroup>; 9] = [
    ("v2, all requests", |group| group.v2_all),
    ("v2, some requests", |group| group.v2_part),
    ("outside accounts", |group| group.outside_accounts),
    ("outside requests", |group| group.outside_requests),
    ("v1 by rule", |group| group.rule_v1),
    ("no rule", |group| group.default),
    ("no region", |group| group.no_region),
    ("halted", |group| group.halted),
    ("off", |group| group.off),
];

impl RolloutAccounts {
    fn to_text(&self) -> String {
        let mut text = format!("{} ({})\n", self.rollout, mode(self.mode, self.serves_v2));
        let columns = GROUPS.iter().filter(|(_, count)| count(&self.total) > 0);
        let columns: Vec<_> = columns.collect();
        let mut table = Table::default();
        let head = ["", "accounts", "on v2", ""].into_iter();
        table.push_row(
            head.chain(columns.iter().map(|(name, _)| *name))
                .map(String::from),
        );
        let rows = self
            .segments
            .iter()
            .map(|group| (group.segment.as_deref().unwrap_or_default(), group));
        let rows = rows.chain([(NO_SEGMENT, &self.no_segment), (TOTAL, &self.total)]);
        for (name, group) in rows {
            let first = [
                name.to_owned(),
                thousands(group.accounts),
                thousands(group.v2),
                percent(group.v2, group.accounts),
            ];
            let rest = columns.iter().map(|(_, count)| thousands(count(group)));
            table.push_row(first.into_iter().chain(rest));
        }
        text.push_str(&table.format());
        for rule in &self.rules {
            text.push_str(&format!("  rule {}: {}\n", rule.rule, rule.to_text()));
        }
        if !self.headers.is_empty() {
            text.push_str(&format!(
                "  note: rules depend on the header {}; accounts are counted as if their requests had none\n",
                self.headers.join(", ")
            ));
        }
        text
    }
}

impl RuleAccounts {
    fn to_text(&self) -> String {
        match (self.accounts_millionths, self.requests_millionths) {
            (Some(accounts), Some(requests)) => format!(
                "v2 for {} % of the accounts, {} % of their requests: {} included, {} not",
                format_millionths(accounts),
                format_millionths(requests),
                thousands(self.v2),
                thousands(self.v1)
            ),
            _ => format!("v1: {}", counted(self.v1, "account", "accounts")),
        }
    }
}

impl TrafficReport {
    /// Formats the report as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\ndecided at {}\n", read_log(&self.log), self.at);
        let contradictions = self.contradictions.iter().map(|found| found.requests);
        let contradictions = contradictions.fold(0, u64::saturating_add);
        if contradictions > 0 {
            text.push_str(&format!(
                "the log contradicts {} of these decisions\n",
                thousands(contradictions)
            ));
        }
        for rollout in &self.rollouts {
            text.push('\n');
            text.push_str(&rollout.to_text(self.log.requests));
        }
        if self.no_rollout > 0 {
            text.push_str(&format!(
                "\n{} ({}) {} no rollout\n",
                counted(self.no_rollout, "request", "requests"),
                percent(self.no_rollout, self.log.requests),
                plural(self.no_rollout, "matches", "match")
            ));
        }
        text
    }
}

impl RolloutTraffic {
    fn to_text(&self, all: u64) -> String {
        let mut text = format!("{} ({})\n", self.rollout, mode(self.mode, self.serves_v2));
        let total = &self.total;
        let mut sentence = format!(
            "{} ({} of all), {} ({}) on v2",
            counted(total.requests, "request", "requests"),
            percent(total.requests, all),
            thousands(total.v2),
            percent(total.v2, total.requests)
        );
        if let (Some(requests), Some(v2)) = (self.requests_per_day, self.v2_per_day) {
            sentence.push_str(&format!(
                "; approximately {} of {} per day",
                thousands(v2),
                thousands(requests)
            ));
        }
        text.push_str(&format!("  {sentence}\n"));
        if total.requests > 0 {
            text.push_str(&self.table());
        }
        if let Some(recorded) = &self.recorded {
            let known = [recorded.same, recorded.v1_to_v2, recorded.v2_to_v1];
            let known = known.into_iter().fold(0, u64::saturating_add);
            text.push_str(&format!(
                "  compared with the logged decisions of {}: {} the same, {} v1 → v2, {} v2 → v1\n",
                counted(known, "request", "requests"),
                thousands(recorded.same),
                thousands(recorded.v1_to_v2),
                thousands(recorded.v2_to_v1)
            ));
        }
        text
    }

    fn table(&self) -> String {
        let mut table = Table::default();
        let decisions = &self.total.decisions;
        let names = decisions
            .iter()
            .map(|decided| format!("{} {}", decided.treatment, decided.reason));
        let head = ["", "requests", "on v2", ""].map(String::from);
        table.push_row(head.into_iter().chain(names));
        let rows = self
            .segments
            .iter()
            .map(|row| (row.segment.as_deref().unwrap_or_default(), row));
        let rows = rows.chain([
            (NO_SEGMENT, &self.no_segment),
            (NO_ACCOUNT, &self.no_account),
            (TOTAL, &self.total),
        ]);
        for (name, row) in rows.filter(|(name, row)| *name != NO_ACCOUNT || row.requests > 0) {
            let first = [
                name.to_owned(),
                thousands(row.requests),
                thousands(row.v2),
                percent(row.v2, row.requests),
            ];
            let rest = decisions
                .iter()
                .map(|wanted| thousands(row.of(wanted.treatment, wanted.reason)));
            table.push_row(first.into_iter().chain(rest));
        }
        table.format()
    }
}

impl RequestGroup {
    fn of(&self, treatment: &str, reason: &str) -> u64 {
        let found = self
            .decisions
            .iter()
            .find(|d| d.treatment == treatment && d.reason == reason);
        found.map_or(0, |decided| decided.requests)
    }
}

pub(crate) fn moments(old: Time, new: Time) -> String {
    if old == new {
        format!("at {old}")
    } else {
        format!("before at {old}, after at {new}")
    }
}
