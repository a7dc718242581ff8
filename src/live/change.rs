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

use turnout_core::{Revision, Time, visible};

use crate::directory::{Current, Directory, Filter, State, standing};
use crate::edit::{Text, turned};
use crate::entry::{Entry, Outcome, What};
use crate::error::Error;
use crate::files;
use crate::history::History;
use crate::installed::{self, Given, Plugin, fingerprint};
use crate::lock::Lock;

/// How much is kept of what people and proxies write, in characters.
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
    pub(crate) before: Option<(Vec<u8>, Entry)>,
}

impl Directory {
    /// Puts a policy in force: a text that is valid and has its revision in it.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn apply(&self, policy: &str, given: Given<'_>, author: &Author) -> Result<Change, Error> {
        let new = Text::read(policy).map_err(|_| Error::NoPolicy)?;
        if given.wasm.is_none() && matches!(self.check(), Err(Error::NoFolder(_))) {
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
        let plugin = given.beside(known.as_ref()).ok_or(Error::NoWasm)?;
        if !plugin.proxy().passes_on() {
            return Err(Error::NotPassedOn);
        }
        let mut entry = Entry {
            policy: fingerprint(policy.as_bytes()),
            ..blank(What::Apply, &new, &plugin, author)
        };
        one_text(&state.history, current.as_ref(), &entry)?;
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
        let is_already = current.entry.halted == halted && current.is_in_place;
        if is_already && state.is_halted() == Some(halted) {
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
        headers: plugin.headers,
        policy: String::new(),
        filter: String::new(),
        before: None,
        back_to: None,
        outcome: Outcome::Begun,
        reasons: Vec::new(),
    }
}

/// A revision is one text everywhere: who reads it in a log has to know what decided. What every proxy
/// refused has decided nothing.
fn one_text(history: &History, current: Option<&Current>, new: &Entry) -> Result<(), Error> {
    let own = revisions(new);
    let is_other = |entry: &Entry| {
        revisions(entry)
            .iter()
            .any(|revision| own.contains(revision))
            && entry.policy != new.policy
            && entry.outcome != Outcome::Rejected
    };
    let mut entries = history.entries();
    let of_history = entries.find(|entry| is_other(entry));
    let in_force = current.map(|current| current.entry.clone());
    match of_history.or(in_force.filter(is_other)) {
        None => Ok(()),
        Some(other) => Err(Error::RevisionTaken {
            revision: new.revision.clone(),
            sequence: other.sequence,
            other: other.revision,
        }),
    }
}

/// What a policy is called, as it is and halted or resumed: a halt is not the moment to find that its
/// name is taken.
fn revisions(entry: &Entry) -> Vec<String> {
    let turned = turned(&entry.revision, !entry.halted);
    let turned = turned.map(|revision| revision.to_string());
    std::iter::once(entry.revision.clone())
        .chain(turned)
        .collect()
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

pub(crate) fn bounded(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
