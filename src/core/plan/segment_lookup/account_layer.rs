//! Sorted accounts with the numbers of their segment sets, and the merge of two such lists.

/// The number of the segment set of each account.
#[derive(Debug)]
pub(super) enum LayerSets {
    /// All accounts have this one.
    All(u32),
    /// One for each account, by its index.
    Each(Vec<u32>),
}

impl LayerSets {
    /// The size on the heap in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::All(_) => 0,
            Self::Each(sets) => sets.capacity().saturating_mul(size_of::<u32>()),
        }
    }

    #[inline]
    pub(super) fn get(&self, index: usize) -> u32 {
        match self {
            Self::All(set) => *set,
            Self::Each(sets) => sets.get(index).copied().unwrap_or_default(),
        }
    }

    fn into_each(self, length: usize) -> Vec<u32> {
        match self {
            Self::All(set) => vec![set; length],
            Self::Each(sets) => sets,
        }
    }
}

/// Distinct account keys in ascending order, with their segment sets.
#[derive(Debug)]
pub(super) struct AccountLayer {
    pub(super) keys: Vec<u128>,
    pub(super) sets: LayerSets,
}

impl AccountLayer {
    /// Merges another layer into this one. It is fastest if the other one is smaller. The merge is done in
    /// place: a million accounts are 16 MB, and the memory of a WebAssembly VM never shrinks.
    pub(super) fn merge(&mut self, other: &Self, join: &mut dyn FnMut(u32, u32) -> u32) {
        let length = self.keys.len();
        let total = length.saturating_add(other.keys.len());
        let mut sets = std::mem::replace(&mut self.sets, LayerSets::All(0)).into_each(length);
        self.keys.reserve_exact(other.keys.len());
        self.keys.resize(total, 0);
        sets.reserve_exact(other.keys.len());
        sets.resize(total, 0);

        // Works backwards from the end, so that keys move into free entries only.
        let mut rest = length;
        let mut end = total;
        for (index, key) in other.keys.iter().enumerate().rev() {
            let set = other.sets.get(index);
            let before = self.keys.get(..rest).unwrap_or_default();
            let above = before.iter().rev().take_while(|own| *own > key).count();
            let from = rest.saturating_sub(above);
            end = end.saturating_sub(above);
            self.keys.copy_within(from..rest, end);
            sets.copy_within(from..rest, end);
            rest = from;

            end = end.saturating_sub(1);
            let mut joined = set;
            if let Some(last) = rest.checked_sub(1)
                && self.keys.get(last) == Some(key)
            {
                let own = sets.get(last).copied().unwrap_or_default();
                joined = join(own, set);
                rest = last;
            }
            if let (Some(own), Some(own_set)) = (self.keys.get_mut(end), sets.get_mut(end)) {
                (*own, *own_set) = (*key, joined);
            }
        }
        // The gap is as long as the number of accounts that are in both layers.
        self.keys.drain(rest..end);
        sets.drain(rest..end);
        self.sets = LayerSets::Each(sets);
    }
}
