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

use turnout_core::{Revision, Time, visible};

use crate::directory::{Current, Directory, Filter, State, standing};
use crate::edit::{Text, turned};
use crate::entry::{Entry, Outcome, What};
use crate::error::Error;
use crate::files;
use crate::history::History;
use crate::installed::{self, Given, Plugin, fingerprint};
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

/// What a command is to do with the policy in force.
#[derive(Clone, Copy, Debug)]
pub enum Intent<'a> {
    /// Put a policy in force: a text that is valid and has its revision in it.
    Apply {
        /// The policy.
        policy: &'a str,
        /// What else is given to the proxies.
        given: Given<'a>,
        /// Whether this ends a halt.
        lifts_halt: bool,
    },
    /// Put a policy in force that was in force before.
    Rollback {
        /// Which one.
        target: &'a Target,
        /// Whether this ends a halt.
        lifts_halt: bool,
    },
    /// Send everyone to v1, by the policy in force.
    Halt,
    /// End a halt.
    Resume,
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

/// What an intent comes to in the folder as it is.
pub(crate) struct Step {
    pub(crate) current: Option<Current>,
    /// It has no number yet; of what is in force already it is the entry in force.
    pub(crate) entry: Entry,
    /// The policy's text as it is kept.
    pub(crate) base: String,
    pub(crate) is_already: bool,
    pub(crate) keeps_halt: bool,
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

    /// What can be said against an intent before the folder is read.
    pub(crate) fn check_intent(&self, intent: &Intent<'_>) -> Result<(), Error> {
        let Intent::Apply { given, .. } = intent else {
            return self.check();
        };
        match self.check() {
            Err(Error::NoFolder(_)) if given.wasm.is_none() => Err(Error::NoWasm),
            Err(Error::NoFolder(_)) => Ok(()),
            checked => checked,
        }
    }

    /// What an intent comes to. Nothing is written.
    pub(crate) fn step(
        &self,
        state: &mut State,
        intent: &Intent<'_>,
        author: &Author,
    ) -> Result<Step, Error> {
        let current = state.current(self)?;
        match intent {
            Intent::Apply {
                policy,
                given,
                lifts_halt,
            } => applied(state, current, (policy, *given), *lifts_halt, author),
            Intent::Rollback { target, lifts_halt } => {
                self.rolled_back(state, current, target, *lifts_halt, author)
            }
            Intent::Halt => self.switched(state, current, What::Halt, author),
            Intent::Resume => self.switched(state, current, What::Resume, author),
        }
    }

    fn rolled_back(
        &self,
        state: &mut State,
        current: Option<Current>,
        target: &Target,
        lifts_halt: bool,
        author: &Author,
    ) -> Result<Step, Error> {
        let to = match (target, &current) {
            (Target::Named(name), _) => named(&state.history, name)?,
            (Target::Before, None) => return Err(self.nothing_in_force(state)),
            (Target::Before, Some(current)) => standing(&state.history, current.entry.before)?
                .ok_or_else(|| Error::NothingBefore {
                    revision: current.entry.revision.clone(),
                })?,
        };
        let is_halted = !lifts_halt && state.note_halt(current.as_ref());
        let halted = !lifts_halt && (to.halted || is_halted);
        let keeps_halt = is_halted;
        if let Some(current) = &current {
            let is_same = current.entry.is_state_of(&to) && current.entry.halted == halted;
            if is_same && current.is_in_place {
                return Ok(Step::already(current, keeps_halt));
            }
        }
        let lost = |why| Error::Lost {
            sequence: to.sequence,
            why,
        };
        let base = state.history.text(&to.policy).map_err(lost)?;
        let text =
            Text::with_halted(&base, halted).map_err(|_| lost("its policy is damaged".into()))?;
        let entry = Entry {
            policy: to.policy.clone(),
            before: to.before,
            back_to: Some(to.sequence),
            ..blank(What::Rollback, &text, &to.plugin(), author)
        };
        Ok(Step {
            current,
            entry,
            base,
            is_already: false,
            keeps_halt,
        })
    }

    fn switched(
        &self,
        state: &mut State,
        current: Option<Current>,
        what: What,
        author: &Author,
    ) -> Result<Step, Error> {
        let Some(current) = current else {
            return Err(self.nothing_in_force(state));
        };
        let halted = what == What::Halt;
        let is_already = current.entry.halted == halted && current.is_in_place;
        if is_already && state.is_halted() == Some(halted) {
            return Ok(Step::already(&current, false));
        }
        let base = current.base.clone();
        let text = Text::with_halted(&base, halted).map_err(|_| Error::NoPolicy)?;
        let entry = Entry {
            policy: current.entry.policy.clone(),
            before: current.entry.before,
            ..blank(what, &text, &current.entry.plugin(), author)
        };
        Ok(Step {
            current: Some(current),
            entry,
            base,
            is_already: false,
            keeps_halt: false,
        })
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
        files::replace(&self.filter(), file.as_bytes())?;

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

/// What a policy that is given comes to.
fn applied(
    state: &mut State,
    current: Option<Current>,
    (policy, given): (&str, Given<'_>),
    lifts_halt: bool,
    author: &Author,
) -> Result<Step, Error> {
    let own = Text::read(policy).map_err(|_| Error::NoPolicy)?;
    if lifts_halt && own.halted {
        return Err(Error::HaltsItself);
    }
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
    let of_text = |text: &Text<'_>| Entry {
        policy: fingerprint(policy.as_bytes()),
        ..blank(What::Apply, text, &plugin, author)
    };
    // By the name that its author gave it.
    one_text(&state.history, current.as_ref(), &of_text(&own))?;
    let keeps_halt = !lifts_halt && state.note_halt(current.as_ref()) && !own.halted;
    let text = Text::with_halted(policy, own.halted || keeps_halt).map_err(|_| Error::NoPolicy)?;
    let mut entry = of_text(&text);
    if let Some(current) = &current {
        let is_state = current.entry.is_state_of(&entry);
        if is_state && current.entry.halted == entry.halted && current.is_in_place {
            return Ok(Step::already(current, keeps_halt));
        }
        entry.before = match is_state {
            true => current.entry.before,
            false => Some(current.entry.sequence),
        };
    }
    Ok(Step {
        current,
        entry,
        base: policy.to_owned(),
        is_already: false,
        keeps_halt,
    })
}

impl Step {
    fn already(current: &Current, keeps_halt: bool) -> Self {
        Self {
            entry: current.entry.clone(),
            base: current.base.clone(),
            current: Some(current.clone()),
            is_already: true,
            keeps_halt,
        }
    }
}

impl Intent<'_> {
    fn what(&self) -> What {
        match self {
            Self::Apply { .. } => What::Apply,
            Self::Rollback { .. } => What::Rollback,
            Self::Halt => What::Halt,
            Self::Resume => What::Resume,
        }
    }

    /// Whether it goes on without a history that cannot be read.
    pub(crate) fn is_in_a_hurry(&self) -> bool {
        matches!(self, Self::Halt | Self::Resume)
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
