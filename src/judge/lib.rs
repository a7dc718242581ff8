//! Judges whether v2 is worse than v1, by the counts of the guards of all proxies.
//!
//! * [`Reading`] is what one proxy reports at one moment, whatever it was read from.
//! * [`Observation`] is what all proxies together have counted.
//! * [`judge`] computes a [`Judgment`] from it: a [`Verdict`], and the [`Reason`]s for it.

#![forbid(unsafe_code)]

mod criteria;
mod judge;
mod judged_rollout;
mod judgment;
mod observation;
mod reading;
mod reason;
mod verdict;
mod warning;

pub use criteria::Criteria;
pub use judge::judge;
pub use judged_rollout::{JudgedRollout, RolloutCluster, RolloutOfPolicy};
pub use judgment::{Coverage, JudgedProxy, JudgedStratum, Judgment, Needed};
pub use observation::{Observation, ObservedProxy};
pub use reading::{Reading, Scrape};
pub use reason::Reason;
pub use verdict::Verdict;
pub use warning::Warning;
