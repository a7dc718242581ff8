//! Compares a policy with the one that it replaces: skipped modes, accounts that get new buckets, removed rollouts.

use std::collections::{BTreeMap, BTreeSet};

use crate::bucketing::hash::Hash;
use crate::diagnostics::location::JsonPointer;
use crate::diagnostics::warning_code::WarningCode;
use crate::plan::{self, Mode, Plan};

use super::listed;
use super::partial_plan::{PartialPlan, PartialRollout};
use super::warnings::Warnings;

pub(super) fn check(view: &PartialPlan<'_>, old: &Plan, warnings: &mut Warnings<'_>) {
    if !view.names_are_known {
        return;
    }
    let old_by_name: BTreeMap<&str, &plan::Rollout> = old
        .rollouts()
        .iter()
        .map(|rollout| (rollout.name.as_str(), rollout))
        .collect();
    let names = view.rollouts.iter().filter_map(PartialRollout::name);
    let names: BTreeSet<&str> = names.collect();
    let mut gone: Vec<&plan::Rollout> = old
        .rollouts()
        .iter()
        .filter(|rollout| !names.contains(rollout.name.as_str()))
        .collect();
    let rollouts = JsonPointer::Root.field("rollouts");
    for rollout in &view.rollouts {
        let before = rollout
            .name()
            .and_then(|name| old_by_name.get(name))
            .copied();
        let before = before.or_else(|| renamed(rollout, &mut gone));
        let at = rollouts.index(rollout.index);
        mode(rollout, before, &at, warnings);
        if let Some(before) = before {
            check_bucketing(rollout, before, &at, warnings);
        }
    }
    for rollout in gone {
        let moved = match rollout.mode {
            Mode::Off | Mode::On => continue,
            Mode::Dark => "dark",
            Mode::Shadow => "shadow",
            Mode::Split => "split",
        };
        warnings.push(
            WarningCode::RemovedRollout,
            (view.rollouts_span, &rollouts),
            format!(
                "the rollout `{}` was removed while its mode was `{moved}`",
                rollout.name
            ),
            "move it to `on` or `off` before you remove it",
        );
    }
}

impl PartialRollout<'_> {
    fn name(&self) -> Option<&str> {
        self.name.as_ref().map(|name| &*name.value)
    }
}

/// Finds a renamed rollout: the one in the old policy with the same clusters, whose name the new policy does not
/// have.
fn renamed<'p>(
    rollout: &PartialRollout<'_>,
    gone: &mut Vec<&'p plan::Rollout>,
) -> Option<&'p plan::Rollout> {
    let [v1, v2] = rollout
        .clusters
        .each_ref()
        .map(|name| Some(&*name.as_ref()?.value));
    let mut old = gone.iter();
    let index = old.position(|old| (Some(old.v1.as_str()), Some(old.v2.as_str())) == (v1, v2))?;
    Some(gone.remove(index))
}

fn mode(
    rollout: &PartialRollout<'_>,
    before: Option<&plan::Rollout>,
    at: &JsonPointer<'_>,
    warnings: &mut Warnings<'_>,
) {
    const STEPS: [(Mode, &str); 5] = [
        (Mode::Off, "off"),
        (Mode::Dark, "dark"),
        (Mode::Shadow, "shadow"),
        (Mode::Split, "split"),
        (Mode::On, "on"),
    ];
    let Some(mode) = &rollout.mode else { return };
    let from = before.map_or(Mode::Off, |before| before.mode);
    let step = |mode| STEPS.iter().position(|(known, _)| *known == mode);
    let Some((from, to)) = step(from).zip(step(mode.value)) else {
        return;
    };
    let skipped = STEPS.get(from.saturating_add(1)..to).unwrap_or_default();
    let word = |step: usize| STEPS.get(step).map_or("", |(_, word)| word);
    if let [(_, next), ..] = skipped {
        let skipped: Vec<String> = skipped
            .iter()
            .map(|(_, word)| format!("`{word}`"))
            .collect();
        let came = match before {
            Some(_) => format!("the mode was `{}`", word(from)),
            None => "the rollout is new".into(),
        };
        warnings.push(
            WarningCode::SkippedMode,
            (mode.span, &at.field("mode")),
            format!(
                "{came}, and `{}` skips {}",
                word(to),
                listed(&skipped, "and")
            ),
            format!("write `{next}` first"),
        );
    }
}

/// Warns if a split buckets its accounts again, which moves accounts from v2 to v1 and from v1 to v2.
fn check_bucketing(
    rollout: &PartialRollout<'_>,
    before: &plan::Rollout,
    at: &JsonPointer<'_>,
    warnings: &mut Warnings<'_>,
) {
    let buckets_accounts = |mode: Mode| matches!(mode, Mode::Dark | Mode::Shadow | Mode::Split);
    let mode = rollout.mode.as_ref().map(|mode| mode.value);
    let (Some(name), Some(hash)) = (&rollout.name, &rollout.hash) else {
        return;
    };
    if before.mode != Mode::Split || !mode.is_some_and(buckets_accounts) || *hash == before.hash {
        return;
    }
    let is_own = |hash: &Hash| hash.name() == "turnout";
    let (place, what, instead) = match &rollout.salt {
        _ if !is_own(hash) || !is_own(&before.hash) => (
            match rollout.hash_span {
                Some(span) => (span, &at.field("hash")),
                None => (name.span, &at.field("name")),
            },
            "the hash has changed",
            String::from("write the previous hash"),
        ),
        Some(salt) => (
            (salt.span, &at.field("salt")),
            "the salt has changed",
            String::from("write the previous salt"),
        ),
        None if *name.value == *before.name => (
            (name.span, &at.field("name")),
            "the salt was removed",
            String::from("write the previous salt"),
        ),
        None => (
            (name.span, &at.field("name")),
            "the name, which is the salt, has changed",
            format!("add \"salt\": \"{}\"", before.name),
        ),
    };
    warnings.push(
        WarningCode::Rebucketed,
        place,
        format!("{what}: all accounts get new buckets, and many move from v2 to v1"),
        instead,
    );
}
