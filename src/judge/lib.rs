//! Judges whether v2 is worse than v1, by the counts of the guards of all proxies.
//!
//! * [`Reading`] is what one proxy reports at one moment, whatever it was read from.

#![forbid(unsafe_code)]

mod reading;
mod verdict;

pub use reading::{Reading, Scrape};
pub use verdict::Verdict;
