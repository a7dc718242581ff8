//! The folder that Envoy watches, and its active policy.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use turnout_core::Plan;
use turnout_text::escape_for_terminal;

use crate::atomic_file;
use crate::error::{Error, shown};
use crate::filter_file::{self, FilterFile, Plugin, fingerprint};
use crate::folder_lock::{self, Lock};
use crate::history::History;
use crate::history_entry::{Action, HistoryEntry, Outcome};
use crate::policy_state::PolicyState;
use crate::policy_text::PolicyText;

const FILTER: &str = "filter.json";
pub(crate) const HISTORY: &str = "history";
/// The name of the lock file. Creating it does not disturb Envoy, which reacts only to renames.
const LOCK: &str = ".turnout.lock";

/// A folder with `filter.json` and `history/`.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
}

/// The active policy of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivePolicy {
    /// The text of the policy, as the proxies receive it.
    pub policy: String,
    /// The other settings of the plugin.
    pub plugin: Plugin,
}

impl Directory {
    /// Returns the directory with this path, which does not have to exist.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Returns the path of `filter.json`, which Envoy reads.
    #[must_use]
    pub fn filter(&self) -> PathBuf {
        self.path.join(FILTER)
    }

    /// Returns the policy in `filter.json`, if it can be read.
    ///
    /// # Errors
    /// If this is not a folder, or `filter.json` is a link.
    pub fn active_policy(&self) -> Result<Option<ActivePolicy>, Error> {
        match self.check() {
            Err(Error::NoFolder(_)) => return Ok(None),
            checked => checked?,
        }
        let text = atomic_file::read(&self.filter())?;
        let installed = text.and_then(|text| filter_file::read(&text).ok());
        Ok(installed.map(|installed| ActivePolicy {
            policy: installed.policy,
            plugin: installed.plugin,
        }))
    }

    /// Creates the folder if it does not exist.
    pub(crate) fn make(&self) -> Result<(), Error> {
        match self.check() {
            Err(Error::NoFolder(_)) => fs::create_dir_all(&self.path)
                .map_err(|error| Error::cannot("create", &self.path, error)),
            checked => checked,
        }
    }

    /// Checks that this folder may be changed.
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
        let lock = Lock::take(&self.path.join(LOCK), command, folder_lock::PATIENCE)?;
        atomic_file::remove_unfinished(&self.path);
        let history = self.path.join(HISTORY);
        if History::check_folder(&history).is_ok() {
            atomic_file::remove_unfinished(&history);
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

/// The origin of `filter.json`.
#[derive(Debug)]
pub(crate) enum Filter {
    /// A command wrote it, with this entry.
    Ours(Box<HistoryEntry>),
    /// Something else wrote it, and it has a policy.
    Foreign(Box<FilterFile>),
    /// It cannot be read. The text says why.
    Damaged(String),
    Missing,
}

/// The state of the folder at the start of a command.
#[derive(Debug)]
pub(crate) struct FolderState {
    pub(crate) history: History,
    pub(crate) filter: Filter,
    /// The text of `filter.json`.
    pub(crate) bytes: Option<Vec<u8>>,
    /// Messages for the user.
    pub(crate) notes: Vec<String>,
}

/// The active policy and its entry.
#[derive(Clone, Debug)]
pub(crate) struct CurrentPolicy {
    pub(crate) entry: HistoryEntry,
    /// The text of the policy from before a halt, resume or rearm.
    pub(crate) base: String,
    /// Whether something else wrote it, so that the history does not have it yet.
    pub(crate) is_found: bool,
    /// Whether `filter.json` has this policy.
    pub(crate) is_in_place: bool,
}

impl FolderState {
    /// Reads the folder. If the command is urgent, files that cannot be read are skipped.
    pub(crate) fn read(directory: &Directory, is_urgent: bool) -> Result<Self, Error> {
        let mut notes = Vec::new();
        let history = match directory.history() {
            Err(error) if is_urgent => {
                notes.push(format!("{error}; using only {FILTER}"));
                directory.no_history()
            }
            history => history?,
        };
        let bytes = match atomic_file::read(&directory.filter()) {
            Err(error) if is_urgent => {
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

    /// Returns the state of the policy in `filter.json`. Relying on an entry that is wrong could leave v2 on.
    pub(crate) fn state_of_file(&self) -> Option<PolicyState> {
        let installed = filter_file::read(self.bytes.as_deref()?).ok()?;
        let text = PolicyText::read(&installed.policy).ok()?;
        Some(text.state())
    }

    /// Returns the sequence number of the next entry. No entry and no `filter.json` has had it.
    pub(crate) fn next(&self) -> u64 {
        let marked = match &self.filter {
            Filter::Foreign(installed) => installed.mark,
            _ => 0,
        };
        // A forged number must not exhaust the numbers.
        let marked = if marked > 1 << 48 { 0 } else { marked };
        self.history.last().max(marked).saturating_add(1)
    }

    /// Returns the policy that the proxies run, according to the folder.
    pub(crate) fn current(
        &mut self,
        directory: &Directory,
    ) -> Result<Option<CurrentPolicy>, Error> {
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
                        "something else wrote {FILTER}; its policy is now entry {entry} of the history"
                    ));
                    Ok(Some(found))
                }
                Err(problems) => {
                    let count = problems.as_slice().len();
                    self.newest(&format!("has a policy with {count} problem(s)"), directory)
                }
            },
            Filter::Damaged(why) => {
                let why = format!("is {}", escape_for_terminal(why));
                self.newest(&why, directory)
            }
            Filter::Missing => self.newest("does not exist", directory),
        }
    }

    /// Returns the active policy if the last command with this entry wrote `filter.json`.
    fn of_entry(&mut self, entry: HistoryEntry) -> Result<Option<CurrentPolicy>, Error> {
        let is_refused = entry.outcome.is_refused();
        // A halt, resume or rearm changes only the state of a policy, so even proxies that rejected it run that policy.
        let is_same_policy = matches!(entry.action, Action::Halt | Action::Resume | Action::Rearm);
        if !is_refused || is_same_policy {
            let mut current = self.with_base(entry, true)?;
            current.is_in_place = !is_refused;
            return Ok(Some(current));
        }
        let sequence = entry.sequence;
        let before = last_accepted(&self.history, entry.before).and_then(|before| {
            let before = before.map(|before| self.with_base(before, false));
            before.transpose()
        });
        match before {
            Ok(Some(before)) => {
                self.notes.push(format!(
                    "{FILTER} still has entry {sequence}, which proxies rejected; using entry {}",
                    before.entry.sequence
                ));
                Ok(Some(before))
            }
            Ok(None) if entry.outcome == Outcome::Rejected => Ok(None),
            // Some proxies run it, or there is no better candidate.
            before => {
                self.notes
                    .extend(before.err().map(|error| error.to_string()));
                self.notes.push(format!(
                    "using entry {sequence}, which {FILTER} has and proxies rejected"
                ));
                let mut current = self.with_base(entry, true)?;
                // If the policy is applied again, it is written again, and the proxies that rejected it are
                // asked again.
                current.is_in_place = false;
                Ok(Some(current))
            }
        }
    }

    /// Returns the policy that was active before `filter.json` was lost.
    fn newest(&mut self, why: &str, directory: &Directory) -> Result<Option<CurrentPolicy>, Error> {
        let is_good =
            |entry: &HistoryEntry| !entry.outcome.is_refused() && entry.outcome != Outcome::Begun;
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
                    "{FILTER} {why}; using entry {sequence} of the history"
                ));
                Ok(Some(current))
            }
            // This does not prevent applying a new policy.
            Err(error) => {
                self.notes.push(format!("{FILTER} {why}, and {error}"));
                Ok(None)
            }
        }
    }

    /// Reads the text of the policy from the history, or else from `filter.json`.
    fn with_base(
        &mut self,
        mut entry: HistoryEntry,
        is_in_place: bool,
    ) -> Result<CurrentPolicy, Error> {
        let mut is_found = false;
        let base = match self.history.text(&entry.policy) {
            Ok(base) => base,
            Err(why) => {
                let bytes = self.bytes.as_deref().filter(|_| is_in_place);
                let installed = bytes.and_then(|bytes| filter_file::read(bytes).ok());
                let sequence = entry.sequence;
                let installed = installed.ok_or_else(|| Error::Lost {
                    sequence,
                    why: why.clone(),
                })?;
                self.notes.push(format!(
                    "entry {sequence} of the history is lost: {why}; using {FILTER}"
                ));
                entry.policy = fingerprint(installed.policy.as_bytes());
                is_found = true;
                installed.policy
            }
        };
        Ok(CurrentPolicy {
            entry,
            base,
            is_found,
            is_in_place,
        })
    }

    /// Makes an entry for a policy that something else wrote. If it is the policy of the newest entry, in another
    /// state, then a command wrote it, and was killed or failed before it could write the
    /// history.
    fn found(&self, installed: FilterFile, plan: &Plan) -> CurrentPolicy {
        let is_good =
            |entry: &HistoryEntry| !entry.outcome.is_refused() && entry.outcome != Outcome::Begun;
        let newest = self.history.entries().find(is_good);
        let text = PolicyText::read(&installed.policy);
        let state = text.map_or_else(|_| PolicyState::default(), |text| text.state());
        let plugin = &installed.plugin;
        let before = newest.as_ref().map(|newest| newest.sequence);
        let mut entry = HistoryEntry {
            sequence: self.next(),
            when: String::new(),
            who: None,
            action: Action::Found,
            rollout: None,
            why: None,
            revision: plan.revision().to_string(),
            number: plan.revision().number(),
            halted: state.halts.everyone,
            halted_rollouts: state.halts.rollouts.clone(),
            rearmed: state.rearmed.clone(),
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
            && PolicyText::with_state(&kept, &state).is_ok_and(|text| text.text == base)
        {
            entry.policy = newest.policy;
            entry.before = newest.before;
            base = kept;
        }
        CurrentPolicy {
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
    match filter_file::read(text) {
        Ok(installed) => Filter::Foreign(Box::new(installed)),
        Err(why) => Filter::Damaged(why),
    }
}

/// Returns the newest entry that proxies did not reject, searching back from this one.
pub(crate) fn last_accepted(
    history: &History,
    sequence: Option<u64>,
) -> Result<Option<HistoryEntry>, Error> {
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
