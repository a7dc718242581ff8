//! What all proxies together report, and since when.

use std::collections::{BTreeMap, BTreeSet};

use turnout_admin::{CounterValues, GuardGauges};

/// What all proxies together report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// The proxies; `None` if the source has only counts, and does not know which proxies they are from.
    pub proxies: Option<Vec<ObservedProxy>>,
    /// What was counted since the counts began: the sum over proxies.
    pub counters: CounterValues,
    /// Increases per second between the last two readings, in thousandths; `None` before the second reading.
    pub rates: Option<CounterValues>,
    /// How long requests have been counted, by the clocks of the proxies.
    pub observed_seconds: u64,
    /// The rollouts whose definition has changed since the counts began, so that their guards have started over.
    pub changed_rollouts: BTreeSet<String>,
}

/// What one proxy reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedProxy {
    /// Its name: its admin address, or its `instance` in Prometheus.
    pub name: String,
    /// Why it could not be read the last time, as a sentence; `None` if it was read.
    pub missing: Option<String>,
    /// The number of the revision of its active policy, if it reports one.
    pub revision_number: Option<u64>,
    /// The gauges of its guards, by rollout.
    pub guards: BTreeMap<String, GuardGauges>,
    /// How many times it has restarted since the counts began.
    pub restarts: u64,
    /// What it has counted since it started, if all of that counts, and its gauges are of the same counters.
    pub process: Option<ProcessCounters>,
}

/// The counters of a proxy since it started. Its guards have counted the same, unless they were re-armed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessCounters {
    /// The counters of the last reading.
    pub last: CounterValues,
    /// The counters of the reading before that, if there is one.
    pub before: Option<CounterValues>,
    /// What the proxy has counted in total: these counters, and those before its restarts.
    pub counted: CounterValues,
}
