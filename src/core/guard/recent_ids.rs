//! The request ids that a worker has seen recently, so that retries and calls of one request count once.

/// The number of ids that share a place.
const WAYS: usize = 8;

/// A set of the most recent ids, of a fixed size. An id is a hash that spreads evenly; 0 and the greatest one count as
/// the same.
///
/// Each id belongs to a group of eight; a new id takes the place of the one in its group that was seen least
/// recently. So an id stays in the set while fewer than eight other ids of its group come between two requests with it,
/// and a client cannot remove the id of another one without sending many.
#[derive(Debug)]
pub(super) struct RecentIds {
    /// A power of two. An empty place is 0.
    groups: Vec<[u64; WAYS]>,
}

impl RecentIds {
    /// Creates an empty set of at least so many ids.
    pub(super) fn new(size: usize) -> Self {
        let groups = size.div_ceil(WAYS).max(1).next_power_of_two();
        Self {
            groups: vec![[0; WAYS]; groups],
        }
    }

    /// Adds an id. Returns whether it is new.
    pub(super) fn insert(&mut self, id: u64) -> bool {
        let id = as_stored(id);
        let Some(group) = self.group_mut(id) else {
            return true;
        };
        // Moves the ids before it by one place, and puts it at the front.
        let mut moved = id;
        for place in group.iter_mut() {
            std::mem::swap(place, &mut moved);
            if moved == id {
                return false;
            }
        }
        true
    }

    /// Removes an id, if it is there.
    pub(super) fn remove(&mut self, id: u64) {
        let id = as_stored(id);
        let Some(group) = self.group_mut(id) else {
            return;
        };
        // Moves the ids after it by one place, so that the empty place is at the end.
        if let Some(index) = group.iter().position(|place| *place == id)
            && let Some(rest) = group.get_mut(index..)
        {
            rest.rotate_left(1);
            if let Some(last) = rest.last_mut() {
                *last = 0;
            }
        }
    }

    /// Whether an id is there.
    pub(super) fn contains(&self, id: u64) -> bool {
        let id = as_stored(id);
        let group = self.groups.get(self.group_of(id));
        group.is_some_and(|group| group.contains(&id))
    }

    /// Removes all ids.
    pub(super) fn clear(&mut self) {
        self.groups.fill([0; WAYS]);
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.groups
            .capacity()
            .saturating_mul(size_of::<[u64; WAYS]>())
    }

    fn group_mut(&mut self, stored: u64) -> Option<&mut [u64; WAYS]> {
        let index = self.group_of(stored);
        self.groups.get_mut(index)
    }

    fn group_of(&self, stored: u64) -> usize {
        // The high bits of a request's position decide its arm, so the group must not depend on them.
        let mask = self.groups.len().wrapping_sub(1);
        usize::try_from(stored & 0xffff_ffff).unwrap_or_default() & mask
    }
}

/// An id as it is in its place. 0 is an empty place.
fn as_stored(id: u64) -> u64 {
    id.wrapping_add(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_new_once_and_again_after_eight_others_of_its_group() {
        let mut ids = RecentIds::new(64);
        let of_one_group = |number: u64| number * 8;
        assert!(ids.insert(of_one_group(1)));
        assert!(!ids.insert(of_one_group(1)));
        (2..9).for_each(|number| assert!(ids.insert(of_one_group(number))));
        // It is still there, and becomes the most recent one.
        assert!(!ids.insert(of_one_group(1)));
        (9..16).for_each(|number| assert!(ids.insert(of_one_group(number))));
        assert!(!ids.insert(of_one_group(1)));
        (16..24).for_each(|number| assert!(ids.insert(of_one_group(number))));
        assert!(ids.insert(of_one_group(1)));
    }

    #[test]
    fn a_removed_id_is_new_again_and_the_others_stay() {
        let mut ids = RecentIds::new(64);
        let of_one_group = |number: u64| number * 8;
        for removed in 0..8 {
            ids.clear();
            // 8 is not there, and its group is full.
            (0..8).for_each(|number| assert!(ids.insert(of_one_group(number))));
            ids.remove(of_one_group(8));
            assert!((0..8).all(|number| ids.contains(of_one_group(number))));
            ids.remove(of_one_group(removed));
            for number in 0..8 {
                assert_eq!(ids.contains(of_one_group(number)), number != removed);
            }
            // It takes the empty place, so the least recent one stays.
            assert!(ids.insert(of_one_group(removed)));
            assert!((0..8).all(|number| ids.contains(of_one_group(number))));
        }
    }

    #[test]
    fn any_id_can_be_added_and_removed() {
        let mut ids = RecentIds::new(0);
        for id in [0, 1, u64::MAX - 1, 1 << 63] {
            assert!(!ids.contains(id));
            assert!(ids.insert(id));
            assert!(!ids.insert(id));
            ids.remove(id);
            assert!(!ids.contains(id));
            assert!(ids.insert(id));
        }
        ids.clear();
        assert!(ids.insert(1 << 63));
        assert_eq!(ids.held_bytes(), 64);
    }
}
