//! Finds the segments of an account, with one look-up for all segments.

mod account_layer;
mod builder;
mod segment_set_interner;
pub(crate) mod sorted_index;

use std::iter::successors;

use xxhash_rust::xxh3::xxh3_64;

use crate::plan::segment_lookup::sorted_index::SortedIndex;
use crate::request::account_id::{AccountId, Sid};

use account_layer::LayerSets;
pub(crate) use builder::SegmentsBuilder;

/// A set of segments, as a bit set in the order of the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentSet {
    /// The first 64 segments, inline, because most policies have no more.
    first: u64,
    /// The other segments.
    rest: Vec<u64>,
}

impl SegmentSet {
    /// The empty set.
    pub(crate) const NONE: &Self = &Self {
        first: 0,
        rest: Vec::new(),
    };

    /// Returns the segment that comes first in the policy.
    pub(crate) fn first(&self) -> Option<usize> {
        self.iter().next()
    }

    pub(crate) fn insert(&mut self, segment: usize) {
        let bit = 1 << (segment % 64);
        let Some(word) = (segment / 64).checked_sub(1) else {
            self.first |= bit;
            return;
        };
        if self.rest.len() <= word {
            self.rest.resize(word.saturating_add(1), 0);
        }
        if let Some(word) = self.rest.get_mut(word) {
            *word |= bit;
        }
    }

    fn union_with(&mut self, other: &Self) {
        self.first |= other.first;
        if self.rest.len() < other.rest.len() {
            self.rest.resize(other.rest.len(), 0);
        }
        for (word, other) in self.rest.iter_mut().zip(&other.rest) {
            *word |= other;
        }
    }

    pub(crate) fn contains(&self, segment: usize) -> bool {
        let word = match (segment / 64).checked_sub(1) {
            None => self.first,
            Some(word) => self.rest.get(word).copied().unwrap_or_default(),
        };
        word & (1 << (segment % 64)) != 0
    }

    /// Iterates over the segments of the set, in the order of the policy.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + use<'_> {
        let words = [&self.first].into_iter().chain(&self.rest).enumerate();
        words.flat_map(|(index, word)| {
            // Each step clears the lowest bit.
            let rest = successors(Some(*word), |rest| Some(rest & rest.wrapping_sub(1)));
            let bits = rest.take_while(|rest| *rest != 0);
            bits.filter_map(move |rest| {
                let bit = usize::try_from(rest.trailing_zeros()).ok()?;
                index.checked_mul(64)?.checked_add(bit)
            })
        })
    }

    #[inline]
    pub(crate) fn intersects(&self, other: &Self) -> bool {
        self.first & other.first != 0 || self.rest.iter().zip(&other.rest).any(|(a, b)| a & b != 0)
    }
}

/// Every account that is in some segment, with its set of segments.
///
/// Many accounts share few distinct sets, so each account stores only the number of its set, and not even
/// that if all accounts have the same one. A look-up costs the same for ten accounts as for a million.
#[derive(Debug)]
pub(crate) struct Segments {
    /// The distinct sets. Number 0 is the empty set.
    sets: Vec<SegmentSet>,
    accounts: AccountKeys,
    /// The number of the set of each account, by its index in `accounts`.
    set_numbers: LayerSets,
}

/// The accounts as sorted 128-bit keys.
#[derive(Debug)]
enum AccountKeys {
    /// SIDs, by their numbers.
    Sids(SortedIndex),
    /// Opaque accounts, by the keys that [`opaque_key`] computes.
    Opaque { keys: SortedIndex, bytes: Vec<u8> },
}

impl Segments {
    /// The size on the heap in bytes, with spare capacity.
    pub(crate) fn held_bytes(&self) -> usize {
        // Policies with more than 64 segments have a list in each set.
        let set = size_of::<SegmentSet>().saturating_add(128);
        let sets = self.sets.len().saturating_mul(set);
        let accounts = match &self.accounts {
            AccountKeys::Sids(keys) => keys.held_bytes(),
            AccountKeys::Opaque { keys, bytes } => {
                keys.held_bytes().saturating_add(bytes.capacity())
            }
        };
        let numbers = self.set_numbers.held_bytes();
        sets.saturating_add(accounts).saturating_add(numbers)
    }

    /// Returns the segments of an account.
    pub(crate) fn find(&self, account: &AccountId<'_>) -> &SegmentSet {
        let index = match &self.accounts {
            AccountKeys::Sids(sids) => account.sid().and_then(|sid| sids.find(sid.number())),
            AccountKeys::Opaque { keys, bytes } => find_opaque(keys, bytes, account.as_slice()),
        };
        index.map_or(SegmentSet::NONE, |index| self.set(index))
    }

    /// Returns the accounts of one segment, in no particular order.
    pub(crate) fn accounts_of(&self, segment: usize) -> impl Iterator<Item = Vec<u8>> {
        let all = self.accounts();
        all.filter_map(move |(index, account)| self.set(index).contains(segment).then_some(account))
    }

    /// Returns each set of segments that some account has, with the number of such accounts and the first of
    /// them in the order of their texts. A set may occur more than once.
    pub(crate) fn accounts_by_set(&self) -> Vec<(&SegmentSet, usize, Vec<u8>)> {
        let mut classes: Vec<(usize, Option<usize>)> = vec![(0, None); self.sets.len()];
        for index in 0..self.keys().len() {
            let Some((count, first)) = classes.get_mut(self.set_number(index)) else {
                continue;
            };
            *count = count.saturating_add(1);
            // SIDs are sorted already.
            let is_first = first.is_none_or(|first| {
                !matches!(self.accounts, AccountKeys::Sids(_))
                    && self.text(index) < self.text(first)
            });
            if is_first {
                *first = Some(index);
            }
        }
        let classes = self.sets.iter().zip(classes);
        let classes = classes.filter_map(|(set, (count, first))| {
            let example = self.text(first?);
            Some((set, count, example))
        });
        classes.collect()
    }

    fn accounts(&self) -> impl Iterator<Item = (usize, Vec<u8>)> {
        (0..self.keys().len()).map(|index| (index, self.text(index)))
    }

    fn keys(&self) -> &[u128] {
        match &self.accounts {
            AccountKeys::Sids(keys) | AccountKeys::Opaque { keys, .. } => keys.as_slice(),
        }
    }

    /// The bytes of the account at an index.
    fn text(&self, index: usize) -> Vec<u8> {
        let Some(key) = self.keys().get(index) else {
            return Vec::new();
        };
        match &self.accounts {
            AccountKeys::Sids(_) => Sid::from_number(*key).to_string().into_bytes(),
            AccountKeys::Opaque { bytes, .. } => opaque_account(*key, bytes).to_vec(),
        }
    }

    fn set_number(&self, index: usize) -> usize {
        usize::try_from(self.set_numbers.get(index)).unwrap_or(usize::MAX)
    }

    fn set(&self, index: usize) -> &SegmentSet {
        let set = self.sets.get(self.set_number(index));
        set.unwrap_or(SegmentSet::NONE)
    }
}

/// The key of an opaque account: 64 bits of its hash, 56 bits for the offset of its bytes, and 8 for their
/// length. The hash needs no secret seed: the keys come from the policy alone, so a client cannot cause
/// collisions among them.
fn opaque_key(account: &[u8], start: usize) -> u128 {
    let [start, length] = [start, account.len()].map(|n| u64::try_from(n).unwrap_or(u64::MAX));
    let offset = start.saturating_mul(256);
    lowest_key(account) | u128::from(offset | (length & 0xff))
}

/// The lowest key that an account with this hash can have.
fn lowest_key(account: &[u8]) -> u128 {
    u128::from(xxh3_64(account)) << 64
}

/// The bytes of the opaque account with this key.
fn opaque_account(key: u128, bytes: &[u8]) -> &[u8] {
    let start = usize::try_from((key & u128::from(u64::MAX)) >> 8).unwrap_or(usize::MAX);
    let length = usize::from(key.to_le_bytes()[0]);
    let end = start.saturating_add(length);
    bytes.get(start..end).unwrap_or_default()
}

fn find_opaque(keys: &SortedIndex, bytes: &[u8], account: &[u8]) -> Option<usize> {
    let lowest = lowest_key(account);
    let first = keys.lower_bound(lowest);
    let rest = keys.as_slice().get(first..)?;
    let same = rest.iter().take_while(|key| (*key ^ lowest) >> 64 == 0);
    let mut found = same
        .zip(first..)
        .filter(|(key, _)| opaque_account(**key, bytes) == account);
    found.next().map(|(_, index)| index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::account_id::Format;

    fn set(segments: &[usize]) -> SegmentSet {
        let mut set = SegmentSet::default();
        segments.iter().for_each(|segment| set.insert(*segment));
        set
    }

    #[test]
    fn a_look_up_returns_all_segments_of_an_account() {
        let mut builder = SegmentsBuilder::new(Format::Opaque);
        for (segment, account) in [(0, "both"), (70, "both"), (70, "far"), (70, "far")] {
            assert!(builder.insert(segment, account.as_bytes()));
        }
        assert!(!builder.insert(0, b""));
        let segments = builder.build();
        let of = |account: &str| {
            let account = Format::Opaque.parse_account(account.as_bytes());
            segments.find(&account.unwrap())
        };
        assert_eq!(*of("both"), set(&[0, 70]));
        assert_eq!(*of("far"), set(&[70]));
        assert_eq!(*of("nobody"), set(&[]));
        let mut far: Vec<_> = segments.accounts_of(70).collect();
        far.sort();
        assert_eq!(far, [b"both".to_vec(), b"far".to_vec()]);
    }

    /// Compares the look-up with a search of each segment.
    #[test]
    fn lists_and_packed_accounts_give_the_same_segments() {
        let sid = |n: u128| Sid::from_number(n * 0x0100_0000_0000_0000_0001);
        // Each segment has the multiples of a number, packed or as an unsorted list.
        let steps: [(u128, bool); 6] = [
            (2, true),
            (3, true),
            (5, false),
            (1_000, false),
            (7, true),
            (2_000, true),
        ];
        let mut builder = SegmentsBuilder::new(Format::Sid);
        for (segment, (step, is_packed)) in steps.into_iter().enumerate() {
            let members = (0..1_000).filter(|n| n % step == 0);
            if is_packed {
                builder.insert_sorted(segment, members.map(|n| sid(n).number()).collect());
            } else {
                let members: Vec<u128> = members.collect();
                for n in members.iter().rev().chain(&members) {
                    assert!(builder.insert(segment, sid(*n).to_string().as_bytes()));
                }
            }
        }
        assert!(!builder.insert(2, b"AC7"));
        let segments = builder.build();
        for n in 0..1_100_u128 {
            let text = sid(n).to_string();
            let account = Format::Sid.parse_account(text.as_bytes()).unwrap();
            let of = steps.iter().enumerate();
            let of = of.filter(|(_, (step, _))| n < 1_000 && n % step == 0);
            let of: Vec<usize> = of.map(|(segment, _)| segment).collect();
            assert_eq!(*segments.find(&account), set(&of), "{n}");
        }
        for (segment, (step, _)) in steps.into_iter().enumerate() {
            let all = segments.accounts_of(segment).count();
            assert_eq!(all as u128, 1_000_u128.div_ceil(step));
        }
        let counted: usize = segments
            .accounts_by_set()
            .iter()
            .map(|(_, count, _)| count)
            .sum();
        let (first, _, example) = segments.accounts_by_set().remove(0);
        assert_eq!(first.iter().count(), 1);
        assert!(example.starts_with(b"AC"));
        let named = (0..1_000).filter(|n| steps.iter().any(|(step, _)| n % step == 0));
        assert_eq!(counted, named.count());
    }
}
