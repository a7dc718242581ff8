//! Sets of accounts, and conditions that select them.

use std::collections::BTreeSet;
use std::rc::Rc;

/// A set of accounts: the listed ones, or all but the listed ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccountSet<'a> {
    /// Whether the set is every account but the listed ones.
    is_complement: bool,
    listed: Rc<BTreeSet<&'a str>>,
    /// The set's name in the file; may be empty.
    name: Rc<str>,
}

/// A condition of a flag, as far as the import can evaluate it.
#[derive(Clone, Debug)]
pub(crate) struct Condition<'a> {
    /// The accounts for which the condition may hold.
    pub(crate) accounts: AccountSet<'a>,
    /// Whether the condition holds for all of them.
    pub(crate) is_known: bool,
}

impl<'a> AccountSet<'a> {
    pub(crate) fn everyone() -> Self {
        Self::new(true, BTreeSet::new(), "")
    }

    pub(crate) fn within(name: &str, accounts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(false, accounts.into_iter().collect(), name)
    }

    fn new(is_complement: bool, listed: BTreeSet<&'a str>, name: &str) -> Self {
        Self {
            is_complement,
            listed: Rc::new(listed),
            name: name.into(),
        }
    }

    pub(crate) fn is_everyone(&self) -> bool {
        self.is_complement && self.listed.is_empty()
    }

    pub(crate) fn is_nobody(&self) -> bool {
        !self.is_complement && self.listed.is_empty()
    }

    pub(crate) fn is_complement(&self) -> bool {
        self.is_complement
    }

    /// The accounts that the set lists, which a complement excludes.
    pub(crate) fn listed(&self) -> &Rc<BTreeSet<&'a str>> {
        &self.listed
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The number of listed accounts.
    pub(crate) fn len(&self) -> usize {
        self.listed.len()
    }

    pub(crate) fn with_name(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    pub(crate) fn not(mut self) -> Self {
        self.is_complement = !self.is_complement;
        self
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        if self.is_everyone() || other.is_nobody() || self == other {
            return other.clone();
        }
        if other.is_everyone() || self.is_nobody() {
            return self.clone();
        }
        let (a, b) = (&*self.listed, &*other.listed);
        let listed = match (self.is_complement, other.is_complement) {
            (false, false) => a.intersection(b).copied().collect(),
            (false, true) => a.difference(b).copied().collect(),
            (true, false) => b.difference(a).copied().collect(),
            (true, true) => a.union(b).copied().collect(),
        };
        let name = match self.is_complement {
            false => &self.name,
            true => &other.name,
        };
        Self::new(self.is_complement && other.is_complement, listed, name)
    }

    pub(crate) fn or(&self, other: &Self) -> Self {
        let neither = self.clone().not().and(&other.clone().not());
        let name_of = |set: &Self| (!set.name.is_empty()).then(|| Rc::clone(&set.name));
        let name = name_of(self).or_else(|| name_of(other)).unwrap_or_default();
        Self {
            name,
            ..neither.not()
        }
    }
}

impl<'a> Condition<'a> {
    /// A condition that holds for exactly these accounts.
    pub(crate) fn known(accounts: AccountSet<'a>) -> Self {
        Self {
            accounts,
            is_known: true,
        }
    }

    /// A condition that always holds.
    pub(crate) fn always() -> Self {
        Self::known(AccountSet::everyone())
    }

    /// A condition that may hold for any account.
    pub(crate) fn unknown() -> Self {
        Self {
            accounts: AccountSet::everyone(),
            is_known: false,
        }
    }

    pub(crate) fn and(&self, other: &Self) -> Self {
        let accounts = self.accounts.and(&other.accounts);
        // The empty set is known, even if one of the conditions is not.
        let is_known = (self.is_known && other.is_known) || accounts.is_nobody();
        Self { accounts, is_known }
    }

    pub(crate) fn or(&self, other: &Self) -> Self {
        Self {
            accounts: self.accounts.or(&other.accounts),
            is_known: self.is_known && other.is_known,
        }
    }

    pub(crate) fn not(self) -> Self {
        match self.is_known {
            true => Self::known(self.accounts.not()),
            false => Self::unknown(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair of sets over three listed accounts and one that no set lists.
    #[test]
    fn and_or_and_not_are_set_operations() {
        let names = ["a", "b", "c", "unlisted"];
        let all: Vec<AccountSet<'_>> = (0..16_u8)
            .map(|bits| {
                let listed = (0..3_u8).filter(|bit| bits >> bit & 1 == 1);
                let set = AccountSet::within("set", listed.map(|bit| names[usize::from(bit)]));
                if bits >> 3 == 1 { set.not() } else { set }
            })
            .collect();
        let contains =
            |set: &AccountSet<'_>, name: &str| set.listed.contains(name) != set.is_complement;
        for a in &all {
            for b in &all {
                for name in names {
                    let (in_a, in_b) = (contains(a, name), contains(b, name));
                    assert_eq!(contains(&a.and(b), name), in_a && in_b);
                    assert_eq!(contains(&a.or(b), name), in_a || in_b);
                    assert_eq!(contains(&a.clone().not(), name), !in_a);
                }
            }
        }
    }
}
