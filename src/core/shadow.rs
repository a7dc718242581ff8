//! Shadow mode: which requests are copied to v2, and what is made of the two answers.
//!
//! Nothing here reaches the user: v1 has answered, or will, whatever becomes of a copy. What is here
//! is as pure as the rest of the core: the filter brings requests, answers and the time, and carries
//! out what it is told.

pub(crate) mod byte_budget;
mod comparison;
mod copy;
mod difference;
mod encoding;
mod json_writer;
mod latency;
mod limit;
mod noise_model;
mod otlp;
mod outcome;
mod record;
mod repetitions;
mod reply;
mod sample;
mod shares;
mod tally;
mod trial;

pub use crate::plan::shadow_plan::{Rewrite, SendTiming, ShadowPlan};
pub use copy::carry;
pub use difference::{Difference, Noted, NotedKind, Shown, Side};
pub use latency::Latency;
pub use noise_model::NoiseModel;
pub use otlp::export;
pub use outcome::Outcome;
pub use record::{Record, Records};
pub use reply::Reply;
pub use sample::Sample;
pub use shares::{AccountCharge, AccountKey, Shares, share};
pub use tally::{Tally, route_name, segment_name};
pub use trial::{Answered, Judge, Next, Trial, Verdict};
