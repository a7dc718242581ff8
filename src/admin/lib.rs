//! Envoy's admin endpoint: its stats, configuration dump and log, and Prometheus text.
//!
//! * [`AdminClient`] reads pages of one proxy's admin endpoint.
//! * [`StatsPage`] has the counters of the filter and of its clusters; [`DiscoveryStats`] shows whether a
//!   proxy accepted a policy.
//! * [`PolicySearch`] finds the active policy in a configuration dump; [`routes`] reads its routes and
//!   HTTP filter chains, for `turnout lint`.
//! * [`ProxyReader`] reads the stats and the active policy of one proxy, repeatedly.
//! * [`EnvoyLog`] finds in Envoy's log why the filter rejected a policy.
//! * [`parse_sample`] reads a line of Prometheus text; [`GuardMetric`] finds the guard that it is about.
//!
//! Everything here comes from outside: nothing is assumed to be well-formed, and everything is read up to
//! a limit.

#![forbid(unsafe_code)]

mod address;
mod client;
mod config_dump;
mod counters;
mod discovery_stats;
mod envoy_log;
mod filter_chains;
mod guard_metrics;
mod metric_line;
mod policy_search;
mod prometheus;
mod proxy_reader;
mod routes;
mod stale_series;
mod stats;

pub use address::{distinct_admins, parse_address};
pub use client::{AdminClient, RequestError, StatsError};
pub use counters::{ClusterStat, Counter, CounterValues};
pub use discovery_stats::{DISCOVERY_STATS_PATH, DiscoveryStats, ExpectedPolicy, PolicyState};
pub use envoy_log::{EnvoyLog, EnvoyLogError};
pub use guard_metrics::{GuardCounter, GuardEvent, GuardGauge, GuardGauges, GuardMetric};
pub use metric_line::is_metric_line;
pub use policy_search::{MissingPolicy, PolicySearch, node_region};
pub use prometheus::{
    ParsedLine, SampleLine, parse_count, parse_envoy_sample, parse_milliseconds, parse_sample,
};
pub use proxy_reader::ProxyReader;
pub use routes::routes;
pub use stale_series::{StaleSeries, stale_series};
pub use stats::{FilterDiscovery, StatsPage, stat_name, stats_path};
