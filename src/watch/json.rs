//! The same for scripts: one JSON line for each interval. Its names are a contract.

use serde_json::{Map, Value, json};

use turnout_core::Treatment;

use crate::standings::Standing;
use crate::view::{ClusterView, ProxyView, RolloutView, Traffic, View};

/// One object, on one line.
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
        "answers": proxy.answers.unwrap_or_default(),
        "error": proxy.error,
        "revision": proxy.revision,
        "revision_number": proxy.number,
        "revision_since": proxy.came.map(|came| came.to_string()),
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
        .map(|(outcome, copies)| (outcome.clone(), json!(copies)))
        .collect();
    json!({
        "rollout": rollout.name,
        "policies": rollout.standings.iter().map(policy).collect::<Vec<_>>(),
        "recent": traffic(&rollout.recent),
        "thousandths_per_second": rollout.recent.rate(),
        "since": traffic(&rollout.since),
        "clusters": rollout.clusters.iter().map(cluster).collect::<Vec<_>>(),
        "shadow": shadow,
    })
}

fn policy((proxies, standing): &(u64, Standing)) -> Value {
    let segments = standing.segments.iter().map(|segment| {
        json!({ "segment": segment.name, "on_v2": segment.on_v2, "accounts": segment.accounts })
    });
    json!({
        "proxies": proxies,
        "mode": standing.mode.as_str(),
        "halted": standing.is_halted,
        "decided_accounts_millionths": standing.unlisted.accounts.millionths(),
        "served_accounts_millionths": standing.served().millionths(),
        "requests_millionths": standing.unlisted.requests.millionths(),
        "depends_on_headers": standing.unlisted.asks_headers,
        "lacks_region": standing.unlisted.lacks_region,
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
        "version": cluster.version,
        "cluster": cluster.name,
        "known": cluster.is_known,
        "recent": answered(cluster.recent),
        "since": answered(cluster.since),
        "thousandths_per_second": cluster.rate,
        "causes": causes,
    })
}
