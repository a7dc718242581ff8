//! Builds [`Segments`]: turns the accounts of each segment into the segments of each account.

use super::account_layer::{AccountLayer, LayerSets};
use super::segment_set_interner::SegmentSetInterner;
use super::{AccountKeys, Segments, opaque_account, opaque_key};
use crate::plan::segment_lookup::sorted_index::SortedIndex;
use crate::policy::account_files;
use crate::request::account_id::{Format, Sid, is_opaque_account};

/// Collects accounts segment by segment.
pub(crate) enum SegmentsBuilder {
    Sids(Vec<SidList>),
    Opaque(OpaqueList),
}

/// SIDs of one segment, in the order in which they were inserted.
pub(crate) struct SidList {
    segment: usize,
    sids: Vec<u128>,
    is_sorted: bool,
}

/// Opaque accounts of all segments, in the order in which they were inserted.
#[derive(Default)]
pub(crate) struct OpaqueList {
    /// The key of an account and one of its segments.
    entries: Vec<(u128, usize)>,
    bytes: Vec<u8>,
}

impl SegmentsBuilder {
    pub(crate) fn new(format: Format) -> Self {
        match format {
            Format::Sid => Self::Sids(Vec::new()),
            Format::Opaque => Self::Opaque(OpaqueList::default()),
        }
    }

    /// Adds an account to a segment. Returns `false` if it is not in the policy's format.
    pub(crate) fn insert(&mut self, segment: usize, account: &[u8]) -> bool {
        match self {
            Self::Sids(lists) => {
                let Some(sid) = Sid::parse(account) else {
                    return false;
                };
                match lists.last_mut() {
                    Some(list) if list.segment == segment && !list.is_sorted => {
                        list.sids.push(sid.number());
                    }
                    _ => lists.push(SidList {
                        segment,
                        sids: vec![sid.number()],
                        is_sorted: false,
                    }),
                }
            }
            Self::Opaque(opaque) => {
                if !is_opaque_account(account) {
                    return false;
                }
                let key = opaque_key(account, opaque.bytes.len());
                opaque.bytes.extend_from_slice(account);
                opaque.entries.push((key, segment));
            }
        }
        true
    }

    /// Adds distinct SIDs in ascending order. Does nothing if accounts are opaque.
    pub(crate) fn insert_sorted(&mut self, segment: usize, sids: Vec<u128>) {
        if let Self::Sids(lists) = self {
            lists.push(SidList {
                segment,
                sids,
                is_sorted: true,
            });
        }
    }

    /// Adds the accounts of a file.
    pub(crate) fn insert_file(&mut self, segment: usize, list: &account_files::AccountList) {
        match list {
            account_files::AccountList::Sids(sids) => self.insert_sorted(segment, sids.clone()),
            account_files::AccountList::Opaque(accounts) => {
                for account in accounts {
                    self.insert(segment, account);
                }
            }
        }
    }

    pub(crate) fn build(self) -> Segments {
        match self {
            Self::Sids(lists) => build_sids(lists),
            Self::Opaque(opaque) => opaque.build(),
        }
    }
}

fn build_sids(lists: Vec<SidList>) -> Segments {
    let mut interner = SegmentSetInterner::new();
    let mut layers: Vec<AccountLayer> = Vec::with_capacity(lists.len());
    for mut list in lists {
        if !list.is_sorted {
            list.sids.sort_unstable();
            list.sids.dedup();
        }
        let layer = AccountLayer {
            keys: list.sids,
            sets: LayerSets::All(interner.single(list.segment)),
        };
        if !layer.keys.is_empty() {
            insert(&mut layers, layer);
        }
    }
    // The two smallest layers are merged first, so that each account moves as few times as possible.
    while let Some(smallest) = layers.pop() {
        let Some(mut layer) = layers.pop() else {
            return Segments {
                sets: interner.sets,
                accounts: AccountKeys::Sids(SortedIndex::new(smallest.keys)),
                set_numbers: smallest.sets,
            };
        };
        layer.merge(&smallest, &mut |a, b| interner.join(a, b));
        insert(&mut layers, layer);
    }
    Segments {
        sets: interner.sets,
        accounts: AccountKeys::Sids(SortedIndex::default()),
        set_numbers: LayerSets::All(0),
    }
}

/// Inserts a layer. Layers are sorted by length, with the shortest one last.
fn insert(layers: &mut Vec<AccountLayer>, layer: AccountLayer) {
    let index = layers.partition_point(|other| other.keys.len() >= layer.keys.len());
    layers.insert(index, layer);
}

impl OpaqueList {
    fn build(self) -> Segments {
        let Self { entries, bytes } = self;
        let mut interner = SegmentSetInterner::new();
        // Sorted by hash, and then by the order of insertion.
        let numbers = entries.iter().zip(0_u64..);
        let hash = |key: &u128| key >> 64 << 64;
        let mut order: Vec<u128> = numbers
            .map(|((key, _), number)| hash(key) | u128::from(number))
            .collect();
        order.sort_unstable();

        let mut keys: Vec<u128> = Vec::with_capacity(order.len());
        let mut sets: Vec<u32> = Vec::with_capacity(order.len());
        for number in order {
            let entry = usize::try_from(number & u128::from(u64::MAX)).ok();
            let Some((key, segment)) = entry.and_then(|entry| entries.get(entry)) else {
                continue;
            };
            let single = interner.single(*segment);
            // Two accounts with the same hash are rare, so this scan is short.
            let known = keys.iter().zip(&mut sets).rev();
            let mut known = known.take_while(|(known, _)| hash(known) == hash(key));
            let account = opaque_account(*key, &bytes);
            match known.find(|(known, _)| opaque_account(**known, &bytes) == account) {
                Some((_, set)) => *set = interner.join(*set, single),
                None => {
                    keys.push(*key);
                    sets.push(single);
                }
            }
        }
        Segments {
            sets: interner.sets,
            accounts: AccountKeys::Opaque {
                keys: SortedIndex::new(keys),
                bytes,
            },
            set_numbers: LayerSets::Each(sets),
        }
    }
}
