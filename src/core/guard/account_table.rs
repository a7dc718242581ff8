//! Tests single accounts: v2 may be worse for one account only, whose errors are few among all.
//!
//! The table has [`ACCOUNTS`] places. An account enters it with its first error, of either arm, and takes the place of
//! the one in its group of eight that failed least recently. Its memory does not depend on how many accounts fail.
//!
//! **Budget.** An account is ejected when its evidence, times the budget of its place, reaches
//! `ACCOUNTS / false_ejections`. A place starts with a budget of 1. When an account leaves with evidence E below 1, the
//! budget of the place is multiplied by E, and nothing ever raises it: evidence against an account that has left helps
//! no later one, and what was spent on it is spent. So the accounts that share a place are together one
//! supermartingale that starts at 1, and an ejected account keeps its place. The expected number of accounts that are
//! ejected although v2 is not worse for them is therefore at most `false_ejections`, however many accounts come and go.
//!
//! Testing all accounts that ever fail would spend every budget. The first error of an account is not counted, so an
//! account that fails once costs nothing.
//!
//! **Settling.** Errors are kept for two generations of `settle_seconds` each, by the time of the decision, and enter
//! the evidence when a generation has settled. The errors of an account that leaves before are dropped, in both arms.
//! As soon as the unsettled errors would suffice, the account is held: it takes v1 until they have settled.

#![expect(
    clippy::float_arithmetic,
    reason = "statistics, once a second; a request only counts integers"
)]

use crate::bucketing::Fraction;
use crate::decision::Treatment;

use super::counts::Arms;
use super::likelihood_ratio::{LikelihoodRatio, ln_mean_exp};
use super::settings::FalseEjections;

/// The number of places for accounts.
pub const ACCOUNTS: usize = 1_024;

/// The number of places that an account may take.
const WAYS: usize = 8;

/// The unit of budgets: a millionth of a natural logarithm.
const UNITS: f64 = 1e6;

/// The accounts of one worker that have failed most recently.
#[derive(Debug)]
pub(super) struct AccountTable {
    /// Each in the order of the last errors, latest first.
    groups: Vec<[Entry; WAYS]>,
    /// The ratios of the strata, in their order.
    strata: Vec<StratumRatios>,
    ln_threshold: f64,
    ejected: usize,
    held: usize,
}

/// The errors of one account in one stratum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AccountErrors {
    /// The account, as a hash.
    pub(super) account: u64,
    /// The percentage of the stratum.
    pub(super) requests: Fraction,
    /// The errors of both arms.
    pub(super) errors: Arms<u64>,
}

/// One place. An account that fails in two strata has two.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// A hash; 0 if the place is empty.
    account: u64,
    /// The logarithm of the budget, at most 0.
    budget: i64,
    /// All errors since the account has the place.
    noted: Arms<u32>,
    settled: Arms<u32>,
    /// The errors of the previous generation of decisions.
    previous: Arms<u32>,
    /// The errors of the current generation.
    current: Arms<u32>,
    stratum: u8,
    /// Whether an error has settled.
    has_settled: bool,
    /// Whether the account takes v1 until its errors have settled.
    is_held: bool,
    is_ejected: bool,
}

/// What depends only on the stratum.
#[derive(Debug)]
struct StratumRatios {
    requests: Fraction,
    ratios: Vec<LikelihoodRatio>,
    /// The same in units of budgets, rounded to less evidence: gain of an error of v2, cost of an error of either arm.
    rounded: Vec<[i64; 2]>,
    /// The logarithm of the number of ratios, in the same units, rounded up.
    ln_count: i64,
}

impl AccountTable {
    /// Creates the table of one of `workers`, each of which has its own.
    pub(super) fn new(false_ejections: FalseEjections, workers: u32) -> Self {
        let groups = ACCOUNTS.div_ceil(WAYS);
        let mut table = Self {
            groups: vec![[Entry::default(); WAYS]; groups],
            strata: Vec::new(),
            ln_threshold: 0.0,
            ejected: 0,
            held: 0,
        };
        table.set_workers(false_ejections, workers);
        table
    }

    /// Divides the expected number of false ejections by the number of workers.
    pub(super) fn set_workers(&mut self, false_ejections: FalseEjections, workers: u32) {
        let allowed = f64::from(false_ejections.get()) / 1_000.0 / f64::from(workers.max(1));
        self.ln_threshold = libm::log(ACCOUNTS as f64 / allowed);
    }

    /// Adds the next stratum.
    pub(super) fn add_stratum(&mut self, requests: Fraction, ratios: Vec<LikelihoodRatio>) {
        self.strata.push(StratumRatios::new(requests, ratios));
    }

    /// Notes an error of an account, decided in the current or in the previous generation. Returns whether the account
    /// has been ejected.
    pub(super) fn note_error(
        &mut self,
        account: u64,
        stratum: u8,
        arm: Treatment,
        is_current: bool,
    ) -> bool {
        let account = place_key(account);
        let strata = &self.strata;
        let is_compared = |ratios: &StratumRatios| !ratios.ratios.is_empty();
        if !strata.get(usize::from(stratum)).is_some_and(is_compared) {
            return false;
        }
        let Some(group) =
            group_index(account, self.groups.len()).and_then(|index| self.groups.get_mut(index))
        else {
            return false;
        };
        let is_its = |entry: &Entry| entry.account == account && entry.stratum == stratum;
        let place = match group.iter().position(is_its) {
            Some(place) => place,
            None => {
                let last = group.iter().rposition(|entry| !entry.takes_v1());
                let Some((place, entry)) = last.and_then(|last| Some((last, group.get_mut(last)?)))
                else {
                    return false;
                };
                *entry = Entry {
                    account,
                    stratum,
                    budget: entry.budget_left(strata),
                    ..Entry::default()
                };
                place
            }
        };
        if let Some(moved) = group.get_mut(..=place) {
            moved.rotate_right(1);
        }
        let [entry, ..] = group;
        if !entry.is_ejected {
            let generation = match is_current {
                true => &mut entry.current,
                false => &mut entry.previous,
            };
            for count in [generation.get_mut(arm), entry.noted.get_mut(arm)] {
                *count = count.saturating_add(1);
            }
        }
        entry.is_ejected
    }

    /// Whether an account has been ejected or is held.
    pub(super) fn takes_v1(&self, account: u64) -> bool {
        let account = place_key(account);
        let is_it = |entry: &Entry| entry.takes_v1() && entry.account == account;
        self.ejected.saturating_add(self.held) > 0
            && group_index(account, self.groups.len())
                .and_then(|index| self.groups.get(index))
                .is_some_and(|group| group.iter().any(is_it))
    }

    /// Begins a generation and settles the one before the previous one. Returns the accounts that are ejected now.
    pub(super) fn begin_generation(&mut self) -> Vec<AccountErrors> {
        let mut ejected = Vec::new();
        let entries = self.groups.iter_mut().flatten();
        for entry in entries.filter(|entry| entry.account != 0 && !entry.is_ejected) {
            entry.settle();
            if let Some(stratum) = self.strata.get(usize::from(entry.stratum))
                && entry.ln_evidence(entry.settled, stratum) >= self.ln_threshold
            {
                entry.is_ejected = true;
                ejected.push(entry.errors(stratum.requests));
            }
            // All errors of a held account have settled if there are none in the generations that have not.
            entry.is_held &= !entry.is_ejected && entry.unsettled() != Arms::default();
        }
        self.ejected = self.ejected.saturating_add(ejected.len());
        ejected
    }

    /// Holds the accounts whose unsettled errors would suffice.
    pub(super) fn hold(&mut self) {
        let mut held = 0_usize;
        let entries = self.groups.iter_mut().flatten();
        for entry in entries.filter(|entry| !entry.is_ejected) {
            let mut errors = entry.unsettled();
            if errors.v2 > 0 && !entry.is_held {
                if !entry.has_settled {
                    errors = without_first(errors);
                }
                let errors = entry.settled.zip(errors, u32::saturating_add);
                let stratum = self.strata.get(usize::from(entry.stratum));
                entry.is_held = stratum
                    .is_some_and(|stratum| entry.ln_evidence(errors, stratum) >= self.ln_threshold);
            }
            held = held.saturating_add(usize::from(entry.is_held));
        }
        self.held = held;
    }

    /// The account with the most errors of v2 among those that have not been ejected.
    pub(super) fn heaviest(&self) -> Option<AccountErrors> {
        let entries = self.groups.iter().flatten();
        let entries = entries.filter(|entry| entry.noted.v2 > 0 && !entry.is_ejected);
        let entry = entries.max_by_key(|entry| entry.noted.v2)?;
        let stratum = self.strata.get(usize::from(entry.stratum))?;
        Some(entry.errors(stratum.requests))
    }

    /// The errors of one account in one stratum.
    pub(super) fn errors_of(&self, account: u64, requests: Fraction) -> Option<AccountErrors> {
        let group = self.groups.get(group_index(account, self.groups.len())?)?;
        let mut entries = group.iter().filter(|entry| !entry.is_ejected);
        entries.find_map(|entry| {
            let stratum = self.strata.get(usize::from(entry.stratum))?;
            let is_it = entry.account == account && stratum.requests == requests;
            is_it.then(|| entry.errors(requests))
        })
    }

    /// The number of accounts that have been ejected.
    pub(super) const fn ejected(&self) -> usize {
        self.ejected
    }

    /// Forgets all accounts. All budgets are whole again.
    pub(super) fn clear(&mut self) {
        self.groups.fill([Entry::default(); WAYS]);
        self.ejected = 0;
        self.held = 0;
    }

    pub(super) fn held_bytes(&self) -> usize {
        let groups = self
            .groups
            .capacity()
            .saturating_mul(size_of::<[Entry; WAYS]>());
        let strata = self.strata.iter();
        let strata = strata.fold(0, |sum: usize, stratum| {
            sum.saturating_add(stratum.held_bytes())
        });
        groups.saturating_add(strata)
    }
}

impl Entry {
    const fn takes_v1(&self) -> bool {
        self.is_held || self.is_ejected
    }

    /// Moves the errors by one generation.
    fn settle(&mut self) {
        let mut settling = self.previous;
        self.previous = std::mem::take(&mut self.current);
        if settling != Arms::default() && !self.has_settled {
            settling = without_first(settling);
            self.has_settled = true;
        }
        self.settled = self.settled.zip(settling, u32::saturating_add);
    }

    fn unsettled(&self) -> Arms<u32> {
        self.previous.zip(self.current, u32::saturating_add)
    }

    /// The evidence of so many errors, times the budget.
    fn ln_evidence(&self, errors: Arms<u32>, stratum: &StratumRatios) -> f64 {
        if errors.v2 == 0 {
            return f64::NEG_INFINITY;
        }
        stratum.ln_evidence(errors) + self.budget as f64 / UNITS
    }

    /// The budget of its place when it leaves.
    fn budget_left(&self, strata: &[StratumRatios]) -> i64 {
        match strata.get(usize::from(self.stratum)) {
            Some(stratum) if self.settled != Arms::default() => {
                let after = self
                    .budget
                    .saturating_add(stratum.least_evidence(self.settled));
                self.budget.min(after)
            }
            _ => self.budget,
        }
    }

    fn errors(&self, requests: Fraction) -> AccountErrors {
        AccountErrors {
            account: self.account,
            requests,
            errors: self.noted.map(u64::from),
        }
    }
}

impl StratumRatios {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "logarithms of ratios are small, and the cast saturates"
    )]
    fn new(requests: Fraction, ratios: Vec<LikelihoodRatio>) -> Self {
        let round = |ratio: &LikelihoodRatio| {
            let gain = libm::floor(ratio.ln_rate * UNITS) as i64;
            let cost = libm::ceil(ratio.ln_share * UNITS) as i64;
            [gain, cost]
        };
        let count = ratios.iter().map(|_| 1.0).sum::<f64>();
        Self {
            requests,
            rounded: ratios.iter().map(round).collect(),
            ln_count: libm::ceil(libm::log(count) * UNITS) as i64,
            ratios,
        }
    }

    fn ln_evidence(&self, errors: Arms<u32>) -> f64 {
        let ratios = self.ratios.iter();
        let logarithms: Vec<f64> = ratios
            .map(|ratio| ratio.ln(errors.map(u64::from)))
            .collect();
        ln_mean_exp(&logarithms)
    }

    /// A lower bound of the evidence in integers: the greatest ratio divided by the number of ratios.
    fn least_evidence(&self, errors: Arms<u32>) -> i64 {
        let Arms { v1, v2 } = errors.map(i64::from);
        let all = v1.saturating_add(v2);
        let of = |[gain, cost]: &[i64; 2]| {
            let gained = v2.saturating_mul(*gain);
            gained.saturating_sub(all.saturating_mul(*cost))
        };
        let greatest = self.rounded.iter().map(of).max().unwrap_or(0);
        greatest.saturating_sub(self.ln_count)
    }

    fn held_bytes(&self) -> usize {
        let ratios = self
            .ratios
            .capacity()
            .saturating_mul(size_of::<LikelihoodRatio>());
        let rounded = self
            .rounded
            .capacity()
            .saturating_mul(size_of::<[i64; 2]>());
        ratios
            .saturating_add(rounded)
            .saturating_add(size_of::<Self>())
    }
}

/// Removes the first error, which is not counted. The order within a generation is unknown; without an error of v2
/// there is less evidence than without one of v1.
fn without_first(errors: Arms<u32>) -> Arms<u32> {
    match errors.v2.checked_sub(1) {
        Some(v2) => Arms { v2, ..errors },
        None => errors.map(|v1| v1.saturating_sub(1)),
    }
}

/// The key of an account. 0 is an empty place, so the greatest hash counts as the same account as 0.
fn place_key(account: u64) -> u64 {
    account.wrapping_add(1).max(1)
}

fn group_index(account: u64, groups: usize) -> Option<usize> {
    let low = usize::try_from(account & 0xffff_ffff).ok()?;
    low.checked_rem(groups)
}
