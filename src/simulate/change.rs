//! Compares two policies, account by account: which accounts a change would move.

use std::collections::HashSet;
use std::io::Read;

use serde::Serialize;
use turnout_core::{Account, Mode, Rollout, Time};
use turnout_text::{counted, thousands};

use crate::account_list::{AccountListError, AccountListSummary, Accounts, ListOptions};
use crate::log_summary::serialize_time;
use crate::moved_requests::{MovedRequests, RequestChange};
use crate::moves::{Move, Moves, Served};
use crate::policy_at::PolicyAt;
use crate::precedence::overtaken;
use crate::rebucketed::{rebucketing_reason, rename_effect};
use crate::saturating::increase;
use crate::segment_union::{SegmentUnion, union};
use crate::wording::{self, wanted};

/// The limits that a change must respect.
#[derive(Clone, Debug, Default)]
pub struct ChangeLimits {
    /// Segments whose accounts must not move. Each exists in at least one of the policies.
    pub forbidden_segments: Vec<String>,
    /// The maximum number of accounts that move to v2.
    pub max_new: Option<u64>,
}

/// The effect of a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The time at which the old policy is evaluated.
    #[serde(serialize_with = "serialize_time")]
    pub at: Time,
    /// The time at which the new policy is evaluated.
    #[serde(serialize_with = "serialize_time")]
    pub at_new: Time,
    /// What was read.
    pub read: AccountListSummary,
    /// The number of distinct accounts.
    pub accounts: u64,
    /// Lines that repeat the account of an earlier line.
    pub duplicates: u64,
    /// Accounts of forbidden segments that were not in the list; they are checked too.
    pub not_in_list: u64,
    /// Accounts that move to v2 in at least one rollout.
    pub newly_v2: u64,
    /// Accounts that go back to v1 in at least one rollout.
    pub back_to_v1: u64,
    /// The rollouts of both policies.
    pub rollouts: Vec<RolloutChange>,
    /// Other changes, as sentences.
    pub notes: Vec<String>,
    /// The limits that the change violates, as sentences.
    pub violations: Vec<String>,
    /// The log that was read; `None` without a log.
    pub requests: Option<MovedRequests>,
}

/// The effect of a change in one rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RolloutChange {
    /// Its name.
    pub rollout: String,
    /// Its mode in the old policy; `None` if the rollout is new.
    pub mode: Option<&'static str>,
    /// Its mode in the new policy; `None` if the rollout is removed.
    pub mode_new: Option<&'static str>,
    /// Whether accounts or requests get new buckets, so that percentages include others.
    pub rebucketed: bool,
    /// All accounts.
    pub total: Moves,
    /// The accounts of each segment of either policy; an account counts in each of its segments.
    pub segments: Vec<Moves>,
    /// Accounts in no segment.
    pub no_segment: Moves,
    /// Every account that moves, or whose percentage of requests changes.
    pub moves: Vec<Move>,
    /// The requests of a log; `None` without a log.
    pub requests: Option<RequestChange>,
}

struct Pair<'p> {
    rollouts: [Option<&'p Rollout>; 2],
    change: RolloutChange,
}

struct Comparison<'p> {
    versions: [PolicyAt<'p>; 2],
    segments: SegmentUnion,
    pairs: Vec<Pair<'p>>,
    known: HashSet<Box<[u8]>>,
    duplicates: u64,
    newly_v2: u64,
    back_to_v1: u64,
}

impl Change {
    /// Compares two policies for the accounts of a list, and for all accounts of the forbidden segments.
    ///
    /// # Errors
    /// If the input cannot be read, or does not have the column.
    pub fn between(
        old: PolicyAt<'_>,
        new: PolicyAt<'_>,
        list: &ListOptions,
        limits: &ChangeLimits,
        input: impl Read,
    ) -> Result<Self, AccountListError> {
        let mut comparison = Comparison::new([old, new]);
        let accounts = Accounts {
            options: list,
            wanted: wanted(new.plan.format()),
            malformed: &|found| wording::malformed(new.plan.format(), found, list.text),
            // An account that is malformed under one policy only may move.
            is_account: &|found| [old, new].iter().any(|v| v.plan.account(found).is_some()),
            is_header: &|_| true,
        };
        let read = accounts.read(input, &mut |account| comparison.add(account))?;
        let before = comparison.known.len();
        comparison.add_forbidden(&limits.forbidden_segments);
        let added = comparison.known.len().saturating_sub(before);
        let mut change = comparison.finish(read);
        change.not_in_list = u64::try_from(added).unwrap_or(u64::MAX);
        change.violations = change.violations_of(limits);
        Ok(change)
    }

    /// Adds the effect on the requests of a log.
    pub fn add_requests(&mut self, requests: MovedRequests) {
        for rollout in &mut self.rollouts {
            rollout.requests = requests.of(&rollout.rollout);
        }
        self.requests = Some(requests);
    }

    fn violations_of(&self, limits: &ChangeLimits) -> Vec<String> {
        let mut violations = Vec::new();
        for name in &limits.forbidden_segments {
            for rollout in &self.rollouts {
                let moves = rollout
                    .segments
                    .iter()
                    .find(|moves| moves.segment.as_ref() == Some(name));
                if let Some(sentence) = moves.and_then(Moves::sentence) {
                    violations.push(format!(
                        "{}: {sentence}, which --forbid {name} does not allow",
                        rollout.rollout
                    ));
                }
            }
        }
        if let Some(most) = limits.max_new.filter(|most| self.newly_v2 > *most) {
            violations.push(format!(
                "{} would move to v2, which --max-new {} does not allow",
                counted(self.newly_v2, "account", "accounts"),
                thousands(most)
            ));
        }
        violations
    }
}

impl<'p> Comparison<'p> {
    fn new(versions: [PolicyAt<'p>; 2]) -> Self {
        let segments = SegmentUnion::new(versions);
        let names = union(versions.map(|v| v.plan.rollouts().iter().map(|r| r.name.as_str())));
        let moves = |name: &String| Moves {
            segment: Some(name.clone()),
            ..Moves::default()
        };
        let pairs = names.into_iter().map(|name| {
            let rollouts = versions.map(|v| v.plan.rollouts().iter().find(|r| r.name == name));
            let [mode, mode_new] = rollouts.map(|rollout| rollout.map(|r| r.mode.as_str()));
            let rebucketed = match rollouts {
                [Some(old), Some(new)] => !old.same_bucketing(new),
                _ => false,
            };
            let change = RolloutChange {
                rollout: name.to_owned(),
                mode,
                mode_new,
                rebucketed,
                total: Moves::default(),
                segments: segments.names.iter().map(moves).collect(),
                no_segment: Moves::default(),
                moves: Vec::new(),
                requests: None,
            };
            Pair { rollouts, change }
        });
        Self {
            versions,
            pairs: pairs.collect(),
            segments,
            known: HashSet::new(),
            duplicates: 0,
            newly_v2: 0,
            back_to_v1: 0,
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        if self.known.contains(bytes) {
            increase(&mut self.duplicates);
            return;
        }
        self.known.insert(bytes.into());
        let ids = self.versions.map(|version| version.plan.account(bytes));
        let segments = self.segments.of(self.versions, &ids);
        let accounts = ids.map(|id| id.map_or(Account::Malformed, Account::Known));
        let (mut is_new, mut is_back) = (false, false);
        for pair in &mut self.pairs {
            let mut served = [Served::NONE; 2];
            let versions = self.versions.iter().zip(&pair.rollouts).zip(&accounts);
            for (place, ((version, rollout), account)) in served.iter_mut().zip(versions) {
                if let Some(rollout) = rollout {
                    *place = Served::of(*version, rollout, account);
                }
            }
            let [old, new] = served;
            pair.change.total.add(old, new);
            if segments.is_empty() {
                pair.change.no_segment.add(old, new);
            }
            for segment in &segments {
                if let Some(moves) = pair.change.segments.get_mut(*segment) {
                    moves.add(old, new);
                }
            }
            is_new |= !old.is_v2() && new.is_v2();
            is_back |= old.is_v2() && !new.is_v2();
            pair.change.moves.extend(Move::of(bytes, old, new));
        }
        if is_new {
            increase(&mut self.newly_v2);
        }
        if is_back {
            increase(&mut self.back_to_v1);
        }
    }

    /// Adds all accounts of these segments, including those that are not in the list.
    fn add_forbidden(&mut self, names: &[String]) {
        let duplicates = self.duplicates;
        for version in self.versions {
            for name in names {
                let known = version.plan.segment_names();
                let Some(segment) = known.iter().position(|known| known == name) else {
                    continue;
                };
                let mut accounts: Vec<_> = version.plan.accounts_of_segment(segment).collect();
                accounts.sort();
                accounts.iter().for_each(|account| self.add(account));
            }
        }
        self.duplicates = duplicates;
    }

    fn finish(self, read: AccountListSummary) -> Change {
        let [old, new] = self.versions;
        let notes = self.notes();
        Change {
            at: old.at,
            at_new: new.at,
            read,
            accounts: u64::try_from(self.known.len()).unwrap_or(u64::MAX),
            duplicates: self.duplicates,
            not_in_list: 0,
            newly_v2: self.newly_v2,
            back_to_v1: self.back_to_v1,
            rollouts: self.pairs.into_iter().map(|pair| pair.change).collect(),
            notes,
            violations: Vec::new(),
            requests: None,
        }
    }

    fn notes(&self) -> Vec<String> {
        let [old, new] = self.versions.map(|version| version.plan);
        let mut notes = Vec::new();
        if old.format() != new.format() {
            notes.push(String::from(
                "the format of accounts has changed: an account that is valid under only one policy counts as malformed under the other",
            ));
        }
        if !old.same_account_sources(new) {
            notes.push(String::from(
                "`account.from` has changed: a request may have a different account, or none; accounts are counted as \
                 if requests still had them",
            ));
        }
        match (old.is_halted(), new.is_halted()) {
            (false, true) => {
                notes.push(String::from("the new policy is halted: everyone takes v1"));
            }
            (true, false) => {
                notes.push(String::from("the old policy is halted, the new one is not"));
            }
            _ => {}
        }
        for pair in &self.pairs {
            match pair.rollouts {
                [Some(gone), None] => {
                    let renamed = self.pairs.iter().find_map(|other| match other.rollouts {
                        [None, Some(added)] if added.v1 == gone.v1 && added.v2 == gone.v2 => {
                            Some(added)
                        }
                        _ => None,
                    });
                    if let Some(added) = renamed {
                        notes.push(format!(
                            "the rollout `{}` is removed, and `{}` has its clusters, so it seems to be renamed; {}",
                            gone.name,
                            added.name,
                            rename_effect(gone, added)
                        ));
                    }
                }
                [Some(old), Some(new)] => {
                    notes.extend(halt_note(&pair.change.rollout, old, new));
                    notes.extend(guard_note(&pair.change.rollout, old, new));
                    if pair.change.rebucketed {
                        notes.push(format!(
                            "{}: {}",
                            pair.change.rollout,
                            rebucketing_reason(old, new)
                        ));
                    }
                    // Accounts are evaluated as if all their requests matched this rollout.
                    if !old.same_match(new) {
                        notes.push(format!(
                            "{}: its `match` has changed, so it gains or loses requests; accounts are counted as if all \
                             their requests matched it; use --log to count the requests that move",
                            pair.change.rollout
                        ));
                    }
                }
                _ => {}
            }
        }
        notes.extend(overtaken(old, new));
        notes.extend(self.segments.notes());
        notes
    }
}

/// Describes a change that re-arms the guard of a rollout, or removes it while v2 still gets requests.
fn guard_note(name: &str, old: &Rollout, new: &Rollout) -> Option<String> {
    let before = old.guard.as_ref()?;
    let change = match &new.guard {
        Some(after) if after.epoch == before.epoch => return None,
        Some(_) => "its definition has changed, so its guard re-arms",
        None if matches!(new.mode, Mode::Split | Mode::On) => "it no longer has a guard",
        None => return None,
    };
    Some(format!(
        "{name}: {change}; if the guard has tripped, it no longer keeps everyone on v1"
    ))
}

/// Describes the start or the end of a rollout's own halt.
fn halt_note(name: &str, old: &Rollout, new: &Rollout) -> Option<String> {
    match (old.halts_itself(), new.halts_itself()) {
        (false, true) => Some(format!(
            "{name}: the new policy halts it: everyone takes v1 in it"
        )),
        (true, false) => Some(format!(
            "{name}: the old policy halts it, the new one does not"
        )),
        _ => None,
    }
}
