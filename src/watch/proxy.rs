//! One proxy, looked at again and again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use turnout_core::{Revision, Time};
use turnout_live::Admin;

use crate::counts::{Counter, Counts};
use crate::page::{self, Page};
use crate::policy::{self, DUMPS, Found};
use crate::standings::{Listed, Standing};

/// A page of counters may take so long.
const ANSWER: Duration = Duration::from_secs(2);
/// And be so long, in bytes.
const MOST_BYTES: u64 = 16 << 20;
/// A dump has the whole policy.
const DUMP_ANSWER: Duration = Duration::from_secs(30);
/// A dump that did not have the policy in force is looked at again after so long.
const DUMP_PAUSE: Duration = Duration::from_secs(5);

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
    pub(crate) recent: Counts,
    pub(crate) rates: Counts,
    /// Since it is watched, restarts or not.
    pub(crate) since: Counts,
    /// Since it was started.
    pub(crate) totals: Counts,
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
}

pub(crate) struct Proxy {
    admin: Admin,
    dumps: Admin,
    /// The last page, and when it was read.
    before: Option<(Page, Instant)>,
    policy: Option<Listed>,
    /// For which number and which update the dump was looked at, and when.
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
            admin: Admin::new(address, ANSWER)?.at_most(MOST_BYTES),
            dumps: Admin::new(address, DUMP_ANSWER)?,
            before: None,
            policy: None,
            dumped: None,
            seen: Seen::default(),
        })
    }

    pub(crate) fn name(&self) -> &str {
        self.admin.name()
    }

    /// Looks once.
    pub(crate) fn look(&mut self, now: Time) -> &Seen {
        match self.page() {
            Err(error) => {
                self.seen.state = State::Silent(error);
                // Nothing is known of the time since.
                self.seen.recent = Counts::default();
                self.seen.rates = Counts::default();
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
    fn page(&mut self) -> Result<Page, String> {
        let address = self.address();
        let page = self.read(&address)?;
        self.refresh_policy(&page);
        match self.address() {
            same if same == address => Ok(page),
            other => self.read(&other),
        }
    }

    fn read(&self, address: &str) -> Result<Page, String> {
        Ok(Page::read(&self.admin.get(address)?))
    }

    fn address(&self) -> String {
        let rollouts = self
            .policy
            .iter()
            .flat_map(|policy| policy.plan().rollouts());
        page::address(rollouts.flat_map(|rollout| [rollout.v1.as_str(), rollout.v2.as_str()]))
    }

    fn count(&mut self, page: Page, at: Instant) {
        let rejected = page.discovery.as_ref().map_or(0, |seen| seen.rejected);
        if let Some((before, then)) = &self.before {
            let is_restarted = page.counts.is_less_than(&before.counts)
                || page
                    .uptime
                    .is_some_and(|now| before.uptime.is_some_and(|then| now < then));
            let none = Counts::default();
            let base = if is_restarted { &none } else { &before.counts };
            self.seen.recent = page.counts.since(base);
            if !is_restarted {
                // Of a cluster that was not asked for before it is not known how much is new.
                self.seen.recent.retain(|counter| {
                    !matches!(counter, Counter::Cluster(..)) || before.counts.get(counter).is_some()
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
        self.seen.totals = page.counts.clone();
        self.seen.number = page.number;
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
            page.number.is_none_or(|in_force| in_force == number)
        });
        // Envoy may show the version of a policy that was refused.
        let version = discovery.and_then(|seen| seen.version.clone());
        let shown = version.filter(|version| {
            let revision = Revision::given(version);
            revision.is_some_and(|revision| Some(revision.number()) == page.number)
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
    fn refresh_policy(&mut self, page: &Page) {
        let discovery = page.discovery.as_ref();
        let wanted = Dumped {
            number: page.number,
            updated: discovery.and_then(|seen| seen.updated),
        };
        let is_known = |policy: &Listed| Some(policy.plan().revision().number()) == page.number;
        let known = self.policy.as_ref().is_some_and(is_known);
        let is_looked_at = self
            .dumped
            .is_some_and(|(dumped, at)| dumped == wanted && (known || at.elapsed() < DUMP_PAUSE));
        if is_looked_at {
            return;
        }
        self.dumped = Some((wanted, Instant::now()));
        self.seen.note = None;
        if page.number.is_none() {
            self.policy = None;
            self.seen.note = Some(match discovery {
                None => "it has no filter of Turnout".to_owned(),
                Some(_) => "no policy was in force yet: everyone takes v1".to_owned(),
            });
            return;
        }
        match self.dumped_plan(page.number) {
            Ok(listed) => self.policy = Some(listed),
            // One of before that is in force still.
            Err(_) if known => {}
            Err(why) => {
                self.policy = None;
                self.seen.note = Some(why);
            }
        }
    }

    fn dumped_plan(&self, number: Option<u64>) -> Result<Listed, String> {
        let mut last = Found::Nothing;
        for resource in DUMPS {
            let dump = self
                .dumps
                .get(&format!("/config_dump?resource={resource}"))?;
            match policy::find(&dump, number) {
                Found::Plan(mut plan) => {
                    if plan.lacks_region() {
                        let info = self.admin.get("/server_info")?;
                        plan.place_in(&policy::region(&info));
                    }
                    return Ok(Listed::new(*plan));
                }
                Found::Nothing => {}
                other => last = other,
            }
        }
        Err(match last {
            Found::Other(revision) => format!(
                "it was given revision {revision} last, which it does not run; the policy that it \
                 runs is not in its dump"
            ),
            Found::Invalid => {
                "it was given an invalid policy last; the one that it runs is not in \
                               its dump"
                    .to_owned()
            }
            Found::Nothing | Found::Plan(_) => "its policy is not in its dump".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use turnout_core::{Reason, Treatment};

    fn v2() -> Counter {
        Counter::Decision("r".into(), Treatment::V2, Reason::Rule)
    }

    fn page(uptime: u64, v2_count: u64, rejected: u64) -> Page {
        Page::read(&format!(
            "server.uptime: {uptime}\nwasmcustom.turnout.decisions.r.v2.rule: {v2_count}\n\
             extension_config_discovery.http_filter.turnout.update_rejected: {rejected}\n"
        ))
    }

    fn after(pages: &[Page]) -> Seen {
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
        assert_eq!(first.recent, Counts::default());
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
        let with =
            |completed: u64| Page::read(&format!("cluster.a.upstream_rq_completed: {completed}"));
        let counter = Counter::Cluster("a".into(), crate::counts::OfCluster::Completed);
        let seen = after(&[Page::default(), with(5_000)]);
        assert_eq!(seen.recent.get(&counter), None);
        assert_eq!(seen.totals.get(&counter), Some(5_000));
        let seen = after(&[Page::default(), with(5_000), with(5_007)]);
        assert_eq!(seen.recent.get(&counter), Some(7));
    }

    #[test]
    fn one_that_does_not_answer_is_silent() {
        let mut proxy = Proxy::new("127.0.0.1:1").unwrap();
        let seen = proxy.look(Time::from_seconds(0));
        assert!(matches!(&seen.state, State::Silent(why) if why.contains("127.0.0.1:1")));
    }
}
