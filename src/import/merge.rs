//! From branches to rules: the first rule that holds decides, and one line draws for all.
//!
//! A branch that cannot be known may have had any account of its condition. So that nobody is moved
//! by a guess, later rules serve v2 to those accounts only as far as the branch would have.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::draw::Serve;
use crate::flag::{Branch, Rest};
use crate::node::{Read, Unreadable};
use crate::note::Notes;
use crate::when::When;

/// More branches than a person has ever written, and more rules than they make.
const MOST: usize = 1_000;
/// Accounts that are looked at while conditions are put together.
const MOST_WORK: usize = 50_000_000;

#[derive(Clone, Debug)]
pub(crate) struct Rule<'a> {
    /// Of its branch.
    pub(crate) at: String,
    pub(crate) when: When<'a>,
    pub(crate) serve: Serve,
}

pub(crate) fn rules<'a>(branches: Vec<Branch<'a>>, notes: &mut Notes) -> Read<Vec<Rule<'a>>> {
    if branches.len() > MOST {
        return Err(too_many());
    }
    let mut merge = Merge {
        rules: Vec::new(),
        told: BTreeSet::new(),
        work: Work(0),
    };
    for branch in of_one_draw(branches, notes).into_iter().rev() {
        merge.before(branch, notes)?;
        if merge.rules.len() > MOST {
            return Err(too_many());
        }
    }
    Ok(pruned(merge.rules))
}

fn too_many() -> Unreadable {
    Unreadable::new(
        "",
        "the flag makes more rules than anyone can read",
        "give a flag with fewer rules and shorter lists",
    )
}

/// A rollout has one hash: branches that draw by another one than the first cannot be followed.
fn of_one_draw<'a>(branches: Vec<Branch<'a>>, notes: &mut Notes) -> Vec<Branch<'a>> {
    let draw_of = |branch: &Branch<'a>, is_known| match &branch.serve {
        Serve::Part(part) if branch.condition.is_known == is_known && part.share > 0 => {
            Some(Rc::clone(&part.draw))
        }
        _ => None,
    };
    let first = |is_known| branches.iter().find_map(|branch| draw_of(branch, is_known));
    let draw = first(true).or_else(|| first(false));
    let mut kept = Vec::with_capacity(branches.len());
    for mut branch in branches {
        if let (Serve::Part(part), Some(draw)) = (&branch.serve, &draw)
            && part.draw != *draw
        {
            if part.share > 0 && branch.condition.is_known {
                notes.lost_of_branch(
                    &branch.at,
                    "this draws accounts in another way than an earlier rule, and a rollout has one hash:",
                    "make a rollout of its own for it, with a `match` that tells the two apart",
                );
                branch.notes.extend(notes.take_waiting());
            }
            // An unknown one that lets its accounts go on decides nothing, however it draws.
            if branch.condition.is_known || branch.rest != Rest::Next {
                branch.serve = Serve::V1;
            }
        }
        kept.push(branch);
    }
    kept
}

struct Merge<'a> {
    rules: Vec<Rule<'a>>,
    /// The places of rules of which it was told that an earlier one holds them back.
    told: BTreeSet<String>,
    work: Work,
}

/// How many accounts were looked at.
struct Work(usize);

impl Work {
    /// The accounts that both conditions are about.
    fn both<'a>(&mut self, a: &When<'a>, b: &When<'a>) -> Read<When<'a>> {
        self.0 = self.0.saturating_add(a.len()).saturating_add(b.len());
        match self.0 > MOST_WORK {
            true => Err(too_many()),
            false => Ok(a.and(b)),
        }
    }
}

impl<'a> Merge<'a> {
    /// Puts a branch before the rules.
    fn before(&mut self, branch: Branch<'a>, notes: &mut Notes) -> Read<()> {
        let Branch {
            at,
            condition,
            serve,
            rest,
            notes: of_branch,
        } = branch;
        let when = condition.when;
        if !of_branch.is_empty() {
            let end = self.end(&when, condition.is_known, &serve, rest)?;
            notes.conclude(&of_branch, end);
        }
        if when.is_nobody() {
            return Ok(());
        }
        let rule = |serve| Rule {
            at: at.clone(),
            when: when.clone(),
            serve,
        };
        if condition.is_known {
            if rest == Rest::Next && serve == Serve::V1 {
                return Ok(());
            }
            let is_next = rest == Rest::Next && matches!(serve, Serve::Part(_));
            if is_next {
                return self.add(rule(serve));
            }
            if rest == Rest::Mixed && self.rules.iter().any(|rule| rule.serve.is_some_v2()) {
                notes.lost(
                    &at,
                    "a part of the accounts takes v1 here and others go on to later rules; here all of them take v1",
                    "give the later rules to a rollout of its own",
                );
            }
            self.rules.insert(0, rule(serve));
            return Ok(());
        }
        if is_skipped(&serve, rest) {
            return Ok(());
        }
        match (serve, rest) {
            (Serve::Part(part), Rest::V1) => self.cap(&when, &Serve::Part(part), notes),
            _ => self.cap(&when, &Serve::V1, notes),
        }
    }

    /// What becomes of the accounts of a branch of which something is lost.
    fn end(
        &mut self,
        when: &When<'a>,
        is_known: bool,
        serve: &Serve,
        rest: Rest,
    ) -> Read<&'static str> {
        let mut is_v2_later = false;
        for rule in &self.rules {
            if rule.serve.is_some_v2() && !self.work.both(when, &rule.when)?.is_nobody() {
                is_v2_later = true;
                break;
            }
        }
        let goes_on = match (is_known, serve, rest) {
            (true, serve, rest) => rest == Rest::Next && *serve == Serve::V1,
            (false, serve, rest) => is_skipped(serve, rest),
        };
        Ok(match (is_v2_later, goes_on, is_known, serve) {
            (false, ..) | (true, false, true, _) => "whoever was in it takes v1",
            (true, true, ..) => "whoever was in it takes v1, or v2 if another rule serves it",
            (true, false, false, Serve::Part(_)) => {
                "other rules serve v2 to no more of those who may have been in it than it did"
            }
            (true, false, false, _) => "nobody who may have been in it takes v2 by another rule",
        })
    }

    /// The accounts of a rule that its part leaves go on: they take v2 if this or a later rule says
    /// so.
    fn add(&mut self, rule: Rule<'a>) -> Read<()> {
        let mut first = self.restricted(&rule.when)?;
        for restricted in &mut first {
            restricted.serve = restricted.serve.either(&rule.serve);
        }
        while first.last().is_some_and(|last| last.serve == rule.serve) {
            first.pop();
        }
        first.push(rule);
        self.prepend(first);
        Ok(())
    }

    /// To these accounts, later rules serve v2 at most as this does.
    fn cap(&mut self, when: &When<'a>, most: &Serve, notes: &mut Notes) -> Read<()> {
        let mut first = self.restricted(when)?;
        for rule in &mut first {
            let serve = rule.serve.both(most);
            let is_held_back = serve != rule.serve && rule.serve.is_some_v2();
            if is_held_back && self.told.insert(rule.at.clone()) {
                notes.lost(
                    &rule.at,
                    "an earlier rule that is left out may have kept these accounts on v1, so they do not take v2 by this one",
                    "write the earlier rule by hand, and then this one",
                );
            }
            rule.serve = serve;
        }
        self.prepend(first);
        Ok(())
    }

    /// The rules, for these accounts only.
    fn restricted(&mut self, when: &When<'a>) -> Read<Vec<Rule<'a>>> {
        let mut restricted = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            let both = self.work.both(when, &rule.when)?;
            if both.is_nobody() {
                continue;
            }
            let has_all = rule.when.is_everyone();
            restricted.push(Rule {
                at: rule.at.clone(),
                when: both,
                serve: rule.serve.clone(),
            });
            if has_all {
                break;
            }
        }
        Ok(restricted)
    }

    fn prepend(&mut self, mut first: Vec<Rule<'a>>) {
        // Nobody gets past a rule for everyone.
        if !first.iter().any(|rule| rule.when.is_everyone()) {
            first.append(&mut self.rules);
        }
        self.rules = first;
    }
}

/// What is left out of these served v2 or decided nothing, so that nobody takes v2 without it.
fn is_skipped(serve: &Serve, rest: Rest) -> bool {
    matches!((serve, rest), (Serve::V2, _) | (Serve::Part(_), Rest::Next))
}

/// Without rules that decide nothing.
fn pruned(mut rules: Vec<Rule<'_>>) -> Vec<Rule<'_>> {
    if let Some(last) = rules.iter().position(|rule| rule.when.is_everyone()) {
        rules.truncate(last.saturating_add(1));
    }
    while rules
        .last()
        .is_some_and(|last| last.when.is_everyone() && last.serve == Serve::V1)
    {
        rules.pop();
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Draw;
    use crate::when::Condition;

    const NAMES: [&str; 4] = ["a", "b", "c", "elsewhere"];
    const ALL: u8 = 4;

    /// Numbers that are the same in every run.
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
            let named = NAMES.iter().take(3).filter(|_| self.is()).copied();
            let named = When::within("", named.collect::<Vec<_>>());
            let when = match self.below(3) {
                0 => When::everyone(),
                1 => named,
                _ => named.not(),
            };
            let draw = Draw {
                tool: "tool",
                fields: Vec::new(),
                all: u32::from(ALL),
                is_last: false,
            };
            let (serve, rest) = match self.below(4) {
                0 => (Serve::V1, Rest::V1),
                1 => (Serve::V2, Rest::V1),
                which => {
                    let share = u32::from(self.below(ALL));
                    let rest = if which == 2 { Rest::V1 } else { Rest::Next };
                    (Serve::part(draw, share), rest)
                }
            };
            Branch {
                at: String::from("/here"),
                condition: Condition {
                    when,
                    is_known: self.below(4) > 0,
                },
                serve,
                rest,
                notes: Vec::new(),
            }
        }
    }

    fn holds(when: &When<'_>, name: &str) -> bool {
        when.accounts().contains(name) != when.is_outside()
    }

    fn serves(serve: &Serve, place: u8) -> bool {
        match serve {
            Serve::V1 => false,
            Serve::V2 => true,
            Serve::Part(part) => u32::from(place) < part.share,
        }
    }

    /// By the branches, where those that cannot be known hold as these bits say.
    fn by_branches(branches: &[Branch<'_>], bits: u32, name: &str, place: u8) -> bool {
        let mut bit = 0_u32;
        for branch in branches {
            let holds_here = branch.condition.is_known || bits >> bit & 1 == 1;
            bit = bit.saturating_add(u32::from(!branch.condition.is_known));
            if !holds_here || !holds(&branch.condition.when, name) {
                continue;
            }
            let is_v2 = serves(&branch.serve, place);
            if is_v2 || branch.rest != Rest::Next {
                return is_v2;
            }
        }
        false
    }

    #[test]
    fn rules_say_what_branches_say_and_never_v2_by_a_guess() {
        let mut numbers = Numbers(1);
        for _ in 0..20_000 {
            let count = numbers.below(6);
            let mut same = Numbers(numbers.0);
            let known: Vec<_> = (0..count).map(|_| numbers.branch()).collect();
            let given: Vec<_> = (0..count).map(|_| same.branch()).collect();
            let unknown = known
                .iter()
                .filter(|branch| !branch.condition.is_known)
                .count();
            let rules = rules(given, &mut Notes::default()).unwrap_or_default();
            for name in NAMES {
                for place in 0..ALL {
                    let rule = rules.iter().find(|rule| holds(&rule.when, name));
                    let is_v2 = rule.is_some_and(|rule| serves(&rule.serve, place));
                    let possible =
                        (0..1_u32 << unknown).map(|bits| by_branches(&known, bits, name, place));
                    let (mut is_always, mut is_ever) = (true, false);
                    for one in possible {
                        is_always &= one;
                        is_ever |= one;
                    }
                    assert!(is_always || !is_v2, "a guess: {name} at {place}");
                    assert!(unknown > 0 || is_v2 == is_ever, "{name} at {place}");
                }
            }
        }
    }
}
