//! Judges whether v2 is worse than v1, by the counts of the guards of all proxies.
//!
//! * [`Reading`] is what one proxy reports at one moment, whatever it was read from.
//! * [`AdminSource`] reads proxies by their admin endpoints, [`read_metrics`] and [`read_counts`] read files.
//! * [`PrometheusSource`] reads a Prometheus server.
//! * [`Ledger`] keeps what proxies have counted, over restarts.
//! * [`Observation`] is what all proxies together have counted.
//! * [`judge`] computes a [`Judgment`] from it: a [`Verdict`], and the [`Reason`]s for it.
//! * [`to_text`] and [`to_json`] format judgments.

#![forbid(unsafe_code)]

mod admin_source;
mod counts_file;
mod criteria;
mod format;
mod input_error;
mod json;
mod judge;
mod judged_rollout;
mod judgment;
mod ledger;
mod metric_names;
mod metrics_file;
mod observation;
mod prometheus_address;
mod prometheus_client;
mod prometheus_liveness;
mod prometheus_presence;
mod prometheus_response;
mod prometheus_samples;
mod prometheus_selector;
mod prometheus_series;
mod prometheus_source;
#[cfg(test)]
mod prometheus_tests;
mod prometheus_token;
mod prometheus_window;
mod reading;
mod rearmed;
mod reason;
mod reason_text;
mod same_proxy;
#[cfg(test)]
mod test_counts;
mod text;
mod verdict;
mod warning;

pub use admin_source::AdminSource;
pub use counts_file::read_counts;
pub use criteria::Criteria;
pub use input_error::InputError;
pub use json::to_json;
pub use judge::judge;
pub use judged_rollout::{JudgedRollout, RolloutCluster, RolloutOfPolicy};
pub use judgment::{Coverage, JudgedProxy, JudgedStratum, Judgment, Needed};
pub use ledger::Ledger;
pub use metric_names::{MetricNames, SampleError};
pub use metrics_file::read_metrics;
pub use observation::{Observation, ObservedProxy, ProcessCounters};
pub use prometheus_selector::LabelMatcher;
pub use prometheus_source::{PrometheusReadings, PrometheusSource};
pub use prometheus_token::BearerToken;
pub use prometheus_window::Since;
pub use reading::{Reading, Scrape};
pub use reason::Reason;
pub use same_proxy::only_once;
pub use text::to_text;
pub use verdict::Verdict;
pub use warning::Warning;
