//! A small map: a sorted list with binary search.
//!
//! It is written here because each instance of `BTreeMap` adds several kilobytes to a filter that every
//! worker of every proxy loads, and this is as fast for few entries and for keys that arrive in order.

/// A map from keys to values, in the order of the keys.
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
    /// Returns the value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        let index = self.search(key).ok()?;
        self.entries.get(index).map(|(_, value)| value)
    }

    /// Returns the value of a key, to change it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let index = self.search(key).ok()?;
        self.entries.get_mut(index).map(|(_, value)| value)
    }

    /// Sets the value of a key, and replaces an earlier one.
    pub fn insert(&mut self, key: K, value: V) {
        match self.search(&key) {
            Ok(index) => {
                if let Some(entry) = self.entries.get_mut(index) {
                    entry.1 = value;
                }
            }
            Err(index) => self.entries.insert(index, (key, value)),
        }
    }

    /// Removes a key and returns its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let index = self.search(key).ok()?;
        Some(self.entries.remove(index).1)
    }

    /// Iterates over keys and values, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// Frees the spare capacity.
    pub fn shrink(&mut self) {
        self.entries.shrink_to_fit();
    }

    /// Removes every entry for which `keep` returns false.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        self.entries.retain(|(key, value)| keep(key, value));
    }

    /// The size of the entries in bytes, with spare capacity and without what the entries own on the heap.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.entries.capacity().saturating_mul(size_of::<(K, V)>())
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The index of a key, or the index at which to insert it.
    fn search(&self, key: &K) -> Result<usize, usize> {
        self.entries.binary_search_by(|(entry, _)| entry.cmp(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inserted_entries_are_found_in_the_order_of_keys() {
        let mut map = VecMap::default();
        for key in [3, 1, 2, 3] {
            map.insert(key, key * 10);
        }
        map.insert(2, 21);
        assert_eq!(map.len(), 3);
        assert_eq!(map.get(&2), Some(&21));
        assert_eq!(map.remove(&1), Some(10));
        assert_eq!(map.remove(&1), None);
        map.retain(|key, _| *key == 3);
        let left: Vec<_> = map.iter().collect();
        assert_eq!(left, [(&3, &30)]);
    }
}
