//! What changes the policy in force.
//!
//! Halting is a state of a policy and not a policy: an entry keeps the text as it was before, and
//! whether it is halted. A rollback from a policy goes to the policy that was in force before it and
//! never to another state of the same one: whoever halts because of B and then goes back gets A.
//!
//! A halt ends only where somebody asks for that: by a resume, or by an apply or a rollback that says
//! so. Any other apply or rollback in a halted folder gives its policy halted.
//!
//! The order of writes, each of them whole or not there: an apply or a rollback writes the policy's
//! text, the entry, then `filter.json`, then what became of it; so nothing is in force that the
//! history does not know. A halt or resume writes `filter.json` first, because somebody is waiting
//! for it and it needs nothing from the history to be understood later. Killed in between, the one
//! leaves an entry that says `begun`, the other a file that the next command finds and enters.

use turnout_core::Time;

use crate::directory::{Current, Directory, State, standing};
use crate::edit::Text;
use crate::entry::{Entry, Outcome};
use crate::error::Error;
use crate::files;
use crate::folder::Links;
use crate::history::History;
use crate::installed::{self, Given, fingerprint};
use crate::intent::{Intent, Step};
use crate::lock::Lock;
use crate::preview::Preview;

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
    /// The folder was halted before, and a command that is none of a halt left it so.
    pub keeps_halt: bool,
    /// What to say about the state that the folder was found in.
    pub notes: Vec<String>,
    /// `filter.json` as it was, and the entry that it stood for.
    pub(crate) before: Option<(Vec<u8>, Entry)>,
}

impl Directory {
    /// Puts a policy in force. A halt stays.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn apply(&self, policy: &str, given: Given<'_>, author: &Author) -> Result<Change, Error> {
        let intent = Intent::Apply {
            policy,
            given,
            lifts_halt: false,
        };
        self.change(&intent, author, None)
    }

    /// Puts a policy in force that was in force before. A halt stays.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn rollback(&self, target: &Target, author: &Author) -> Result<Change, Error> {
        let intent = Intent::Rollback {
            target,
            lifts_halt: false,
        };
        self.change(&intent, author, None)
    }

    /// Sends everyone to v1, by the policy in force.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn halt(&self, author: &Author) -> Result<Change, Error> {
        self.change(&Intent::Halt, author, None)
    }

    /// Ends a halt.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn resume(&self, author: &Author) -> Result<Change, Error> {
        self.change(&Intent::Resume, author, None)
    }

    /// Changes the policy in force. With a preview, only in the folder that the preview shows.
    ///
    /// # Errors
    /// Nothing has changed then.
    pub fn change(
        &self,
        intent: &Intent<'_>,
        author: &Author,
        preview: Option<&Preview>,
    ) -> Result<Change, Error> {
        self.check_intent(intent)?;
        if let Intent::Apply { .. } = intent {
            self.make()?;
        }
        let lock = self.lock(intent.what().as_str())?;
        let mut state = State::read(self, intent.is_in_a_hurry())?;
        if preview.is_some_and(|preview| !preview.is_of(&state)) {
            return Err(Error::ChangedMeanwhile);
        }
        let step = self.step(&mut state, intent, author)?;
        if step.is_already {
            return self.already(state, step, author);
        }
        match intent {
            Intent::Apply { .. } | Intent::Rollback { .. } => self.put(lock, state, step, author),
            Intent::Halt | Intent::Resume => self.switch(lock, state, step, author),
        }
    }

    /// Writes the file and then the history: somebody is waiting for it.
    fn switch(
        &self,
        _lock: Lock,
        mut state: State,
        step: Step,
        author: &Author,
    ) -> Result<Change, Error> {
        let Step {
            current,
            mut entry,
            base,
            ..
        } = step;
        entry.sequence = match &current {
            Some(current) => after(&state, current),
            None => state.next(),
        };
        let text = Text::with_halted(&base, entry.halted).map_err(|_| Error::NoPolicy)?;
        let file = installed::file(&text.text, &text.revision, &entry.plugin(), entry.sequence);
        entry.filter = fingerprint(file.as_bytes());
        entry.outcome = Outcome::Written;
        files::replace(&self.filter(), Links::Followed, file.as_bytes())?;

        let recorded = enter(&mut state.history, current.as_ref(), author)
            .and_then(|()| state.history.write(&entry))
            .and_then(|()| prune(&mut state.history, &entry, author));
        if let Err(error) = recorded {
            let note = format!("the history does not have it all: {error}");
            state.notes.push(note);
        }
        let bytes = state.bytes.take();
        Ok(Change {
            entry,
            is_already: false,
            keeps_halt: false,
            notes: state.notes,
            before: bytes.zip(current.map(|current| current.entry)),
        })
    }

    /// Writes the history and then the file.
    fn put(
        &self,
        _lock: Lock,
        mut state: State,
        step: Step,
        author: &Author,
    ) -> Result<Change, Error> {
        let Step {
            current,
            mut entry,
            base,
            keeps_halt,
            ..
        } = step;
        entry.sequence = match &current {
            Some(current) => after(&state, current),
            None => state.next(),
        };
        let text = Text::with_halted(&base, entry.halted).map_err(|_| Error::NoPolicy)?;
        let file = installed::file(&text.text, &text.revision, &entry.plugin(), entry.sequence);
        entry.filter = fingerprint(file.as_bytes());
        enter(&mut state.history, current.as_ref(), author)?;
        state.history.keep_text(&base)?;
        state.history.write(&entry)?;
        files::replace(&self.filter(), Links::Followed, file.as_bytes())?;

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
            keeps_halt,
            notes: state.notes,
            before: bytes.zip(before.map(|before| before.entry)),
        })
    }

    fn already(&self, mut state: State, step: Step, author: &Author) -> Result<Change, Error> {
        if let Err(error) = enter(&mut state.history, step.current.as_ref(), author) {
            state.notes.push(error.to_string());
        }
        Ok(Change {
            entry: step.entry,
            is_already: true,
            keeps_halt: step.keeps_halt,
            notes: state.notes,
            before: None,
        })
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

pub(crate) fn bounded(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
