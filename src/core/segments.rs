//! Segments: which named sets an account is in, answered by one look-up for all of them.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash, Hasher};
use std::iter::successors;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::account::{AccountId, Format, Sid, is_opaque_account};

/// A set of segments, one bit for each, in the order of the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentSet(Vec<u64>);

impl SegmentSet {
    pub(crate) const NONE: &Self = &Self(Vec::new());

    /// The segment that comes first in the policy.
    pub(crate) fn first(&self) -> Option<usize> {
        let (index, word) = self.0.iter().enumerate().find(|(_, word)| **word != 0)?;
        let bit = usize::try_from(word.trailing_zeros()).ok()?;
        index.checked_mul(64)?.checked_add(bit)
    }

    pub(crate) fn insert(&mut self, segment: usize) {
        let (word, bit) = (segment / 64, segment % 64);
        if self.0.len() <= word {
            self.0.resize(word.saturating_add(1), 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << bit;
        }
    }

    pub(crate) fn contains(&self, segment: usize) -> bool {
        let (word, bit) = (segment / 64, segment % 64);
        self.0.get(word).is_some_and(|word| word & (1 << bit) != 0)
    }

    /// The segments of the set, in the order of the policy.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + use<'_> {
        let words = self.0.iter().enumerate();
        words.flat_map(|(index, word)| {
            // Each step takes the lowest bit off.
            let rest = successors(Some(*word), |rest| Some(rest & rest.wrapping_sub(1)));
            let bits = rest.take_while(|rest| *rest != 0);
            bits.filter_map(move |rest| {
                let bit = usize::try_from(rest.trailing_zeros()).ok()?;
                index.checked_mul(64)?.checked_add(bit)
            })
        })
    }

    pub(crate) fn intersects(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }
}

/// Every account that is in some segment, with the segments that it is in.
///
/// Many accounts share few such sets, so an account keeps only the number of its set. A look-up
/// costs the same for ten accounts as for a hundred thousand.
#[derive(Debug)]
pub(crate) struct Segments {
    sets: Vec<SegmentSet>,
    accounts: Accounts,
}

#[derive(Debug)]
enum Accounts {
    Sids(HashMap<Sid, u32, Xxh3>),
    Opaque(HashMap<Box<[u8]>, u32, Xxh3>),
}

impl Segments {
    /// The segments that an account is in.
    pub(crate) fn of(&self, account: &AccountId<'_>) -> &SegmentSet {
        let set = match &self.accounts {
            Accounts::Sids(sids) => account.sid().and_then(|sid| sids.get(&sid)),
            Accounts::Opaque(accounts) => accounts.get(account.as_slice()),
        };
        set.and_then(|set| self.sets.get(usize::try_from(*set).ok()?))
            .unwrap_or(SegmentSet::NONE)
    }
}

impl Segments {
    /// The accounts of one segment, in no order.
    pub(crate) fn accounts_of(&self, segment: usize) -> impl Iterator<Item = Vec<u8>> {
        let (sids, opaque) = match &self.accounts {
            Accounts::Sids(sids) => (Some(sids), None),
            Accounts::Opaque(opaque) => (None, Some(opaque)),
        };
        let sids = sids.into_iter().flatten();
        let sids = sids.map(|(sid, set)| (sid.text(), *set));
        let opaque = opaque.into_iter().flatten();
        let opaque = opaque.map(|(account, set)| (account.to_vec(), *set));
        sids.chain(opaque).filter_map(move |(account, set)| {
            let set = self.sets.get(usize::try_from(set).ok()?)?;
            set.contains(segment).then_some(account)
        })
    }
}

/// Gathers [`Segments`] account by account.
pub(crate) struct Builder {
    segments: Segments,
    /// From a set, by one more segment, to the set with it.
    steps: BTreeMap<(u32, usize), u32>,
    /// The number of each set but the empty one, which is 0.
    numbers: BTreeMap<SegmentSet, u32>,
}

impl Builder {
    pub(crate) fn new(format: Format) -> Self {
        let accounts = match format {
            Format::Sid => Accounts::Sids(HashMap::default()),
            Format::Opaque => Accounts::Opaque(HashMap::default()),
        };
        Self {
            segments: Segments {
                sets: vec![SegmentSet::default()],
                accounts,
            },
            steps: BTreeMap::new(),
            numbers: BTreeMap::new(),
        }
    }

    /// `false` when the account is not of the policy's format.
    pub(crate) fn insert(&mut self, segment: usize, account: &[u8]) -> bool {
        let Segments { sets, accounts } = &mut self.segments;
        let (steps, numbers) = (&mut self.steps, &mut self.numbers);
        match accounts {
            Accounts::Sids(sids) => {
                let Some(sid) = Sid::parse(account) else {
                    return false;
                };
                let set = sids.entry(sid).or_default();
                *set = step(steps, numbers, sets, *set, segment);
            }
            Accounts::Opaque(opaque) => {
                if !is_opaque_account(account) {
                    return false;
                }
                let set = opaque.entry(account.into()).or_default();
                *set = step(steps, numbers, sets, *set, segment);
            }
        }
        true
    }

    pub(crate) fn build(self) -> Segments {
        self.segments
    }
}

/// The number of the set that has all of `from` and `segment`.
fn step(
    steps: &mut BTreeMap<(u32, usize), u32>,
    numbers: &mut BTreeMap<SegmentSet, u32>,
    sets: &mut Vec<SegmentSet>,
    from: u32,
    segment: usize,
) -> u32 {
    *steps.entry((from, segment)).or_insert_with(|| {
        let mut set = usize::try_from(from)
            .ok()
            .and_then(|from| sets.get(from))
            .cloned()
            .unwrap_or_default();
        set.insert(segment);
        let next = u32::try_from(sets.len()).unwrap_or_default();
        *numbers.entry(set).or_insert_with_key(|set| {
            sets.push(set.clone());
            next
        })
    })
}

/// XXH3 as the hash of a map. No secret is needed: what is in the map comes from the policy alone,
/// so a client cannot fill a bucket.
#[derive(Clone, Copy, Debug, Default)]
struct Xxh3(u64);

impl BuildHasher for Xxh3 {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self::default()
    }
}

impl Hasher for Xxh3 {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// The length prefix of a slice: XXH3 takes the length in by itself.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Hash for Sid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.packed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Bytes;

    #[test]
    fn an_account_knows_all_its_segments() {
        let mut builder = Builder::new(Format::Opaque);
        for (segment, account) in [(0, "both"), (70, "both"), (70, "far"), (70, "far")] {
            assert!(builder.insert(segment, account.as_bytes()));
        }
        assert!(!builder.insert(0, b""));
        let segments = builder.build();
        let near = SegmentSet(vec![1]);
        let mut far = SegmentSet::default();
        far.insert(70);

        let is_in = |account: &str, set| {
            let account = Format::Opaque.account(Bytes::of_request(account.as_bytes()));
            segments.of(&account.unwrap()).intersects(set)
        };
        assert!(is_in("both", &near) && is_in("both", &far));
        assert!(!is_in("far", &near) && is_in("far", &far));
        assert!(!is_in("nobody", &near) && !is_in("nobody", &far));
    }
}
