//! Reads one proxy repeatedly.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use turnout_admin::{Counter, CounterValues, GuardGauges, ProxyReader, StatsError, StatsPage};
use turnout_core::{Revision, Time};

use crate::rollout_status::{CountedPolicy, RolloutStatus};

/// The status of a proxy.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProxyStatus {
    pub(crate) state: ProxyState,
    /// How often it has been read.
    pub(crate) readings: u64,
    pub(crate) revision: Option<String>,
    pub(crate) number: Option<u64>,
    /// When the active policy became active.
    pub(crate) policy_since: Option<Time>,
    pub(crate) uptime: Option<u64>,
    /// Rejected updates since it started, and since watching began.
    pub(crate) rejected: u64,
    pub(crate) rejected_watched: u64,
    pub(crate) restarts: u64,
    /// The increase between the last two readings, and its rate per second in thousandths.
    pub(crate) recent: CounterValues,
    pub(crate) rates: CounterValues,
    /// The increase since watching began, over restarts.
    pub(crate) since: CounterValues,
    /// The values since it started.
    pub(crate) totals: CounterValues,
    /// The gauges of the guards, by rollout.
    pub(crate) guards: BTreeMap<String, GuardGauges>,
    /// The status of each rollout of the active policy; empty if the policy is unknown.
    pub(crate) statuses: Arc<[(String, RolloutStatus)]>,
    /// What is unusual about its policy.
    pub(crate) note: Option<String>,
}

/// Whether a proxy responds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum ProxyState {
    /// It has not been read yet.
    #[default]
    NotAsked,
    Responds,
    /// It does not respond. The text says why.
    Unreachable(String),
    /// The response is not from an Envoy. The text says why.
    NotEnvoy(String),
}

pub(crate) struct ProxyWatcher {
    reader: ProxyReader,
    /// The last stats page, and when it was read.
    before: Option<(StatsPage, Instant)>,
    policy: Option<CountedPolicy>,
    seen: ProxyStatus,
}

impl ProxyWatcher {
    /// Creates a watcher for the proxy at this address. The error is a sentence: the address is invalid.
    pub(crate) fn new(address: &str) -> Result<Self, String> {
        Ok(Self {
            reader: ProxyReader::new(address)?,
            before: None,
            policy: None,
            seen: ProxyStatus::default(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        self.reader.address()
    }

    /// Reads the proxy once.
    pub(crate) fn read_once(&mut self, now: Time) -> &ProxyStatus {
        match self.reader.read() {
            Err(error) => {
                self.seen.state = match error {
                    StatsError::Unreachable(why) => ProxyState::Unreachable(why),
                    StatsError::NotEnvoy(why) => ProxyState::NotEnvoy(why),
                };
                // The rates since the last reading are unknown.
                self.seen.recent = CounterValues::default();
                self.seen.rates = CounterValues::default();
            }
            Ok(page) => {
                let at = Instant::now();
                self.count(page, at);
                self.update_policy();
                self.update_status(now);
            }
        }
        &self.seen
    }

    fn count(&mut self, page: StatsPage, at: Instant) {
        let rejected = page.discovery.as_ref().map_or(0, |seen| seen.rejected);
        if let Some((before, then)) = &self.before {
            let is_restarted = page.counters.is_less_than(&before.counters)
                || page
                    .uptime
                    .is_some_and(|now| before.uptime.is_some_and(|then| now < then));
            let none = CounterValues::default();
            let base = if is_restarted {
                &none
            } else {
                &before.counters
            };
            self.seen.recent = page.counters.since(base);
            if !is_restarted {
                // The increase of a cluster that was not read before is unknown.
                self.seen.recent.retain(|counter| {
                    !matches!(counter, Counter::Cluster(..))
                        || before.counters.get(counter).is_some()
                });
            }
            let elapsed = at.saturating_duration_since(*then).as_millis();
            let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX).max(1);
            self.seen.rates = self.seen.recent.per_second(elapsed);
            self.seen.since.add(&self.seen.recent);
            let base = if is_restarted { 0 } else { self.seen.rejected };
            let new = rejected.saturating_sub(base);
            self.seen.rejected_watched = self.seen.rejected_watched.saturating_add(new);
            self.seen.restarts = self.seen.restarts.saturating_add(is_restarted.into());
        }
        self.seen.state = ProxyState::Responds;
        self.seen.rejected = rejected;
        self.seen.uptime = page.uptime;
        self.seen.totals = page.counters.clone();
        self.seen.guards = page.guards.clone();
        self.seen.number = page.revision_number();
        self.before = Some((page, at));
    }

    /// Takes over the active policy from the reader.
    fn update_policy(&mut self) {
        let plan = self.reader.policy();
        let is_same =
            |policy: &CountedPolicy| plan.is_some_and(|plan| Arc::ptr_eq(plan, policy.plan()));
        if !self.policy.as_ref().is_some_and(is_same) {
            self.policy = plan.map(|plan| CountedPolicy::new(Arc::clone(plan)));
        }
        self.seen.note = self.reader.note().map(str::to_owned);
    }

    /// Updates the active policy and the status of its rollouts.
    fn update_status(&mut self, now: Time) {
        let Some((page, _)) = &self.before else {
            return;
        };
        let discovery = page.discovery.as_ref();
        let policy = self.policy.as_mut().filter(|policy| {
            let number = policy.plan().revision().number();
            page.revision_number().is_none_or(|active| active == number)
        });
        // Envoy may show the version of a rejected policy.
        let version = discovery.and_then(|seen| seen.version.clone());
        let shown = version.filter(|version| {
            let revision = Revision::from_name(version);
            revision.is_some_and(|revision| Some(revision.number()) == page.revision_number())
        });
        let active = policy
            .as_ref()
            .map(|policy| policy.plan().revision().to_string());
        self.seen.revision = active.or(shown);
        let updated = discovery.and_then(|seen| seen.updated);
        self.seen.policy_since =
            updated.map(|updated| Time::from_nanoseconds(updated.saturating_mul(1_000_000)));
        self.seen.statuses = match policy {
            Some(policy) => policy.statuses(now).into(),
            None => Arc::default(),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use turnout_core::{Reason, Treatment};

    fn v2() -> Counter {
        Counter::Decision("r".into(), Treatment::V2, Reason::Rule)
    }

    fn page(uptime: u64, v2_count: u64, rejected: u64) -> StatsPage {
        StatsPage::read(&format!(
            "server.uptime: {uptime}\nwasmcustom.turnout.decisions.r.v2.rule: {v2_count}\n\
             extension_config_discovery.http_filter.turnout.update_rejected: {rejected}\n"
        ))
    }

    fn after(pages: &[StatsPage]) -> ProxyStatus {
        let mut proxy = ProxyWatcher::new("127.0.0.1:1").unwrap();
        let began = Instant::now();
        for (second, page) in (0..).zip(pages) {
            let later = began.checked_add(Duration::from_secs(second));
            proxy.count(page.clone(), later.unwrap());
        }
        proxy.seen
    }

    #[test]
    fn rates_are_computed_between_two_polls() {
        let seen = after(&[
            page(100, 1_000, 1),
            page(101, 1_250, 1),
            page(102, 1_260, 3),
        ]);
        assert_eq!(seen.recent.get(&v2()), Some(10));
        assert_eq!(seen.rates.get(&v2()), Some(10_000));
        assert_eq!(seen.since.get(&v2()), Some(260));
        assert_eq!(
            (seen.rejected, seen.rejected_watched, seen.restarts),
            (3, 2, 0)
        );
        let first = after(&[page(100, 1_000, 1)]);
        assert_eq!(first.recent, CounterValues::default());
        assert_eq!((first.rejected, first.rejected_watched), (1, 0));
    }

    #[test]
    fn a_restart_is_noticed_and_nothing_is_lost() {
        let pages = [page(100, 1_000, 4), page(101, 1_100, 4), page(1, 30, 1)];
        let seen = after(&pages);
        assert_eq!((seen.restarts, seen.rejected_watched), (1, 1));
        assert_eq!(seen.recent.get(&v2()), Some(30));
        assert_eq!(seen.since.get(&v2()), Some(130));
        // The proxy has been up longer than before, and yet its counters have restarted.
        let seen = after(&[page(1, 1_000, 0), page(2, 30, 0)]);
        assert_eq!((seen.restarts, seen.since.get(&v2())), (1, Some(30)));
    }

    #[test]
    fn a_new_cluster_has_no_rate_yet() {
        let with = |completed: u64| {
            StatsPage::read(&format!("cluster.a.upstream_rq_completed: {completed}"))
        };
        let counter = Counter::Cluster("a".into(), turnout_admin::ClusterStat::Completed);
        let seen = after(&[StatsPage::default(), with(5_000)]);
        assert_eq!(seen.recent.get(&counter), None);
        assert_eq!(seen.totals.get(&counter), Some(5_000));
        let seen = after(&[StatsPage::default(), with(5_000), with(5_007)]);
        assert_eq!(seen.recent.get(&counter), Some(7));
    }

    #[test]
    fn a_proxy_without_a_response_is_silent() {
        let mut proxy = ProxyWatcher::new("127.0.0.1:1").unwrap();
        let seen = proxy.read_once(Time::from_seconds(0));
        assert!(matches!(&seen.state, ProxyState::Unreachable(why) if why.contains("127.0.0.1:1")));
    }
}
