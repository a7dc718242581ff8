//! `turnout watch`: how much of each rollout is done, live.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use turnout_live::Directory;
use turnout_watch::{
    Watch, json, one_line_each, reader_leaves_within, report, show, terminal_size,
};

use crate::support::exit::{Exit, refuse};
use crate::support::safe_output::{self, SafeText};

/// Where no terminal says how wide it is.
const WIDTH: u16 = 100;
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(3_600);
/// Two looks may take so long: one that does not answer is given up after two seconds, and a dump of a
/// configuration that does not end after at most twenty.
const TWO_LOOKS: Duration = Duration::from_secs(30);

/// Watch running proxies: how much of each rollout is on v2, and whether it goes well.
///
/// Of each rollout: the accounts that take v2, by the policy in force (the bar is the share of those
/// that no segment lists); the requests that took it, by the filter's counters, in the last interval
/// and since watching began; and the share of requests that v1's and v2's clusters answered with 5xx, by
/// whomever they were asked. In the modes dark and shadow v1 answers everyone, and the bars show what v2
/// would get.
///
/// On a terminal it is redrawn until q, Esc or Ctrl-C; the arrow keys scroll. Else it prints a line for
/// each rollout and interval.
#[derive(Args)]
#[command(
    after_help = "With --once it ends with 1 if a proxy does not answer or is no Envoy. A terminal that is gone ends it as SIGHUP does; \
SIGTERM, SIGINT and SIGHUP end it as any command (143, 130 and 129 in a shell). NO_COLOR=1 leaves out colours.

Examples:
  turnout watch --admin http://127.0.0.1:9901 --dir /etc/envoy/turnout
  turnout watch --admin http://10.0.0.7:9901 --admin http://10.0.0.8:9901 --once"
)]
pub(crate) struct Arguments {
    /// The admin address of a proxy; may be given more than once.
    #[arg(long, value_name = "URL", required = true)]
    admin: Vec<String>,
    /// How often to look, as in `1s`, `0.5s` or `200ms`.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = interval)]
    interval: Duration,
    /// Print one report, after one interval, and end.
    #[arg(long)]
    once: bool,
    /// Print one JSON object for each interval instead, on a line.
    #[arg(long)]
    json: bool,
    /// The folder that Envoy watches: says also who changed the policy last, and why.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

fn interval(text: &str) -> Result<Duration, String> {
    let (number, thousandth) = match text.strip_suffix("ms") {
        Some(number) => (number, 1_000),
        None => (text.strip_suffix('s').unwrap_or(text), 1),
    };
    let seconds = number.trim().parse().ok();
    let interval = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let interval = interval.and_then(|interval| interval.checked_div(thousandth));
    interval
        .filter(|interval| (SHORTEST..=LONGEST).contains(interval))
        .ok_or_else(|| "write a time from `100ms` to `3600s`".into())
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
        show(&watch, arguments.interval, has_colours)
            .map_err(|error| format!("cannot use the terminal: {error}; --once needs none"))?;
        return Ok(Exit::Done);
    }
    wait_for_two_looks(arguments, &watch);
    loop {
        let view = watch.view();
        let text = match arguments.json {
            true => SafeText::json(&json(&view)),
            false => SafeText::lines(&one_line_each(&view)),
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
    let all_answer = view.proxies.iter().all(|proxy| proxy.answers == Some(true));
    Ok(if all_answer { Exit::Done } else { Exit::No })
}

/// So that there are rates.
fn wait_for_two_looks(arguments: &Arguments, watch: &Watch) {
    watch.wait_for_looks(2, TWO_LOOKS.saturating_add(arguments.interval));
}

fn width() -> u16 {
    let is_terminal = safe_output::is_terminal();
    let size = is_terminal.then(terminal_size).flatten();
    size.map_or(WIDTH, |(columns, _)| columns)
}

/// `false` when nobody reads any more.
fn print(text: &SafeText) -> Result<bool, String> {
    match safe_output::print(text) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(format!("cannot write to standard output: {error}")),
    }
}
