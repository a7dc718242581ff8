//! What apply, rollback, halt and resume have in common: who did it, and what became of it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use turnout_core::visible;
use turnout_live::{
    Author, Change, Directory, EnvoyLog, Error, Outcome, Proxies, Proxy, Settled, Verdict, What,
    outcome,
};

use crate::exit::{Exit, refuse};
use crate::moment::now;
use crate::{problems, text};

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

/// Whether the proxies are looked at before the change: only then is a refusal seen for certain. A
/// halt does not wait for a proxy that may be dead.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstLook {
    Waits,
    DoesNotWait,
}

impl Options {
    pub(crate) fn directory(&self) -> Directory {
        Directory::new(&self.dir)
    }

    fn author(&self) -> Author {
        let named = |name: &&str| {
            let value = std::env::var(name).ok();
            value.filter(|value| !value.is_empty())
        };
        let names = ["SUDO_USER", "USER", "LOGNAME"];
        Author {
            who: self.who.clone().or_else(|| names.iter().find_map(named)),
            why: self.why.clone(),
            when: now(),
            keep: self.keep,
        }
    }

    /// Changes the policy, asks the proxies, and tells.
    pub(crate) fn carry_out(
        &self,
        look: FirstLook,
        change: impl FnOnce(&Directory, &Author) -> Result<Change, Error>,
    ) -> Exit {
        match self.try_carry_out(look, change) {
            Ok(exit) => exit,
            Err(error) => refuse(&error),
        }
    }

    fn try_carry_out(
        &self,
        look: FirstLook,
        change: impl FnOnce(&Directory, &Author) -> Result<Change, Error>,
    ) -> Result<Exit, String> {
        let log = match &self.log {
            Some(path) => Some(EnvoyLog::from_now(path).map_err(|error| error.to_string())?),
            None => None,
        };
        let proxies = Proxies::at(&self.admin)?;
        if look == FirstLook::Waits {
            proxies.wait_for_first_look();
        }
        let directory = self.directory();
        let mut change = change(&directory, &self.author()).map_err(|error| error.to_string())?;
        for note in &change.notes {
            tell(note);
        }
        let said = proxies.wait(&change.entry.revision, change.entry.number, self.timeout);
        let outcome = outcome(&said);
        let mut told = Told {
            reasons: Vec::new(),
            reasons_of: None,
            put_back: None,
        };
        if !proxies.is_empty() {
            let mut reasons = Vec::new();
            if let Some(log) = log.as_ref().filter(|_| outcome.is_refused()) {
                match log.reasons(self.timeout) {
                    Ok(said) => reasons = said,
                    Err(error) => tell(&error.to_string()),
                }
            }
            let settled = directory.settle(&mut change, outcome, &reasons);
            told = self.told(settled);
        }
        let text = match self.json {
            true => self.as_json(&change, outcome, &said, &told),
            false => self.as_text(&change, &said, &told),
        };
        text::write(None, &text)?;
        if outcome.is_refused() {
            self.tell_reasons(&told);
        }
        Ok(match outcome {
            Outcome::Written | Outcome::Accepted => Exit::Done,
            _ => Exit::No,
        })
    }

    fn told(&self, settled: Settled) -> Told {
        for note in &settled.notes {
            tell(note);
        }
        Told {
            reasons: settled.reasons,
            reasons_of: settled.reasons_of,
            put_back: settled.put_back,
        }
    }

    fn tell_reasons(&self, told: &Told) {
        match (told.reasons_of, told.reasons.as_slice()) {
            (_, []) if self.log.is_some() => {
                tell("nothing in Envoy's log says why; is it the log of that proxy?");
            }
            (_, []) => tell("the reasons are in Envoy's log; --log FILE shows them here"),
            (Some(entry), _) => tell(&format!("entry {entry} was refused with these reasons:")),
            (None, _) => {}
        }
        for reason in &told.reasons {
            problems::tell(&format!("  {}", visible(reason)));
        }
    }

    fn as_text(&self, change: &Change, said: &[Proxy], told: &Told) -> String {
        let entry = &change.entry;
        let (revision, number) = (visible(&entry.revision), entry.sequence);
        let filter = text::name_of(&self.directory().filter());
        let mut text = match (change.is_already, entry.what) {
            (true, _) if entry.halted => {
                format!("{revision} is in force already, and halted; nothing was written\n")
            }
            (true, _) => format!("{revision} is in force already; nothing was written\n"),
            (_, What::Halt) => {
                format!("{revision}: everyone on v1, written to {filter} (entry {number})\n")
            }
            (_, What::Rollback) => {
                format!("back to {revision}, written to {filter} (entry {number})\n")
            }
            _ => format!("{revision} is written to {filter} (entry {number})\n"),
        };
        if !change.is_already && entry.halted && entry.what != What::Halt {
            text.push_str("it is halted, so everyone is on v1; `turnout resume` takes that back\n");
        }
        for proxy in said {
            let _ = writeln!(
                text,
                "{}: {}",
                visible(&proxy.admin),
                self.sentence(&proxy.verdict)
            );
        }
        if let Some(revision) = &told.put_back {
            let _ = writeln!(text, "{filter} holds {} again", visible(revision));
        }
        text
    }

    fn sentence(&self, verdict: &Verdict) -> String {
        let instead = |running: &Option<String>| match running {
            Some(revision) => format!("; it runs {}", visible(revision)),
            None => String::new(),
        };
        match verdict {
            Verdict::Accepted => "accepted".into(),
            Verdict::Rejected { running } => format!("rejected{}", instead(running)),
            Verdict::Unconfirmed { running } => format!(
                "not confirmed within {:?}{}; does it watch {}?",
                self.timeout,
                instead(running),
                text::name_of(&self.directory().filter())
            ),
            Verdict::NotDiscovered => {
                "it discovers no filter named turnout; take it over from envoy/live-policy.yaml"
                    .into()
            }
            Verdict::Unreachable(error) => visible(error),
        }
    }

    fn as_json(&self, change: &Change, outcome: Outcome, said: &[Proxy], told: &Told) -> String {
        let entry = &change.entry;
        let proxies = said.iter().map(|proxy| {
            let running = match &proxy.verdict {
                Verdict::Accepted => Some(&entry.revision),
                Verdict::Rejected { running } | Verdict::Unconfirmed { running } => {
                    running.as_ref()
                }
                Verdict::NotDiscovered | Verdict::Unreachable(_) => None,
            };
            json!({
                "admin": proxy.admin,
                "state": proxy.verdict.as_str(),
                "running": running,
                "sentence": self.sentence(&proxy.verdict),
            })
        });
        let report = json!({
            "what": entry.what.as_str(),
            "sequence": entry.sequence,
            "revision": entry.revision,
            "number": entry.number,
            "halted": entry.halted,
            "already": change.is_already,
            "outcome": outcome.as_str(),
            "put_back": told.put_back,
            "reasons": told.reasons,
            "reasons_of": told.reasons_of,
            "proxies": proxies.collect::<Vec<_>>(),
        });
        text::visible_json(format!("{report:#}\n"))
    }
}

/// What is known after the proxies were asked.
struct Told {
    reasons: Vec<String>,
    reasons_of: Option<u64>,
    put_back: Option<String>,
}

fn tell(sentence: &str) {
    problems::tell(&format!("turnout: {}", visible(sentence)));
}
