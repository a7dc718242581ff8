//! What changes the policy in force.
//!
//! Halting is a state of a policy and not a policy: an entry keeps the text as it was before, and
//! whether it is halted. A rollback from a policy goes to the policy that was in force before it, in
//! the state it had then, and never to another state of the same one: whoever halts because of B and
//! then goes back gets A.
//!
//! The order of writes, each of them whole or not there: an apply or a rollback writes the policy's
//! text, the entry, then `filter.json`, then what became of it; so nothing is in force that the
//! history does not know. A halt or resume writes `filter.json` first, because somebody is waiting
//! for it and it needs nothing from the history to be understood later. Killed in between, the one
//! leaves an entry that says `begun`, the other a file that the next command finds and enters.

use std::path::PathBuf;

use turnout_core::{Inbound, Revision, Time, visible};

use crate::directory::{Current, Directory, Filter, State, standing};
use crate::edit::Text;
use crate::entry::{Entry, Outcome, What};
use crate::error::Error;
use crate::files;
use crate::history::History;
use crate::installed::{self, Plugin, fingerprint};
use crate::lock::Lock;

/// How many reasons of a refusal are kept.
const REASONS: usize = 100;
/// And how much of each, and of what people write, in characters.
const LONGEST: usize = 2_000;

/// Who changes the policy.
#[derive(Clone, Debug, Default)]
pub struct Author {
    /// Their name.
    pub who: Option<String>,
    /// Why they do it.
    pub why: Option<String>,
    /// At which moment.
    pub when: Time,
    /// How many entries the history keeps.
    pub keep: usize,
}

/// A policy to go back to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The one before the one in force.
    Before,
    /// An entry's number, `#` and a number, or a revision.
    Named(String),
}

/// What a command did.
#[derive(Debug)]
pub struct Change {
    /// The entry in force.
    pub entry: Entry,
    /// It was in force already, so nothing was written.
    pub is_already: bool,
    /// What to say about the state that the folder was found in.
    pub notes: Vec<String>,
    /// `filter.json` as it was, and the entry that it stood for.
    before: Option<(Vec<u8>, Entry)>,
}

/// What became of a change, after the proxies were asked.
#[derive(Debug)]
pub struct Settled {
    /// The revision that stands in `filter.json` again.
    pub put_back: Option<String>,
    /// What is known of why.
    pub reasons: Vec<String>,
    /// The entry that refused the same with these reasons, where the proxies said none this time.
    pub reasons_of: Option<u64>,
    /// What else to say.
    pub notes: Vec<String>,
}

impl Directory {
    /// Puts a policy in force: a text that is valid and has its revision in it. What is not said
    /// about the proxies stays as it is.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn apply(
        &self,
        policy: &str,
        wasm: Option<&str>,
        inbound: Option<Inbound>,
        author: &Author,
    ) -> Result<Change, Error> {
        let new = Text::read(policy).map_err(|_| Error::NoPolicy)?;
        if wasm.is_none() && matches!(self.check(), Err(Error::NoFolder(_))) {
            return Err(Error::NoWasm);
        }
        self.make()?;
        let lock = self.lock(What::Apply.as_str())?;
        let mut state = State::read(self, false)?;
        let current = state.current(self)?;
        let known = match (&current, &state.filter) {
            (Some(current), _) => Some(current.entry.plugin()),
            // A refused policy was given with them.
            (None, Filter::Ours(entry)) => Some(entry.plugin()),
            (None, _) => None,
        };
        let plugin = Plugin {
            wasm: wasm
                .map(str::to_owned)
                .or_else(|| known.as_ref().map(|known| known.wasm.clone()))
                .ok_or(Error::NoWasm)?,
            inbound: inbound
                .or(known.map(|known| known.inbound))
                .unwrap_or_default(),
        };
        let mut entry = Entry {
            policy: fingerprint(policy.as_bytes()),
            ..blank(What::Apply, &new, &plugin, author)
        };
        if let Some(current) = &current {
            let is_state = current.entry.is_state_of(&entry);
            if is_state && current.entry.halted == new.halted && current.is_in_place {
                return self.already(state, current.clone(), author);
            }
            entry.before = match is_state {
                true => current.entry.before,
                false => Some(current.entry.sequence),
            };
        }
        self.put(lock, state, current, entry, policy, author)
    }

    /// Puts a policy in force that was in force before.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn rollback(&self, target: &Target, author: &Author) -> Result<Change, Error> {
        self.check()?;
        let lock = self.lock(What::Rollback.as_str())?;
        let mut state = State::read(self, false)?;
        let current = state.current(self)?;
        let to = match (target, &current) {
            (Target::Named(name), _) => named(&state.history, name)?,
            (Target::Before, None) => return Err(self.nothing_in_force(&state)),
            (Target::Before, Some(current)) => standing(&state.history, current.entry.before)?
                .ok_or_else(|| Error::NothingBefore {
                    revision: current.entry.revision.clone(),
                })?,
        };
        if let Some(current) = &current {
            let is_same = current.entry.is_state_of(&to) && current.entry.halted == to.halted;
            if is_same && current.is_in_place {
                return self.already(state, current.clone(), author);
            }
        }
        let lost = |why| Error::Lost {
            sequence: to.sequence,
            why,
        };
        let base = state.history.text(&to.policy).map_err(lost)?;
        let text = Text::with_halted(&base, to.halted)
            .map_err(|_| lost("its policy is damaged".into()))?;
        let entry = Entry {
            policy: to.policy.clone(),
            before: to.before,
            back_to: Some(to.sequence),
            ..blank(What::Rollback, &text, &to.plugin(), author)
        };
        self.put(lock, state, current, entry, &base, author)
    }

    /// Sends everyone to v1, by the policy in force.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn halt(&self, author: &Author) -> Result<Change, Error> {
        self.switch(What::Halt, true, author)
    }

    /// Takes a halt back.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn resume(&self, author: &Author) -> Result<Change, Error> {
        self.switch(What::Resume, false, author)
    }

    fn switch(&self, what: What, halted: bool, author: &Author) -> Result<Change, Error> {
        self.check()?;
        let _lock = self.lock(what.as_str())?;
        let mut state = State::read(self, true)?;
        let Some(current) = state.current(self)? else {
            return Err(self.nothing_in_force(&state));
        };
        if current.entry.halted == halted && current.is_in_place {
            return self.already(state, current, author);
        }
        let text = Text::with_halted(&current.base, halted).map_err(|_| Error::NoPolicy)?;
        let plugin = current.entry.plugin();
        let mut entry = Entry {
            sequence: after(&state, &current),
            policy: current.entry.policy.clone(),
            before: current.entry.before,
            ..blank(what, &text, &plugin, author)
        };
        let file = installed::file(&text.text, &text.revision, &plugin, entry.sequence);
        entry.filter = fingerprint(file.as_bytes());
        entry.outcome = Outcome::Written;
        files::replace(&self.filter(), file.as_bytes())?;

        let before = state
            .bytes
            .take()
            .map(|bytes| (bytes, current.entry.clone()));
        let recorded = enter(&mut state.history, Some(&current), author)
            .and_then(|()| state.history.write(&entry))
            .and_then(|()| prune(&mut state.history, &entry, author));
        if let Err(error) = recorded {
            let note = format!("the history does not have it all: {error}");
            state.notes.push(note);
        }
        Ok(Change {
            entry,
            is_already: false,
            notes: state.notes,
            before,
        })
    }

    /// Writes down what became of a change. What every proxy refused is taken out of the folder, so
    /// that an Envoy that restarts does not find it. `reasons` is what the proxies said.
    pub fn settle(&self, change: &mut Change, outcome: Outcome, reasons: &[String]) -> Settled {
        let mut settled = Settled {
            put_back: None,
            reasons: reasons
                .iter()
                .take(REASONS)
                .map(|line| bounded(line))
                .collect(),
            reasons_of: None,
            notes: Vec::new(),
        };
        let result = self.try_settle(change, outcome, &mut settled);
        if let Err(error) = result {
            settled.notes.push(error.to_string());
        }
        settled
    }

    fn try_settle(
        &self,
        change: &mut Change,
        outcome: Outcome,
        settled: &mut Settled,
    ) -> Result<(), Error> {
        if change.is_already && outcome != Outcome::Accepted {
            // What was known of it before is worth more: nothing was given to the proxies.
            return Ok(());
        }
        let _lock = self.lock("settle")?;
        let mut history = self.history()?;
        if outcome.is_refused() && settled.reasons.is_empty() {
            let remembered = remembered(&history, &change.entry);
            if let Some((sequence, reasons)) = remembered {
                settled.reasons = reasons;
                settled.reasons_of = Some(sequence);
            }
        }
        change.entry.outcome = outcome;
        change.entry.reasons.clone_from(&settled.reasons);
        // First what an Envoy could read, then what people read.
        let put_back = match outcome {
            Outcome::Rejected => self.put_back(change, settled),
            _ => Ok(()),
        };
        let is_kept = history.sequences().contains(&change.entry.sequence);
        match is_kept {
            true => put_back.and(history.write(&change.entry)),
            false => put_back,
        }
    }

    fn put_back(&self, change: &Change, settled: &mut Settled) -> Result<(), Error> {
        let now = files::read(&self.filter())?;
        if now.as_deref().map(fingerprint).as_ref() != Some(&change.entry.filter) {
            settled
                .notes
                .push("somebody has changed the policy meanwhile; it stays so".into());
            return Ok(());
        }
        match &change.before {
            Some((bytes, entry)) => {
                files::replace(&self.filter(), bytes)?;
                settled.put_back = Some(entry.revision.clone());
            }
            // Without the file Envoy would not start; with it, it starts and serves v1.
            None => settled.notes.push(
                "there is no policy before it to put back; proxies that start now serve v1".into(),
            ),
        }
        Ok(())
    }

    /// Writes the history and then the file.
    fn put(
        &self,
        _lock: Lock,
        mut state: State,
        current: Option<Current>,
        mut entry: Entry,
        base: &str,
        author: &Author,
    ) -> Result<Change, Error> {
        entry.sequence = match &current {
            Some(current) => after(&state, current),
            None => state.next(),
        };
        let text = Text::with_halted(base, entry.halted).map_err(|_| Error::NoPolicy)?;
        let file = installed::file(&text.text, &text.revision, &entry.plugin(), entry.sequence);
        entry.filter = fingerprint(file.as_bytes());
        enter(&mut state.history, current.as_ref(), author)?;
        state.history.keep_text(base)?;
        state.history.write(&entry)?;
        files::replace(&self.filter(), file.as_bytes())?;

        entry.outcome = Outcome::Written;
        let recorded = state.history.write(&entry);
        if let Err(error) = recorded.and_then(|()| prune(&mut state.history, &entry, author)) {
            let note =
                format!("the policy is in force, and the history does not have it all: {error}");
            state.notes.push(note);
        }
        let bytes = state.bytes.take();
        // Only what the proxies could have taken is worth being put back.
        let before = current.filter(|current| current.is_in_place);
        Ok(Change {
            entry,
            is_already: false,
            notes: state.notes,
            before: bytes.zip(before.map(|before| before.entry)),
        })
    }

    fn already(
        &self,
        mut state: State,
        current: Current,
        author: &Author,
    ) -> Result<Change, Error> {
        if current.is_found
            && let Err(error) = enter(&mut state.history, Some(&current), author)
        {
            state.notes.push(error.to_string());
        }
        Ok(Change {
            entry: current.entry,
            is_already: true,
            notes: state.notes,
            before: None,
        })
    }

    fn nothing_in_force(&self, state: &State) -> Error {
        let found = match &state.filter {
            Filter::Ours(entry) => Some(format!("proxies refused entry {}", entry.sequence)),
            _ => state.notes.last().cloned(),
        };
        Error::NothingInForce {
            folder: self.path().to_owned(),
            found,
        }
    }
}

/// An entry that is still to get its number, its texts and its place.
fn blank(what: What, text: &Text<'_>, plugin: &Plugin, author: &Author) -> Entry {
    Entry {
        sequence: 0,
        when: author.when.to_string(),
        who: author.who.as_deref().map(bounded),
        what,
        why: author.why.as_deref().map(bounded),
        revision: text.revision.to_string(),
        number: Revision::number(&text.revision),
        halted: text.halted,
        wasm: plugin.wasm.clone(),
        inbound: plugin.inbound.as_str().to_owned(),
        policy: String::new(),
        filter: String::new(),
        before: None,
        back_to: None,
        outcome: Outcome::Begun,
        reasons: Vec::new(),
    }
}

/// The number after that of the policy in force, which may be new itself.
fn after(state: &State, current: &Current) -> u64 {
    let next = state.next();
    match current.is_found {
        true => next.max(current.entry.sequence.saturating_add(1)),
        false => next,
    }
}

/// Enters what was found in force and is not in the history.
fn enter(history: &mut History, current: Option<&Current>, author: &Author) -> Result<(), Error> {
    let Some(current) = current.filter(|current| current.is_found) else {
        return Ok(());
    };
    history.keep_text(&current.base)?;
    let mut entry = current.entry.clone();
    if entry.when.is_empty() {
        entry.when = author.when.to_string();
    }
    history.write(&entry)
}

fn prune(history: &mut History, newest: &Entry, author: &Author) -> Result<(), Error> {
    let before = standing(history, newest.before).ok().flatten();
    let needed = before.map_or(newest.sequence, |before| before.sequence);
    history.prune(author.keep.max(2), &[newest.sequence, needed])
}

/// What the same policy was refused for earlier.
fn remembered(history: &History, entry: &Entry) -> Option<(u64, Vec<String>)> {
    let mut entries = history.entries();
    let same = entries.find(|other| {
        other.outcome.is_refused()
            && !other.reasons.is_empty()
            && other.is_state_of(entry)
            && other.halted == entry.halted
    })?;
    Some((same.sequence, same.reasons))
}

fn named(history: &History, name: &str) -> Result<Entry, Error> {
    let number = name.strip_prefix('#');
    let sequence: Option<u64> = number.unwrap_or(name).parse().ok();
    let sequence = sequence.filter(|sequence| history.sequences().contains(sequence));
    let revision = match number {
        Some(_) => None,
        None => {
            let of_name: Vec<Entry> = history
                .entries()
                .filter(|entry| entry.revision == name && entry.outcome != Outcome::Begun)
                .collect();
            let good = of_name.iter().find(|entry| !entry.outcome.is_refused());
            good.or(of_name.first()).cloned()
        }
    };
    let entry = match (sequence, revision) {
        (None, None) => return Err(Error::UnknownTarget(name.to_owned())),
        (Some(sequence), Some(other)) if other.sequence != sequence => {
            return Err(Error::AmbiguousTarget(name.to_owned()));
        }
        (_, Some(entry)) => entry,
        (Some(sequence), None) => history
            .entry(sequence)
            .map_err(|why| Error::Lost { sequence, why })?,
    };
    match entry.outcome.is_refused() {
        true => Err(Error::RejectedTarget(visible(name))),
        false => Ok(entry),
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

/// Whether a file may be the filter: who applies from where it is not gives no `wasm` here.
///
/// # Errors
/// What is wrong with it.
pub fn check_wasm(path: &str) -> Result<(), Error> {
    use std::io::Read;
    const MAGIC: [u8; 4] = *b"\0asm";
    let not = |why: String| Error::NotWasm {
        path: PathBuf::from(path),
        why,
    };
    let mut head = [0; 4];
    let mut file = std::fs::File::open(path).map_err(|error| not(error.to_string()))?;
    let read = file.read_exact(&mut head);
    match read {
        Ok(()) if head == MAGIC => Ok(()),
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            Err(not(error.to_string()))
        }
        _ => Err(not("it does not begin as a wasm does".into())),
    }
}
