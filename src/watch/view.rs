//! What several proxies come to together: what is drawn, and printed.

use std::collections::BTreeMap;

use turnout_admin::{ClusterStat, Counter, CounterValues, stat_name};
use turnout_core::{Reason, Time, Treatment};

use crate::proxy::{Seen, State};
use crate::standings::Standing;

/// What stands for the rollout where none matched.
const NO_ROLLOUT: &str = "-";

/// The proxies at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// When it was taken.
    pub at: Time,
    /// Since when the proxies are watched.
    pub since: Time,
    /// What was done last to their policy, if their folder is known.
    pub last_change: Option<String>,
    /// In the order in which they were named.
    pub proxies: Vec<ProxyView>,
    /// In the order of the policy.
    pub rollouts: Vec<RolloutView>,
    /// Requests of no rollout, since the proxies are watched.
    pub no_rollout: u64,
}

/// One proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProxyView {
    /// Its admin address.
    pub admin: String,
    /// Whether it answers; `None` until it was asked.
    pub answers: Option<bool>,
    /// Why it does not.
    pub error: Option<String>,
    /// Something answers, and it is no Envoy.
    pub is_other: bool,
    /// The revision of the policy in force.
    pub revision: Option<String>,
    /// Its number.
    pub number: Option<u64>,
    /// When it took that policy.
    pub came: Option<Time>,
    /// For how many seconds it has been up.
    pub uptime: Option<u64>,
    /// How many updates it has refused since it was started.
    pub rejected: u64,
    /// And since it is watched.
    pub rejected_watched: u64,
    /// How often it was started anew since it is watched.
    pub restarts: u64,
    /// What is odd about its policy.
    pub note: Option<String>,
}

/// One rollout, in all proxies together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RolloutView {
    /// As in the policy.
    pub name: String,
    /// What becomes of accounts, and in how many proxies: one, where their policies agree.
    pub standings: Vec<(u64, Standing)>,
    /// Between the last two looks.
    pub recent: Traffic,
    /// Since the proxies are watched.
    pub since: Traffic,
    /// Those of v1 and v2, without repetition.
    pub clusters: Vec<ClusterView>,
    /// Copies by their outcome, since the proxies were started.
    pub shadow: Vec<(String, u64)>,
}

/// Requests by what was decided, which in the modes `dark` and `shadow` v1 answers all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How many, by treatment and reason; none that is 0.
    pub decisions: BTreeMap<(Treatment, Reason), u64>,
    /// What a second brings, in thousandths.
    pub rates: BTreeMap<(Treatment, Reason), u64>,
}

/// One cluster, for whomever it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterView {
    /// The version that it is in this rollout.
    pub version: &'static str,
    /// As in the policy.
    pub name: String,
    /// Whether any proxy has it.
    pub is_known: bool,
    /// Answered between the last two looks; of these, with 5xx; and how many a second in thousandths.
    pub recent: [u64; 2],
    /// See `recent`.
    pub rate: u64,
    /// As `recent`, since the proxies are watched.
    pub since: [u64; 2],
    /// Why, since the proxies are watched.
    pub causes: Vec<(&'static str, u64)>,
}

impl Traffic {
    /// All of them.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.decisions
            .values()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Those of one treatment.
    #[must_use]
    pub fn of(&self, wanted: Treatment) -> u64 {
        let of = self
            .decisions
            .iter()
            .filter(|((treatment, _), _)| *treatment == wanted);
        of.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Those of one reason.
    #[must_use]
    pub fn because(&self, wanted: Reason) -> u64 {
        let because = self
            .decisions
            .iter()
            .filter(|((_, reason), _)| *reason == wanted);
        because.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// What a second brings, in thousandths.
    #[must_use]
    pub fn rate(&self) -> u64 {
        self.rates
            .values()
            .fold(0, |sum, rate| sum.saturating_add(*rate))
    }
}

/// Puts together what is known of the proxies.
pub(crate) fn view(at: Time, since: Time, proxies: &[(String, Seen)]) -> View {
    let sum = |of: fn(&Seen) -> &CounterValues| {
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
        .filter(|(_, seen)| seen.state == State::Answers)
    {
        for (name, standing) in seen.standings.iter() {
            at_place(name, &mut |rollout| rollout.stand(standing));
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
    for rollout in &mut rollouts {
        rollout.clusters = sums.clusters(&rollout.standings);
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

/// The rollouts of the policies in force, and those that are counted all the same.
fn named(proxies: &[(String, Seen)], sums: &Sums) -> Vec<RolloutView> {
    let of_policies = proxies.iter().flat_map(|(_, seen)| seen.standings.iter());
    let of_policies = of_policies.map(|(name, _)| name.as_str());
    let is_unknown = proxies.iter().all(|(_, seen)| seen.standings.is_empty());
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
    fn clusters(&self, standings: &[(u64, Standing)]) -> Vec<ClusterView> {
        let mut clusters: Vec<ClusterView> = Vec::new();
        let named = standings.iter().flat_map(|(_, standing)| {
            let versions = Treatment::ALL.map(Treatment::as_str);
            versions.into_iter().zip(&standing.clusters)
        });
        for (version, name) in named {
            let is_there = |known: &ClusterView| known.version == version && known.name == *name;
            if !clusters.iter().any(is_there) {
                clusters.push(self.cluster(version, name));
            }
        }
        clusters
    }

    fn cluster(&self, version: &'static str, name: &str) -> ClusterView {
        let stat_name = stat_name(name).into_owned();
        let counter = |what| Counter::Cluster(stat_name.clone(), what);
        let of = |counts: &CounterValues, what| counts.get(&counter(what)).unwrap_or_default();
        let both =
            |counts| [ClusterStat::Completed, ClusterStat::Failed].map(|what| of(counts, what));
        let causes = ClusterStat::CAUSES.map(|(what, words)| (words, of(&self.since, what)));
        ClusterView {
            version,
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
    fn stand(&mut self, standing: &Standing) {
        match self
            .standings
            .iter_mut()
            .find(|(_, known)| known == standing)
        {
            Some((proxies, _)) => *proxies = proxies.saturating_add(1),
            None => self.standings.push((1, standing.clone())),
        }
    }
}

fn proxy(name: &str, seen: &Seen) -> ProxyView {
    let (answers, error) = match &seen.state {
        State::Asked => (None, None),
        State::Answers => (Some(true), None),
        State::Silent(why) | State::Other(why) => (Some(false), Some(why.clone())),
    };
    ProxyView {
        admin: name.to_owned(),
        answers,
        error,
        is_other: matches!(seen.state, State::Other(_)),
        revision: seen.revision.clone(),
        number: seen.number,
        came: seen.came,
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

    use super::*;
    use crate::tests::sample;

    fn seen(v1: u64, v2: u64, standing: Standing) -> (String, Seen) {
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
        let seen = Seen {
            state: State::Answers,
            recent: counts.clone(),
            rates: counts.per_second(500),
            since: counts.clone(),
            totals: counts,
            standings: Arc::new([("r".to_owned(), standing)]),
            ..Seen::default()
        };
        ("http://a:1".into(), seen)
    }

    fn both(other: Standing) -> RolloutView {
        let proxies = [seen(10, 5, sample::half()), seen(20, 15, other)];
        let zero = Time::from_seconds(0);
        let mut view = view(zero, zero, &proxies);
        assert_eq!(view.rollouts.len(), 1);
        view.rollouts.remove(0)
    }

    #[test]
    fn proxies_are_summed() {
        let rollout = both(sample::half());
        assert_eq!(rollout.standings, [(2, sample::half())]);
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
    fn policies_that_differ_stand_side_by_side() {
        let other = sample::standing(false, "on", "[]");
        let rollout = both(other.clone());
        assert_eq!(rollout.standings, [(1, sample::half()), (1, other)]);
        // The same clusters all the same.
        assert_eq!(rollout.clusters.len(), 2);
    }

    #[test]
    fn a_rollout_is_counted_though_its_policy_is_not_known() {
        let (name, mut seen) = seen(10, 5, sample::half());
        seen.standings = Arc::default();
        let zero = Time::from_seconds(0);
        let view = view(zero, zero, &[(name, seen)]);
        assert_eq!(view.rollouts.len(), 1);
        assert_eq!(view.rollouts[0].standings, []);
        assert_eq!(view.rollouts[0].recent.requests(), 15);
    }
}
