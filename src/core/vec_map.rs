//! A small map: a sorted list with binary search.
//!
//! Each kind of `BTreeMap` is several kilobytes in an artifact that every worker of every proxy
//! loads. Where there are few entries, or they mostly come at the end, this does as well.

/// Entries in the order of their keys.
#[derive(Clone, Debug)]
pub struct VecMap<K, V> {
    entries: Vec<(K, V)>,
}

impl<K, V> Default for VecMap<K, V> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
        }
    }
}

impl<K: Ord, V> VecMap<K, V> {
    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        let place = self.place(key).ok()?;
        self.entries.get(place).map(|(_, value)| value)
    }

    /// The value of a key.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let place = self.place(key).ok()?;
        self.entries.get_mut(place).map(|(_, value)| value)
    }

    /// Gives a key a value; one that it has is replaced.
    pub fn insert(&mut self, key: K, value: V) {
        match self.place(&key) {
            Ok(place) => {
                if let Some(entry) = self.entries.get_mut(place) {
                    entry.1 = value;
                }
            }
            Err(place) => self.entries.insert(place, (key, value)),
        }
    }

    /// Takes a key and its value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let place = self.place(key).ok()?;
        Some(self.entries.remove(place).1)
    }

    /// Keys and values, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// Gives back the room for more entries than there are.
    pub fn shrink(&mut self) {
        self.entries.shrink_to_fit();
    }

    /// Keeps the entries that hold.
    pub fn retain(&mut self, mut holds: impl FnMut(&K, &V) -> bool) {
        self.entries.retain(|(key, value)| holds(key, value));
    }

    /// The bytes that its entries take, room that is not in use included; without what they hold themselves.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.entries.capacity().saturating_mul(size_of::<(K, V)>())
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn place(&self, key: &K) -> Result<usize, usize> {
        self.entries.binary_search_by(|(known, _)| known.cmp(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_it_is_given() {
        let mut table = VecMap::default();
        for key in [3, 1, 2, 3] {
            table.insert(key, key * 10);
        }
        table.insert(2, 21);
        assert_eq!(table.len(), 3);
        assert_eq!(table.get(&2), Some(&21));
        assert_eq!(table.remove(&1), Some(10));
        assert_eq!(table.remove(&1), None);
        table.retain(|key, _| *key == 3);
        let left: Vec<_> = table.iter().collect();
        assert_eq!(left, [(&3, &30)]);
    }
}
