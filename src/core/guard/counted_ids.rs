//! Which requests of an id a worker has counted. Retries and calls of one request have one id, and count as one.

use super::recent_ids::RecentIds;

/// The number of request ids that are remembered, so that retries and calls of one request count once.
const DECIDED: usize = 4_096;
/// The number of request ids with an error that are remembered. As many are remembered of each other kind.
const ENDED: usize = 1_024;

/// The request ids that a worker has counted.
///
/// The first request with an id is counted, and of all requests with the id at most one error and one slow request.
/// If the first one was not forwarded, the id counts as if that request had never come: the next request with the id
/// is the first one. Requests with the id can have been decided in between. If one of them has ended in an error or was
/// slow, the count of the first request stays, for that one. Otherwise the next of them that ends and was forwarded is
/// counted. So there is never an error without a request.
#[derive(Debug)]
pub(super) struct CountedIds {
    decided: RecentIds,
    failed: RecentIds,
    slowed: RecentIds,
    /// Those whose first request was not forwarded.
    not_forwarded: RecentIds,
}

impl CountedIds {
    pub(super) fn new() -> Self {
        Self {
            decided: RecentIds::new(DECIDED),
            failed: RecentIds::new(ENDED),
            slowed: RecentIds::new(ENDED),
            not_forwarded: RecentIds::new(ENDED),
        }
    }

    /// Notes a decision. Returns whether it is the first one with this id, which is counted.
    pub(super) fn decide(&mut self, id: u64) -> bool {
        self.decided.insert(id)
    }

    /// Notes that the first request with an id was not forwarded. Returns whether its count is to be removed.
    pub(super) fn forget(&mut self, id: u64) -> bool {
        if self.failed.contains(id) || self.slowed.contains(id) {
            return false;
        }
        self.decided.remove(id);
        self.not_forwarded.insert(id);
        true
    }

    /// Notes that a request that was not the first one with its id was forwarded and has ended. Returns whether it is
    /// counted now, because the first one was forgotten.
    pub(super) fn replace_first(&mut self, id: u64) -> bool {
        // Not for an id that is unknown only because it is old: a slow arm would be counted more often.
        self.not_forwarded.contains(id) && self.decided.insert(id)
    }

    /// Notes an error. Returns whether it is the first one with this id, which is counted.
    pub(super) fn fail(&mut self, id: u64) -> bool {
        self.failed.insert(id)
    }

    /// Notes a slow request. Returns whether it is the first one with this id, which is counted.
    pub(super) fn slow(&mut self, id: u64) -> bool {
        self.slowed.insert(id)
    }

    /// Removes all ids.
    pub(super) fn clear(&mut self) {
        let sets = [
            &mut self.decided,
            &mut self.failed,
            &mut self.slowed,
            &mut self.not_forwarded,
        ];
        sets.into_iter().for_each(RecentIds::clear);
    }

    /// The number of bytes that the sets hold.
    pub(super) fn held_bytes(&self) -> usize {
        let sets = [
            &self.decided,
            &self.failed,
            &self.slowed,
            &self.not_forwarded,
        ];
        sets.map(RecentIds::held_bytes)
            .into_iter()
            .fold(0, usize::saturating_add)
    }
}
