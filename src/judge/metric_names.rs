//! Finds what a sample of Prometheus text is about.
//!
//! With all `stats_tags` of Turnout in Envoy's configuration, it is in labels. Otherwise, parts of it are in the name,
//! and a name may have two meanings. The policy decides between them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use turnout_admin::{ClusterStat, Counter, GuardMetric, SampleLine, StatsPage, stat_name};
use turnout_core::{Fraction, Plan, Reason, Treatment, plugin_label};
use turnout_text::is_dns_label;

/// The largest number that a floating-point number, and so Prometheus, has exactly.
const MOST: u64 = 1 << 53;

/// The names that a policy has: those of rollouts, with the percentages that their guards compare, and those of
/// clusters in Envoy's stats.
#[derive(Clone, Debug, Default)]
pub struct MetricNames {
    /// The rollouts with a guard; `None` without a policy.
    rollouts: Option<BTreeMap<String, Vec<Fraction>>>,
    clusters: BTreeSet<String>,
}

/// Why a sample cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SampleError {
    /// The name has several meanings, each of them a rollout and its percentage.
    Ambiguous(Vec<(String, Option<Fraction>)>),
    /// The value is not a count.
    NotACount(String),
    /// There was a value for the same counter before.
    Repeated(Counter),
}

impl MetricNames {
    /// The names of this policy.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let rollouts = plan.rollouts().iter();
        let guarded = rollouts.filter(|rollout| rollout.guard.is_some());
        let guarded = guarded.map(|rollout| (rollout.name.clone(), rollout.guard_strata()));
        let rollouts = plan.rollouts().iter();
        let clusters = rollouts.flat_map(|rollout| [&rollout.v1, &rollout.v2]);
        Self {
            rollouts: Some(guarded.collect()),
            clusters: clusters
                .map(|cluster| stat_name(cluster).into_owned())
                .collect(),
        }
    }

    /// The names of the clusters, as in Envoy's stats.
    pub(crate) fn clusters(&self) -> impl Iterator<Item = &str> {
        self.clusters.iter().map(String::as_str)
    }

    /// Adds a sample of Turnout, see [`parse_sample`](turnout_admin::parse_sample), to the page of its proxy.
    ///
    /// # Errors
    /// If the name has several meanings, the value is not a count, or the page has the counter already.
    pub fn add_turnout_sample(
        &self,
        page: &mut StatsPage,
        sample: &SampleLine<'_>,
    ) -> Result<(), SampleError> {
        let meanings = GuardMetric::from_sample(sample);
        if !meanings.is_empty() {
            return match self.choose(meanings)? {
                Some(GuardMetric::Counter(counter)) => {
                    add(page, Counter::Guard(counter), sample.value)
                }
                Some(GuardMetric::Gauge(rollout, gauge)) => {
                    let value = count(sample.value)?;
                    page.guards.entry(rollout).or_default().set(gauge, value);
                    Ok(())
                }
                None => Ok(()),
            };
        }
        if let Some(plugin) = revision_plugin(sample) {
            let number = count(sample.value)?;
            page.revision_numbers.insert(plugin, number);
            return Ok(());
        }
        match decision(sample) {
            Some(counter) => add(page, counter, sample.value),
            None => Ok(()),
        }
    }

    /// Adds a sample of Envoy, see [`parse_envoy_sample`](turnout_admin::parse_envoy_sample), to the page of its
    /// proxy: the uptime, and the completed requests of the policy's clusters.
    ///
    /// # Errors
    /// If the value is not a count, or the page has the counter already.
    pub fn add_envoy_sample(
        &self,
        page: &mut StatsPage,
        sample: &SampleLine<'_>,
    ) -> Result<(), SampleError> {
        match sample.name.as_str() {
            "server_uptime" => page.uptime = Some(count(sample.value)?),
            "cluster_upstream_rq_completed" | "cluster_upstream_rq_completed_total" => {
                let cluster = label(sample, "envoy_cluster_name").map(stat_name);
                if let Some(cluster) = cluster.filter(|name| self.clusters.contains(name.as_ref()))
                {
                    let counter = Counter::Cluster(cluster.into_owned(), ClusterStat::Completed);
                    add(page, counter, sample.value)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Chooses between the meanings of a name by the policy. A rollout that the policy does not have is gone, and Envoy
    /// keeps its series.
    fn choose(&self, meanings: Vec<GuardMetric>) -> Result<Option<GuardMetric>, SampleError> {
        let mut meanings = meanings;
        if let Some(rollouts) = self.rollouts.as_ref().filter(|_| meanings.len() > 1) {
            meanings.retain(|meaning| rollouts.contains_key(meaning.rollout()));
            if meanings.len() > 1 {
                let has_stratum = |meaning: &GuardMetric| {
                    let strata = rollouts.get(meaning.rollout());
                    let requests = stratum(meaning);
                    requests
                        .zip(strata)
                        .is_none_or(|(requests, strata)| strata.contains(&requests))
                };
                let of_policy = meanings.iter().filter(|meaning| has_stratum(meaning));
                let of_policy: Vec<_> = of_policy.cloned().collect();
                if !of_policy.is_empty() {
                    meanings = of_policy;
                }
            }
        }
        let mut all = meanings.iter();
        match (all.next(), all.next()) {
            (one, None) => Ok(one.cloned()),
            _ => {
                let meanings = meanings.iter();
                let meanings =
                    meanings.map(|meaning| (meaning.rollout().to_owned(), stratum(meaning)));
                Err(SampleError::Ambiguous(meanings.collect()))
            }
        }
    }
}

fn stratum(meaning: &GuardMetric) -> Option<Fraction> {
    match meaning {
        GuardMetric::Counter(counter) => Some(counter.requests),
        GuardMetric::Gauge(..) => None,
    }
}

fn add(page: &mut StatsPage, counter: Counter, value: &str) -> Result<(), SampleError> {
    let count = count(value)?;
    if page.counters.get(&counter).is_some() {
        return Err(SampleError::Repeated(counter));
    }
    page.counters.insert(counter, count);
    Ok(())
}

/// Parses `3000`, `3000.0` or `3e+03`.
fn count(text: &str) -> Result<u64, SampleError> {
    let count = text.parse().ok().or_else(|| {
        let float = text.parse::<f64>().ok()?;
        let is_whole = float >= 0.0 && float.fract() == 0.0;
        // Formatted and parsed, because a cast would not report an overflow.
        let count = is_whole.then(|| format!("{float:.0}"))?.parse().ok()?;
        (count <= MOST).then_some(count)
    });
    count.ok_or_else(|| SampleError::NotACount(text.to_owned()))
}

fn label<'s>(sample: &'s SampleLine<'_>, wanted: &str) -> Option<&'s str> {
    let mut labels = sample.labels.iter();
    labels.find_map(|(name, value)| (name == wanted).then_some(value.as_str()))
}

/// The plugin of a revision gauge.
fn revision_plugin(sample: &SampleLine<'_>) -> Option<String> {
    let rest = sample.name.strip_prefix("revision")?;
    let plugin = match label(sample, "plugin") {
        Some(plugin) if rest.is_empty() => plugin,
        None => rest.strip_prefix(['_', '.'])?,
        Some(_) => return None,
    };
    (plugin_label(plugin) == plugin).then(|| plugin.to_owned())
}

/// A counter of decisions.
fn decision(sample: &SampleLine<'_>) -> Option<Counter> {
    let name = sample.name.strip_suffix("_total").unwrap_or(&sample.name);
    let mut rest = name.strip_prefix("decisions")?;
    let separator = if sample.is_dotted { '.' } else { '_' };
    let reason = match label(sample, "reason") {
        Some(reason) => Reason::ALL
            .into_iter()
            .find(|known| known.as_str() == reason)?,
        None => {
            // One reason can be the end of another: the longest is meant.
            let reasons = Reason::ALL.into_iter();
            let ends = reasons.filter_map(|reason| {
                let before = rest
                    .strip_suffix(reason.as_str())?
                    .strip_suffix(separator)?;
                Some((before, reason))
            });
            let (before, reason) = ends.min_by_key(|(before, _)| before.len())?;
            rest = before;
            reason
        }
    };
    let treatment = match label(sample, "treatment") {
        Some(treatment) => treatment,
        None => {
            let (before, treatment) = rest.rsplit_once(separator)?;
            rest = before;
            treatment
        }
    };
    let treatment = Treatment::ALL
        .into_iter()
        .find(|known| known.as_str() == treatment)?;
    let rollout = match label(sample, "rollout") {
        Some(rollout) if rest.is_empty() => rollout.to_owned(),
        Some(_) => return None,
        None => {
            let rollout = rest.strip_prefix(separator)?;
            match sample.is_dotted {
                true => rollout.to_owned(),
                false => rollout.replace('_', "-"),
            }
        }
    };
    is_dns_label(&rollout).then_some(Counter::Decision(rollout, treatment, reason))
}

/// What is wrong, and what to do. It does not name the sample.
impl fmt::Display for SampleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambiguous(meanings) => {
                let words = meanings.iter().map(|(rollout, requests)| match requests {
                    Some(requests) => format!("rollout `{rollout}` at {requests} %"),
                    None => format!("rollout `{rollout}`"),
                });
                let words: Vec<String> = words.collect();
                write!(
                    f,
                    "the name can mean {}; pass the policy with --policy, or copy the stats_tags of envoy/*.yaml into \
                     your Envoy's configuration",
                    turnout_text::join_list(&words, "or")
                )
            }
            Self::NotACount(value) => write!(
                f,
                "expected a whole number from 0 to 2^53, found `{}`",
                turnout_text::excerpt_for_terminal(value, 40)
            ),
            Self::Repeated(counter) => write!(
                f,
                "a second value of `{}`; write the metrics of each proxy to a file of its own",
                turnout_text::escape_for_terminal(&counter.to_string())
            ),
        }
    }
}
