//! Plans a change: determines what a command will write, before it writes anything.

use turnout_text::escape_for_terminal;

use crate::change::{Author, Target};
use crate::directory::{CurrentPolicy, Directory, Filter, FolderState, last_accepted};
use crate::error::Error;
use crate::filter_file::{PluginOverrides, fingerprint};
use crate::halts::{Halts, LiftedHalts};
use crate::history::History;
use crate::history_entry::{Action, HistoryEntry, Outcome};
use crate::planned_change::{PlannedChange, blank};
use crate::policy_state::{PolicyState, greater_counts};
use crate::policy_text::{PolicyText, rollout_names};
use crate::rearm::rearmed;
use crate::unique_revision::check_revision_is_unique;

/// What a command does with the active policy.
#[derive(Clone, Copy, Debug)]
pub enum Intent<'a> {
    /// Apply a policy: a valid text with a `revision`.
    Apply {
        /// The policy.
        policy: &'a str,
        /// New settings of the plugin.
        given: PluginOverrides<'a>,
        /// The halts that it ends.
        lifts: LiftedHalts<'a>,
    },
    /// Return to an earlier policy.
    Rollback {
        /// Which one.
        target: &'a Target,
        /// The halts that it ends.
        lifts: LiftedHalts<'a>,
    },
    /// Send everyone, or everyone in one rollout, to v1.
    Halt {
        /// The rollout; `None` for all.
        rollout: Option<&'a str>,
    },
    /// End the halt of everyone, or that of one rollout.
    Resume {
        /// The rollout; `None` for the halt of everyone.
        rollout: Option<&'a str>,
    },
    /// Re-arm the guard of one rollout.
    Rearm {
        /// The rollout.
        rollout: &'a str,
    },
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
                lifts,
            } => applied(state, current, (policy, *given), *lifts, author),
            Intent::Rollback { target, lifts } => {
                self.rolled_back(state, current, target, *lifts, author)
            }
            Intent::Halt { rollout } => {
                self.switched(state, current, (Action::Halt, *rollout), author)
            }
            Intent::Resume { rollout } => {
                self.switched(state, current, (Action::Resume, *rollout), author)
            }
            Intent::Rearm { rollout } => {
                let current = current.ok_or_else(|| self.no_active_policy(state))?;
                rearmed(state, current, rollout, author)
            }
        }
    }

    fn rolled_back(
        &self,
        state: &mut FolderState,
        current: Option<CurrentPolicy>,
        target: &Target,
        lifts: LiftedHalts<'_>,
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
        let found = state.note_halts(current.as_ref(), lifts);
        let keeps = found.without(lifts);
        let found_rearmed = state.rearmed(current.as_ref());
        let mut wanted = PolicyState {
            halts: to.halts().without(lifts).union(&keeps),
            rearmed: greater_counts(to.rearmed.clone(), &found_rearmed),
        };
        if let Some(current) = &current {
            let is_same = current.entry.has_same_policy_as(&to) && current.entry.state() == wanted;
            if is_same && current.is_in_place {
                return Ok(PlannedChange::already(current, keeps));
            }
        }
        let lost = |why| Error::Lost {
            sequence: to.sequence,
            why,
        };
        let base = state.history.text(&to.policy).map_err(lost)?;
        check_rollouts(&base, &to.revision, &found, lifts)?;
        let damaged = |_| lost("its policy is damaged".into());
        let own = PolicyText::read(&base).map_err(damaged)?;
        wanted.rearmed = own.greater_rearmed(&wanted.rearmed);
        let keeps_rearmed = own.changed_rearmed(&wanted.rearmed);
        let text = PolicyText::with_state(&base, &wanted).map_err(damaged)?;
        let entry = HistoryEntry {
            policy: to.policy.clone(),
            before: to.before,
            back_to: Some(to.sequence),
            ..blank(Action::Rollback, &text, &to.plugin(), author)
        };
        Ok(PlannedChange {
            keeps,
            keeps_rearmed,
            ..PlannedChange::new(current, entry, base)
        })
    }

    fn switched(
        &self,
        state: &mut FolderState,
        current: Option<CurrentPolicy>,
        (action, rollout): (Action, Option<&str>),
        author: &Author,
    ) -> Result<PlannedChange, Error> {
        let Some(current) = current else {
            return Err(self.no_active_policy(state));
        };
        let is_halt = action == Action::Halt;
        let base = current.base.clone();
        let known = rollout_names(&base);
        check_is_known(&known, rollout)?;
        let resumed: Vec<String> = rollout.into_iter().map(str::to_owned).collect();
        let lifts = LiftedHalts {
            everyone: !is_halt && rollout.is_none(),
            rollouts: if is_halt { &[] } else { &resumed },
        };
        let mut halts = state.note_halts(Some(&current), lifts).without(lifts);
        // A halt, or a resume, must not fail because another halt cannot be kept.
        let is_lost = |rollout: &&String| !known.contains(*rollout);
        let lost: Vec<String> = halts.rollouts.iter().filter(is_lost).cloned().collect();
        for rollout in &lost {
            halts.rollouts.remove(rollout);
            let rollout = escape_for_terminal(rollout);
            state.notes.push(format!(
                "the halt of rollout `{rollout}` is not kept, because the active policy has no rollout of this name"
            ));
        }
        let keeps = if is_halt {
            Halts::default()
        } else {
            halts.clone()
        };
        match rollout {
            Some(rollout) if is_halt => drop(halts.rollouts.insert(rollout.to_owned())),
            None if is_halt => halts.everyone = true,
            _ => {}
        }
        let own = PolicyText::read(&base).map_err(|_| Error::NotAPolicy)?;
        let guarded = match is_halt {
            true => Vec::new(),
            false => own.acting_guards(rollout, &halts),
        };
        // Proxies may still reject a policy with `"halted": true`, which is then removed again. A halt stays.
        let halts_itself = match rollout {
            None => own.halts.everyone,
            Some(rollout) => own.halts.rollouts.contains(rollout),
        };
        let may_be_removed = is_halt
            && halts_itself
            && current.entry.action != Action::Halt
            && matches!(current.entry.outcome, Outcome::Begun | Outcome::Written);
        let wanted = PolicyState {
            halts,
            rearmed: own.greater_rearmed(&state.rearmed(Some(&current))),
        };
        let is_unchanged =
            current.entry.state() == wanted && current.is_in_place && !may_be_removed;
        if is_unchanged && state.state_of_file().as_ref() == Some(&wanted) {
            return Ok(PlannedChange {
                guarded,
                ..PlannedChange::already(&current, keeps)
            });
        }
        let text = PolicyText::with_state(&base, &wanted).map_err(|_| Error::NotAPolicy)?;
        let entry = HistoryEntry {
            policy: current.entry.policy.clone(),
            before: current.entry.before,
            rollout: rollout.map(str::to_owned),
            ..blank(action, &text, &current.entry.plugin(), author)
        };
        Ok(PlannedChange {
            keeps,
            guarded,
            ..PlannedChange::new(Some(current), entry, base)
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
    lifts: LiftedHalts<'_>,
    author: &Author,
) -> Result<PlannedChange, Error> {
    let own = PolicyText::read(policy).map_err(|_| Error::NotAPolicy)?;
    if lifts.everyone && own.halts.everyone {
        return Err(Error::HaltsItself);
    }
    let mut resumed = lifts.rollouts.iter();
    if let Some(rollout) = resumed.find(|rollout| own.halts.rollouts.contains(*rollout)) {
        return Err(Error::RolloutHaltsItself(rollout.clone()));
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
    let found = state.note_halts(current.as_ref(), lifts);
    check_rollouts(policy, own.revision.as_str(), &found, lifts)?;
    let keeps = found.without(lifts);
    let wanted = PolicyState {
        halts: own.halts.union(&keeps),
        rearmed: own.greater_rearmed(&state.rearmed(current.as_ref())),
    };
    let keeps_rearmed = own.changed_rearmed(&wanted.rearmed);
    let text = PolicyText::with_state(policy, &wanted).map_err(|_| Error::NotAPolicy)?;
    let keeps = keeps.difference(&own.halts);
    let mut entry = of_text(&text);
    if let Some(current) = &current {
        let is_state = current.entry.has_same_policy_as(&entry);
        if is_state && current.entry.state() == entry.state() && current.is_in_place {
            return Ok(PlannedChange {
                keeps_rearmed,
                ..PlannedChange::already(current, keeps)
            });
        }
        entry.before = match is_state {
            true => current.entry.before,
            false => Some(current.entry.sequence),
        };
    }
    Ok(PlannedChange {
        keeps,
        keeps_rearmed,
        ..PlannedChange::new(current, entry, policy.to_owned())
    })
}

/// Checks that a policy has each rollout that stays halted, because without it the halt would be lifted, and that each
/// rollout to resume exists.
pub(crate) fn check_rollouts(
    policy: &str,
    revision: &str,
    found: &Halts,
    lifts: LiftedHalts<'_>,
) -> Result<(), Error> {
    let known = rollout_names(policy);
    for rollout in lifts.rollouts {
        // A halted rollout may be removed by the policy.
        if !found.rollouts.contains(rollout) {
            check_is_known(&known, Some(rollout))?;
        }
    }
    let kept = found.without(lifts).rollouts.into_iter();
    let lost: Vec<String> = kept.filter(|rollout| !known.contains(rollout)).collect();
    match lost.is_empty() {
        true => Ok(()),
        false => Err(Error::LosesHalts {
            rollouts: lost,
            revision: revision.to_owned(),
        }),
    }
}

pub(crate) fn check_is_known(known: &[String], rollout: Option<&str>) -> Result<(), Error> {
    match rollout.filter(|rollout| !known.iter().any(|known| known == rollout)) {
        None => Ok(()),
        Some(rollout) => Err(Error::UnknownRollout {
            name: rollout.to_owned(),
            known: known.to_vec(),
        }),
    }
}

impl Intent<'_> {
    /// Returns the action of its entry.
    pub(crate) fn action(&self) -> Action {
        match self {
            Self::Apply { .. } => Action::Apply,
            Self::Rollback { .. } => Action::Rollback,
            Self::Halt { .. } => Action::Halt,
            Self::Resume { .. } => Action::Resume,
            Self::Rearm { .. } => Action::Rearm,
        }
    }

    /// Whether it continues if the history cannot be read.
    pub(crate) fn is_urgent(&self) -> bool {
        matches!(self, Self::Halt { .. } | Self::Resume { .. })
    }
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
