//! What one proxy reports at one moment.

use std::collections::BTreeMap;

use turnout_admin::{CounterValues, GuardGauges, StatsPage};

/// What a source has of one proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scrape {
    /// The proxy was read.
    Read(Reading),
    /// The proxy should have been read and was not.
    Missing {
        /// The proxy's name.
        proxy: String,
        /// Why, as a sentence.
        why: String,
    },
}

/// What one proxy reports at one moment. Its counters count since the proxy started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The proxy's name: its admin address, or its `instance` in Prometheus.
    pub proxy: String,
    /// When it was read, in milliseconds since 1970: by the proxy's clock if that is known, because then a clock that
    /// jumps moves the uptime too.
    pub at_ms: u64,
    /// How long the proxy has run, in seconds, if it reports that.
    pub uptime: Option<u64>,
    /// The number of the revision of its active policy, if it reports one.
    pub revision_number: Option<u64>,
    /// Whether the proxy has several plugins of Turnout. Their rollouts of the same name share counters and gauges.
    pub has_several_plugins: bool,
    /// The gauges of its guards, by rollout.
    pub guards: BTreeMap<String, GuardGauges>,
    /// Its counters: guards, decisions, and the clusters of the policy.
    pub counters: CounterValues,
}

impl Reading {
    /// The reading of a proxy's stats.
    #[must_use]
    pub fn of_page(proxy: &str, at_ms: u64, page: StatsPage) -> Self {
        Self {
            proxy: proxy.to_owned(),
            at_ms,
            uptime: page.uptime,
            revision_number: page.revision_number(),
            has_several_plugins: page.revision_numbers.len() > 1,
            guards: page.guards,
            counters: page.counters,
        }
    }
}
