//! The byte budget of a worker: counts the bytes that Turnout holds in one VM, before it asks for them.
//!
//! A VM that runs out of memory traps. The proxy writes into memory that the VM must allocate, and that
//! allocation cannot be refused. So code charges bytes to the budget before it holds them. A [`Charge`] gives
//! its bytes back when it is dropped.

use std::cell::Cell;
use std::rc::Rc;

/// The bytes that all charges hold together. A clone shares the same budget.
#[derive(Clone, Debug, Default)]
pub struct ByteBudget {
    held: Rc<Cell<usize>>,
}

/// The bytes that one object holds.
#[derive(Debug)]
pub struct Charge {
    budget: ByteBudget,
    bytes: usize,
}

impl ByteBudget {
    /// Returns the number of bytes that are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.get()
    }

    /// Whether this many more bytes would stay within a limit.
    #[must_use]
    pub fn fits(&self, bytes: usize, limit: usize) -> bool {
        let all = self.held().checked_add(bytes);
        all.is_some_and(|all| all <= limit)
    }

    /// Returns a charge that holds nothing yet.
    #[must_use]
    pub fn charge(&self) -> Charge {
        Charge {
            budget: self.clone(),
            bytes: 0,
        }
    }
}

impl Charge {
    /// Returns the number of bytes that it holds.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds bytes. If the budget would then exceed the limit, returns `false` and changes nothing.
    #[must_use = "what is refused must not be held"]
    #[inline(never)]
    pub fn grow(&mut self, by: usize, limit: usize) -> bool {
        let fits = self.budget.fits(by, limit);
        if fits {
            self.set(self.bytes.saturating_add(by));
        }
        fits
    }

    /// Sets the exact number of bytes, once an object that was allowed to grow has its final size.
    #[inline(never)]
    pub fn set(&mut self, bytes: usize) {
        let others = self.budget.held().saturating_sub(self.bytes);
        // Keeps the sum of all charges within a `usize`, so that a charge gives back exactly what it took.
        self.bytes = bytes.min(usize::MAX.saturating_sub(others));
        self.budget.held.set(others.saturating_add(self.bytes));
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Open,
        Grow(usize, usize),
        Set(usize, usize),
        Drop(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let size = prop_oneof![0..2_000_usize, Just(usize::MAX), Just(usize::MAX / 2)];
        prop_oneof![
            Just(Step::Open),
            (0..8_usize, size.clone()).prop_map(|(at, by)| Step::Grow(at, by)),
            (0..8_usize, size).prop_map(|(at, to)| Step::Set(at, to)),
            (0..8_usize).prop_map(Step::Drop),
        ]
    }

    proptest! {
        #[test]
        fn the_budget_is_the_sum_of_its_charges_and_all_of_it_comes_back(
            steps in proptest::collection::vec(step(), 0..200),
            limit in 0..10_000_usize,
        ) {
            let budget = ByteBudget::default();
            let mut charges: Vec<Charge> = Vec::new();
            for step in steps {
                let before = budget.held();
                match step {
                    Step::Open => charges.push(budget.charge()),
                    Step::Grow(at, by) => if let Some(charge) = charges.get_mut(at) {
                        let had = charge.bytes();
                        let is_taken = charge.grow(by, limit);
                        prop_assert_eq!(is_taken, before.checked_add(by).is_some_and(|all| all <= limit));
                        prop_assert_eq!(charge.bytes(), had.saturating_add(if is_taken { by } else { 0 }));
                        prop_assert!(budget.held() <= limit.max(before));
                    },
                    Step::Set(at, to) => if let Some(charge) = charges.get_mut(at) {
                        charge.set(to);
                        prop_assert!(charge.bytes() <= to);
                    },
                    Step::Drop(at) => if at < charges.len() {
                        charges.swap_remove(at);
                    },
                }
                let sum = charges.iter().try_fold(0_usize, |sum, charge| sum.checked_add(charge.bytes()));
                prop_assert_eq!(sum, Some(budget.held()));
            }
            drop(charges);
            prop_assert_eq!(budget.held(), 0);
        }

        #[test]
        fn what_only_grows_never_passes_the_limit(
            sizes in proptest::collection::vec((0..5_usize, 0..4_000_usize), 0..100),
            limit in 0..20_000_usize,
        ) {
            let budget = ByteBudget::default();
            let mut charges: Vec<Charge> = (0..5).map(|_| budget.charge()).collect();
            for (at, by) in sizes {
                let fits = budget.fits(by, limit);
                prop_assert_eq!(charges[at].grow(by, limit), fits);
                prop_assert!(budget.held() <= limit);
            }
        }
    }
}
