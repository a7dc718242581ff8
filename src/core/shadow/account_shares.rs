//! Limits how much of a scarce resource (places, waiting requests, bytes) one account may use: a quarter. All
//! requests without an account together may use three quarters.

use crate::shadow::byte_budget::{ByteBudget, Charge};
use crate::vec_map::VecMap;

/// An account as a hash. All requests without an account share one key.
pub type AccountKey = Option<u64>;

/// Returns the share of one account in a resource of this size: at least one.
#[must_use]
pub fn share(account: AccountKey, most: usize) -> usize {
    let quarter = most >> 2;
    let share = match account {
        Some(_) => quarter,
        None => most.saturating_sub(quarter),
    };
    share.max(1)
}

/// A limited resource, and how much of it each account has taken.
#[derive(Debug, Default)]
pub struct AccountShares {
    taken: usize,
    by_account: VecMap<AccountKey, usize>,
}

impl AccountShares {
    /// The number taken by all accounts.
    #[must_use]
    pub const fn taken(&self) -> usize {
        self.taken
    }

    /// Whether an account has taken its whole share.
    #[must_use]
    pub fn is_spent(&self, account: AccountKey, most: usize) -> bool {
        self.of(account) >= share(account, most)
    }

    /// Takes one unit, unless all are taken or the account has its whole share.
    #[must_use = "what is refused must not be used"]
    pub fn take(&mut self, account: AccountKey, most: usize) -> bool {
        let is_free = self.taken < most && !self.is_spent(account, most);
        if is_free {
            self.taken = self.taken.saturating_add(1);
            let count = self.of(account).saturating_add(1);
            self.by_account.insert(account, count);
        }
        is_free
    }

    /// Gives one unit back.
    pub fn give_back(&mut self, account: AccountKey) {
        let Some(rest) = self.of(account).checked_sub(1) else {
            return;
        };
        self.taken = self.taken.saturating_sub(1);
        if rest == 0 {
            self.by_account.remove(&account);
        } else {
            self.by_account.insert(account, rest);
        }
    }

    fn of(&self, account: AccountKey) -> usize {
        self.by_account.get(&account).copied().unwrap_or_default()
    }
}

/// The bytes of one object, charged to the worker's budget and to its account's.
#[derive(Debug)]
pub struct AccountCharge {
    worker: Charge,
    own: Charge,
    account: AccountKey,
}

impl AccountCharge {
    /// Creates a charge of zero bytes. `own` is the budget of the account.
    #[must_use]
    pub fn new(worker: &ByteBudget, own: &ByteBudget, account: AccountKey) -> Self {
        Self {
            worker: worker.charge(),
            own: own.charge(),
            account,
        }
    }

    /// The number of bytes it holds.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.worker.bytes()
    }

    /// Adds bytes. If the worker would exceed the limit, or the account its share of it, returns
    /// `false` and changes nothing.
    #[must_use = "what is refused must not be held"]
    pub fn grow(&mut self, by: usize, limit: usize) -> bool {
        let before = self.own.bytes();
        if !self.own.grow(by, share(self.account, limit)) {
            return false;
        }
        let fits = self.worker.grow(by, limit);
        if !fits {
            self.own.set(before);
        }
        fits
    }

    /// Sets the exact number of bytes, once an object that was allowed to grow has its final size.
    pub fn set(&mut self, bytes: usize) {
        self.worker.set(bytes);
        self.own.set(bytes);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_share_is_a_quarter_and_those_without_an_account_leave_one() {
        let shares = [0, 1, 3, 4, 8, 64].map(|most| (share(Some(7), most), share(None, most)));
        assert_eq!(shares, [(1, 1), (1, 1), (1, 3), (1, 3), (2, 6), (16, 48)]);
    }

    fn account(number: u64) -> AccountKey {
        (number > 0).then_some(number)
    }

    proptest! {
        #[test]
        fn no_account_has_more_than_its_share_and_all_comes_back(
            steps in proptest::collection::vec((any::<bool>(), 0..6_u64), 0..300),
            most in 0..40_usize,
        ) {
            let mut shares = AccountShares::default();
            let mut have = [0_usize; 6];
            for (takes, number) in steps {
                let own = &mut have[usize::try_from(number).unwrap()];
                if takes {
                    let before = shares.taken();
                    let is_taken = shares.take(account(number), most);
                    prop_assert_eq!(is_taken, before < most && *own < share(account(number), most));
                    *own = own.saturating_add(usize::from(is_taken));
                } else {
                    shares.give_back(account(number));
                    *own = own.saturating_sub(1);
                }
                prop_assert_eq!(shares.taken(), have.iter().sum::<usize>());
                prop_assert!(shares.taken() <= most);
            }
            for (number, count) in (0_u64..).zip(have) {
                (0..count).for_each(|_| shares.give_back(account(number)));
            }
            prop_assert_eq!(shares.taken(), 0);
            prop_assert!(shares.by_account.is_empty());
        }

        #[test]
        fn no_account_holds_more_than_its_share_of_the_bytes(
            steps in proptest::collection::vec((0..4_u64, 0..3_000_usize), 0..100),
            limit in 4..20_000_usize,
        ) {
            let worker = ByteBudget::default();
            let own: Vec<ByteBudget> = (0..4).map(|_| ByteBudget::default()).collect();
            let budget = |number: u64| &own[usize::try_from(number).unwrap()];
            let mut charges: Vec<AccountCharge> = (0..4)
                .map(|number| AccountCharge::new(&worker, budget(number), account(number)))
                .collect();
            for (number, by) in steps {
                let before = (worker.held(), budget(number).held());
                let fits = charges[usize::try_from(number).unwrap()].grow(by, limit);
                let after = (worker.held(), budget(number).held());
                prop_assert!(fits || before == after);
                prop_assert!(worker.held() <= limit);
                prop_assert!(budget(number).held() <= share(account(number), limit));
                prop_assert_eq!(own.iter().map(ByteBudget::held).sum::<usize>(), worker.held());
            }
            drop(charges);
            prop_assert_eq!(worker.held(), 0);
        }
    }
}
