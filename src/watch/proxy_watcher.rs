//! Reads one proxy repeatedly.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use turnout_admin::{
    AdminClient, Counter, CounterValues, GuardGauges, MissingPolicy, PolicySearch, StatsError,
    StatsPage, node_region, stats_path,
};
use turnout_core::{Revision, Time};

use crate::rollout_status::{CountedPolicy, RolloutStatus};

/// The timeout of a stats page.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The limit of a stats page, in bytes.
const MAX_BYTES: u64 = 16 << 20;
/// The parts of the configuration dump that may have the filter.
const PARTS: [&str; 3] = [
    "/config_dump?resource=ecds_filters",
    "/config_dump?resource=static_listeners",
    "/config_dump?resource=dynamic_listeners",
];
/// The whole dump, for a filter that is in none of these parts.
const WHOLE: &str = "/config_dump";
/// The timeout of each part of a dump. No part is requested later than this after the first.
const DUMP_TIMEOUT: Duration = Duration::from_secs(10);
/// The shortest pause before a dump without the active policy is read again.
const DUMP_PAUSE: Duration = Duration::from_secs(5);
/// The shortest pause before a dump is read again, as a multiple of the time that reading it took.
const DUMP_REST: u32 = 20;
/// The largest number of other revisions that are named.
const MAX_OTHER_REVISIONS: usize = 8;

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
    admin: AdminClient,
    dumps: AdminClient,
    /// The last stats page, and when it was read.
    before: Option<(StatsPage, Instant)>,
    policy: Option<CountedPolicy>,
    /// The revision and update for which the dump was read, and when to read it again.
    dumped: Option<(Dumped, Instant)>,
    seen: ProxyStatus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dumped {
    number: Option<u64>,
    updated: Option<u64>,
}

impl ProxyWatcher {
    /// Creates a watcher for the proxy at this address. The error is a sentence: the address is invalid.
    pub(crate) fn new(address: &str) -> Result<Self, String> {
        Ok(Self {
            admin: AdminClient::new(address, TIMEOUT)?.with_max_bytes(MAX_BYTES),
            dumps: AdminClient::new(address, DUMP_TIMEOUT)?,
            before: None,
            policy: None,
            dumped: None,
            seen: ProxyStatus::default(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        self.admin.address()
    }

    /// Reads the proxy once.
    pub(crate) fn read_once(&mut self, now: Time) -> &ProxyStatus {
        match self.page() {
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
                self.update_status(now);
            }
        }
        &self.seen
    }

    /// Reads the stats page, including the clusters of the active policy.
    fn page(&mut self) -> Result<StatsPage, StatsError> {
        let address = self.address();
        let page = self.read(&address)?;
        self.refresh_policy(&page);
        match self.address() {
            same if same == address => Ok(page),
            other => self.read(&other),
        }
    }

    fn read(&self, address: &str) -> Result<StatsPage, StatsError> {
        let mut page = StatsPage::default();
        self.admin.get_stats(address, |text| {
            page = StatsPage::read(text);
            page.is_of_envoy()
        })?;
        Ok(page)
    }

    fn address(&self) -> String {
        let rollouts = self
            .policy
            .iter()
            .flat_map(|policy| policy.plan().rollouts());
        stats_path(rollouts.flat_map(|rollout| [rollout.v1.as_str(), rollout.v2.as_str()]))
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

    /// Searches for the active policy, if it may have changed.
    fn refresh_policy(&mut self, page: &StatsPage) {
        let discovery = page.discovery.as_ref();
        let wanted = Dumped {
            number: page.revision_number(),
            updated: discovery.and_then(|seen| seen.updated),
        };
        let is_known = |policy: &CountedPolicy| {
            Some(policy.plan().revision().number()) == page.revision_number()
        };
        let known = self.policy.as_ref().is_some_and(is_known);
        let is_looked_at = self
            .dumped
            .is_some_and(|(dumped, again)| dumped == wanted && (known || Instant::now() < again));
        if is_looked_at {
            return;
        }
        let began = Instant::now();
        let (search, failed) = self.search(page.revision_number());
        let pause = DUMP_PAUSE.max(began.elapsed().saturating_mul(DUMP_REST));
        let again = Instant::now().checked_add(pause);
        self.dumped = Some((wanted, again.unwrap_or(began)));
        self.seen.note = None;
        if page.revision_number().is_none() {
            self.policy = None;
            self.seen.note = Some(match (search.found(), discovery) {
                (_, Some(_)) => "no policy has been active yet: everyone takes v1".to_owned(),
                (Ok((plan, _)), None) => format!(
                    "it has a Turnout filter with revision {}, but no stats of it: either Envoy did not load the \
                     filter (see its log), or its `stats_matcher` excludes wasmcustom.turnout",
                    plan.revision().as_str()
                ),
                (Err(MissingPolicy::Invalid), None) => {
                    "it has a Turnout filter with an invalid policy; `turnout lint` shows why"
                        .to_owned()
                }
                (Err(_), None) => "it has no Turnout filter".to_owned(),
            });
            return;
        }
        match search.found() {
            Ok((mut plan, others)) => {
                if plan.needs_region() {
                    let info = self.admin.get("/server_info").unwrap_or_default();
                    plan.set_region(&node_region(&info));
                }
                self.seen.note = describe_other_policies(
                    plan.revision().as_str(),
                    page.plugin().unwrap_or_default(),
                    &others,
                );
                self.policy = Some(CountedPolicy::new(plan));
            }
            // The known policy is still active.
            Err(_) if known => {}
            Err(missing) => {
                self.policy = None;
                self.seen.note = Some(describe_missing(missing, failed));
            }
        }
    }

    /// Searches the dump. Also returns why a part of it could not be read.
    fn search(&self, number: Option<u64>) -> (PolicySearch, Option<String>) {
        let mut search = PolicySearch::new(number);
        let mut failed = None;
        let mut read = |search: &mut PolicySearch, part| {
            if let Err(why) = self.read_part(part, search) {
                failed = Some(why);
            }
        };
        let began = Instant::now();
        let is_in_time = || began.elapsed() < DUMP_TIMEOUT;
        for part in PARTS.into_iter().take_while(|_| is_in_time()) {
            read(&mut search, part);
        }
        if number.is_some() && search.is_empty() && is_in_time() {
            read(&mut search, WHOLE);
        }
        (search, failed)
    }

    fn read_part(&self, part: &str, search: &mut PolicySearch) -> Result<(), String> {
        let Some(part) = self.dumps.open_config_dump(part)? else {
            return Ok(());
        };
        search
            .read(part)
            .map_err(|error| match error.io_error_kind() {
                None => format!("its configuration dump is malformed ({error})"),
                Some(_) => {
                    let error = io::Error::from(error);
                    format!(
                        "its configuration dump is cut off: {error} (the timeout is {DUMP_TIMEOUT:?})"
                    )
                }
            })
    }
}

/// Returns a note if there are other policies than the one that is shown.
fn describe_other_policies(shown: &str, plugin: &str, others: &[String]) -> Option<String> {
    let more = match others {
        [] => return None,
        [other] => format!("also has revision {other}"),
        _ => {
            let names = others.iter().take(MAX_OTHER_REVISIONS);
            let names: Vec<_> = names.map(String::as_str).collect();
            let rest = others.len().saturating_sub(names.len());
            let rest = match rest {
                0 => String::new(),
                rest => format!(" and {rest} more"),
            };
            format!("also has the revisions {}{rest}", names.join(", "))
        }
    };
    Some(format!(
        "it has several Turnout filters: revision {shown} of the plugin {plugin} is shown; it {more}; the \
         requests of all of them are added up"
    ))
}

/// Describes why the active policy is not known. `failed` says why a part of the dump could not be read.
fn describe_missing(missing: MissingPolicy, failed: Option<String>) -> String {
    match (missing, failed) {
            (MissingPolicy::Nothing | MissingPolicy::Invalid, Some(why)) => format!("cannot read its policy: {why}"),
            (MissingPolicy::Nothing, None) => "its policy is not in its configuration dump".to_owned(),
            (MissingPolicy::Other(revision), _) => format!(
                "it received revision {revision} last, but does not run it; the policy that it runs is not in its \
                 configuration dump"
            ),
            (MissingPolicy::Invalid, None) => "it received an invalid policy last; the policy that it runs is not in its configuration dump"
                .to_owned(),
            (MissingPolicy::Unnamed, _) => "its policy is a Struct without `revision`, so it is unknown whether it is the active one; add a \
                 `revision` to the policy, as `turnout render` does"
                .to_owned(),
        }
}

#[cfg(test)]
mod tests {
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
