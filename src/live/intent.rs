//! What a command comes to in a folder as it is, before anything is written.

use turnout_core::Revision;
use turnout_text::escape_for_terminal;

use crate::change::{Author, Target, bounded};
use crate::directory::{Current, Directory, Filter, State, standing};
use crate::edit::{Text, turned};
use crate::entry::{Entry, Outcome, What};
use crate::error::Error;
use crate::history::History;
use crate::installed::{Given, Plugin, fingerprint};

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
        // Proxies may still refuse a policy that halts itself, which is then taken out again: a halt stays.
        let may_be_taken_out = what == What::Halt
            && current.entry.what != What::Halt
            && matches!(current.entry.outcome, Outcome::Begun | Outcome::Written)
            && Text::read(&current.base).is_ok_and(|text| text.halted);
        let is_already = current.entry.halted == halted && current.is_in_place && !may_be_taken_out;
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
    /// As an entry of the history calls it.
    pub(crate) fn what(&self) -> What {
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
        record_level: plugin.record_level,
        max_held_bytes: plugin.max_held_bytes,
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
        true => Err(Error::RejectedTarget(escape_for_terminal(name))),
        false => Ok(entry),
    }
}
