//! Formats a view as JSON, one line for each interval. The names are a contract, see docs/reference.md.

use serde_json::{Map, Value, json};

use turnout_core::guard::{ArmCounts, GuardAction, GuardCounts};
use turnout_core::{Fraction, Treatment};

use crate::guard_view::{GuardOfProxy, GuardView, of_stratum};
use crate::rollout_status::RolloutStatus;
use crate::view::{ClusterView, ProxyView, RolloutView, Traffic, View};

/// Formats a view as one JSON object on one line.
#[must_use]
pub fn json(view: &View) -> String {
    let list = |values: Vec<Value>| Value::Array(values);
    let value = json!({
        "at": view.at.to_string(),
        "since": view.since.to_string(),
        "last_change": view.last_change,
        "proxies": list(view.proxies.iter().map(proxy).collect()),
        "rollouts": list(view.rollouts.iter().map(rollout).collect()),
        "no_rollout": view.no_rollout,
    });
    format!("{value}\n")
}

fn proxy(proxy: &ProxyView) -> Value {
    json!({
        "admin": proxy.admin,
        "responds": proxy.responds.unwrap_or_default(),
        "error": proxy.error,
        "revision": proxy.revision,
        "revision_number": proxy.number,
        "revision_since": proxy.policy_since.map(|since| since.to_string()),
        "uptime_seconds": proxy.uptime,
        "rejected": proxy.rejected,
        "rejected_while_watched": proxy.rejected_watched,
        "restarts_while_watched": proxy.restarts,
        "note": proxy.note,
    })
}

fn rollout(rollout: &RolloutView) -> Value {
    let shadow = rollout.shadow.iter();
    let shadow: Map<_, _> = shadow
        .map(|(outcome, requests)| (outcome.clone(), json!(requests)))
        .collect();
    json!({
        "rollout": rollout.name,
        "policies": rollout.statuses.iter().map(policy).collect::<Vec<_>>(),
        "recent": traffic(&rollout.recent),
        "thousandths_per_second": rollout.recent.rate(),
        "since": traffic(&rollout.since),
        "clusters": rollout.clusters.iter().map(cluster).collect::<Vec<_>>(),
        "shadow": shadow,
        "guard": rollout.guard.as_ref().map(guard),
    })
}

fn guard(guard: &GuardView) -> Value {
    let strata = guard.total.strata().iter();
    let strata = strata.map(|stratum| {
        let counts = |counts: &GuardCounts| compared(counts, stratum.requests);
        json!({
            "requests_millionths": stratum.requests.millionths(),
            "recent": counts(&guard.recent),
            "since": counts(&guard.since),
            "total": counts(&guard.total),
        })
    });
    json!({
        "proxies": guard.proxies.iter().map(guard_of_proxy).collect::<Vec<_>>(),
        "strata": strata.collect::<Vec<_>>(),
    })
}

fn guard_of_proxy(proxy: &GuardOfProxy) -> Value {
    json!({
        "admin": proxy.admin,
        "state": proxy.report.as_str(),
        "action": proxy.action.map(action),
        "evidence_milli": proxy.evidence_milli,
        "threshold_milli": proxy.threshold_milli,
    })
}

const fn action(action: GuardAction) -> &'static str {
    match action {
        GuardAction::Halt => "halt",
        GuardAction::Report => "report",
    }
}

fn compared(counts: &GuardCounts, requests: Fraction) -> Value {
    let arm = |arm: ArmCounts| json!({ "all": arm.all, "errors": arm.errors, "slow": arm.slow });
    let arms = of_stratum(counts, requests).map(arm);
    json!({ "v1": arms.v1, "v2": arms.v2 })
}

fn policy((proxies, status): &(u64, RolloutStatus)) -> Value {
    let segments = status.segments.iter().map(|segment| {
        json!({ "segment": segment.name, "on_v2": segment.on_v2, "accounts": segment.accounts })
    });
    json!({
        "proxies": proxies,
        "mode": status.mode.as_str(),
        "halted": status.is_halted,
        "guard": status.guard.map(action),
        "decided_accounts_millionths": status.unsegmented.accounts.millionths(),
        "served_accounts_millionths": status.served().millionths(),
        "requests_millionths": status.unsegmented.requests.millionths(),
        "depends_on_headers": status.unsegmented.depends_on_headers,
        "needs_region": status.unsegmented.needs_region,
        "segments": segments.collect::<Vec<_>>(),
    })
}

fn traffic(traffic: &Traffic) -> Value {
    let mut decisions = Map::new();
    for ((treatment, reason), count) in &traffic.decisions {
        decisions.insert(format!("{treatment}.{reason}"), json!(count));
    }
    json!({
        "requests": traffic.requests(),
        "v1": traffic.of(Treatment::V1),
        "v2": traffic.of(Treatment::V2),
        "decisions": decisions,
    })
}

fn cluster(cluster: &ClusterView) -> Value {
    let causes = cluster.causes.iter();
    let causes: Map<_, _> = causes
        .map(|(words, count)| (words.replace(' ', "_"), json!(count)))
        .collect();
    let answered =
        |[completed, failed]: [u64; 2]| json!({ "completed": completed, "failed": failed });
    json!({
        "treatment": cluster.treatment,
        "cluster": cluster.name,
        "known": cluster.is_known,
        "recent": answered(cluster.recent),
        "since": answered(cluster.since),
        "thousandths_per_second": cluster.rate,
        "causes": causes,
    })
}
