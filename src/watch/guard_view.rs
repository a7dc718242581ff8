//! The guard of one rollout, over all proxies.

use std::collections::BTreeMap;

use turnout_admin::GuardGauges;
use turnout_core::Fraction;
use turnout_core::guard::{ArmCounts, Arms, GuardAction, GuardCounts, GuardState};

use crate::proxy_watcher::{ProxyState, ProxyStatus};
use crate::rollout_status::RolloutStatus;

/// The guard of one rollout, over all proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardView {
    /// What each proxy reports, in the order of the command line.
    pub proxies: Vec<GuardOfProxy>,
    /// Compared requests between the last two readings.
    pub recent: GuardCounts,
    /// The same per second, in thousandths.
    pub rates: GuardCounts,
    /// Compared requests since watching began.
    pub since: GuardCounts,
    /// Compared requests since the proxies started.
    pub total: GuardCounts,
}

/// What one proxy reports about a guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardOfProxy {
    /// The admin address of the proxy.
    pub admin: String,
    /// The state, or why it is unknown.
    pub report: GuardReport,
    /// What the guard does when v2 is worse; `None` if the policy is unknown or has no guard in this rollout.
    pub action: Option<GuardAction>,
    /// 1,000 times the decimal logarithm of the evidence.
    pub evidence_milli: Option<u64>,
    /// 1,000 times the decimal logarithm of the evidence at which the guard trips.
    pub threshold_milli: Option<u64>,
}

/// The state of a guard in one proxy, or why it is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardReport {
    /// The proxy reports this state.
    State(GuardState),
    /// The proxy reports no state, although its policy has a guard in this rollout, or is unknown.
    NotReported,
    /// The policy of the proxy has no guard in this rollout.
    NoGuard,
    /// The proxy does not respond, or has not been read yet.
    NoResponse,
}

impl GuardReport {
    /// The name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::State(state) => state.as_str(),
            Self::NotReported => "not_reported",
            Self::NoGuard => "no_guard",
            Self::NoResponse => "no_response",
        }
    }
}

impl GuardView {
    /// The proxies with this report.
    pub(crate) fn with(&self, report: GuardReport) -> impl Iterator<Item = &GuardOfProxy> {
        let proxies = self.proxies.iter();
        proxies.filter(move |proxy| proxy.report == report)
    }

    /// The evidence and the threshold of the guard that is nearest to its threshold. A guard that is invalid has no
    /// evidence.
    pub(crate) fn nearest(&self) -> Option<[u64; 2]> {
        let invalid = GuardReport::State(GuardState::Invalid);
        let reporting = self.proxies.iter().filter(|proxy| proxy.report != invalid);
        let evidence =
            reporting.filter_map(|proxy| Some([proxy.evidence_milli?, proxy.threshold_milli?]));
        evidence.max_by_key(|[evidence, threshold]| {
            let thousandths = evidence.saturating_mul(1_000).checked_div(*threshold);
            (thousandths, *evidence)
        })
    }

    /// The strata to show: those with requests between the last two readings, or else all with requests.
    pub(crate) fn strata(&self) -> Vec<Fraction> {
        let with_requests = |counts: &GuardCounts| {
            let strata = counts.strata().iter();
            let strata =
                strata.filter(|stratum| stratum.arms.v1.all > 0 || stratum.arms.v2.all > 0);
            strata.map(|stratum| stratum.requests).collect::<Vec<_>>()
        };
        match with_requests(&self.recent) {
            recent if recent.is_empty() => with_requests(&self.total),
            recent => recent,
        }
    }
}

/// Returns the counts of a stratum.
pub(crate) fn of_stratum(counts: &GuardCounts, requests: Fraction) -> Arms<ArmCounts> {
    let mut strata = counts.strata().iter();
    let stratum = strata.find(|stratum| stratum.requests == requests);
    stratum.map_or_else(Arms::default, |stratum| stratum.arms)
}

/// A proxy, with the status of its rollouts by name; `None` if its policy is unknown.
pub(crate) struct ProxyRollouts<'a> {
    admin: &'a str,
    seen: &'a ProxyStatus,
    rollouts: Option<BTreeMap<&'a str, &'a RolloutStatus>>,
}

impl<'a> ProxyRollouts<'a> {
    pub(crate) fn new(admin: &'a str, seen: &'a ProxyStatus) -> Self {
        let statuses = seen.statuses.iter();
        let statuses = statuses.map(|(name, status)| (name.as_str(), status));
        Self {
            admin,
            seen,
            rollouts: (!seen.statuses.is_empty()).then(|| statuses.collect()),
        }
    }

    fn guard(&self, rollout: &str) -> GuardOfProxy {
        let status = self.rollouts.as_ref().map(|rollouts| rollouts.get(rollout));
        let action = status.flatten().and_then(|status| status.guard);
        // Envoy keeps the gauges of a guard that is gone.
        let has_none = status.is_some() && action.is_none();
        let gauges = self.seen.guards.get(rollout).copied();
        let responds = self.seen.state == ProxyState::Responds;
        let report = match gauges.and_then(|gauges| gauges.state) {
            _ if !responds => GuardReport::NoResponse,
            _ if has_none => GuardReport::NoGuard,
            Some(state) => GuardReport::State(state),
            None => GuardReport::NotReported,
        };
        let gauges = match report {
            GuardReport::State(_) => gauges.unwrap_or_default(),
            _ => GuardGauges::default(),
        };
        GuardOfProxy {
            admin: self.admin.to_owned(),
            report,
            action: action.filter(|_| responds),
            evidence_milli: gauges.evidence_milli,
            threshold_milli: gauges.threshold_milli,
        }
    }
}

/// Returns the guard of a rollout, without its counts; `None` if no proxy has one.
pub(crate) fn guard(rollout: &str, proxies: &[ProxyRollouts<'_>]) -> Option<GuardView> {
    let proxies = proxies.iter().map(|proxy| proxy.guard(rollout));
    let proxies: Vec<_> = proxies.collect();
    let has_guard = |proxy: &GuardOfProxy| {
        proxy.action.is_some() || matches!(proxy.report, GuardReport::State(_))
    };
    proxies.iter().any(has_guard).then(|| GuardView {
        proxies,
        ..GuardView::default()
    })
}
