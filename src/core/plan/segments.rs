//! Segments: which named sets an account is in, answered by one look-up for all of them.

mod account_layer;
mod builder;
mod segment_set_interner;
pub(crate) mod sorted_index;

use std::iter::successors;

use xxhash_rust::xxh3::xxh3_64;

use crate::plan::segments::sorted_index::SortedIndex;
use crate::request::account::{AccountId, Sid};

use account_layer::LayerSets;
pub(crate) use builder::SegmentsBuilder;

/// A set of segments, one bit for each, in the order of the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentSet {
    /// The first 64, which are all that most policies have: they are asked without going anywhere.
    first: u64,
    /// The rest.
    rest: Vec<u64>,
}

impl SegmentSet {
    pub(crate) const NONE: &Self = &Self {
        first: 0,
        rest: Vec::new(),
    };

    /// The segment that comes first in the policy.
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

    fn add(&mut self, other: &Self) {
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

    /// The segments of the set, in the order of the policy.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + use<'_> {
        let words = [&self.first].into_iter().chain(&self.rest).enumerate();
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

    #[inline]
    pub(crate) fn intersects(&self, other: &Self) -> bool {
        self.first & other.first != 0 || self.rest.iter().zip(&other.rest).any(|(a, b)| a & b != 0)
    }
}

/// Every account that is in some segment, with the segments that it is in.
///
/// Many accounts share few such sets, so an account keeps only the number of its set; and not even
/// that where all have the same. A look-up costs the same for ten accounts as for a million.
#[derive(Debug)]
pub(crate) struct Segments {
    /// That of none is number 0.
    sets: Vec<SegmentSet>,
    accounts: AccountKeys,
    /// Of the account in each place.
    set_of: LayerSets,
}

#[derive(Debug)]
enum AccountKeys {
    /// As numbers.
    Sids(SortedIndex),
    /// By their hashes, as [`key`] makes them.
    Opaque { keys: SortedIndex, bytes: Vec<u8> },
}

impl Segments {
    /// The bytes that they hold, spare room included.
    pub(crate) fn held_bytes(&self) -> usize {
        // More segments than 64 are in a list of their own.
        let set = size_of::<SegmentSet>().saturating_add(128);
        let sets = self.sets.len().saturating_mul(set);
        let accounts = match &self.accounts {
            AccountKeys::Sids(keys) => keys.held_bytes(),
            AccountKeys::Opaque { keys, bytes } => {
                keys.held_bytes().saturating_add(bytes.capacity())
            }
        };
        let numbers = self.set_of.held_bytes();
        sets.saturating_add(accounts).saturating_add(numbers)
    }

    /// The segments that an account is in.
    pub(crate) fn of(&self, account: &AccountId<'_>) -> &SegmentSet {
        let place = match &self.accounts {
            AccountKeys::Sids(sids) => account.sid().and_then(|sid| sids.find(sid.number())),
            AccountKeys::Opaque { keys, bytes } => find_opaque(keys, bytes, account.as_slice()),
        };
        place.map_or(SegmentSet::NONE, |place| self.set(place))
    }

    /// The accounts of one segment, in no order.
    pub(crate) fn accounts_of(&self, segment: usize) -> impl Iterator<Item = Vec<u8>> {
        let all = self.accounts();
        all.filter_map(move |(place, account)| self.set(place).contains(segment).then_some(account))
    }

    /// Every set of segments that some account is in, perhaps in parts, with the number of such accounts
    /// and the first of them in the order of their texts.
    pub(crate) fn classes(&self) -> Vec<(&SegmentSet, usize, Vec<u8>)> {
        let mut classes: Vec<(usize, Option<usize>)> = vec![(0, None); self.sets.len()];
        for place in 0..self.keys().len() {
            let Some((count, first)) = classes.get_mut(self.number(place)) else {
                continue;
            };
            *count = count.saturating_add(1);
            // SIDs are in their order.
            let is_first = first.is_none_or(|first| {
                !matches!(self.accounts, AccountKeys::Sids(_))
                    && self.text(place) < self.text(first)
            });
            if is_first {
                *first = Some(place);
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
        (0..self.keys().len()).map(|place| (place, self.text(place)))
    }

    fn keys(&self) -> &[u128] {
        match &self.accounts {
            AccountKeys::Sids(keys) | AccountKeys::Opaque { keys, .. } => keys.as_slice(),
        }
    }

    /// The account in a place.
    fn text(&self, place: usize) -> Vec<u8> {
        let Some(key) = self.keys().get(place) else {
            return Vec::new();
        };
        match &self.accounts {
            AccountKeys::Sids(_) => Sid::of_number(*key).to_string().into_bytes(),
            AccountKeys::Opaque { bytes, .. } => account_of(*key, bytes).to_vec(),
        }
    }

    fn number(&self, place: usize) -> usize {
        usize::try_from(self.set_of.of(place)).unwrap_or(usize::MAX)
    }

    fn set(&self, place: usize) -> &SegmentSet {
        let set = self.sets.get(self.number(place));
        set.unwrap_or(SegmentSet::NONE)
    }
}

/// An opaque account is a number for looking it up: its hash, then where its bytes are, then how many.
/// No secret is needed in the hash: what is looked up in comes from the policy alone, so a client
/// cannot make it slow.
fn key(account: &[u8], start: usize) -> u128 {
    let [start, length] = [start, account.len()].map(|n| u64::try_from(n).unwrap_or(u64::MAX));
    let place = start.saturating_mul(256);
    lowest_key(account) | u128::from(place | (length & 0xff))
}

fn lowest_key(account: &[u8]) -> u128 {
    u128::from(xxh3_64(account)) << 64
}

fn account_of(key: u128, bytes: &[u8]) -> &[u8] {
    let place = usize::try_from((key & u128::from(u64::MAX)) >> 8).unwrap_or(usize::MAX);
    let length = usize::from(key.to_le_bytes()[0]);
    let end = place.saturating_add(length);
    bytes.get(place..end).unwrap_or_default()
}

fn find_opaque(keys: &SortedIndex, bytes: &[u8], account: &[u8]) -> Option<usize> {
    let lowest = lowest_key(account);
    let first = keys.place_from(lowest);
    let rest = keys.as_slice().get(first..)?;
    let same = rest.iter().take_while(|key| (*key ^ lowest) >> 64 == 0);
    let place = same.zip(first..);
    let mut found = place.filter(|(key, _)| account_of(**key, bytes) == account);
    found.next().map(|(_, place)| place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::account::Format;

    fn set(segments: &[usize]) -> SegmentSet {
        let mut set = SegmentSet::default();
        segments.iter().for_each(|segment| set.insert(*segment));
        set
    }

    #[test]
    fn an_account_knows_all_its_segments() {
        let mut builder = SegmentsBuilder::new(Format::Opaque);
        for (segment, account) in [(0, "both"), (70, "both"), (70, "far"), (70, "far")] {
            assert!(builder.insert(segment, account.as_bytes()));
        }
        assert!(!builder.insert(0, b""));
        let segments = builder.build();
        let of = |account: &str| {
            let account = Format::Opaque.account_of(account.as_bytes());
            segments.of(&account.unwrap())
        };
        assert_eq!(*of("both"), set(&[0, 70]));
        assert_eq!(*of("far"), set(&[70]));
        assert_eq!(*of("nobody"), set(&[]));
        let mut far: Vec<_> = segments.accounts_of(70).collect();
        far.sort();
        assert_eq!(far, [b"both".to_vec(), b"far".to_vec()]);
    }

    /// Against the plain way: ask each segment.
    #[test]
    fn lists_and_packed_accounts_are_one_thing() {
        let sid = |n: u128| Sid::of_number(n * 0x0100_0000_0000_0000_0001);
        // Every so many-th number: packed, and in lists in no order.
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
            let account = Format::Sid.account_of(text.as_bytes()).unwrap();
            let of = steps.iter().enumerate();
            let of = of.filter(|(_, (step, _))| n < 1_000 && n % step == 0);
            let of: Vec<usize> = of.map(|(segment, _)| segment).collect();
            assert_eq!(*segments.of(&account), set(&of), "{n}");
        }
        for (segment, (step, _)) in steps.into_iter().enumerate() {
            let all = segments.accounts_of(segment).count();
            assert_eq!(all as u128, 1_000_u128.div_ceil(step));
        }
        let counted: usize = segments.classes().iter().map(|(_, count, _)| count).sum();
        let (first, _, example) = segments.classes().remove(0);
        assert_eq!(first.iter().count(), 1);
        assert!(example.starts_with(b"AC"));
        let named = (0..1_000).filter(|n| steps.iter().any(|(step, _)| n % step == 0));
        assert_eq!(counted, named.count());
    }
}
