//! The combined view of several proxies.

use std::collections::BTreeMap;

use turnout_admin::{ClusterStat, Counter, CounterValues, stat_name};
use turnout_core::guard::GuardCounts;
use turnout_core::{Reason, Time, Treatment};

use crate::guard_view::{GuardView, ProxyRollouts, guard};
use crate::proxy_watcher::{ProxyState, ProxyStatus};
use crate::rollout_status::RolloutStatus;

/// The name in the stats for requests that match no rollout.
const NO_ROLLOUT: &str = "-";

/// The state of all proxies at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The time of this view.
    pub at: Time,
    /// When watching began.
    pub since: Time,
    /// The last change of the policy, if the folder is known.
    pub last_change: Option<String>,
    /// The proxies, in the order of the command line.
    pub proxies: Vec<ProxyView>,
    /// The rollouts, in the order of the policy.
    pub rollouts: Vec<RolloutView>,
    /// Requests that match no rollout, since watching began.
    pub no_rollout: u64,
}

/// One proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyView {
    /// Its admin address.
    pub admin: String,
    /// Whether it responds; `None` before the first reading.
    pub responds: Option<bool>,
    /// Why it does not respond.
    pub error: Option<String>,
    /// Whether the response is not from an Envoy.
    pub is_not_envoy: bool,
    /// The active revision.
    pub revision: Option<String>,
    /// The number of the active revision.
    pub number: Option<u64>,
    /// When that revision became active.
    pub policy_since: Option<Time>,
    /// How long it has run, in seconds.
    pub uptime: Option<u64>,
    /// How many updates it has rejected since it started.
    pub rejected: u64,
    /// How many updates it has rejected since watching began.
    pub rejected_watched: u64,
    /// How often it has restarted since watching began.
    pub restarts: u64,
    /// What is unusual about its policy.
    pub note: Option<String>,
}

/// One rollout, over all proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RolloutView {
    /// The name of the rollout.
    pub name: String,
    /// Its status, with the number of proxies. There is one if all proxies have the same policy.
    pub statuses: Vec<(u64, RolloutStatus)>,
    /// Traffic between the last two readings.
    pub recent: Traffic,
    /// Traffic since watching began.
    pub since: Traffic,
    /// The clusters of v1 and v2, without duplicates.
    pub clusters: Vec<ClusterView>,
    /// Shadow requests by outcome, since the proxies started.
    pub shadow: Vec<(String, u64)>,
    /// The guard, if the policy of any proxy has one in this rollout.
    pub guard: Option<GuardView>,
}

/// Requests by decision. In the modes `dark` and `shadow`, v1 serves them all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// The number of requests by treatment and reason, without zeros.
    pub decisions: BTreeMap<(Treatment, Reason), u64>,
    /// The requests per second, in thousandths.
    pub rates: BTreeMap<(Treatment, Reason), u64>,
}

/// The stats of one cluster, from all its clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterView {
    /// The treatment that it serves in this rollout: `v1` or `v2`.
    pub treatment: &'static str,
    /// The name of the cluster.
    pub name: String,
    /// Whether any proxy has it.
    pub is_known: bool,
    /// Responses between the last two readings: all of them, and those with 5xx.
    pub recent: [u64; 2],
    /// The responses per second between the last two readings, in thousandths.
    pub rate: u64,
    /// Responses since watching began: all of them, and those with 5xx.
    pub since: [u64; 2],
    /// The causes of failures since watching began, with counts.
    pub causes: Vec<(&'static str, u64)>,
}

impl Traffic {
    /// Returns the number of all requests.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.decisions
            .values()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Returns the number of requests with a treatment.
    #[must_use]
    pub fn of(&self, wanted: Treatment) -> u64 {
        let of = self
            .decisions
            .iter()
            .filter(|((treatment, _), _)| *treatment == wanted);
        of.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Returns the number of requests with a reason.
    #[must_use]
    pub fn because(&self, wanted: Reason) -> u64 {
        let because = self
            .decisions
            .iter()
            .filter(|((_, reason), _)| *reason == wanted);
        because.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Returns the requests per second, in thousandths.
    #[must_use]
    pub fn rate(&self) -> u64 {
        self.rates
            .values()
            .fold(0, |sum, rate| sum.saturating_add(*rate))
    }
}

/// Combines the status of all proxies.
pub(crate) fn view(at: Time, since: Time, proxies: &[(String, ProxyStatus)]) -> View {
    let sum = |of: fn(&ProxyStatus) -> &CounterValues| {
        let mut sum = CounterValues::default();
        for (_, seen) in proxies {
            sum.add(of(seen));
        }
        sum
    };
    let sums = Sums {
        recent: sum(|seen| &seen.recent),
        rates: sum(|seen| &seen.rates),
        since: sum(|seen| &seen.since),
        totals: sum(|seen| &seen.totals),
    };
    let mut rollouts = named(proxies, &sums);
    let places: BTreeMap<String, usize> = (0..)
        .zip(&rollouts)
        .map(|(place, rollout)| (rollout.name.clone(), place))
        .collect();
    let mut at_place = |name: &str, put: &mut dyn FnMut(&mut RolloutView)| {
        let rollout = places.get(name).and_then(|place| rollouts.get_mut(*place));
        rollout.into_iter().for_each(put);
    };
    for (_, seen) in proxies
        .iter()
        .filter(|(_, seen)| seen.state == ProxyState::Responds)
    {
        for (name, status) in seen.statuses.iter() {
            at_place(name, &mut |rollout| rollout.stand(status));
        }
    }
    spread(&sums.recent, &mut at_place, |rollout| {
        &mut rollout.recent.decisions
    });
    spread(&sums.rates, &mut at_place, |rollout| {
        &mut rollout.recent.rates
    });
    spread(&sums.since, &mut at_place, |rollout| {
        &mut rollout.since.decisions
    });
    for (counter, count) in sums.totals.iter().filter(|(_, count)| *count > 0) {
        if let Counter::Shadow(name, outcome) = counter {
            at_place(name, &mut |rollout| {
                rollout.shadow.push((outcome.clone(), count));
            });
        }
    }
    let of_proxies = proxies.iter();
    let of_proxies: Vec<_> = of_proxies
        .map(|(name, seen)| ProxyRollouts::new(name, seen))
        .collect();
    let mut guards = sums.guards();
    for rollout in &mut rollouts {
        rollout.clusters = sums.clusters(&rollout.statuses);
        rollout.guard = guard(&rollout.name, &of_proxies).map(|guard| GuardView {
            proxies: guard.proxies,
            ..guards.remove(rollout.name.as_str()).unwrap_or_default()
        });
    }
    let no_rollout = Counter::Decision(NO_ROLLOUT.into(), Treatment::V1, Reason::NoRollout);
    View {
        at,
        since,
        last_change: None,
        proxies: proxies
            .iter()
            .map(|(name, seen)| proxy(name, seen))
            .collect(),
        rollouts,
        no_rollout: sums.since.get(&no_rollout).unwrap_or_default(),
    }
}

/// Returns the rollouts of the active policies, and others that have stats.
fn named(proxies: &[(String, ProxyStatus)], sums: &Sums) -> Vec<RolloutView> {
    let of_policies = proxies.iter().flat_map(|(_, seen)| seen.statuses.iter());
    let of_policies = of_policies.map(|(name, _)| name.as_str());
    let is_unknown = proxies.iter().all(|(_, seen)| seen.statuses.is_empty());
    let counted = sums.totals.iter().filter_map(|(counter, _)| match counter {
        Counter::Decision(name, ..) if name != NO_ROLLOUT => {
            let is_moving = sums.recent.get(counter).is_some_and(|count| count > 0);
            (is_moving || is_unknown).then_some(name.as_str())
        }
        _ => None,
    });
    let mut known = std::collections::BTreeSet::new();
    let new = of_policies
        .chain(counted)
        .filter(|name| known.insert(*name));
    new.map(|name| RolloutView {
        name: name.to_owned(),
        ..RolloutView::default()
    })
    .collect()
}

struct Sums {
    recent: CounterValues,
    rates: CounterValues,
    since: CounterValues,
    totals: CounterValues,
}

fn spread(
    counters: &CounterValues,
    at_place: &mut impl FnMut(&str, &mut dyn FnMut(&mut RolloutView)),
    of: fn(&mut RolloutView) -> &mut BTreeMap<(Treatment, Reason), u64>,
) {
    for (counter, count) in counters.iter().filter(|(_, count)| *count > 0) {
        if let Counter::Decision(name, treatment, reason) = counter {
            at_place(name, &mut |rollout| {
                of(rollout).insert((*treatment, *reason), count);
            });
        }
    }
}

impl Sums {
    /// The counts of the guards, by rollout.
    fn guards(&self) -> BTreeMap<&str, GuardView> {
        let mut guards: BTreeMap<&str, GuardView> = BTreeMap::new();
        type Part = fn(&mut GuardView) -> &mut GuardCounts;
        let parts: [(&CounterValues, Part); 4] = [
            (&self.recent, |guard| &mut guard.recent),
            (&self.rates, |guard| &mut guard.rates),
            (&self.since, |guard| &mut guard.since),
            (&self.totals, |guard| &mut guard.total),
        ];
        for (values, of) in parts {
            for (rollout, counts) in values.guard_counts() {
                *of(guards.entry(rollout).or_default()) = counts;
            }
        }
        guards
    }

    fn clusters(&self, statuses: &[(u64, RolloutStatus)]) -> Vec<ClusterView> {
        let mut clusters: Vec<ClusterView> = Vec::new();
        let named = statuses.iter().flat_map(|(_, status)| {
            let versions = Treatment::ALL.map(Treatment::as_str);
            versions.into_iter().zip(&status.clusters)
        });
        for (treatment, name) in named {
            let is_there =
                |known: &ClusterView| known.treatment == treatment && known.name == *name;
            if !clusters.iter().any(is_there) {
                clusters.push(self.cluster(treatment, name));
            }
        }
        clusters
    }

    fn cluster(&self, treatment: &'static str, name: &str) -> ClusterView {
        let stat_name = stat_name(name).into_owned();
        let counter = |what| Counter::Cluster(stat_name.clone(), what);
        let of = |counts: &CounterValues, what| counts.get(&counter(what)).unwrap_or_default();
        let both =
            |counts| [ClusterStat::Completed, ClusterStat::Failed].map(|what| of(counts, what));
        let causes = ClusterStat::CAUSES.map(|(what, words)| (words, of(&self.since, what)));
        ClusterView {
            treatment,
            name: name.to_owned(),
            is_known: ClusterStat::CAUSES
                .iter()
                .any(|(what, _)| self.totals.get(&counter(*what)).is_some()),
            recent: both(&self.recent),
            rate: of(&self.rates, ClusterStat::Completed),
            since: both(&self.since),
            causes: causes.into_iter().filter(|(_, count)| *count > 0).collect(),
        }
    }
}

impl RolloutView {
    fn stand(&mut self, status: &RolloutStatus) {
        match self.statuses.iter_mut().find(|(_, known)| known == status) {
            Some((proxies, _)) => *proxies = proxies.saturating_add(1),
            None => self.statuses.push((1, status.clone())),
        }
    }
}

fn proxy(name: &str, seen: &ProxyStatus) -> ProxyView {
    let (responds, error) = match &seen.state {
        ProxyState::NotAsked => (None, None),
        ProxyState::Responds => (Some(true), None),
        ProxyState::Unreachable(why) | ProxyState::NotEnvoy(why) => {
            (Some(false), Some(why.clone()))
        }
    };
    ProxyView {
        admin: name.to_owned(),
        responds,
        error,
        is_not_envoy: matches!(seen.state, ProxyState::NotEnvoy(_)),
        revision: seen.revision.clone(),
        number: seen.number,
        policy_since: seen.policy_since,
        uptime: seen.uptime,
        rejected: seen.rejected,
        rejected_watched: seen.rejected_watched,
        restarts: seen.restarts,
        note: seen.note.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use turnout_admin::{GuardCounter, GuardEvent, GuardGauges};
    use turnout_core::Fraction;
    use turnout_core::guard::{GuardAction, GuardState};

    use super::*;
    use crate::guard_view::GuardReport;
    use crate::tests::sample_views;

    fn seen(v1: u64, v2: u64, status: RolloutStatus) -> (String, ProxyStatus) {
        let mut counts = CounterValues::default();
        let decision = |treatment, reason| Counter::Decision("r".into(), treatment, reason);
        counts.insert(decision(Treatment::V1, Reason::OutsideAccounts), v1);
        counts.insert(decision(Treatment::V2, Reason::Rule), v2);
        counts.insert(Counter::Shadow("r".into(), "equal".into()), 2);
        counts.insert(
            Counter::Cluster("chat-v2".into(), ClusterStat::Completed),
            v2,
        );
        counts.insert(Counter::Cluster("chat-v2".into(), ClusterStat::Failed), 1);
        counts.insert(Counter::Cluster("chat-v2".into(), ClusterStat::Resets), 0);
        let seen = ProxyStatus {
            state: ProxyState::Responds,
            recent: counts.clone(),
            rates: counts.per_second(500),
            since: counts.clone(),
            totals: counts,
            statuses: Arc::new([("r".to_owned(), status)]),
            ..ProxyStatus::default()
        };
        ("http://a:1".into(), seen)
    }

    fn both(other: RolloutStatus) -> RolloutView {
        let proxies = [seen(10, 5, sample_views::half()), seen(20, 15, other)];
        let zero = Time::from_seconds(0);
        let mut view = view(zero, zero, &proxies);
        assert_eq!(view.rollouts.len(), 1);
        view.rollouts.remove(0)
    }

    #[test]
    fn proxies_are_summed() {
        let rollout = both(sample_views::half());
        assert_eq!(rollout.statuses, [(2, sample_views::half())]);
        let recent = &rollout.recent;
        assert_eq!((recent.of(Treatment::V2), recent.requests()), (20, 50));
        assert_eq!(recent.rate(), 100_000);
        assert_eq!(rollout.shadow, [("equal".to_owned(), 4)]);
        let [v1, v2] = rollout.clusters.as_slice() else {
            panic!("{rollout:?}");
        };
        assert!(!v1.is_known && v2.is_known);
        assert_eq!((v2.recent, v2.rate), ([20, 2], 40_000));
    }

    #[test]
    fn different_policies_are_listed_side_by_side() {
        let other = sample_views::status(false, "on", "[]");
        let rollout = both(other.clone());
        assert_eq!(rollout.statuses, [(1, sample_views::half()), (1, other)]);
        // The clusters are the same.
        assert_eq!(rollout.clusters.len(), 2);
    }

    fn guards_of(proxies: &[(String, ProxyStatus)]) -> Option<Vec<GuardReport>> {
        let zero = Time::from_seconds(0);
        let view = view(zero, zero, proxies);
        let guard = view.rollouts[0].guard.as_ref()?;
        Some(guard.proxies.iter().map(|proxy| proxy.report).collect())
    }

    #[test]
    fn no_proxy_is_armed_that_does_not_report_it() {
        let gauges = |state| GuardGauges {
            state,
            ..GuardGauges::default()
        };
        let proxy = |has_guard: bool, reported: Option<GuardGauges>| {
            let status = RolloutStatus {
                guard: has_guard.then_some(GuardAction::Halt),
                ..sample_views::half()
            };
            let (name, mut seen) = seen(10, 5, status);
            seen.guards = reported
                .map(|gauges| ("r".to_owned(), gauges))
                .into_iter()
                .collect();
            (name, seen)
        };
        let armed = gauges(Some(GuardState::Armed));
        let unknown_policy = |reported| {
            let (name, mut seen) = proxy(true, reported);
            seen.statuses = Arc::default();
            (name, seen)
        };
        let unreachable = |state| {
            let (name, mut seen) = proxy(true, Some(armed));
            seen.state = state;
            (name, seen)
        };
        let proxies = [
            (
                proxy(true, Some(armed)),
                GuardReport::State(GuardState::Armed),
            ),
            (proxy(true, None), GuardReport::NotReported),
            (proxy(true, Some(gauges(None))), GuardReport::NotReported),
            (proxy(false, None), GuardReport::NoGuard),
            // The gauge of an earlier policy.
            (proxy(false, Some(armed)), GuardReport::NoGuard),
            (
                unknown_policy(Some(gauges(Some(GuardState::Tripped)))),
                GuardReport::State(GuardState::Tripped),
            ),
            (unknown_policy(None), GuardReport::NotReported),
            (unreachable(ProxyState::NotAsked), GuardReport::NoResponse),
            (
                unreachable(ProxyState::Unreachable("refused".into())),
                GuardReport::NoResponse,
            ),
        ];
        let (proxies, expected): (Vec<_>, Vec<_>) = proxies.into_iter().unzip();
        assert_eq!(guards_of(&proxies), Some(expected));
        // Without a guard in any policy, a gauge of an earlier one makes none.
        let without = [proxy(false, Some(armed)), unknown_policy(None)];
        assert_eq!(guards_of(&without), None);
    }

    #[test]
    fn compared_requests_are_summed_over_proxies() {
        let proxy = |errors| {
            let status = RolloutStatus {
                guard: Some(GuardAction::Halt),
                ..sample_views::half()
            };
            let (name, mut seen) = seen(10, 5, status);
            let counter = Counter::Guard(GuardCounter {
                rollout: "r".to_owned(),
                requests: Fraction::from_percentage("0.5").unwrap(),
                arm: Treatment::V2,
                event: GuardEvent::Errors,
            });
            seen.totals.insert(counter.clone(), errors * 10);
            seen.recent.insert(counter, errors);
            (name, seen)
        };
        let zero = Time::from_seconds(0);
        let mut view = view(zero, zero, &[proxy(3), proxy(4)]);
        let guard = view.rollouts.remove(0).guard.unwrap();
        assert_eq!(guard.recent, sample_views::counts("0.5", [0; 3], [0, 7, 0]));
        assert_eq!(guard.total, sample_views::counts("0.5", [0; 3], [0, 70, 0]));
        assert_eq!(guard.since, GuardCounts::default());
    }

    #[test]
    fn a_rollout_is_counted_without_its_policy() {
        let (name, mut seen) = seen(10, 5, sample_views::half());
        seen.statuses = Arc::default();
        let zero = Time::from_seconds(0);
        let view = view(zero, zero, &[(name, seen)]);
        assert_eq!(view.rollouts.len(), 1);
        assert_eq!(view.rollouts[0].statuses, []);
        assert_eq!(view.rollouts[0].recent.requests(), 15);
    }
}
