//! `turnout log`: shows who changed the policy, when and why.

mod roll_state;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use turnout_live::{Action, Directory, HistoryLog, LogRow, Outcome};
use turnout_text::escape_for_terminal;

use crate::support::exit::{Exit, refuse};
use crate::support::safe_output::SafeText;
use crate::support::text_io;

use roll_state::RollOfFolder;

/// Show who changed the active policy, when and why.
///
/// Lists the newest entry first. `*` marks the entry that filter.json contains. `gauge` is the value of the
/// metric turnout.revision.<plugin> while a proxy runs that revision. If `turnout roll` has a plan in the folder, its
/// steps follow, each with its verdict and evidence, and what the plan waits for.
#[derive(Args)]
#[command(after_help = "Example:
  turnout log --dir /etc/envoy/turnout -n 5")]
pub(crate) struct Arguments {
    /// The folder that Envoy watches. It contains filter.json and the history.
    #[arg(long, value_name = "FOLDER")]
    dir: PathBuf,
    /// The maximum number of entries to show.
    #[arg(
        short = 'n',
        long = "number",
        value_name = "NUMBER",
        default_value_t = 20
    )]
    number: usize,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let log = match Directory::new(&arguments.dir).log(arguments.number) {
        Ok(log) => log,
        Err(error) => return refuse(&error.to_string()),
    };
    let roll = RollOfFolder::read(&arguments.dir);
    let text = match arguments.json {
        true => as_json(&log, &roll),
        false => SafeText::lines(&[as_text(&log), roll.to_text()].concat()),
    };
    match text_io::write(None, &text) {
        Ok(()) => Exit::Done,
        Err(error) => refuse(&error),
    }
}

const HEADS: [&str; 7] = ["", "entry", "when", "who", "action", "revision", "gauge"];

fn as_text(log: &HistoryLog) -> String {
    let mut text = String::new();
    if let Some(filter) = &log.filter {
        let _ = writeln!(text, "filter.json {}", escape_for_terminal(filter));
    }
    for (file, why) in &log.damaged {
        let _ = writeln!(text, "skipped {file}: {}", escape_for_terminal(why));
    }
    let cells: Vec<[String; 7]> = log.rows.iter().map(cells).collect();
    if cells.is_empty() {
        text.push_str("the history is empty\n");
        return text;
    }
    let widths: [usize; 7] = std::array::from_fn(|column| {
        let of_row = |row: &[String; 7]| row.get(column).map_or(0, |cell| cell.chars().count());
        let head = HEADS.get(column).map_or(0, |head| head.len());
        cells.iter().map(of_row).max().unwrap_or_default().max(head)
    });
    line(&mut text, &HEADS.map(str::to_owned), &widths, "outcome");
    for (row, cells) in log.rows.iter().zip(&cells) {
        line(&mut text, cells, &widths, outcome(row));
        if let Some(why) = &row.entry.why {
            let _ = writeln!(text, "    {}", escape_for_terminal(why));
        }
        for reason in &row.entry.reasons {
            let _ = writeln!(text, "    refused: {}", escape_for_terminal(reason));
        }
    }
    text
}

fn cells(row: &LogRow) -> [String; 7] {
    let entry = &row.entry;
    let what = match (entry.action, entry.back_to, &entry.rollout) {
        (Action::Rollback, Some(to), _) => format!("rollback to {to}"),
        (Action::Halt | Action::Resume | Action::Rearm, _, Some(rollout)) => {
            format!("{} {}", entry.action, escape_for_terminal(rollout))
        }
        (what, ..) => what.to_string(),
    };
    let mark = if row.is_in_place { "*" } else { "" };
    [
        mark.to_owned(),
        entry.sequence.to_string(),
        escape_for_terminal(&entry.when),
        entry
            .who
            .as_deref()
            .map_or_else(|| "-".into(), escape_for_terminal),
        what,
        escape_for_terminal(&entry.revision),
        entry.number.to_string(),
    ]
}

fn line(text: &mut String, cells: &[String; 7], widths: &[usize; 7], last: &str) {
    for (cell, width) in cells.iter().zip(widths) {
        let width = *width;
        let _ = write!(text, "{cell:width$}  ");
    }
    let _ = writeln!(text, "{last}");
}

/// The outcome in words.
fn outcome(row: &LogRow) -> &'static str {
    match row.entry.outcome {
        Outcome::Begun if row.is_in_place => "written, but the command was interrupted",
        Outcome::Begun => "not written: the command was interrupted",
        Outcome::PartiallyApplied => "refused by some proxies",
        other => other.as_str(),
    }
}

fn as_json(log: &HistoryLog, roll: &RollOfFolder) -> SafeText {
    let active = log.rows.iter().find(|row| row.is_in_place);
    let damaged = log.damaged.iter();
    let damaged = damaged.map(|(file, why)| json!({ "file": file, "why": why }));
    let report = json!({
        "active": active.map(|row| row.entry.sequence),
        "filter": log.filter,
        "entries": log.rows.iter().map(entry_as_json).collect::<Vec<_>>(),
        "damaged": damaged.collect::<Vec<_>>(),
        "roll": roll.to_json(),
    });
    SafeText::json(&format!("{report:#}\n"))
}

fn entry_as_json(row: &LogRow) -> Value {
    let entry = &row.entry;
    json!({
        "sequence": entry.sequence,
        "when": entry.when,
        "who": entry.who,
        "action": entry.action.as_str(),
        "rollout": entry.rollout,
        "why": entry.why,
        "revision": entry.revision,
        "number": entry.number,
        "halted": entry.halted,
        "halted_rollouts": entry.halted_rollouts,
        "rearmed": entry.rearmed,
        "wasm": entry.wasm,
        "inbound": entry.inbound,
        "headers": entry.headers.words().collect::<Vec<_>>(),
        "record_level": entry.record_level.as_str(),
        "max_held_bytes": entry.max_held_bytes.get(),
        "before": entry.before,
        "back_to": entry.back_to,
        "outcome": entry.outcome.as_str(),
        "reasons": entry.reasons,
        "active": row.is_in_place,
    })
}
