//! What the demo prints. On a terminal it redraws the view of `turnout watch` in one place, with the steps below
//! it. Elsewhere it prints each step, followed by the view.

use std::io::{IsTerminal, Write};

use support::demo::screen;
use support::terminal::{BOLD, PLAIN, RED, WIDTH, show, thousands};
use turnout_watch::{Watch, report, styled, terminal_size};

use crate::check::Totals;
use crate::steps::{STEPS, Step};
use crate::testbed::{Ran, Testbed};

/// The terminal, or a stream of lines.
pub(crate) struct Screen {
    is_terminal: bool,
    /// A line for each finished step.
    done: Vec<String>,
    /// The lines of the current step.
    narration: Vec<String>,
    /// How many lines the last frame had.
    drawn: usize,
}

impl Screen {
    pub(crate) fn new() -> Self {
        // anstream removes cursor movements together with colours, so nothing can be redrawn without colours.
        let is_plain = anstream::stdout().current_choice() == anstream::ColorChoice::Never;
        let is_terminal = std::io::stdout().is_terminal() && !is_plain;
        Self {
            is_terminal: is_terminal && terminal_size().is_some(),
            done: Vec::new(),
            narration: Vec::new(),
            drawn: 0,
        }
    }

    /// Prints the addresses.
    pub(crate) fn opening(testbed: &Testbed) -> Result<(), String> {
        let proxy = &testbed.proxy;
        let addresses = screen::addresses([
            ("v1", proxy.v1.address(), "a small API"),
            ("v2", proxy.v2.address(), "its next version"),
            (
                "Envoy",
                proxy.envoy.address(),
                "runs envoy/live-policy.yaml",
            ),
        ]);
        let folder = proxy.envoy.watched();
        show(&format!(
            "{addresses}  FOLDER      {}   the folder that Envoy watches\n  watch       turnout watch --admin {}\n",
            folder.display(),
            testbed.admin()
        ))
    }

    pub(crate) fn step(&mut self, number: usize, step: &Step) -> Result<(), String> {
        let title = format!("Step {number} of {}: {}", STEPS.len(), step.title);
        self.narration = Vec::new();
        self.say(&format!("{BOLD}{title}{PLAIN}"))?;
        self.say(&format!("  {}", step.meaning))
    }

    /// Prints a command and its output.
    pub(crate) fn ran(&mut self, ran: &Ran) -> Result<(), String> {
        self.say(&format!("  $ {}", ran.typed))?;
        for line in ran.output.lines() {
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

    /// Ends the current step.
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

    /// Redraws everything over the last frame.
    pub(crate) fn draw(&mut self, watch: &Watch) -> Result<(), String> {
        let Some((columns, rows)) = terminal_size().filter(|_| self.is_terminal) else {
            return Ok(());
        };
        // A terminal may wrap a line that fills the last column.
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
            // Clears the rest of a longer line.
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

/// Cuts a line after so many columns. Escape sequences have no width.
fn cut(line: &str, columns: usize) -> String {
    let (mut kept, mut width, mut is_escape) = (String::new(), 0, false);
    for c in line.chars() {
        is_escape |= c == '\x1b';
        width += usize::from(!is_escape);
        if width > columns {
            break;
        }
        kept.push(c);
        is_escape &= c != 'm';
    }
    kept + PLAIN
}

/// The result, and the errors if there are any.
pub(crate) fn closing(totals: &Totals, seconds: u64) -> String {
    let requests = thousands(totals.requests);
    let lost = match totals.lost {
        0 => "none lost".to_owned(),
        lost => format!("{} LOST", thousands(lost)),
    };
    let failed = thousands(totals.failed_by_v2);
    let sent = format!("{requests} requests in {seconds} s, {lost}");
    let own = format!("{failed} were 500 responses of v2");
    if totals.wrong.is_empty() {
        return format!(
            "{BOLD}{sent}. Each took the treatment that the revision active at that time decided; there were {} \
             revisions.{PLAIN} ({own})",
            totals.revisions
        );
    }
    let wrong = thousands(totals.wrong.len());
    let title = format!("{wrong} differ from the policy:");
    format!(
        "{RED}{sent}{PLAIN} ({own})\n{}",
        screen::errors(&title, &totals.wrong)
    )
}
