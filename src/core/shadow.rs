//! Shadowing: which requests are sampled, and how the responses of v1 and v2 are judged.
//!
//! Nothing here affects the user's response. Like the rest of core it is pure: the filter supplies
//! requests, responses and the time, and sends the shadow requests.

mod account_shares;
pub(crate) mod byte_budget;
mod comparison;
mod copied_headers;
mod difference;
mod difference_record;
mod encoding;
mod json_writer;
mod latency;
mod noise_model;
mod otlp;
mod outcome;
mod record_limiter;
mod repetitions;
mod sample;
mod stored_response;
mod summary_counts;
mod token_bucket;
mod trial;

pub use crate::plan::shadow_plan::{Rewrite, SendTiming, ShadowPlan};
pub use account_shares::{AccountCharge, AccountKey, AccountShares, share};
pub use copied_headers::copied_headers;
pub use difference::{Difference, RecordedFinding, RecordedKind, RecordedSide, RecordedValue};
pub use difference_record::Record;
pub use latency::Latency;
pub use noise_model::NoiseModel;
pub use otlp::export;
pub use outcome::Outcome;
pub use record_limiter::RecordLimiter;
pub use sample::Sample;
pub use stored_response::StoredResponse;
pub use summary_counts::{SummaryCounts, route_name, segment_name};
pub use trial::{CallResult, NextStep, Trial, TrialContext, TrialResult};
