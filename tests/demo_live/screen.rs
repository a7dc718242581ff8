//! What the demo shows. On a terminal the view is drawn again and again in one place, the narration
//! below it; else each step is printed, with the view at its end.

use std::io::{IsTerminal, Write};

use harness::terminal::{BOLD, PLAIN, RED, WIDTH, show, thousands};
use turnout_watch::{Watch, report, styled, terminal_size};

use crate::check::Totals;
use crate::stage::{Ran, Stage};
use crate::steps::{STEPS, Step};

/// How much is shown of what is wrong.
const SHOWN: usize = 5;

/// Where it is shown.
pub(crate) struct Screen {
    is_terminal: bool,
    /// Of the steps before: a line each.
    done: Vec<String>,
    /// Of the step that runs.
    narration: Vec<String>,
    /// How many lines were drawn last.
    drawn: usize,
}

impl Screen {
    pub(crate) fn new() -> Self {
        // Without colours nothing is redrawn: what moves the cursor is left out with them.
        let is_plain = anstream::stdout().current_choice() == anstream::ColorChoice::Never;
        let is_terminal = std::io::stdout().is_terminal() && !is_plain;
        Self {
            is_terminal: is_terminal && terminal_size().is_some(),
            done: Vec::new(),
            narration: Vec::new(),
            drawn: 0,
        }
    }

    /// What runs where.
    pub(crate) fn opening(stage: &Stage) -> Result<(), String> {
        let addresses = [
            ("v1", stage.v1.address(), "a small API"),
            ("v2", stage.v2.address(), "its next version"),
            (
                "Envoy",
                stage.envoy.address(),
                "runs envoy/live-policy.yaml",
            ),
        ]
        .map(|(name, address, what)| format!("  {name:<7} http://{address}   {what}\n"))
        .concat();
        let folder = stage.envoy.watched();
        show(&format!(
            "{addresses}  FOLDER  {}   which Envoy watches\n  watch   turnout watch --admin {}\n",
            folder.display(),
            stage.admin()
        ))
    }

    pub(crate) fn step(&mut self, number: usize, step: &Step) -> Result<(), String> {
        let title = format!("Step {number} of {}: {}", STEPS.len(), step.title);
        self.narration = Vec::new();
        self.say(&format!("{BOLD}{title}{PLAIN}"))?;
        self.say(&format!("  {}", step.meaning))
    }

    /// A command, and what it said.
    pub(crate) fn ran(&mut self, ran: &Ran) -> Result<(), String> {
        self.say(&format!("  $ {}", ran.typed))?;
        for line in ran.said.lines() {
            self.say(&format!("    {line}"))?;
        }
        Ok(())
    }

    pub(crate) fn say(&mut self, line: &str) -> Result<(), String> {
        match self.is_terminal {
            true => {
                self.narration.push(line.to_owned());
                Ok(())
            }
            false => show(line),
        }
    }

    /// The step is done.
    pub(crate) fn end_step(&mut self, watch: &Watch, summary: String) -> Result<(), String> {
        if self.is_terminal {
            self.draw(watch)?;
            self.done.push(summary);
            return Ok(());
        }
        let report = report(&watch.view(), u16::try_from(WIDTH).unwrap_or(u16::MAX));
        let indented: String = report.lines().map(|line| format!("  | {line}\n")).collect();
        show(&format!("\n{indented}"))
    }

    /// Draws it all once more, in the place of the last time.
    pub(crate) fn draw(&mut self, watch: &Watch) -> Result<(), String> {
        let Some((columns, rows)) = terminal_size().filter(|_| self.is_terminal) else {
            return Ok(());
        };
        // A line that fills the last column may take two.
        let columns = columns.saturating_sub(1).max(1);
        let mut lines = styled(&watch.view(), columns);
        lines.push(String::new());
        let most = usize::from(rows).saturating_sub(1).max(1);
        let room = most.saturating_sub(lines.len() + self.narration.len());
        let first = self.done.len().saturating_sub(room);
        let below = self.done[first..].iter().chain(&self.narration);
        lines.extend(below.map(|line| cut(line, columns.into())));
        lines.truncate(most);
        let mut frame = String::new();
        if self.drawn > 0 {
            frame += &format!("\x1b[{}A", self.drawn);
        }
        frame += "\r";
        for line in &lines {
            // What is left of a longer line there.
            frame += &format!("{line}{PLAIN}\x1b[K\n");
        }
        frame += "\x1b[J";
        self.drawn = lines.len();
        let mut out = anstream::stdout().lock();
        out.write_all(frame.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|error| format!("cannot print: {error}"))
    }
}

/// Without what goes beyond so many columns; marks have no width.
fn cut(line: &str, columns: usize) -> String {
    let (mut kept, mut width, mut is_mark) = (String::new(), 0, false);
    for c in line.chars() {
        is_mark |= c == '\x1b';
        width += usize::from(!is_mark);
        if width > columns {
            break;
        }
        kept.push(c);
        is_mark &= c != 'm';
    }
    kept + PLAIN
}

/// What all of it came to.
pub(crate) fn closing(totals: &Totals, seconds: u64) -> String {
    let requests = thousands(totals.requests);
    let lost = match totals.lost {
        0 => "none lost".to_owned(),
        lost => format!("{} LOST", thousands(lost)),
    };
    let failed = thousands(totals.failed_by_v2);
    let sent = format!("{requests} requests in {seconds} s, {lost}");
    let own = format!("{failed} were v2's own 500");
    if totals.wrong.is_empty() {
        return format!(
            "{BOLD}{sent}; each answer came by one of {} revisions, which was in force then, from the \
             version that it says.{PLAIN} ({own})",
            totals.revisions
        );
    }
    let shown: String = totals
        .wrong
        .iter()
        .take(SHOWN)
        .map(|one| format!("  {one}\n"))
        .collect();
    let wrong = thousands(totals.wrong.len());
    format!("{RED}{sent}; {wrong} are not as the policy says:{PLAIN} ({own})\n{shown}")
}
