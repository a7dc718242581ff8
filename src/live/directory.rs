//! The folder that Envoy watches, and what is in force there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use turnout_core::Plan;
use turnout_text::escape_for_terminal;

use crate::edit::Text;
use crate::entry::{Entry, Outcome, What};
use crate::error::{Error, shown};
use crate::files;
use crate::history::History;
use crate::installed::{self, Installed, Plugin, fingerprint};
use crate::lock::{self, Lock};

const FILTER: &str = "filter.json";
pub(crate) const HISTORY: &str = "history";
/// Envoy hears of it when it is made, and asks only for what is renamed.
const LOCK: &str = ".turnout.lock";

/// A folder with a `filter.json` and a `history`.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
}

/// The policy that a folder gives to its proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// The policy's text, as the proxies have it.
    pub policy: String,
    /// What else they have.
    pub plugin: Plugin,
}

impl Directory {
    /// One that may be there or not.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The file that Envoy reads.
    #[must_use]
    pub fn filter(&self) -> PathBuf {
        self.path.join(FILTER)
    }

    /// What `filter.json` gives to the proxies, if that can be read.
    ///
    /// # Errors
    /// When the folder is none, or `filter.json` is a link.
    pub fn in_force(&self) -> Result<Option<InForce>, Error> {
        match self.check() {
            Err(Error::NoFolder(_)) => return Ok(None),
            checked => checked?,
        }
        let text = files::read(&self.filter())?;
        let installed = text.and_then(|text| installed::read(&text).ok());
        Ok(installed.map(|installed| InForce {
            policy: installed.policy,
            plugin: installed.plugin,
        }))
    }

    /// Makes the folder if there is none.
    pub(crate) fn make(&self) -> Result<(), Error> {
        match self.check() {
            Err(Error::NoFolder(_)) => fs::create_dir_all(&self.path)
                .map_err(|error| Error::cannot("make", &self.path, error)),
            checked => checked,
        }
    }

    /// That this folder is ours to change.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::NoFolder(self.path.clone()));
            }
            Err(error) => return Err(Error::cannot("read", &self.path, error)),
            Ok(there) if !there.is_dir() => return Err(Error::NotAFolder(self.path.clone())),
            Ok(_) => {}
        }
        let filter = self.filter();
        if let Ok(to) = fs::read_link(&filter) {
            return Err(Error::Linked { path: filter, to });
        }
        Ok(())
    }

    pub(crate) fn lock(&self, command: &str) -> Result<Lock, Error> {
        let lock = Lock::take(&self.path.join(LOCK), command, lock::PATIENCE)?;
        files::remove_unfinished(&self.path);
        let history = self.path.join(HISTORY);
        if History::check_folder(&history).is_ok() {
            files::remove_unfinished(&history);
        }
        Ok(lock)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn history(&self) -> Result<History, Error> {
        History::open(self.path.join(HISTORY))
    }

    pub(crate) fn no_history(&self) -> History {
        History::none(self.path.join(HISTORY))
    }
}

/// What `filter.json` is.
#[derive(Debug)]
pub(crate) enum Filter {
    /// An entry of the history wrote it.
    Ours(Box<Entry>),
    /// It holds a policy that no entry wrote.
    Foreign(Box<Installed>),
    /// Nothing can be read out of it.
    Damaged(String),
    Missing,
}

/// The folder as a command finds it.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) history: History,
    pub(crate) filter: Filter,
    /// The text of `filter.json`.
    pub(crate) bytes: Option<Vec<u8>>,
    /// Sentences for whoever runs the command.
    pub(crate) notes: Vec<String>,
}

/// The policy in force, and the entry that stands for it.
#[derive(Clone, Debug)]
pub(crate) struct Current {
    pub(crate) entry: Entry,
    /// The policy's text as it is kept: before it was halted or resumed.
    pub(crate) base: String,
    /// Neither the entry nor the text is in the history yet.
    pub(crate) is_found: bool,
    /// `filter.json` is what this entry wrote.
    pub(crate) is_in_place: bool,
}

impl State {
    /// Reads the folder. Who is in a hurry goes on without a history that cannot be read.
    pub(crate) fn read(directory: &Directory, in_a_hurry: bool) -> Result<Self, Error> {
        let mut notes = Vec::new();
        let history = match directory.history() {
            Err(error) if in_a_hurry => {
                notes.push(format!("{error}; going by {FILTER} alone"));
                directory.no_history()
            }
            history => history?,
        };
        let bytes = match files::read(&directory.filter()) {
            Err(error) if in_a_hurry => {
                notes.push(error.to_string());
                None
            }
            bytes => bytes?,
        };
        let filter = bytes
            .as_deref()
            .map_or(Filter::Missing, |text| filter(text, &history));
        Ok(Self {
            history,
            filter,
            bytes,
            notes,
        })
    }

    /// Whether `filter.json` halts, by its own words: who believes an entry that is wrong leaves v2 on.
    pub(crate) fn is_halted(&self) -> Option<bool> {
        let installed = installed::read(self.bytes.as_deref()?).ok()?;
        let text = Text::read(&installed.policy).ok()?;
        Some(text.halted)
    }

    /// The number of the next entry, which no entry and no `filter.json` ever had.
    pub(crate) fn next(&self) -> u64 {
        let marked = match &self.filter {
            Filter::Foreign(installed) => installed.mark,
            _ => 0,
        };
        // A number out of the air is no reason to have none left.
        let marked = if marked > 1 << 48 { 0 } else { marked };
        self.history.last().max(marked).saturating_add(1)
    }

    /// The policy that the proxies run, as far as the folder can know. The error says why there is
    /// none.
    pub(crate) fn current(&mut self, directory: &Directory) -> Result<Option<Current>, Error> {
        match &self.filter {
            Filter::Ours(entry) => {
                let entry = entry.as_ref().clone();
                self.of_entry(entry)
            }
            Filter::Foreign(installed) => match Plan::from_json(&installed.policy) {
                Ok(plan) => {
                    let found = self.found(installed.as_ref().clone(), &plan);
                    let entry = found.entry.sequence;
                    self.notes.push(format!(
                        "{FILTER} was written by other hands; it is entry {entry} of the history now"
                    ));
                    Ok(Some(found))
                }
                Err(problems) => {
                    let count = problems.as_slice().len();
                    self.newest(
                        &format!("holds a policy with {count} problem(s)"),
                        directory,
                    )
                }
            },
            Filter::Damaged(why) => {
                let why = format!("is {}", escape_for_terminal(why));
                self.newest(&why, directory)
            }
            Filter::Missing => self.newest("is not there", directory),
        }
    }

    /// What `filter.json` stands for, where an entry wrote it.
    fn of_entry(&mut self, entry: Entry) -> Result<Option<Current>, Error> {
        let is_refused = entry.outcome.is_refused();
        // Of a halt that proxies refused it is still known which policy is to be halted.
        if !is_refused || entry.what == What::Halt {
            let mut current = self.with_base(entry, true)?;
            current.is_in_place = !is_refused;
            return Ok(Some(current));
        }
        let sequence = entry.sequence;
        let before = standing(&self.history, entry.before).and_then(|before| {
            let before = before.map(|before| self.with_base(before, false));
            before.transpose()
        });
        match before {
            Ok(Some(before)) => {
                self.notes.push(format!(
                    "{FILTER} still holds entry {sequence}, which proxies refused; going by entry {}",
                    before.entry.sequence
                ));
                Ok(Some(before))
            }
            Ok(None) if entry.outcome == Outcome::Rejected => Ok(None),
            // Some proxies run it, or nothing better is known.
            before => {
                self.notes
                    .extend(before.err().map(|error| error.to_string()));
                self.notes.push(format!(
                    "going by entry {sequence}, which {FILTER} holds and proxies refused"
                ));
                let mut current = self.with_base(entry, true)?;
                // Given again it is written again, and those that refused it are asked again.
                current.is_in_place = false;
                Ok(Some(current))
            }
        }
    }

    /// What was last in force before `filter.json` was lost.
    fn newest(&mut self, why: &str, directory: &Directory) -> Result<Option<Current>, Error> {
        let is_good =
            |entry: &Entry| !entry.outcome.is_refused() && entry.outcome != Outcome::Begun;
        let newest = self.history.entries().find(is_good);
        let Some(entry) = newest else {
            if !matches!(self.filter, Filter::Missing) {
                let filter = shown(&directory.filter());
                self.notes.push(format!("{filter} {why}"));
            }
            return Ok(None);
        };
        let sequence = entry.sequence;
        match self.with_base(entry, false) {
            Ok(current) => {
                self.notes.push(format!(
                    "{FILTER} {why}; going by entry {sequence} of the history"
                ));
                Ok(Some(current))
            }
            // A new policy can be applied all the same.
            Err(error) => {
                self.notes.push(format!("{FILTER} {why}, and {error}"));
                Ok(None)
            }
        }
    }

    /// The text comes from the history, or out of `filter.json` where that has it.
    fn with_base(&mut self, mut entry: Entry, is_in_place: bool) -> Result<Current, Error> {
        let mut is_found = false;
        let base = match self.history.text(&entry.policy) {
            Ok(base) => base,
            Err(why) => {
                let bytes = self.bytes.as_deref().filter(|_| is_in_place);
                let installed = bytes.and_then(|bytes| installed::read(bytes).ok());
                let sequence = entry.sequence;
                let installed = installed.ok_or_else(|| Error::Lost {
                    sequence,
                    why: why.clone(),
                })?;
                self.notes.push(format!(
                    "entry {sequence} of the history is lost: {why}; going by {FILTER}"
                ));
                entry.policy = fingerprint(installed.policy.as_bytes());
                is_found = true;
                installed.policy
            }
        };
        Ok(Current {
            entry,
            base,
            is_found,
            is_in_place,
        })
    }

    /// What somebody else wrote, as an entry. Where it is what the newest entry would be halted or
    /// resumed, it is that: the command that did it was killed before it could say so, or could not
    /// write.
    fn found(&self, installed: Installed, plan: &Plan) -> Current {
        let is_good =
            |entry: &Entry| !entry.outcome.is_refused() && entry.outcome != Outcome::Begun;
        let newest = self.history.entries().find(is_good);
        let halted = Text::read(&installed.policy).is_ok_and(|text| text.halted);
        let plugin = &installed.plugin;
        let before = newest.as_ref().map(|newest| newest.sequence);
        let mut entry = Entry {
            sequence: self.next(),
            when: String::new(),
            who: None,
            what: What::Found,
            why: None,
            revision: plan.revision().to_string(),
            number: plan.revision().number(),
            halted,
            wasm: plugin.wasm.clone(),
            inbound: plugin.inbound.as_str().to_owned(),
            headers: plugin.headers,
            record_level: plugin.record_level,
            max_held_bytes: plugin.max_held_bytes,
            policy: fingerprint(installed.policy.as_bytes()),
            filter: self.bytes.as_deref().map(fingerprint).unwrap_or_default(),
            before,
            back_to: None,
            outcome: Outcome::Written,
            reasons: Vec::new(),
        };
        let mut base = installed.policy;
        if let Some(newest) = newest
            && newest.plugin() == *plugin
            && let Ok(kept) = self.history.text(&newest.policy)
            && Text::with_halted(&kept, halted).is_ok_and(|state| state.text == base)
        {
            entry.policy = newest.policy;
            entry.before = newest.before;
            base = kept;
        }
        Current {
            entry,
            base,
            is_found: true,
            is_in_place: true,
        }
    }
}

fn filter(text: &[u8], history: &History) -> Filter {
    let print = fingerprint(text);
    if let Some(entry) = history.entries().find(|entry| entry.filter == print) {
        return Filter::Ours(Box::new(entry));
    }
    match installed::read(text) {
        Ok(installed) => Filter::Foreign(Box::new(installed)),
        Err(why) => Filter::Damaged(why),
    }
}

/// The entry, or if proxies refused it the one before, and so on.
pub(crate) fn standing(history: &History, sequence: Option<u64>) -> Result<Option<Entry>, Error> {
    let mut next = sequence;
    while let Some(sequence) = next {
        let entry = history
            .entry(sequence)
            .map_err(|why| Error::Lost { sequence, why })?;
        if !entry.outcome.is_refused() {
            return Ok(Some(entry));
        }
        next = entry.before;
    }
    Ok(None)
}
