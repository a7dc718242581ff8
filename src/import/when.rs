//! Which accounts a condition is about: those of a set, or all others.

use std::collections::BTreeSet;
use std::rc::Rc;

/// A set of accounts, or all that are not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct When<'a> {
    /// All but these.
    is_outside: bool,
    accounts: Rc<BTreeSet<&'a str>>,
    /// What the set is called in the file.
    name: Rc<str>,
}

/// A condition as far as it can be known.
#[derive(Clone, Debug)]
pub(crate) struct Condition<'a> {
    /// The accounts for which it may hold.
    pub(crate) when: When<'a>,
    /// Whether it holds for all of them.
    pub(crate) is_known: bool,
}

impl<'a> When<'a> {
    pub(crate) fn everyone() -> Self {
        Self::new(true, BTreeSet::new(), "")
    }

    pub(crate) fn within(name: &str, accounts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(false, accounts.into_iter().collect(), name)
    }

    fn new(is_outside: bool, accounts: BTreeSet<&'a str>, name: &str) -> Self {
        Self {
            is_outside,
            accounts: Rc::new(accounts),
            name: name.into(),
        }
    }

    pub(crate) fn is_everyone(&self) -> bool {
        self.is_outside && self.accounts.is_empty()
    }

    pub(crate) fn is_nobody(&self) -> bool {
        !self.is_outside && self.accounts.is_empty()
    }

    pub(crate) fn is_outside(&self) -> bool {
        self.is_outside
    }

    pub(crate) fn accounts(&self) -> &Rc<BTreeSet<&'a str>> {
        &self.accounts
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How many accounts it names.
    pub(crate) fn len(&self) -> usize {
        self.accounts.len()
    }

    pub(crate) fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    pub(crate) fn not(mut self) -> Self {
        self.is_outside = !self.is_outside;
        self
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        if self.is_everyone() || other.is_nobody() || self == other {
            return other.clone();
        }
        if other.is_everyone() || self.is_nobody() {
            return self.clone();
        }
        let (a, b) = (&*self.accounts, &*other.accounts);
        let accounts = match (self.is_outside, other.is_outside) {
            (false, false) => a.intersection(b).copied().collect(),
            (false, true) => a.difference(b).copied().collect(),
            (true, false) => b.difference(a).copied().collect(),
            (true, true) => a.union(b).copied().collect(),
        };
        let name = match self.is_outside {
            false => &self.name,
            true => &other.name,
        };
        Self::new(self.is_outside && other.is_outside, accounts, name)
    }

    pub(crate) fn or(&self, other: &Self) -> Self {
        let neither = self.clone().not().and(&other.clone().not());
        let named = |when: &Self| (!when.name.is_empty()).then(|| Rc::clone(&when.name));
        let name = named(self).or_else(|| named(other)).unwrap_or_default();
        Self {
            name,
            ..neither.not()
        }
    }
}

impl<'a> Condition<'a> {
    pub(crate) fn known(when: When<'a>) -> Self {
        let is_known = true;
        Self { when, is_known }
    }

    /// It may hold for anyone.
    pub(crate) fn unknown() -> Self {
        Self {
            when: When::everyone(),
            is_known: false,
        }
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        let when = self.when.and(&other.when);
        // For nobody is known, whatever else is not.
        let is_known = (self.is_known && other.is_known) || when.is_nobody();
        Self { when, is_known }
    }

    pub(crate) fn or(&self, other: &Self) -> Self {
        Self {
            when: self.when.or(&other.when),
            is_known: self.is_known && other.is_known,
        }
    }

    pub(crate) fn not(self) -> Self {
        match self.is_known {
            true => Self::known(self.when.not()),
            false => Self::unknown(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every two conditions over three accounts and an account that is named nowhere.
    #[test]
    fn and_or_and_not_are_those_of_sets() {
        let names = ["a", "b", "c", "elsewhere"];
        let all: Vec<When<'_>> = (0..16_u8)
            .map(|bits| {
                let named = (0..3_u8).filter(|bit| bits >> bit & 1 == 1);
                let set = When::within("set", named.map(|bit| names[usize::from(bit)]));
                if bits >> 3 == 1 { set.not() } else { set }
            })
            .collect();
        let holds = |when: &When<'_>, name: &str| when.accounts.contains(name) != when.is_outside;
        for a in &all {
            for b in &all {
                for name in names {
                    let (in_a, in_b) = (holds(a, name), holds(b, name));
                    assert_eq!(holds(&a.and(b), name), in_a && in_b);
                    assert_eq!(holds(&a.or(b), name), in_a || in_b);
                    assert_eq!(holds(&a.clone().not(), name), !in_a);
                }
            }
        }
    }
}
