//! Formats the report as text for a terminal, in at most 100 columns.

use std::fmt::Write as _;

use turnout_core::shadow::Outcome;
use turnout_text::{Table, counted, escape_for_terminal, thousands};

use crate::findings::{Example, ExampleSide, FindingKey};
use crate::labels::{NO_ROUTE, NO_SEGMENT, format_time, label};
use crate::latency::Latency;
use crate::outcomes::is_left_out;
use crate::report::{FindingReport, LatencyComparison, Report, RolloutReport, Row, VerdictNumbers};

const COLUMNS: usize = 100;
/// The most findings and rows that are printed; HTML and JSON have more.
const MOST_FINDINGS: usize = 10;
const MOST_ROWS: usize = 40;

impl Report {
    /// Formats the report as text, in at most 100 columns.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = TextReport::default();
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
struct TextReport(String);

impl TextReport {
    fn rollout(&mut self, rollout: &RolloutReport) {
        self.paragraph(
            "",
            &format!("{}: {}", rollout.name, rollout.numbers.verdict),
        );
        self.paragraph("  ", &rollout.explanation);
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

    fn outcomes(&mut self, rollout: &RolloutReport) {
        let numbers = &rollout.numbers;
        self.paragraph("  ", &format!(
            "compared {}: equal {}, different {}, uncertain {} (noise {}, unrepeatable {}, unconfirmed {}); no response from v2 {}: timeout {}, v2_error {}",
            thousands(numbers.compared),
            thousands(numbers.equal),
            thousands(numbers.different),
            thousands(numbers.uncertain),
            thousands(numbers.noise),
            thousands(numbers.unrepeatable),
            thousands(numbers.unconfirmed),
            thousands(numbers.unanswered()),
            thousands(numbers.timeout),
            thousands(numbers.v2_error),
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
            let sum = thousands(numbers.left_out);
            self.paragraph("  ", &format!("left out {sum}: {}", left_out.join(", ")));
        }
        let times = match (rollout.first_ms, rollout.last_ms) {
            (Some(first), Some(last)) => {
                format!(
                    "; records from {} to {}",
                    format_time(first),
                    format_time(last)
                )
            }
            _ => String::new(),
        };
        self.paragraph(
            "  ",
            &format!("numbers from the {}{times}", rollout.counted_by),
        );
        self.blank();
    }

    fn rows(&mut self, kind: &str, none: &'static str, rows: &[Row]) {
        if rows.is_empty() {
            return;
        }
        let mut table = vec![cells([
            kind,
            "compared",
            "different",
            "uncertain",
            "no response",
            "left out",
            "at most",
            "verdict",
        ])];
        for Row { name, numbers, .. } in rows.iter().take(MOST_ROWS) {
            table.push(number_cells(label(name, none), numbers));
        }
        self.table(&table);
        self.omitted(rows.len(), MOST_ROWS);
        self.blank();
    }

    fn latencies(&mut self, rollout: &RolloutReport) {
        let Some(all) = &rollout.latency else { return };
        let mut table = vec![
            cells(["latency", "p50 v1", "v2", "p90 v1", "v2", "p99 v1", "v2"]),
            latency_cells("all", all),
        ];
        let rows = |prefix: &str, none: &'static str, rows: &[Row]| -> Vec<_> {
            let rows = rows.iter().take(MOST_ROWS);
            rows.filter_map(|row| {
                Some((
                    format!("{prefix} {}", label(&row.name, none)),
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

    fn findings(&mut self, findings: &[FindingReport]) {
        if findings.is_empty() {
            return;
        }
        let count = u64::try_from(findings.len()).unwrap_or(u64::MAX);
        self.line(&format!("  {}", counted(count, "finding", "findings")));
        for finding in findings.iter().take(MOST_FINDINGS) {
            let requests = counted(finding.requests, "request", "requests");
            let what = describe_finding(&finding.key);
            self.paragraph(
                "    ",
                &format!("{requests}, {}: {what}", finding.key.severity),
            );
            if !finding.places.is_empty() {
                let places: Vec<_> = finding.places.iter().map(ToString::to_string).collect();
                self.paragraph("      ", &format!("in {}", places.join(", ")));
            }
            if let Some(example) = &finding.example {
                self.paragraph("      ", &describe_example(example));
            }
        }
        self.omitted(findings.len(), MOST_FINDINGS);
        self.blank();
    }

    fn options(&mut self, rollout: &RolloutReport) {
        let never: Vec<_> = rollout
            .options
            .iter()
            .filter(|option| option.matched == 0)
            .map(|option| format!("{} {}", option.option, option.path))
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

    fn omitted(&mut self, all: usize, most: usize) {
        let more = all.saturating_sub(most);
        if more > 0 {
            self.line(&format!("    and {more} more, see --html and --json"));
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

    /// Writes a paragraph with wrapped lines. Lines after the first are indented by the length of `head`.
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

/// Describes a finding: `body /channels/*/name: missing in v2`.
pub(crate) fn describe_finding(key: &FindingKey) -> String {
    let kind = match key.kind.as_str() {
        "missing" => "missing in v2",
        "extra" => "only in v2",
        "type" => "different type",
        "value" => "different value",
        "length" => "different length",
        "order" => "different order",
        "unstable" => "v2 differs from itself",
        other => other,
    };
    match key.pointer.as_str() {
        "" if key.part == "body" => format!("the body: {kind}"),
        "" => format!("{}: {kind}", key.part),
        pointer => format!("{} {pointer}: {kind}", key.part),
    }
}

fn describe_example(example: &Example) -> String {
    let mut text = format!(
        "example: {} {} at {}: {} in v1, {} in v2",
        example.method,
        label(&example.route, NO_ROUTE),
        format_time(example.time_ms),
        value(&example.v1),
        value(&example.v2)
    );
    for (name, side) in [("v1", &example.v1), ("v2", &example.v2)] {
        if let Some(response) = &side.response {
            let time = Latency::Estimate(response.us);
            let _ = write!(text, "; {name} responded {} in {time}", response.status);
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
        text.push_str("; v1 repeated its response");
    }
    text
}

/// Formats the value of a finding: `string "a"`, `string #9f0e…`, or `nothing`.
pub(crate) fn value(side: &ExampleSide) -> String {
    let Some(value) = &side.value else {
        return "nothing".into();
    };
    match (&value.value, &value.hash) {
        (Some(text), _) => format!("{} {text}", value.type_name),
        (None, Some(hash)) => format!("{} #{hash}", value.type_name),
        (None, None) => value.type_name.clone(),
    }
}

fn cells<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

fn number_cells(name: &str, numbers: &VerdictNumbers) -> Vec<String> {
    let at_most = format!("{} %", numbers.judgement.upper.round_up());
    vec![
        name.to_owned(),
        thousands(numbers.compared),
        thousands(numbers.different),
        thousands(numbers.uncertain),
        thousands(numbers.unanswered()),
        thousands(numbers.left_out),
        at_most,
        numbers.verdict.to_string(),
    ]
}

fn latency_cells(name: &str, latency: &LatencyComparison) -> Vec<String> {
    let mut cells = vec![name.to_owned()];
    for percent in [50, 90, 99] {
        cells.push(latency.v1.percentile(percent));
        cells.push(latency.v2.percentile(percent));
    }
    cells
}

/// Breaks a word into pieces of at most `most` characters.
fn pieces(word: &str, most: usize) -> Vec<String> {
    let chars: Vec<_> = word.chars().collect();
    if chars.is_empty() {
        return vec![String::new()];
    }
    let pieces = chars.chunks(most.max(1));
    pieces.map(|piece| piece.iter().collect()).collect()
}
