//! Accounts with the numbers of their sets; and how two such lists become one.

/// The number of the set of each account.
#[derive(Debug)]
pub(super) enum LayerSets {
    /// All have this one.
    All(u32),
    /// By the place of the account.
    Each(Vec<u32>),
}

impl LayerSets {
    /// The bytes that they hold on the heap.
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::All(_) => 0,
            Self::Each(sets) => sets.capacity().saturating_mul(size_of::<u32>()),
        }
    }

    #[inline]
    pub(super) fn of(&self, place: usize) -> u32 {
        match self {
            Self::All(set) => *set,
            Self::Each(sets) => sets.get(place).copied().unwrap_or_default(),
        }
    }

    fn into_each(self, length: usize) -> Vec<u32> {
        match self {
            Self::All(set) => vec![set; length],
            Self::Each(sets) => sets,
        }
    }
}

/// Keys in ascending order, each once.
#[derive(Debug)]
pub(super) struct AccountLayer {
    pub(super) keys: Vec<u128>,
    pub(super) sets: LayerSets,
}

impl AccountLayer {
    /// Takes another one in, best a smaller one. Nothing is copied to a third place: a million
    /// accounts are 16 MB, and a VM never gives back what it once had.
    pub(super) fn merge(&mut self, other: &Self, join: &mut dyn FnMut(u32, u32) -> u32) {
        let length = self.keys.len();
        let total = length.saturating_add(other.keys.len());
        let mut sets = std::mem::replace(&mut self.sets, LayerSets::All(0)).into_each(length);
        self.keys.reserve_exact(other.keys.len());
        self.keys.resize(total, 0);
        sets.reserve_exact(other.keys.len());
        sets.resize(total, 0);

        // From the end on: what is moved goes where nothing lies any more.
        let mut rest = length;
        let mut end = total;
        for (place, key) in other.keys.iter().enumerate().rev() {
            let set = other.sets.of(place);
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
        // As many places are left over as accounts were in both.
        self.keys.drain(rest..end);
        sets.drain(rest..end);
        self.sets = LayerSets::Each(sets);
    }
}
