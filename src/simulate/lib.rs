//! What a policy does to many: to accounts of a list, to the requests of an access log; and what a
//! change of the policy moves.
//!
//! * [`Census`] counts accounts by where they stand.
//! * [`Traffic`] replays an access log and counts requests by decision.
//! * [`Change`] compares two policies, account by account and request by request.
//!
//! Nothing is decided here: all of it asks `turnout-core`, as the filter does. Nothing here opens a
//! file; what is read may be of any size, and a line that makes no sense is counted and named.

#![forbid(unsafe_code)]

mod accounts;
mod census;
mod change;
mod change_text;
mod chunks;
mod contradictions;
mod counts;
mod fields;
mod json;
mod lacks;
mod log;
mod moved_requests;
mod moves;
mod not_requests;
mod order;
mod plain;
mod redrawn;
mod text;
mod traffic;
mod unreadable;
mod version;
mod words;

pub use accounts::{AccountsRead, BadAccounts, Column, ListOptions, read_accounts};
pub use census::{Census, Group, RolloutCensus, RuleCensus};
pub use change::{Change, Forbidden, RolloutChange};
pub use contradictions::Contradiction;
pub use fields::{BadField, Entry, Fields};
pub use lacks::Lack;
pub use log::{LogFormat, LogRead, Replay, Span};
pub use moved_requests::{MovedRequests, RequestChange};
pub use moves::{Move, Moves};
pub use not_requests::NotRequests;
pub use redrawn::drawn_anew;
pub use traffic::{Decided, Recorded, RolloutTraffic, Row, Traffic};
pub use unreadable::{BadLine, Unreadable};
pub use version::Version;
