//! `turnout watch`: shows the live progress of each rollout.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use turnout_live::Directory;
use turnout_watch::{
    Watch, json, one_line_per_rollout, reader_leaves_within, report, show, terminal_size,
};

use crate::support::exit::{Exit, refuse};
use crate::support::interval_arg::parse_interval;
use crate::support::safe_output::{self, SafeText};

/// The width of a report without a terminal, in columns.
const WIDTH: u16 = 100;
/// How long two polls may take: a proxy that does not respond times out after two seconds, and an unfinished
/// configuration dump after at most twenty.
const TWO_LOOKS: Duration = Duration::from_secs(30);

/// Watch the progress and the errors of each rollout in running proxies.
///
/// Shows for each rollout: the accounts on v2 by the active policy (the bar is the percentage of accounts in
/// no segment); the requests on v2 by the filter's counters, in the last interval and since the watch began;
/// and the percentage of 5xx responses of the v1 and v2 clusters, for all traffic to them. In the modes dark
/// and shadow v1 serves everyone, and the bars show what v2 would get.
///
/// For a rollout with a guard it shows the state of the guard, a bar that is full at the evidence at which the
/// guard trips, and instead of the clusters' errors those of the requests that the guard compares: in the last
/// interval, and in brackets since the proxies started. They appear `settle_seconds` after the decision.
///
/// On a terminal, the view refreshes until q, Esc or Ctrl-C; the arrow keys scroll. Otherwise, prints one line
/// per rollout and interval.
#[derive(Args)]
#[command(after_help = "Exit codes:
  0    the command ended normally
  1    with --once: a proxy does not respond, or is not Envoy
  2    an option has an error
  129, 130, 143  in a shell: ended by SIGHUP (or because the terminal is gone), SIGINT or SIGTERM

NO_COLOR=1 turns colours off.

Examples:
  turnout watch --admin http://127.0.0.1:9901 --dir /etc/envoy/turnout
  turnout watch --admin http://10.0.0.7:9901 --admin http://10.0.0.8:9901 --once")]
pub(crate) struct Arguments {
    /// The admin address of a proxy. May be repeated.
    #[arg(long, value_name = "URL", required = true)]
    admin: Vec<String>,
    /// The interval between two polls, such as `1s`, `0.5s` or `200ms`.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_interval)]
    interval: Duration,
    /// Print one report after one interval, and exit.
    #[arg(long)]
    once: bool,
    /// Print one line of JSON per interval instead of text.
    #[arg(long)]
    json: bool,
    /// The folder that Envoy watches: also show who last changed the policy, and why.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    match watch(arguments) {
        Ok(exit) => exit,
        Err(error) => refuse(&error),
    }
}

fn watch(arguments: &Arguments) -> Result<Exit, String> {
    let mut watch = Watch::start(&arguments.admin, arguments.interval)?;
    if let Some(folder) = &arguments.dir {
        watch = watch.with_history(Directory::new(folder));
    }
    if arguments.once {
        return once(arguments, &watch);
    }
    if !arguments.json && safe_output::is_terminal() {
        let has_colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        show(&watch, arguments.interval, has_colours).map_err(|error| {
            format!("cannot use the terminal: {error}; use --once, which needs none")
        })?;
        return Ok(Exit::Done);
    }
    wait_for_two_looks(arguments, &watch);
    loop {
        let view = watch.view();
        let text = match arguments.json {
            true => SafeText::json(&json(&view)),
            false => SafeText::lines(&one_line_per_rollout(&view)),
        };
        if !print(&text)? {
            return Ok(Exit::Done);
        }
        if reader_leaves_within(arguments.interval) {
            return Ok(Exit::Done);
        }
    }
}

fn once(arguments: &Arguments, watch: &Watch) -> Result<Exit, String> {
    wait_for_two_looks(arguments, watch);
    let view = watch.view();
    let text = match arguments.json {
        true => SafeText::json(&json(&view)),
        false => SafeText::lines(&report(&view, width())),
    };
    print(&text)?;
    let all_respond = view
        .proxies
        .iter()
        .all(|proxy| proxy.responds == Some(true));
    Ok(if all_respond { Exit::Done } else { Exit::No })
}

/// Waits for two polls, which rates need.
fn wait_for_two_looks(arguments: &Arguments, watch: &Watch) {
    watch.wait_for_readings(2, TWO_LOOKS.saturating_add(arguments.interval));
}

fn width() -> u16 {
    let is_terminal = safe_output::is_terminal();
    let size = is_terminal.then(terminal_size).flatten();
    size.map_or(WIDTH, |(columns, _)| columns)
}

/// Prints; `false` if the reader has closed standard output.
fn print(text: &SafeText) -> Result<bool, String> {
    match safe_output::print(text) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(format!("cannot write to standard output: {error}")),
    }
}
