//! Evaluates a policy for many accounts and requests, and compares two policies.
//!
//! * [`AccountReport`] counts the accounts of a list by outcome.
//! * [`TrafficReport`] replays an access log and counts requests by decision.
//! * [`Injection`] simulates the guard of a rollout while v2 fails.
//! * [`Change`] compares two policies, account by account and request by request.
//!
//! `turnout-core` makes every decision, as in the filter. This crate opens no files. Inputs may be of any size;
//! lines that cannot be read are counted, and the first few are listed.

#![forbid(unsafe_code)]

mod account_list;
mod account_report;
mod bad_lines;
mod change;
mod change_text;
mod contradictions;
mod csv;
mod envoy_text;
mod injection;
mod json_lines;
mod line_chunks;
mod log_entry;
mod log_fields;
mod log_summary;
mod log_time;
mod missing_fields;
mod moved_requests;
mod moves;
mod not_requests;
mod policy_at;
mod precedence;
mod rebucketed;
mod replay;
mod report_text;
mod saturating;
mod segment_union;
mod traffic_report;
mod wording;

pub use account_list::{AccountListError, AccountListSummary, Column, ListOptions, read_accounts};
pub use account_report::{AccountGroup, AccountReport, RolloutAccounts, RuleAccounts};
pub use bad_lines::{BadLine, BadLines};
pub use change::{Change, ChangeLimits, RolloutChange};
pub use contradictions::Contradiction;
pub use injection::{
    AccountRequests, AccountTraffic, ArmRates, InjectedAccounts, InjectedGuard, InjectedLog,
    InjectedRates, Injection, InjectionError, InjectionReport, LogOrder, MOST_ERROR_MS,
    MOST_PER_SECOND, Moment, Outcome, Range, RateError, RateSummary, ResultGroup, StratumErrors,
    TrialResult,
};
pub use log_entry::LogEntry;
pub use log_fields::{FieldError, LogFields};
pub use log_summary::{LogSummary, Span};
pub use missing_fields::MissingField;
pub use moved_requests::{MovedRequests, RequestChange};
pub use moves::{Move, Moves};
pub use not_requests::NotRequests;
pub use policy_at::PolicyAt;
pub use rebucketed::rebucketing_reason;
pub use replay::{LogFormat, Replay};
pub use traffic_report::{
    DecisionCount, RecordedDecisions, RequestGroup, RolloutTraffic, TrafficReport,
};
