//! The counts of one worker as bytes, for the other workers of the process.
//!
//! Each worker writes its own snapshot once a second and reads those of the others. All integers are little-endian. The
//! number before each field is its length in bytes:
//!
//! ```text
//! 1 version, 1 state (bit 0 tripped, bit 1 invalid), 1 number of strata, 1 zero, 8 epoch
//! 8 account, 4 percentage, 8 + 8 errors of v1 and v2    the account with the most errors of v2, or zeros
//! then for each stratum:
//!   4 percentage, 8 + 8 errors of ejected accounts in v1 and v2
//!   8 + 8 + 8 settled (all, errors, slow) of v1, 24 of v2, 24 unsettled of v1, 24 of v2
//! ```

use crate::bucketing::Fraction;

use super::account_table::AccountErrors;
use super::counts::{ArmCounts, Arms, GuardCounts};

const VERSION: u8 = 1;
const TRIPPED: u8 = 1;
const INVALID: u8 = 2;

/// The number of accounts of other workers that are considered.
const MOST_ACCOUNTS: usize = 256;

/// One worker's part of what all workers know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) epoch: u64,
    pub(super) is_tripped: bool,
    pub(super) is_invalid: bool,
    pub(super) heaviest: Option<AccountErrors>,
    pub(super) strata: Vec<StratumSnapshot>,
}

/// The part of one stratum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StratumSnapshot {
    pub(super) requests: Fraction,
    /// The errors of accounts that were ejected.
    pub(super) set_aside: Arms<u64>,
    pub(super) settled: Arms<ArmCounts>,
    pub(super) unsettled: Arms<ArmCounts>,
}

/// What the other workers of a process know about a rollout: the sum of their counts.
#[derive(Clone, Debug, Default)]
pub struct OtherWorkers {
    epoch: u64,
    pub(super) settled: GuardCounts,
    pub(super) unsettled: GuardCounts,
    pub(super) set_aside: GuardCounts,
    pub(super) heaviest: Vec<AccountErrors>,
    pub(super) is_tripped: bool,
    pub(super) is_invalid: bool,
}

impl Snapshot {
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        bytes.clear();
        let strata = u8::try_from(self.strata.len()).unwrap_or(u8::MAX);
        let tripped = if self.is_tripped { TRIPPED } else { 0 };
        let invalid = if self.is_invalid { INVALID } else { 0 };
        bytes.extend([VERSION, tripped | invalid, strata, 0]);
        let mut write = |number: u64| bytes.extend(number.to_le_bytes());
        write(self.epoch);
        let heaviest = self.heaviest.as_ref();
        write(heaviest.map_or(0, |heaviest| heaviest.account));
        let requests = heaviest.map_or(0, |heaviest| heaviest.requests.millionths());
        bytes.extend(requests.to_le_bytes());
        let errors = heaviest.map_or(Arms::default(), |heaviest| heaviest.errors);
        write_errors(bytes, errors);
        for stratum in self.strata.iter().take(usize::from(strata)) {
            bytes.extend(stratum.requests.millionths().to_le_bytes());
            write_errors(bytes, stratum.set_aside);
            for arms in [stratum.settled, stratum.unsettled] {
                for ArmCounts { all, errors, slow } in [arms.v1, arms.v2] {
                    let counts = [all, errors, slow];
                    counts
                        .into_iter()
                        .for_each(|count| bytes.extend(count.to_le_bytes()));
                }
            }
        }
    }

    /// Adds the snapshot of a worker of the same epoch.
    fn merge(&mut self, other: Self) {
        self.is_tripped |= other.is_tripped;
        self.is_invalid |= other.is_invalid;
        let errors = |heaviest: &AccountErrors| heaviest.errors.v2;
        let heaviest = [self.heaviest, other.heaviest];
        self.heaviest = heaviest.into_iter().flatten().max_by_key(errors);
        for stratum in other.strata {
            let mut known = self.strata.iter_mut();
            match known.find(|known| known.requests == stratum.requests) {
                None => self.strata.push(stratum),
                Some(known) => {
                    let errors = known.set_aside;
                    known.set_aside = errors.zip(stratum.set_aside, u64::saturating_add);
                    known.settled = known.settled.zip(stratum.settled, ArmCounts::plus);
                    known.unsettled = known.unsettled.zip(stratum.unsettled, ArmCounts::plus);
                }
            }
        }
    }

    /// Reads a snapshot; `None` if these bytes are none.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let [version, state, strata, zero] = reader.take()?;
        if version != VERSION || state > TRIPPED | INVALID || zero != 0 {
            return None;
        }
        let epoch = reader.number()?;
        let account = reader.number()?;
        let requests = Fraction::from_millionths(u32::from_le_bytes(reader.take()?))?;
        let errors = reader.errors()?;
        let heaviest = (account != 0).then_some(AccountErrors {
            account,
            requests,
            errors,
        });
        let strata = (0..strata).map(|_| reader.stratum());
        let strata = strata.collect::<Option<Vec<_>>>()?;
        reader.0.is_empty().then_some(Self {
            epoch,
            is_tripped: state & TRIPPED != 0,
            is_invalid: state & INVALID != 0,
            heaviest,
            strata,
        })
    }
}

/// Adds up the snapshots of two workers that have ended, so that many of them take the place of one. `None` if they
/// are of two epochs, or if one of them is not a snapshot.
#[must_use]
pub fn merge_snapshots(one: &[u8], other: &[u8]) -> Option<Vec<u8>> {
    let (mut sum, other) = (Snapshot::read(one)?, Snapshot::read(other)?);
    if sum.epoch != other.epoch {
        return None;
    }
    sum.merge(other);
    let mut bytes = Vec::new();
    sum.write(&mut bytes);
    Some(bytes)
}

fn write_errors(bytes: &mut Vec<u8>, errors: Arms<u64>) {
    bytes.extend(errors.v1.to_le_bytes());
    bytes.extend(errors.v2.to_le_bytes());
}

/// The bytes that have not been read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn number(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn errors(&mut self) -> Option<Arms<u64>> {
        let v1 = self.number()?;
        let v2 = self.number()?;
        Some(Arms { v1, v2 })
    }

    fn arm(&mut self) -> Option<ArmCounts> {
        Some(ArmCounts {
            all: self.number()?,
            errors: self.number()?,
            slow: self.number()?,
        })
    }

    fn arms(&mut self) -> Option<Arms<ArmCounts>> {
        let v1 = self.arm()?;
        let v2 = self.arm()?;
        Some(Arms { v1, v2 })
    }

    fn stratum(&mut self) -> Option<StratumSnapshot> {
        Some(StratumSnapshot {
            requests: Fraction::from_millionths(u32::from_le_bytes(self.take()?))?,
            set_aside: self.errors()?,
            settled: self.arms()?,
            unsettled: self.arms()?,
        })
    }
}

impl OtherWorkers {
    /// Nothing yet. Only counts of this epoch are added.
    #[must_use]
    pub fn new(epoch: u64) -> Self {
        Self {
            epoch,
            ..Self::default()
        }
    }

    /// The epoch of the counts.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Adds the snapshot of another worker, and not of the worker that evaluates it. Returns whether its counts were
    /// added: not if it is of another epoch, or if the bytes are not a snapshot.
    pub fn add(&mut self, bytes: &[u8]) -> bool {
        self.add_snapshot(bytes, true)
    }

    /// Adds the last snapshot of a worker that has ended. What had not settled never will, so it does not count.
    pub fn add_ended(&mut self, bytes: &[u8]) -> bool {
        self.add_snapshot(bytes, false)
    }

    fn add_snapshot(&mut self, bytes: &[u8], is_running: bool) -> bool {
        let snapshot = Snapshot::read(bytes).filter(|snapshot| snapshot.epoch == self.epoch);
        let Some(snapshot) = snapshot else {
            return false;
        };
        self.is_tripped |= snapshot.is_tripped;
        self.is_invalid |= snapshot.is_invalid;
        if self.heaviest.len() < MOST_ACCOUNTS {
            self.heaviest.extend(snapshot.heaviest);
        }
        for stratum in snapshot.strata {
            let requests = stratum.requests;
            self.settled.add(requests, stratum.settled);
            if is_running {
                self.unsettled.add(requests, stratum.unsettled);
            }
            let set_aside = stratum.set_aside.map(|errors| ArmCounts {
                errors,
                ..ArmCounts::default()
            });
            self.set_aside.add(requests, set_aside);
        }
        true
    }

    /// The settled counts of the other workers.
    #[must_use]
    pub const fn settled(&self) -> &GuardCounts {
        &self.settled
    }
}
