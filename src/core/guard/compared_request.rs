//! A request that the guard compares, from its decision to its end.

use crate::decision::Treatment;

/// The number of a stratum in a guard. It stays the same as long as the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stratum(pub(super) u8);

/// A request whose decision was noted. The caller keeps it until the request has ended, and gives it to
/// [`WorkerGuard::note_end`](super::WorkerGuard::note_end).
#[derive(Debug)]
#[must_use = "a request that is never returned counts as open"]
pub struct ComparedRequest {
    pub(super) epoch: u64,
    pub(super) id: u64,
    pub(super) account: Option<u64>,
    pub(super) second: u32,
    pub(super) stratum: u8,
    pub(super) arm: Treatment,
    /// Whether it is the first one with its id.
    pub(super) is_first: bool,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// Upstream responded, and not with an error. Includes 4xx.
    Success,
    /// Upstream failed: a 5xx, or something that prevented a whole response.
    Error,
    /// The client left first, or may have caused the end: it did not send the whole request, or did not read the whole
    /// response, in time.
    ClientLeft,
    /// The proxy responded instead of upstream for a reason that does not depend on the treatment, such as a rate
    /// limit. The request is removed from its arm.
    NotForwarded,
}
