//! The report for a terminal, in at most 100 columns.

use std::fmt::Write as _;

use turnout_core::shadow::Outcome;
use turnout_text::{Table, counted, escape_for_terminal, thousands};

use crate::findings::{Example, Side, What};
use crate::latency::Latency;
use crate::model::{Finding, Latencies, Report, Rollout, Row, Tally};
use crate::outcomes::is_left_out;
use crate::words::{NO_ROUTE, NO_SEGMENT, moment, shown};

const COLUMNS: usize = 100;
/// Findings and rows that are printed; the other forms of the report have more.
const MOST_FINDINGS: usize = 10;
const MOST_ROWS: usize = 40;

impl Report {
    /// As text, in at most 100 columns.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = Text::default();
        for rollout in &self.rollouts {
            text.rollout(rollout);
        }
        for note in &self.notes {
            text.paragraph("note: ", note);
        }
        text.0
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn rollout(&mut self, rollout: &Rollout) {
        self.paragraph("", &format!("{}: {}", rollout.name, rollout.tally.verdict));
        self.paragraph("  ", &rollout.because);
        self.paragraph("  ", &rollout.coverage);
        for note in &rollout.notes {
            self.paragraph("  note: ", note);
        }
        self.blank();
        self.outcomes(rollout);
        self.rows("segment", NO_SEGMENT, &rollout.segments);
        self.rows("route", NO_ROUTE, &rollout.routes);
        self.latencies(rollout);
        self.findings(&rollout.findings);
        self.options(rollout);
    }

    fn outcomes(&mut self, rollout: &Rollout) {
        let tally = &rollout.tally;
        self.paragraph("  ", &format!(
            "compared {}: equal {}, different {}, uncertain {} (noise {}, unrepeatable {}, unconfirmed {}); no answer of v2 {}: timeout {}, v2_error {}",
            thousands(tally.compared),
            thousands(tally.equal),
            thousands(tally.different),
            thousands(tally.uncertain),
            thousands(tally.noise),
            thousands(tally.unrepeatable),
            thousands(tally.unconfirmed),
            thousands(tally.unanswered()),
            thousands(tally.timeout),
            thousands(tally.v2_error),
        ));
        let left_out = Outcome::ALL
            .into_iter()
            .filter(|outcome| is_left_out(*outcome));
        let left_out: Vec<_> = left_out
            .map(|outcome| outcome.as_str())
            .filter_map(|name| rollout.outcomes.get(name).map(|count| (name, *count)))
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{name} {}", thousands(count)))
            .collect();
        if !left_out.is_empty() {
            let sum = thousands(tally.left_out);
            self.paragraph("  ", &format!("left out {sum}: {}", left_out.join(", ")));
        }
        let of = match (rollout.first_ms, rollout.last_ms) {
            (Some(first), Some(last)) => {
                format!("; records of {} to {}", moment(first), moment(last))
            }
            _ => String::new(),
        };
        self.paragraph("  ", &format!("counted by {}{of}", rollout.counted_by));
        self.blank();
    }

    fn rows(&mut self, what: &str, none: &'static str, rows: &[Row]) {
        if rows.is_empty() {
            return;
        }
        let mut table = vec![cells([
            what,
            "compared",
            "different",
            "uncertain",
            "no answer",
            "left out",
            "at most",
            "verdict",
        ])];
        for Row { name, tally, .. } in rows.iter().take(MOST_ROWS) {
            table.push(tally_cells(shown(name, none), tally));
        }
        self.table(&table);
        self.beyond(rows.len(), MOST_ROWS);
        self.blank();
    }

    fn latencies(&mut self, rollout: &Rollout) {
        let Some(all) = &rollout.latency else { return };
        let mut table = vec![
            cells([
                "latency of answers",
                "p50 v1",
                "v2",
                "p90 v1",
                "v2",
                "p99 v1",
                "v2",
            ]),
            latency_cells("all", all),
        ];
        let rows = |prefix: &str, none: &'static str, rows: &[Row]| -> Vec<_> {
            let rows = rows.iter().take(MOST_ROWS);
            rows.filter_map(|row| {
                Some((
                    format!("{prefix} {}", shown(&row.name, none)),
                    row.latency.as_ref()?,
                ))
            })
            .map(|(name, latency)| latency_cells(&name, latency))
            .collect()
        };
        table.extend(rows("segment", NO_SEGMENT, &rollout.segments));
        table.extend(rows("route", NO_ROUTE, &rollout.routes));
        self.table(&table);
        self.blank();
    }

    fn findings(&mut self, findings: &[Finding]) {
        if findings.is_empty() {
            return;
        }
        let count = u64::try_from(findings.len()).unwrap_or(u64::MAX);
        self.line(&format!("  {}", counted(count, "finding", "findings")));
        for finding in findings.iter().take(MOST_FINDINGS) {
            let requests = counted(finding.requests, "request", "requests");
            let what = described(&finding.what);
            self.paragraph(
                "    ",
                &format!("{requests}, {}: {what}", finding.what.severity),
            );
            if !finding.places.is_empty() {
                let places: Vec<_> = finding.places.iter().map(ToString::to_string).collect();
                self.paragraph("      ", &format!("in {}", places.join(", ")));
            }
            if let Some(example) = &finding.example {
                self.paragraph("      ", &told(example));
            }
        }
        self.beyond(findings.len(), MOST_FINDINGS);
        self.blank();
    }

    fn options(&mut self, rollout: &Rollout) {
        let never: Vec<_> = rollout
            .options
            .iter()
            .filter(|choice| choice.matched == 0)
            .map(|choice| format!("{} {}", choice.option, choice.path))
            .collect();
        if never.is_empty() {
            return;
        }
        self.paragraph(
            "  ",
            &format!("options that never matched: {}", never.join(", ")),
        );
        self.blank();
    }

    fn beyond(&mut self, all: usize, most: usize) {
        let more = all.saturating_sub(most);
        if more > 0 {
            self.line(&format!("    and {more} more; --html and --json have them"));
        }
    }

    /// Writes rows of cells, and shortens the first column where a row is too long.
    fn table(&mut self, rows: &[Vec<String>]) {
        let mut table = Table::default();
        for row in rows {
            table.push_row(row.iter().map(|cell| escape_for_terminal(cell)));
        }
        for line in table.format_within(COLUMNS).lines() {
            self.line(line);
        }
    }

    /// Words in lines; those after the first are indented as far as the first one's text.
    fn paragraph(&mut self, head: &str, text: &str) {
        let indent = " ".repeat(head.len());
        let mut line = head.to_owned();
        let mut used = head.chars().count();
        let mut fresh = true;
        for word in escape_for_terminal(text).split(' ') {
            for piece in pieces(word, COLUMNS.saturating_sub(indent.len())) {
                let length = piece.chars().count();
                let with = used
                    .saturating_add(length)
                    .saturating_add(usize::from(!fresh));
                if !fresh && with > COLUMNS {
                    self.line(&line);
                    line.clone_from(&indent);
                    used = indent.len();
                    fresh = true;
                }
                if !fresh {
                    line.push(' ');
                    used = used.saturating_add(1);
                }
                line.push_str(&piece);
                used = used.saturating_add(length);
                fresh = false;
            }
        }
        self.line(&line);
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn blank(&mut self) {
        self.0.push('\n');
    }
}

/// `body /channels/*/name: missing in v2`.
pub(crate) fn described(what: &What) -> String {
    let kind = match what.kind.as_str() {
        "missing" => "missing in v2",
        "extra" => "only in v2",
        "type" => "another type",
        "value" => "another value",
        "length" => "another length",
        "order" => "another order",
        "unstable" => "v2 disagrees with itself",
        other => other,
    };
    match what.pointer.as_str() {
        "" if what.part == "body" => format!("the body: {kind}"),
        "" => format!("{}: {kind}", what.part),
        pointer => format!("{} {pointer}: {kind}", what.part),
    }
}

fn told(example: &Example) -> String {
    let mut text = format!(
        "e.g. {} {} at {}: {} in v1, {} in v2",
        example.method,
        shown(&example.route, NO_ROUTE),
        moment(example.time_ms),
        value(&example.v1),
        value(&example.v2)
    );
    for (name, side) in [("v1", &example.v1), ("v2", &example.v2)] {
        if let Some(answer) = &side.answer {
            let time = Latency::About(answer.us);
            let _ = write!(text, "; {name} answered {} in {time}", answer.status);
        }
    }
    for (name, id) in [
        ("account", &example.account),
        ("request", &example.request_id),
    ] {
        if let Some(id) = id {
            let _ = write!(text, "; {name} {id}");
        }
    }
    if example.rechecked {
        text.push_str("; v1 repeated its answer");
    }
    text
}

/// `string "a"`, `string #9f0e…`, or `nothing`.
pub(crate) fn value(side: &Side) -> String {
    let Some(value) = &side.value else {
        return "nothing".into();
    };
    match (&value.value, &value.hash) {
        (Some(shown), _) => format!("{} {shown}", value.of),
        (None, Some(hash)) => format!("{} #{hash}", value.of),
        (None, None) => value.of.clone(),
    }
}

fn cells<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

fn tally_cells(name: &str, tally: &Tally) -> Vec<String> {
    let at_most = format!("{} %", tally.judgement.upper.up());
    vec![
        name.to_owned(),
        thousands(tally.compared),
        thousands(tally.different),
        thousands(tally.uncertain),
        thousands(tally.unanswered()),
        thousands(tally.left_out),
        at_most,
        tally.verdict.to_string(),
    ]
}

fn latency_cells(name: &str, latency: &Latencies) -> Vec<String> {
    let mut cells = vec![name.to_owned()];
    for percent in [50, 90, 99] {
        cells.push(latency.v1.within(percent));
        cells.push(latency.v2.within(percent));
    }
    cells
}

/// A word that is longer than a line, in pieces that are not.
fn pieces(word: &str, most: usize) -> Vec<String> {
    let chars: Vec<_> = word.chars().collect();
    if chars.is_empty() {
        return vec![String::new()];
    }
    let pieces = chars.chunks(most.max(1));
    pieces.map(|piece| piece.iter().collect()).collect()
}
