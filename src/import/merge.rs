//! Turns branches into rules: the first rule that holds decides, and one bucketing serves them all.
//!
//! An unsupported branch may have decided for any account of its condition. Later rules therefore serve
//! v2 to those accounts only as far as the branch would have: no account takes v2 by a guess.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::account_set::AccountSet;
use crate::bucketing::{Allocation, Bucketing};
use crate::error::{ImportError, ImportResult};
use crate::flag::{Branch, Remainder};
use crate::note::Notes;

/// The limit on branches, and on rules while they are merged; far more than people write by hand.
const MOST_RULES: usize = 1_000;
/// The limit on accounts that set operations visit.
const MOST_VISITED: usize = 50_000_000;

/// A rule before it is written to the policy.
#[derive(Clone, Debug)]
pub(crate) struct MergedRule<'a> {
    /// The pointer of its branch.
    pub(crate) at: String,
    pub(crate) accounts: AccountSet<'a>,
    pub(crate) allocation: Allocation,
}

/// Turns branches into rules.
pub(crate) fn merge<'a>(
    branches: Vec<Branch<'a>>,
    notes: &mut Notes,
) -> ImportResult<Vec<MergedRule<'a>>> {
    if branches.len() > MOST_RULES {
        return Err(too_many());
    }
    let mut merger = RuleMerger {
        rules: Vec::new(),
        reported: BTreeSet::new(),
        visited: VisitLimit(0),
    };
    for branch in keep_one_bucketing(branches, notes).into_iter().rev() {
        merger.prepend_branch(branch, notes)?;
        if merger.rules.len() > MOST_RULES {
            return Err(too_many());
        }
    }
    Ok(without_dead_rules(merger.rules))
}

fn too_many() -> ImportError {
    ImportError::new(
        "",
        "the flag has too many rules or too long lists",
        "simplify the flag before the import",
    )
}

/// Turns each branch whose bucketing differs from that of the first one into v1, because a rollout
/// has one hash.
fn keep_one_bucketing<'a>(branches: Vec<Branch<'a>>, notes: &mut Notes) -> Vec<Branch<'a>> {
    let first = |is_known| {
        let mut bucketings = branches
            .iter()
            .filter_map(|branch| bucketing_of(branch, is_known));
        bucketings.next()
    };
    let kept_bucketing = first(true).or_else(|| first(false));
    let mut kept = Vec::with_capacity(branches.len());
    for mut branch in branches {
        if let (Allocation::Partial(partial), Some(bucketing)) =
            (&branch.allocation, &kept_bucketing)
            && partial.bucketing != *bucketing
        {
            if partial.v2_buckets > 0 && branch.condition.is_known {
                notes.add_branch_loss(
                    &branch.at,
                    "this rule buckets accounts by another hash than an earlier rule, and a rollout has one hash, so the rule is skipped",
                    "write a rollout of its own for it, with a `match` that separates the two",
                );
                branch.notes.extend(notes.take_pending());
            }
            // An unknown branch whose other accounts go on decides nothing, whatever its bucketing.
            if branch.condition.is_known || branch.remainder != Remainder::Next {
                branch.allocation = Allocation::V1;
            }
        }
        kept.push(branch);
    }
    kept
}

/// The bucketing of a branch that sends some buckets to v2.
fn bucketing_of(branch: &Branch<'_>, is_known: bool) -> Option<Rc<Bucketing>> {
    match &branch.allocation {
        Allocation::Partial(partial)
            if branch.condition.is_known == is_known && partial.v2_buckets > 0 =>
        {
            Some(Rc::clone(&partial.bucketing))
        }
        _ => None,
    }
}

struct RuleMerger<'a> {
    rules: Vec<MergedRule<'a>>,
    /// Pointers of the rules with a note that an earlier rule restricts them.
    reported: BTreeSet<String>,
    visited: VisitLimit,
}

/// Counts the accounts that set operations visit, up to [`MOST_VISITED`].
struct VisitLimit(usize);

impl VisitLimit {
    fn intersection<'a>(
        &mut self,
        a: &AccountSet<'a>,
        b: &AccountSet<'a>,
    ) -> ImportResult<AccountSet<'a>> {
        self.0 = self.0.saturating_add(a.len()).saturating_add(b.len());
        match self.0 > MOST_VISITED {
            true => Err(too_many()),
            false => Ok(a.and(b)),
        }
    }
}

impl<'a> RuleMerger<'a> {
    /// Puts a branch before the rules.
    fn prepend_branch(&mut self, branch: Branch<'a>, notes: &mut Notes) -> ImportResult<()> {
        let Branch {
            at,
            condition,
            allocation,
            remainder,
            notes: branch_notes,
        } = branch;
        let accounts = condition.accounts;
        if !branch_notes.is_empty() {
            let end = self.treatment_of(&accounts, condition.is_known, &allocation, remainder)?;
            notes.complete(&branch_notes, end);
        }
        if accounts.is_nobody() {
            return Ok(());
        }
        let rule = |allocation| MergedRule {
            at: at.clone(),
            accounts: accounts.clone(),
            allocation,
        };
        if condition.is_known {
            if remainder == Remainder::Next && allocation == Allocation::V1 {
                return Ok(());
            }
            if remainder == Remainder::Next && matches!(allocation, Allocation::Partial(_)) {
                return self.prepend_additive(rule(allocation));
            }
            if remainder == Remainder::Mixed
                && self.rules.iter().any(|rule| rule.allocation.has_v2())
            {
                notes.add_loss(
                    &at,
                    "some of the accounts take v1 here and later rules decide for the others; in the policy all of them take v1",
                    "write a rollout of its own for the later rules",
                );
            }
            self.rules.insert(0, rule(allocation));
            return Ok(());
        }
        if is_safe_to_skip(&allocation, remainder) {
            return Ok(());
        }
        match (allocation, remainder) {
            (Allocation::Partial(partial), Remainder::V1) => {
                self.cap(&accounts, &Allocation::Partial(partial), notes)
            }
            _ => self.cap(&accounts, &Allocation::V1, notes),
        }
    }

    /// The end of a sentence that says which treatment the accounts of a skipped part take.
    fn treatment_of(
        &mut self,
        accounts: &AccountSet<'a>,
        is_known: bool,
        allocation: &Allocation,
        remainder: Remainder,
    ) -> ImportResult<&'static str> {
        let mut is_v2_later = false;
        for rule in &self.rules {
            if rule.allocation.has_v2()
                && !self
                    .visited
                    .intersection(accounts, &rule.accounts)?
                    .is_nobody()
            {
                is_v2_later = true;
                break;
            }
        }
        let goes_on = match is_known {
            true => remainder == Remainder::Next && *allocation == Allocation::V1,
            false => is_safe_to_skip(allocation, remainder),
        };
        Ok(match (is_v2_later, goes_on, is_known, allocation) {
            (false, ..) | (true, false, true, _) => " and its accounts take v1",
            (true, true, ..) => " and its accounts take v1, or v2 where a later rule serves it",
            (true, false, false, Allocation::Partial(_)) => {
                " and later rules serve v2 to no more of its accounts than it did"
            }
            (true, false, false, _) => " and no later rule serves v2 to its accounts",
        })
    }

    /// Adds a rule in front of the others. Its other accounts go on, so an account takes v2 if this
    /// rule or a later one serves v2 to it.
    fn prepend_additive(&mut self, rule: MergedRule<'a>) -> ImportResult<()> {
        let mut first = self.restricted_to(&rule.accounts)?;
        for restricted in &mut first {
            restricted.allocation = restricted.allocation.union(&rule.allocation);
        }
        while first
            .last()
            .is_some_and(|last| last.allocation == rule.allocation)
        {
            first.pop();
        }
        first.push(rule);
        self.prepend(first);
        Ok(())
    }

    /// Limits the allocation that later rules give to these accounts to `most`.
    fn cap(
        &mut self,
        accounts: &AccountSet<'a>,
        most: &Allocation,
        notes: &mut Notes,
    ) -> ImportResult<()> {
        let mut first = self.restricted_to(accounts)?;
        for rule in &mut first {
            let allocation = rule.allocation.intersection(most);
            let is_restricted = allocation != rule.allocation && rule.allocation.has_v2();
            if is_restricted && self.reported.insert(rule.at.clone()) {
                notes.add_loss(
                    &rule.at,
                    "an earlier rule that is skipped may have kept some of these accounts on v1, so this rule does not serve v2 to them",
                    "write the earlier rule by hand, and then this one",
                );
            }
            rule.allocation = allocation;
        }
        self.prepend(first);
        Ok(())
    }

    /// The rules, for these accounts only.
    fn restricted_to(&mut self, accounts: &AccountSet<'a>) -> ImportResult<Vec<MergedRule<'a>>> {
        let mut restricted = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            let both = self.visited.intersection(accounts, &rule.accounts)?;
            if both.is_nobody() {
                continue;
            }
            let is_last = rule.accounts.is_everyone();
            restricted.push(MergedRule {
                at: rule.at.clone(),
                accounts: both,
                allocation: rule.allocation.clone(),
            });
            if is_last {
                break;
            }
        }
        Ok(restricted)
    }

    fn prepend(&mut self, mut first: Vec<MergedRule<'a>>) {
        // No account gets past a rule for everyone.
        if !first.iter().any(|rule| rule.accounts.is_everyone()) {
            first.append(&mut self.rules);
        }
        self.rules = first;
    }
}

/// Whether no further account takes v2 if an unknown branch is skipped: the branch served v2, or
/// decided nothing.
fn is_safe_to_skip(allocation: &Allocation, remainder: Remainder) -> bool {
    matches!(
        (allocation, remainder),
        (Allocation::V2, _) | (Allocation::Partial(_), Remainder::Next)
    )
}

/// Removes rules that no account reaches, and last rules that serve v1 to everyone.
fn without_dead_rules(mut rules: Vec<MergedRule<'_>>) -> Vec<MergedRule<'_>> {
    if let Some(last) = rules.iter().position(|rule| rule.accounts.is_everyone()) {
        rules.truncate(last.saturating_add(1));
    }
    while rules
        .last()
        .is_some_and(|last| last.accounts.is_everyone() && last.allocation == Allocation::V1)
    {
        rules.pop();
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account_set::Condition;

    const NAMES: [&str; 4] = ["a", "b", "c", "unlisted"];
    const BUCKETS: u8 = 4;

    /// Pseudo-random numbers that are the same in every run.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: u8) -> u8 {
            let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
            self.0 = next.wrapping_add(1_442_695_040_888_963_407);
            let below = (self.0 >> 40).checked_rem(end.into());
            below
                .and_then(|below| below.try_into().ok())
                .unwrap_or_default()
        }

        fn is(&mut self) -> bool {
            self.below(2) == 0
        }

        fn branch(&mut self) -> Branch<'static> {
            let listed = NAMES.iter().take(3).filter(|_| self.is()).copied();
            let listed = AccountSet::within("", listed.collect::<Vec<_>>());
            let accounts = match self.below(3) {
                0 => AccountSet::everyone(),
                1 => listed,
                _ => listed.not(),
            };
            let bucketing = Bucketing {
                tool: "tool",
                fields: Vec::new(),
                buckets: u32::from(BUCKETS),
                is_v2_last: false,
            };
            let (allocation, remainder) = match self.below(4) {
                0 => (Allocation::V1, Remainder::V1),
                1 => (Allocation::V2, Remainder::V1),
                which => {
                    let v2_buckets = u32::from(self.below(BUCKETS));
                    let remainder = if which == 2 {
                        Remainder::V1
                    } else {
                        Remainder::Next
                    };
                    (Allocation::partial(bucketing, v2_buckets), remainder)
                }
            };
            Branch {
                at: String::from("/here"),
                condition: Condition {
                    accounts,
                    is_known: self.below(4) > 0,
                },
                allocation,
                remainder,
                notes: Vec::new(),
            }
        }
    }

    fn contains(set: &AccountSet<'_>, name: &str) -> bool {
        set.listed().contains(name) != set.is_complement()
    }

    fn serves_v2(allocation: &Allocation, bucket: u8) -> bool {
        match allocation {
            Allocation::V1 => false,
            Allocation::V2 => true,
            Allocation::Partial(partial) => u32::from(bucket) < partial.v2_buckets,
        }
    }

    /// Evaluates the branches; the bits say whether each unknown one holds.
    fn by_branches(branches: &[Branch<'_>], bits: u32, name: &str, bucket: u8) -> bool {
        let mut bit = 0_u32;
        for branch in branches {
            let holds_here = branch.condition.is_known || bits >> bit & 1 == 1;
            bit = bit.saturating_add(u32::from(!branch.condition.is_known));
            if !holds_here || !contains(&branch.condition.accounts, name) {
                continue;
            }
            let is_v2 = serves_v2(&branch.allocation, bucket);
            if is_v2 || branch.remainder != Remainder::Next {
                return is_v2;
            }
        }
        false
    }

    #[test]
    fn rules_decide_like_branches_and_never_v2_by_a_guess() {
        let mut numbers = Numbers(1);
        for _ in 0..20_000 {
            let count = numbers.below(6);
            let mut same = Numbers(numbers.0);
            let known: Vec<_> = (0..count).map(|_| numbers.branch()).collect();
            let branches: Vec<_> = (0..count).map(|_| same.branch()).collect();
            let unknown = known
                .iter()
                .filter(|branch| !branch.condition.is_known)
                .count();
            let rules = merge(branches, &mut Notes::default()).unwrap_or_default();
            for name in NAMES {
                for bucket in 0..BUCKETS {
                    let rule = rules.iter().find(|rule| contains(&rule.accounts, name));
                    let is_v2 = rule.is_some_and(|rule| serves_v2(&rule.allocation, bucket));
                    let possible =
                        (0..1_u32 << unknown).map(|bits| by_branches(&known, bits, name, bucket));
                    let (mut is_always, mut is_ever) = (true, false);
                    for one in possible {
                        is_always &= one;
                        is_ever |= one;
                    }
                    assert!(is_always || !is_v2, "a guess: {name} in bucket {bucket}");
                    assert!(unknown > 0 || is_v2 == is_ever, "{name} in bucket {bucket}");
                }
            }
        }
    }
}
