//! One proxy, looked at again and again.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use turnout_admin::{
    AdminClient, Counter, CounterValues, MissingPolicy, PolicySearch, StatsError, StatsPage,
    node_region, stats_path,
};
use turnout_core::{Revision, Time};

use crate::standings::{Listed, Standing};

/// A page of counters may take so long.
const ANSWER: Duration = Duration::from_secs(2);
/// And be so long, in bytes.
const MOST_BYTES: u64 = 16 << 20;
/// Where a filter may be in the dump of the configuration.
const PARTS: [&str; 3] = [
    "/config_dump?resource=ecds_filters",
    "/config_dump?resource=static_listeners",
    "/config_dump?resource=dynamic_listeners",
];
/// Where it is if it is in none of these; this has also what is of no interest.
const WHOLE: &str = "/config_dump";
/// A part has the whole policy. None is begun later than so long after the first.
const DUMP_ANSWER: Duration = Duration::from_secs(10);
/// A dump that did not have the policy in force is looked at again after so long at the earliest.
const DUMP_PAUSE: Duration = Duration::from_secs(5);
/// And after so many times as long as it took.
const DUMP_REST: u32 = 20;
/// So many revisions beside the one in force are named.
const MOST_OTHERS: usize = 8;

/// What is known of a proxy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) state: State,
    /// How often it was looked at.
    pub(crate) looks: u64,
    pub(crate) revision: Option<String>,
    pub(crate) number: Option<u64>,
    /// When it took the policy in force.
    pub(crate) came: Option<Time>,
    pub(crate) uptime: Option<u64>,
    /// Since it was started, and since it is watched.
    pub(crate) rejected: u64,
    pub(crate) rejected_watched: u64,
    pub(crate) restarts: u64,
    /// Between the last two looks; and of that, what a second brings in thousandths.
    pub(crate) recent: CounterValues,
    pub(crate) rates: CounterValues,
    /// Since it is watched, restarts or not.
    pub(crate) since: CounterValues,
    /// Since it was started.
    pub(crate) totals: CounterValues,
    /// Of the policy in force; empty where that is not known.
    pub(crate) standings: Arc<[(String, Standing)]>,
    /// What is odd about its policy.
    pub(crate) note: Option<String>,
}

/// Whether a proxy answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// It was not asked yet.
    #[default]
    Asked,
    Answers,
    /// And why.
    Silent(String),
    /// What answers is no Envoy; the text says why.
    Other(String),
}

pub(crate) struct Proxy {
    admin: AdminClient,
    dumps: AdminClient,
    /// The last page, and when it was read.
    before: Option<(StatsPage, Instant)>,
    policy: Option<Listed>,
    /// For which number and which update the dump was looked at, and when it is looked at again.
    dumped: Option<(Dumped, Instant)>,
    seen: Seen,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dumped {
    number: Option<u64>,
    updated: Option<u64>,
}

impl Proxy {
    /// The error is a sentence.
    pub(crate) fn new(address: &str) -> Result<Self, String> {
        Ok(Self {
            admin: AdminClient::new(address, ANSWER)?.with_max_bytes(MOST_BYTES),
            dumps: AdminClient::new(address, DUMP_ANSWER)?,
            before: None,
            policy: None,
            dumped: None,
            seen: Seen::default(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        self.admin.address()
    }

    /// Looks once.
    pub(crate) fn look(&mut self, now: Time) -> &Seen {
        match self.page() {
            Err(error) => {
                self.seen.state = match error {
                    StatsError::Unreachable(why) => State::Silent(why),
                    StatsError::NotEnvoy(why) => State::Other(why),
                };
                // Nothing is known of the time since.
                self.seen.recent = CounterValues::default();
                self.seen.rates = CounterValues::default();
            }
            Ok(page) => {
                let at = Instant::now();
                self.count(page, at);
                self.stand(now);
            }
        }
        &self.seen
    }

    /// The page of counters, with those of the clusters of the policy in force.
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
                // Of a cluster that was not asked for before it is not known how much is new.
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
        self.seen.state = State::Answers;
        self.seen.rejected = rejected;
        self.seen.uptime = page.uptime;
        self.seen.totals = page.counters.clone();
        self.seen.number = page.revision_number();
        self.before = Some((page, at));
    }

    /// Which policy is in force, and where its accounts stand.
    fn stand(&mut self, now: Time) {
        let Some((page, _)) = &self.before else {
            return;
        };
        let discovery = page.discovery.as_ref();
        let policy = self.policy.as_mut().filter(|policy| {
            let number = policy.plan().revision().number();
            page.revision_number()
                .is_none_or(|in_force| in_force == number)
        });
        // Envoy may show the version of a policy that was refused.
        let version = discovery.and_then(|seen| seen.version.clone());
        let shown = version.filter(|version| {
            let revision = Revision::from_name(version);
            revision.is_some_and(|revision| Some(revision.number()) == page.revision_number())
        });
        let in_force = policy
            .as_ref()
            .map(|policy| policy.plan().revision().to_string());
        self.seen.revision = in_force.or(shown);
        let updated = discovery.and_then(|seen| seen.updated);
        self.seen.came =
            updated.map(|updated| Time::from_nanoseconds(updated.saturating_mul(1_000_000)));
        self.seen.standings = match policy {
            Some(policy) => policy.standings(now).into(),
            None => Arc::default(),
        };
    }

    /// Looks for the policy in force, if it may be another one than the last time.
    fn refresh_policy(&mut self, page: &StatsPage) {
        let discovery = page.discovery.as_ref();
        let wanted = Dumped {
            number: page.revision_number(),
            updated: discovery.and_then(|seen| seen.updated),
        };
        let is_known =
            |policy: &Listed| Some(policy.plan().revision().number()) == page.revision_number();
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
                (_, Some(_)) => "no policy was in force yet: everyone takes v1".to_owned(),
                (Ok((plan, _)), None) => format!(
                    "it has a filter of Turnout with revision {}, and no counters of it: either Envoy did \
                     not load the filter (its log says why), or its `stats_matcher` leaves out \
                     wasmcustom.turnout",
                    plan.revision().as_str()
                ),
                (Err(MissingPolicy::Invalid), None) => {
                    "it has a filter of Turnout whose policy is invalid; \
                     `turnout lint` says why"
                        .to_owned()
                }
                (Err(_), None) => "it has no filter of Turnout".to_owned(),
            });
            return;
        }
        match search.found() {
            Ok((mut plan, others)) => {
                if plan.needs_region() {
                    let info = self.admin.get("/server_info").unwrap_or_default();
                    plan.set_region(&node_region(&info));
                }
                self.seen.note = beside(
                    plan.revision().as_str(),
                    page.plugin().unwrap_or_default(),
                    &others,
                );
                self.policy = Some(Listed::new(plan));
            }
            // One of before that is in force still.
            Err(_) if known => {}
            Err(missing) => {
                self.policy = None;
                self.seen.note = Some(describe_missing(missing, failed));
            }
        }
    }

    /// Looks through the dump; says also why a part of it could not be read.
    fn search(&self, number: Option<u64>) -> (PolicySearch, Option<String>) {
        let mut search = PolicySearch::new(number);
        let mut failed = None;
        let mut read = |search: &mut PolicySearch, part| {
            if let Err(why) = self.read_part(part, search) {
                failed = Some(why);
            }
        };
        let began = Instant::now();
        let is_in_time = || began.elapsed() < DUMP_ANSWER;
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
                None => format!("its configuration dump is not as Envoy writes it ({error})"),
                Some(_) => {
                    let error = io::Error::from(error);
                    format!(
                        "its configuration dump breaks off: {error} (it may take {DUMP_ANSWER:?})"
                    )
                }
            })
    }
}

/// That there are more policies than the one that is shown.
fn beside(shown: &str, plugin: &str, others: &[String]) -> Option<String> {
    let more = match others {
        [] => return None,
        [other] => format!("also has revision {other}"),
        _ => {
            let names = others.iter().take(MOST_OTHERS);
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
        "it has several filters of Turnout: revision {shown}, of the plugin {plugin}, is shown; it {more}; \
         the requests are those of all of them"
    ))
}

/// Describes why the active policy is not known. `failed` says why a part of the dump could not be read.
fn describe_missing(missing: MissingPolicy, failed: Option<String>) -> String {
    match (missing, failed) {
            (MissingPolicy::Nothing | MissingPolicy::Invalid, Some(why)) => format!("cannot read its policy: {why}"),
            (MissingPolicy::Nothing, None) => "its policy is not in its configuration dump".to_owned(),
            (MissingPolicy::Other(revision), _) => format!(
                "it was given revision {revision} last, which it does not run; the policy that it runs is \
                 not in its dump"
            ),
            (MissingPolicy::Invalid, None) => "it was given an invalid policy last; the one that it runs is not in \
                 its dump"
                .to_owned(),
            (MissingPolicy::Unnamed, _) => "its policy is a Struct without `revision`, so it is not known whether \
                 that is the one in force; write a `revision` into the policy, as `turnout render` does"
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

    fn after(pages: &[StatsPage]) -> Seen {
        let mut proxy = Proxy::new("127.0.0.1:1").unwrap();
        let began = Instant::now();
        for (second, page) in (0..).zip(pages) {
            let later = began.checked_add(Duration::from_secs(second));
            proxy.count(page.clone(), later.unwrap());
        }
        proxy.seen
    }

    #[test]
    fn rates_are_those_between_two_looks() {
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
        // Longer up than before, and yet it counts anew.
        let seen = after(&[page(1, 1_000, 0), page(2, 30, 0)]);
        assert_eq!((seen.restarts, seen.since.get(&v2())), (1, Some(30)));
    }

    #[test]
    fn a_cluster_that_was_not_asked_for_before_has_no_rate_yet() {
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
    fn one_that_does_not_answer_is_silent() {
        let mut proxy = Proxy::new("127.0.0.1:1").unwrap();
        let seen = proxy.look(Time::from_seconds(0));
        assert!(matches!(&seen.state, State::Silent(why) if why.contains("127.0.0.1:1")));
    }
}
