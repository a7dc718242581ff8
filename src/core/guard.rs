//! The guard: compares the requests that v2 served with those that v1 served, and finds when v2 is worse.
//!
//! Within a stratum, all requests have the same chance of taking v2, so v1 is a control group for v2: whatever
//! else changes, changes for both. [`WorkerGuard`] counts in one worker and holds the state. [`GuardTest`] computes
//! the evidence from counts alone, so anyone who has the same counts computes the same evidence, to the last digit.
//! With `accounts`, a guard also tests single accounts, and its evidence can be less than that of its counts.
//! [`RatioEstimate`] and [`HealthTest`] are computed from the same counts, for the command.
//!
//! Counting a request uses only integers and allocates nothing. Floating point is used only at ticks
//! and when a guard is set up.

mod account_table;
mod balance;
mod compared_request;
mod counted_ids;
mod counts;
mod evidence;
mod health;
mod likelihood_ratio;
mod ratio_estimate;
mod recent_ids;
mod rollout_guard;
mod sentence;
mod settings;
mod settling;
mod smallest_count;
mod snapshot;
mod state;
mod stream_end;
mod worker_guard;

pub use account_table::ACCOUNTS;
pub use balance::BALANCE_ALPHA;
pub use compared_request::{ComparedRequest, Response, Stratum};
pub use counts::{ArmCounts, Arms, GuardCounts, StratumCounts};
pub use evidence::{Evidence, GuardTest};
pub use health::{HealthEvidence, HealthTest};
pub use ratio_estimate::RatioEstimate;
pub use rollout_guard::{Guards, NoGuards, RolloutGuard, guard_id};
pub use settings::{
    Alpha, Bounded, ErrorLimit, FalseEjections, GuardAction, GuardSettings, Ratio, SettleSeconds,
    SlowSettings,
};
pub use smallest_count::smallest_count;
pub use snapshot::{OtherWorkers, merge_snapshots};
pub use state::{GuardState, StateChange};
pub use stream_end::{EndProperty, GrpcStatus, StreamEnd};
pub use worker_guard::{MAX_STRATA, WorkerGuard};
