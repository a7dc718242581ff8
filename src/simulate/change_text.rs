//! Formats the effect of a change as text and CSV.

use turnout_text::{Table, counted, escape_for_terminal, format_millionths, plural, thousands};

use crate::change::{Change, RolloutChange};
use crate::moves::{Move, Moves};
use crate::report_text::{NO_SEGMENT, TOTAL, moments, read_accounts, read_log};
use crate::wording::percent;

impl Change {
    /// Formats the change as text, with every account that moves if `list` is true.
    #[must_use]
    pub fn to_text(&self, list: bool) -> String {
        let mut text = read_accounts(&self.read);
        if self.duplicates > 0 {
            text.push_str(&format!(
                ", {} of them repeated",
                thousands(self.duplicates)
            ));
        }
        text.push_str(&format!("; {}\n", moments(self.at, self.at_new)));
        if self.not_in_list > 0 {
            text.push_str(&format!(
                "and {} of the --forbid segments, not in the list\n",
                counted(self.not_in_list, "account", "accounts")
            ));
        }
        if let Some(requests) = &self.requests {
            text.push_str(&format!("{}\n", read_log(&requests.log)));
        }
        for note in &self.notes {
            text.push_str(&format!("note: {note}\n"));
        }
        for rollout in &self.rollouts {
            text.push('\n');
            text.push_str(&rollout.to_text());
        }
        if list {
            text.push('\n');
            for rollout in &self.rollouts {
                for moved in &rollout.moves {
                    text.push_str(&moved.to_line(&rollout.rollout));
                }
            }
        }
        text.push_str(&format!(
            "\n{} {} to v2, {} back to v1\n",
            counted(self.newly_v2, "account", "accounts"),
            plural(self.newly_v2, "moves", "move"),
            thousands(self.back_to_v1)
        ));
        text
    }

    /// Formats every account that moves as CSV.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut text = String::from("account,rollout,to,reason,reason_new,requests,requests_new\n");
        for rollout in &self.rollouts {
            for moved in &rollout.moves {
                text.push_str(&format!(
                    "{},{},{},{},{},{},{}\n",
                    quoted(&escape_for_terminal(&moved.account)),
                    rollout.rollout,
                    moved.to,
                    moved.reason,
                    moved.reason_new,
                    format_millionths(moved.requests_millionths),
                    format_millionths(moved.requests_millionths_new),
                ));
            }
        }
        text
    }
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', ' ']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

impl RolloutChange {
    fn to_text(&self) -> String {
        let kind = match (self.mode, self.mode_new) {
            (None, Some(mode)) => format!("new, {mode}"),
            (Some(mode), None) => format!("removed, was {mode}"),
            (Some(old), Some(new)) if old != new => format!("{old} → {new}"),
            (Some(mode), _) => mode.to_owned(),
            (None, None) => String::new(),
        };
        let total = &self.total;
        let mut text = format!("{} ({kind})", self.rollout);
        if self.moves.is_empty() {
            text.push_str(&format!(
                ": nobody moves; {} on v2, {} on v1\n",
                thousands(total.stay_v2),
                thousands(total.stay_v1)
            ));
        } else {
            text.push('\n');
            text.push_str(&self.table());
            text.push_str(&self.sentences());
        }
        if let Some(requests) = &self.requests {
            let per_day = |count: Option<u64>| {
                count.map_or(String::new(), |count| {
                    format!(" (approximately {} per day)", thousands(count))
                })
            };
            text.push_str(&format!(
                "  of {}: {} v1 → v2{}, {} v2 → v1{}\n",
                counted(requests.requests, "request", "requests"),
                thousands(requests.v1_to_v2),
                per_day(requests.v1_to_v2_per_day),
                thousands(requests.v2_to_v1),
                per_day(requests.v2_to_v1_per_day),
            ));
        }
        text
    }

    fn table(&self) -> String {
        let mut table = Table::default();
        let head = [
            "",
            "accounts",
            "to v2",
            "",
            "back to v1",
            "",
            "stay v2",
            "changed %",
            "stay v1",
        ];
        table.push_row(head.map(String::from));
        let rows = self
            .segments
            .iter()
            .map(|moves| (moves.segment.as_deref().unwrap_or_default(), moves));
        for (name, moves) in rows.chain([(NO_SEGMENT, &self.no_segment), (TOTAL, &self.total)]) {
            table.push_row([
                name.to_owned(),
                thousands(moves.accounts),
                thousands(moves.newly_v2),
                percent(moves.newly_v2, moves.accounts),
                thousands(moves.back_to_v1),
                percent(moves.back_to_v1, moves.accounts),
                thousands(moves.stay_v2),
                thousands(moves.changed_percentage),
                thousands(moves.stay_v1),
            ]);
        }
        table.format()
    }

    /// Describes which segments move, and which do not.
    fn sentences(&self) -> String {
        let mut text = String::new();
        for moves in &self.segments {
            if let Some(sentence) = moves.sentence() {
                text.push_str(&format!("  {sentence}\n"));
            }
        }
        let still = self
            .segments
            .iter()
            .filter(|moves| moves.sentence().is_none());
        let still = still.filter_map(|moves: &Moves| moves.segment.as_ref());
        let still: Vec<String> = still.map(|name| format!("`{name}`")).collect();
        if !still.is_empty() {
            text.push_str(&format!("  no account of {} moves\n", still.join(", ")));
        }
        text
    }
}

impl Move {
    fn to_line(&self, rollout: &str) -> String {
        let sign = match self.to {
            "v2" => '+',
            "v1" => '-',
            _ => '~',
        };
        let [old, new] = [self.requests_millionths, self.requests_millionths_new]
            .map(|share| format!("{} %", format_millionths(share)));
        let why = match self.to {
            "percentage" => format!("{old} → {new} of its requests"),
            _ => format!("{} → {}", self.reason, self.reason_new),
        };
        format!(
            "{sign} {} {rollout} {why}\n",
            escape_for_terminal(&self.account)
        )
    }
}
