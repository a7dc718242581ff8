//! What apply, rollback, halt and resume have in common: the folder, the proxies, and what is asked of
//! them before and after the change.

mod change_report;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use turnout_core::lint::ProxyRoutes;
use turnout_live::{
    Author, Change, Directory, Error, Intent, Outcome, Preview, Proxies, Readiness, outcome,
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

use change_report::{Asked, ChangeReport};
use turnout_admin::{AdminClient, EnvoyLog};
use turnout_text::escape_for_terminal;

/// How long a change is looked at again and again because somebody else was quicker.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the commands that change a policy in force have in common.
#[derive(Args)]
pub(crate) struct Options {
    /// The folder that Envoy watches, with filter.json and the history.
    #[arg(long, value_name = "FOLDER")]
    dir: PathBuf,
    /// Wait until this proxy says which version it runs; may be given more than once.
    #[arg(long, value_name = "URL")]
    admin: Vec<String>,
    /// Envoy's log, for what the filter says when it refuses a policy.
    #[arg(long, value_name = "FILE", requires = "admin")]
    log: Option<PathBuf>,
    /// How long to wait for the proxies.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    timeout: Duration,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Who does it, for the history; the user of this system unless given.
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// How many entries the history keeps.
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    keep: usize,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok();
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| "write a number of seconds, as in `10` or `0.5`".into())
}

/// What is asked of a change before it is made. A halt does not wait for any of it.
#[derive(Args)]
pub(crate) struct Review {
    #[command(flatten)]
    limits: Limits,
    /// Write also if a proxy of --admin does not answer, is no Envoy with the filter, or runs something
    /// else than the folder holds.
    #[arg(long, requires = "admin")]
    unready_ok: bool,
}

/// Why a change that was reviewed was not made.
enum Stop {
    /// That has been said.
    Said(Exit),
    /// The sentence says it.
    Because(String),
}

impl Review {
    /// The file of accounts, which may be standard input.
    pub(crate) fn accounts(&self) -> Option<&PathBuf> {
        self.limits.accounts()
    }

    /// Whether the lines of files of accounts are shown.
    pub(crate) fn lines(&self) -> &LineOptions {
        self.limits.lines()
    }
}

impl Options {
    pub(crate) fn directory(&self) -> Directory {
        Directory::new(&self.dir)
    }

    /// That each address is one.
    pub(crate) fn check_admins(&self) -> Result<(), String> {
        let mut admins = self.admin.iter();
        admins.try_for_each(|admin| AdminClient::new(admin, self.timeout).map(drop))
    }

    /// The routes of the proxies, as far as they can be read; that others cannot is said.
    pub(crate) fn routes(&self) -> Vec<ProxyRoutes> {
        let read = turnout_admin::routes(&self.admin).into_iter();
        read.filter_map(|routes| routes.map_err(|error| tell(&error)).ok())
            .collect()
    }

    /// The addresses of the proxies that are given.
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

    /// Changes the policy, asks the proxies, and tells.
    pub(crate) fn carry_out(&self, intent: &Intent<'_>, review: &Review) -> Exit {
        let carried_out = self.try_carry_out(intent, Some(review));
        carried_out.unwrap_or_else(|error| refuse(&error))
    }

    /// Halts: the file is written first, and then the proxies are asked.
    pub(crate) fn halt(&self) -> Exit {
        let halted = self.try_carry_out(&Intent::Halt, None);
        halted.unwrap_or_else(|error| refuse(&error))
    }

    fn try_carry_out(&self, intent: &Intent<'_>, review: Option<&Review>) -> Result<Exit, String> {
        let log = match self.log.as_deref().map(EnvoyLog::from_now).transpose() {
            Ok(log) => log,
            // Nobody waits for a halt because of a log.
            Err(error) if review.is_none() => {
                tell(&error.to_string());
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
                Err(Stop::Said(exit)) => return Ok(exit),
                Err(Stop::Because(error)) => return Err(error),
            },
            None => {
                let change = directory.change(intent, &author, None);
                (change.map_err(|error| error.to_string())?, None)
            }
        };
        for note in &change.notes {
            tell(note);
        }
        if let (Intent::Apply { .. }, Asked::Given(_)) = (intent, &asked)
            && let Err(error) = directory.remember(&proxies.names())
        {
            tell(&error.to_string());
        }
        let said = proxies.wait(&change.entry.revision, change.entry.number, self.timeout);
        let outcome = outcome(&said);
        let mut reasons = Vec::new();
        if let Some(log) = log.as_ref().filter(|_| outcome.is_refused()) {
            match log.reasons(self.timeout) {
                Ok(said) => reasons = said,
                Err(error) => tell(&error.to_string()),
            }
        }
        let settled = match proxies.is_empty() {
            true => None,
            false => Some(directory.settle(&mut change, outcome, &reasons)),
        };
        for note in settled.iter().flat_map(|settled| &settled.notes) {
            tell(note);
        }
        let report = ChangeReport {
            filter: text_io::name_of(&directory.filter()),
            is_halt: matches!(intent, Intent::Halt),
            timeout: self.timeout,
            changes: changes.as_ref().filter(|_| !change.is_already),
            change: &change,
            asked: &asked,
            said: &said,
            outcome,
            settled: settled.as_ref(),
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

    /// Which proxies are asked: those that are given. A halt asks those of the last apply where none is.
    fn asked(&self, is_halt: bool) -> Asked {
        if !self.admin.is_empty() {
            return Asked::Given(self.admin.clone());
        }
        let remembered = match is_halt {
            true => self.directory().remembered(),
            false => Ok(Vec::new()),
        };
        match remembered {
            Ok(addresses) if addresses.is_empty() => Asked::None,
            Ok(addresses) => Asked::Remembered(addresses),
            Err(error) => {
                tell(&error);
                Asked::None
            }
        }
    }

    /// Looks at what the change comes to and at the proxies, and makes it where nothing speaks against
    /// it.
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
            let preview = preview.map_err(|error| Stop::Because(error.to_string()))?;
            let changes = Changes::of(&preview);
            if !preview.is_already {
                let refused = self.check_limits(review, &preview, &changes);
                let refused = refused.and_then(|()| ready(review, &preview, proxies));
                refused.map_err(Stop::Said)?;
            }
            match directory.change(intent, author, Some(&preview)) {
                Err(Error::ChangedMeanwhile) if began.elapsed() < PATIENCE => {}
                Err(error) => return Err(Stop::Because(error.to_string())),
                Ok(change) => return Ok((change, changes)),
            }
        }
    }

    /// That the change does nothing that is forbidden. Else it is shown, and why.
    fn check_limits(
        &self,
        review: &Review,
        preview: &Preview,
        changes: &Changes,
    ) -> Result<(), Exit> {
        if !review.limits.is_given() {
            return Ok(());
        }
        let refused = review.limits.refused(preview)?;
        if refused.is_empty() {
            return Ok(());
        }
        let text = match self.json {
            true => change_report::forbidden_as_json(preview, changes, &refused),
            false => SafeText::lines(&changes.to_text()),
        };
        text_io::print(&text, Exit::No);
        for refused in refused {
            tell(&refused);
        }
        tell("nothing was written");
        Err(Exit::No)
    }
}

/// That each proxy will hear of the change, or that nobody minds.
fn ready(review: &Review, preview: &Preview, proxies: &Proxies) -> Result<(), Exit> {
    if proxies.is_empty() {
        return Ok(());
    }
    proxies.wait_for_first_look();
    // What the history alone says may be older than what they run.
    let current = preview.before.as_ref().filter(|before| before.is_in_place);
    let unready = proxies.readiness(current).into_iter();
    let unready = unready.filter(|(_, readiness)| *readiness != Readiness::Ready);
    let unready: Vec<_> = unready.collect();
    for (admin, readiness) in &unready {
        tell(&format!("{admin}: {readiness}"));
    }
    if unready.is_empty() || review.unready_ok {
        return Ok(());
    }
    Err(refuse(
        "nothing was written, for not every proxy of --admin will hear of it; mend that, leave that \
         --admin out, or give --unready-ok to write all the same",
    ))
}

fn tell(sentence: &str) {
    print_error_line(&format!("turnout: {}", escape_for_terminal(sentence)));
}
