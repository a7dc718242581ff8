//! Plans a change: determines what a command will write, before it writes anything.

use turnout_core::Revision;
use turnout_text::escape_for_terminal;

use crate::change::{Author, Target, bounded};
use crate::directory::{CurrentPolicy, Directory, Filter, FolderState, last_accepted};
use crate::error::Error;
use crate::filter_file::{Plugin, PluginOverrides, fingerprint};
use crate::history::History;
use crate::history_entry::{Action, HistoryEntry, Outcome};
use crate::policy_text::{PolicyText, toggled_revision};

/// What a command does with the active policy.
#[derive(Clone, Copy, Debug)]
pub enum Intent<'a> {
    /// Apply a policy: a valid text with a `revision`.
    Apply {
        /// The policy.
        policy: &'a str,
        /// New settings of the plugin.
        given: PluginOverrides<'a>,
        /// Whether it ends a halt.
        lifts_halt: bool,
    },
    /// Return to an earlier policy.
    Rollback {
        /// Which one.
        target: &'a Target,
        /// Whether it ends a halt.
        lifts_halt: bool,
    },
    /// Send everyone to v1.
    Halt,
    /// End a halt.
    Resume,
}

/// The change that an intent leads to in the current state of the folder.
pub(crate) struct PlannedChange {
    pub(crate) current: Option<CurrentPolicy>,
    /// The new entry, without a number; or the active entry if nothing changes.
    pub(crate) entry: HistoryEntry,
    /// The text of the policy from before a halt or resume.
    pub(crate) base: String,
    pub(crate) is_unchanged: bool,
    pub(crate) keeps_halt: bool,
}

impl Directory {
    /// Checks an intent before the folder is read.
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

    /// Plans a change. Nothing is written.
    pub(crate) fn step(
        &self,
        state: &mut FolderState,
        intent: &Intent<'_>,
        author: &Author,
    ) -> Result<PlannedChange, Error> {
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
            Intent::Halt => self.switched(state, current, Action::Halt, author),
            Intent::Resume => self.switched(state, current, Action::Resume, author),
        }
    }

    fn rolled_back(
        &self,
        state: &mut FolderState,
        current: Option<CurrentPolicy>,
        target: &Target,
        lifts_halt: bool,
        author: &Author,
    ) -> Result<PlannedChange, Error> {
        let to = match (target, &current) {
            (Target::Named(name), _) => named(&state.history, name)?,
            (Target::Before, None) => return Err(self.no_active_policy(state)),
            (Target::Before, Some(current)) => last_accepted(&state.history, current.entry.before)?
                .ok_or_else(|| Error::NoEarlierPolicy {
                    revision: current.entry.revision.clone(),
                })?,
        };
        let is_halted = !lifts_halt && state.note_halt(current.as_ref());
        let halted = !lifts_halt && (to.halted || is_halted);
        let keeps_halt = is_halted;
        if let Some(current) = &current {
            let is_same = current.entry.has_same_policy_as(&to) && current.entry.halted == halted;
            if is_same && current.is_in_place {
                return Ok(PlannedChange::already(current, keeps_halt));
            }
        }
        let lost = |why| Error::Lost {
            sequence: to.sequence,
            why,
        };
        let base = state.history.text(&to.policy).map_err(lost)?;
        let text = PolicyText::with_halted(&base, halted)
            .map_err(|_| lost("its policy is damaged".into()))?;
        let entry = HistoryEntry {
            policy: to.policy.clone(),
            before: to.before,
            back_to: Some(to.sequence),
            ..blank(Action::Rollback, &text, &to.plugin(), author)
        };
        Ok(PlannedChange {
            current,
            entry,
            base,
            is_unchanged: false,
            keeps_halt,
        })
    }

    fn switched(
        &self,
        state: &mut FolderState,
        current: Option<CurrentPolicy>,
        action: Action,
        author: &Author,
    ) -> Result<PlannedChange, Error> {
        let Some(current) = current else {
            return Err(self.no_active_policy(state));
        };
        let halted = action == Action::Halt;
        // Proxies may still reject a policy with `"halted": true`, which is then removed again. A halt stays.
        let may_be_removed = action == Action::Halt
            && current.entry.action != Action::Halt
            && matches!(current.entry.outcome, Outcome::Begun | Outcome::Written)
            && PolicyText::read(&current.base).is_ok_and(|text| text.halted);
        let is_unchanged = current.entry.halted == halted && current.is_in_place && !may_be_removed;
        if is_unchanged && state.is_halted() == Some(halted) {
            return Ok(PlannedChange::already(&current, false));
        }
        let base = current.base.clone();
        let text = PolicyText::with_halted(&base, halted).map_err(|_| Error::NotAPolicy)?;
        let entry = HistoryEntry {
            policy: current.entry.policy.clone(),
            before: current.entry.before,
            ..blank(action, &text, &current.entry.plugin(), author)
        };
        Ok(PlannedChange {
            current: Some(current),
            entry,
            base,
            is_unchanged: false,
            keeps_halt: false,
        })
    }

    fn no_active_policy(&self, state: &FolderState) -> Error {
        let found = match &state.filter {
            Filter::Ours(entry) => Some(format!("proxies rejected entry {}", entry.sequence)),
            _ => state.notes.last().cloned(),
        };
        Error::NoActivePolicy {
            folder: self.path().to_owned(),
            found,
        }
    }
}

/// Plans the application of a policy.
fn applied(
    state: &mut FolderState,
    current: Option<CurrentPolicy>,
    (policy, given): (&str, PluginOverrides<'_>),
    lifts_halt: bool,
    author: &Author,
) -> Result<PlannedChange, Error> {
    let own = PolicyText::read(policy).map_err(|_| Error::NotAPolicy)?;
    if lifts_halt && own.halted {
        return Err(Error::HaltsItself);
    }
    let known = match (&current, &state.filter) {
        (Some(current), _) => Some(current.entry.plugin()),
        // These are the settings of a rejected policy.
        (None, Filter::Ours(entry)) => Some(entry.plugin()),
        (None, _) => None,
    };
    let plugin = given.apply_to(known.as_ref()).ok_or(Error::NoWasm)?;
    if !plugin.proxy().passes_on() {
        return Err(Error::DecisionNotForwarded);
    }
    let of_text = |text: &PolicyText<'_>| HistoryEntry {
        policy: fingerprint(policy.as_bytes()),
        ..blank(Action::Apply, text, &plugin, author)
    };
    // The check uses the revision that the author gave the policy.
    check_revision_is_unique(&state.history, current.as_ref(), &of_text(&own))?;
    let keeps_halt = !lifts_halt && state.note_halt(current.as_ref()) && !own.halted;
    let text =
        PolicyText::with_halted(policy, own.halted || keeps_halt).map_err(|_| Error::NotAPolicy)?;
    let mut entry = of_text(&text);
    if let Some(current) = &current {
        let is_state = current.entry.has_same_policy_as(&entry);
        if is_state && current.entry.halted == entry.halted && current.is_in_place {
            return Ok(PlannedChange::already(current, keeps_halt));
        }
        entry.before = match is_state {
            true => current.entry.before,
            false => Some(current.entry.sequence),
        };
    }
    Ok(PlannedChange {
        current,
        entry,
        base: policy.to_owned(),
        is_unchanged: false,
        keeps_halt,
    })
}

impl PlannedChange {
    fn already(current: &CurrentPolicy, keeps_halt: bool) -> Self {
        Self {
            entry: current.entry.clone(),
            base: current.base.clone(),
            current: Some(current.clone()),
            is_unchanged: true,
            keeps_halt,
        }
    }
}

impl Intent<'_> {
    /// Returns the action of its entry.
    pub(crate) fn action(&self) -> Action {
        match self {
            Self::Apply { .. } => Action::Apply,
            Self::Rollback { .. } => Action::Rollback,
            Self::Halt => Action::Halt,
            Self::Resume => Action::Resume,
        }
    }

    /// Whether it continues if the history cannot be read.
    pub(crate) fn is_urgent(&self) -> bool {
        matches!(self, Self::Halt | Self::Resume)
    }
}

/// Returns an entry without its number, hashes and references.
fn blank(action: Action, text: &PolicyText<'_>, plugin: &Plugin, author: &Author) -> HistoryEntry {
    HistoryEntry {
        sequence: 0,
        when: author.when.to_string(),
        who: author.who.as_deref().map(bounded),
        action,
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

/// Checks that no other policy has the same revision: a revision in a log has to identify one policy text. A
/// policy that every proxy rejected does not count, because it has decided nothing.
fn check_revision_is_unique(
    history: &History,
    current: Option<&CurrentPolicy>,
    new: &HistoryEntry,
) -> Result<(), Error> {
    let own = revisions(new);
    let is_other = |entry: &HistoryEntry| {
        revisions(entry)
            .iter()
            .any(|revision| own.contains(revision))
            && entry.policy != new.policy
            && entry.outcome != Outcome::Rejected
    };
    let mut entries = history.entries();
    let of_history = entries.find(|entry| is_other(entry));
    let active = current.map(|current| current.entry.clone());
    match of_history.or(active.filter(is_other)) {
        None => Ok(()),
        Some(other) => Err(Error::RevisionTaken {
            revision: new.revision.clone(),
            sequence: other.sequence,
            other: other.revision,
        }),
    }
}

/// Returns the revision of a policy, and its revision after a halt or resume. Both are checked early, so that a
/// halt never fails because its revision is taken.
fn revisions(entry: &HistoryEntry) -> Vec<String> {
    let toggled = toggled_revision(&entry.revision, !entry.halted);
    let toggled = toggled.map(|revision| revision.to_string());
    std::iter::once(entry.revision.clone())
        .chain(toggled)
        .collect()
}

fn named(history: &History, name: &str) -> Result<HistoryEntry, Error> {
    let number = name.strip_prefix('#');
    let sequence: Option<u64> = number.unwrap_or(name).parse().ok();
    let sequence = sequence.filter(|sequence| history.sequences().contains(sequence));
    let revision = match number {
        Some(_) => None,
        None => {
            let of_name: Vec<HistoryEntry> = history
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
