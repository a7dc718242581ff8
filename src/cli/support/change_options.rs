//! The common arguments and steps of apply, rollback, halt, resume and rearm: review the change, write it, and wait for
//! the proxies.

mod change_report;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use turnout_core::lint::ProxyRoutes;
use turnout_live::{
    Author, Change, Directory, Error, Intent, LiftedHalts, Outcome, Preview, Proxies, Readiness,
    outcome,
};

use crate::support::account_file_access::LineOptions;
use crate::support::change_limits::Limits;
use crate::support::current_user::current_user;
use crate::support::exit::{Exit, refuse};
use crate::support::policy_changes::Changes;
use crate::support::safe_output::SafeText;
use crate::support::safe_output::print_error_line;
use crate::support::text_io;
use crate::support::time_arg::now;

use change_report::{ChangeReport, ProxySource};
use turnout_admin::{AdminClient, EnvoyLog};
use turnout_text::escape_for_terminal;

/// How long a change is retried while other commands change the folder.
const PATIENCE: Duration = Duration::from_secs(10);

/// The arguments of every command that changes the active policy.
#[derive(Args)]
pub(crate) struct Options {
    /// The folder that Envoy watches. It contains filter.json and the history.
    #[arg(long, value_name = "FOLDER")]
    dir: PathBuf,
    /// The admin address of a proxy: wait until the proxy runs the change or has refused it. May be repeated.
    #[arg(long, value_name = "URL")]
    admin: Vec<String>,
    /// Envoy's log, to show why the filter refuses a policy.
    #[arg(long, value_name = "FILE", requires = "admin")]
    log: Option<PathBuf>,
    /// The maximum number of seconds to wait for the proxies.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    timeout: Duration,
    /// The reason for the change, for the history.
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// The name of the person who makes the change, for the history. Default: the current user.
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// The number of entries that the history keeps.
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    keep: usize,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok();
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| "expected a number of seconds, such as `10` or `0.5`".into())
}

/// The arguments that can stop a change before it is written. A halt has none of them.
#[derive(Args)]
pub(crate) struct Review {
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    unready: UnreadyOption,
}

/// The `--unready-ok` argument.
#[derive(Args, Clone, Copy)]
pub(crate) struct UnreadyOption {
    /// Write the change even if a proxy of --admin does not respond, is not an Envoy with the filter, or runs a
    /// policy other than the one in the folder.
    #[arg(long, requires = "admin")]
    unready_ok: bool,
}

/// The arguments that lift halts together with a change.
#[derive(Args)]
pub(crate) struct Resume {
    /// Lift the halt of everyone, if there is one.
    #[arg(long)]
    resume: bool,
    /// Lift the halt of this rollout, if there is one. May be repeated.
    #[arg(long, value_name = "NAME")]
    resume_rollout: Vec<String>,
}

impl Resume {
    pub(crate) fn lifts(&self) -> LiftedHalts<'_> {
        LiftedHalts {
            everyone: self.resume,
            rollouts: &self.resume_rollout,
        }
    }
}

/// Why the review stopped a change.
enum Stop {
    /// The reason has been printed.
    Reported(Exit),
    /// The error to print.
    Error(String),
}

impl Review {
    /// The review of a change that moves no account by its policy.
    pub(crate) fn without_limits(unready: UnreadyOption) -> Self {
        Self {
            limits: Limits::default(),
            unready,
        }
    }

    /// The file of accounts, which may be standard input.
    pub(crate) fn accounts(&self) -> Option<&PathBuf> {
        self.limits.accounts()
    }

    /// Whether messages show the lines of account files.
    pub(crate) fn lines(&self) -> &LineOptions {
        self.limits.lines()
    }
}

impl Options {
    pub(crate) fn directory(&self) -> Directory {
        Directory::new(&self.dir)
    }

    /// Checks that each address is valid.
    pub(crate) fn check_admins(&self) -> Result<(), String> {
        let mut admins = self.admin.iter();
        admins.try_for_each(|admin| AdminClient::new(admin, self.timeout).map(drop))
    }

    /// The routes of the proxies. Prints an error for each proxy whose routes cannot be read.
    pub(crate) fn routes(&self) -> Vec<ProxyRoutes> {
        let read = turnout_admin::routes(&self.admin).into_iter();
        read.filter_map(|routes| routes.map_err(|error| print_note(&error)).ok())
            .collect()
    }

    /// The addresses of `--admin`.
    pub(crate) fn admins(&self) -> &[String] {
        &self.admin
    }

    fn author(&self) -> Author {
        Author {
            who: self.who.clone().or_else(current_user),
            why: self.why.clone(),
            when: now(),
            keep: self.keep,
        }
    }

    /// Reviews and writes a change, waits for the proxies, and prints the result.
    pub(crate) fn carry_out(&self, intent: &Intent<'_>, review: &Review) -> Exit {
        let carried_out = self.try_carry_out(intent, Some(review));
        carried_out.unwrap_or_else(|error| refuse(&error))
    }

    /// Halts without a review: writes the file first, and then asks the proxies.
    pub(crate) fn halt(&self, rollout: Option<&str>) -> Exit {
        let halted = self.try_carry_out(&Intent::Halt { rollout }, None);
        halted.unwrap_or_else(|error| refuse(&error))
    }

    fn try_carry_out(&self, intent: &Intent<'_>, review: Option<&Review>) -> Result<Exit, String> {
        let log = match self.log.as_deref().map(EnvoyLog::from_now).transpose() {
            Ok(log) => log,
            // An unreadable log must not prevent a halt.
            Err(error) if review.is_none() => {
                print_note(&error.to_string());
                None
            }
            Err(error) => return Err(error.to_string()),
        };
        let asked = self.asked(review.is_none());
        let proxies = Proxies::at(asked.addresses())?;
        let directory = self.directory();
        let author = self.author();
        let (mut change, changes) = match review {
            Some(review) => match self.review(intent, &author, review, &proxies) {
                Ok((change, changes)) => (change, Some(changes)),
                Err(Stop::Reported(exit)) => return Ok(exit),
                Err(Stop::Error(error)) => return Err(error),
            },
            None => {
                let change = directory.change(intent, &author, None);
                (change.map_err(|error| error.to_string())?, None)
            }
        };
        for note in &change.notes {
            print_note(note);
        }
        if let (Intent::Apply { .. }, ProxySource::Given(_)) = (intent, &asked)
            && let Err(error) = directory.remember(&proxies.names())
        {
            print_note(&error.to_string());
        }
        let results = proxies.wait(&change.entry.revision, change.entry.number, self.timeout);
        let outcome = outcome(&results);
        let mut reasons = Vec::new();
        if let Some(log) = log.as_ref().filter(|_| outcome.is_refused()) {
            match log.reasons(self.timeout) {
                Ok(found) => reasons = found,
                Err(error) => print_note(&error.to_string()),
            }
        }
        let recorded = match proxies.is_empty() {
            true => None,
            false => Some(directory.record_outcome(&mut change, outcome, &reasons)),
        };
        for note in recorded.iter().flat_map(|recorded| &recorded.notes) {
            print_note(note);
        }
        let report = ChangeReport {
            filter: text_io::name_of(&directory.filter()),
            is_resume: matches!(intent, Intent::Resume { .. }),
            halted: match intent {
                Intent::Halt { rollout } => Some(*rollout),
                _ => None,
            },
            timeout: self.timeout,
            changes: changes.as_ref().filter(|_| !change.is_unchanged),
            change: &change,
            asked: &asked,
            results: &results,
            outcome,
            recorded: recorded.as_ref(),
        };
        let text = match self.json {
            true => report.to_json(),
            false => SafeText::lines(&report.to_text()),
        };
        text_io::write(None, &text)?;
        if outcome.is_refused() {
            report.print_reasons(self.log.is_some());
        }
        Ok(match outcome {
            Outcome::Written | Outcome::Accepted => Exit::Done,
            _ => Exit::No,
        })
    }

    /// The proxies to ask: those of `--admin`, or for a halt without it, those of the last apply.
    fn asked(&self, is_halt: bool) -> ProxySource {
        if !self.admin.is_empty() {
            return ProxySource::Given(self.admin.clone());
        }
        let remembered = match is_halt {
            true => self.directory().remembered(),
            false => Ok(Vec::new()),
        };
        match remembered {
            Ok(addresses) if addresses.is_empty() => ProxySource::None,
            Ok(addresses) => ProxySource::Remembered(addresses),
            Err(error) => {
                print_note(&error);
                ProxySource::None
            }
        }
    }

    /// Checks the limits of the change and the readiness of the proxies, and writes the change if all is well.
    fn review(
        &self,
        intent: &Intent<'_>,
        author: &Author,
        review: &Review,
        proxies: &Proxies,
    ) -> Result<(Change, Changes), Stop> {
        let directory = self.directory();
        let began = Instant::now();
        loop {
            let preview = directory.preview(intent, author);
            let preview = preview.map_err(|error| Stop::Error(error.to_string()))?;
            let changes = Changes::of(&preview);
            if !preview.is_unchanged {
                let refused = self.check_limits(review, &preview, &changes);
                let refused = refused.and_then(|()| ready(review, &preview, proxies));
                refused.map_err(Stop::Reported)?;
            }
            match directory.change(intent, author, Some(&preview)) {
                Err(Error::ChangedMeanwhile) if began.elapsed() < PATIENCE => {}
                Err(error) => return Err(Stop::Error(error.to_string())),
                Ok(change) => return Ok((change, changes)),
            }
        }
    }

    /// Checks that the change respects its limits. Otherwise, prints the change and the violated limits.
    fn check_limits(
        &self,
        review: &Review,
        preview: &Preview,
        changes: &Changes,
    ) -> Result<(), Exit> {
        if !review.limits.is_given() {
            return Ok(());
        }
        let violations = review.limits.violations(preview)?;
        if violations.is_empty() {
            return Ok(());
        }
        let text = match self.json {
            true => change_report::forbidden_as_json(preview, changes, &violations),
            false => SafeText::lines(&changes.to_text()),
        };
        text_io::print(&text, Exit::No);
        for violation in violations {
            print_note(&violation);
        }
        print_note("nothing was written");
        Err(Exit::No)
    }
}

/// Checks that each proxy will receive the change, unless `--unready-ok` is set.
fn ready(review: &Review, preview: &Preview, proxies: &Proxies) -> Result<(), Exit> {
    if proxies.is_empty() {
        return Ok(());
    }
    proxies.wait_for_first_look();
    // A policy that only the history has may be older than the one the proxies run.
    let current = preview.before.as_ref().filter(|before| before.is_in_place);
    let unready = proxies.readiness(current).into_iter();
    let unready = unready.filter(|(_, readiness)| *readiness != Readiness::Ready);
    let unready: Vec<_> = unready.collect();
    for (admin, readiness) in &unready {
        print_note(&format!("{admin}: {readiness}"));
    }
    if unready.is_empty() || review.unready.unready_ok {
        return Ok(());
    }
    Err(refuse(
        "nothing was written: a proxy of --admin would not receive the change; fix the proxy, remove its \
         --admin, or use --unready-ok to write anyway",
    ))
}

/// Prints one line to standard error.
fn print_note(sentence: &str) {
    print_error_line(&format!("turnout: {}", escape_for_terminal(sentence)));
}
