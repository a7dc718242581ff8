//! From the accounts of each segment to the segments of each account.

use super::account_layer::{AccountLayer, LayerSets};
use super::segment_set_interner::SegmentSetInterner;
use super::{AccountKeys, Segments, account_of, key};
use crate::plan::segments::sorted_index::SortedIndex;
use crate::policy::account_files;
use crate::request::account::{Format, Sid, is_opaque_account};

/// Gathers [`Segments`], segment by segment.
pub(crate) enum SegmentsBuilder {
    Sids(Vec<SidList>),
    Opaque(OpaqueList),
}

/// The SIDs of a segment, as they came.
pub(crate) struct SidList {
    segment: usize,
    sids: Vec<u128>,
    is_sorted: bool,
}

#[derive(Default)]
pub(crate) struct OpaqueList {
    /// The key of each account, as it came, and a segment that it is in.
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

    /// `false` when the account is not of the policy's format.
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
                let key = key(account, opaque.bytes.len());
                opaque.bytes.extend_from_slice(account);
                opaque.entries.push((key, segment));
            }
        }
        true
    }

    /// SIDs in ascending order, each once. Where accounts are opaque, they are none.
    pub(crate) fn insert_sorted(&mut self, segment: usize, sids: Vec<u128>) {
        if let Self::Sids(lists) = self {
            lists.push(SidList {
                segment,
                sids,
                is_sorted: true,
            });
        }
    }

    /// The accounts of a file.
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
            Self::Sids(lists) => of_sids(lists),
            Self::Opaque(opaque) => opaque.build(),
        }
    }
}

fn of_sids(lists: Vec<SidList>) -> Segments {
    let mut numbered = SegmentSetInterner::new();
    let mut layers: Vec<AccountLayer> = Vec::with_capacity(lists.len());
    for mut list in lists {
        if !list.is_sorted {
            list.sids.sort_unstable();
            list.sids.dedup();
        }
        let layer = AccountLayer {
            keys: list.sids,
            sets: LayerSets::All(numbered.single(list.segment)),
        };
        if !layer.keys.is_empty() {
            insert(&mut layers, layer);
        }
    }
    // The two smallest first, so that no account is moved more often than has to be.
    while let Some(smallest) = layers.pop() {
        let Some(mut layer) = layers.pop() else {
            return Segments {
                sets: numbered.sets,
                accounts: AccountKeys::Sids(SortedIndex::new(smallest.keys)),
                set_of: smallest.sets,
            };
        };
        layer.merge(&smallest, &mut |a, b| numbered.join(a, b));
        insert(&mut layers, layer);
    }
    Segments {
        sets: numbered.sets,
        accounts: AccountKeys::Sids(SortedIndex::default()),
        set_of: LayerSets::All(0),
    }
}

/// The smallest one is the last.
fn insert(layers: &mut Vec<AccountLayer>, layer: AccountLayer) {
    let place = layers.partition_point(|other| other.keys.len() >= layer.keys.len());
    layers.insert(place, layer);
}

impl OpaqueList {
    fn build(self) -> Segments {
        let Self { entries, bytes } = self;
        let mut numbered = SegmentSetInterner::new();
        // By hash, then as they came.
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
            let single = numbered.single(*segment);
            // Hardly ever do two accounts have one hash.
            let known = keys.iter().zip(&mut sets).rev();
            let mut known = known.take_while(|(known, _)| hash(known) == hash(key));
            let account = account_of(*key, &bytes);
            match known.find(|(known, _)| account_of(**known, &bytes) == account) {
                Some((_, set)) => *set = numbered.join(*set, single),
                None => {
                    keys.push(*key);
                    sets.push(single);
                }
            }
        }
        Segments {
            sets: numbered.sets,
            accounts: AccountKeys::Opaque {
                keys: SortedIndex::new(keys),
                bytes,
            },
            set_of: LayerSets::Each(sets),
        }
    }
}
