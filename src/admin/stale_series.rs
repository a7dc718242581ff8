//! Finds the series of rollouts that a policy does not have any more. Envoy keeps a series until it restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::thread;
use std::time::Duration;

use crate::address::distinct_admins;
use crate::client::AdminClient;

/// The timeout of a page. It is short, because only a warning depends on it.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The limit of a page: enough for several hundred thousand series.
const MAX_BYTES: u64 = 64 << 20;
const PAGE: &str = "/stats?filter=%5Ewasmcustom%5C.turnout%5C.";
const PREFIX: &str = "wasmcustom.turnout.";

/// The series that a proxy keeps for rollouts that a policy does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleSeries {
    /// The proxy's address.
    pub admin: String,
    /// The number of such rollouts.
    pub rollouts: usize,
    /// The number of their series.
    pub series: u64,
}

/// Asks proxies for the series of rollouts that have none of these names. Proxies that do not respond are
/// left out.
#[must_use]
pub fn stale_series(addresses: &[String], names: &BTreeSet<String>) -> Vec<StaleSeries> {
    let addresses = distinct_admins(addresses);
    thread::scope(|scope| {
        let asked = addresses
            .iter()
            .map(|address| scope.spawn(|| of_proxy(address, names)));
        let asked: Vec<_> = asked.collect();
        let answers = asked.into_iter().map(|asked| asked.join().ok().flatten());
        answers.flatten().collect()
    })
}

fn of_proxy(address: &str, names: &BTreeSet<String>) -> Option<StaleSeries> {
    let admin = AdminClient::new(address, TIMEOUT)
        .ok()?
        .with_max_bytes(MAX_BYTES);
    let page = BufReader::new(admin.open(PAGE).ok()?);
    let lines = page.lines().map_while(Result::ok);
    let (rollouts, series) = count(lines, names);
    Some(StaleSeries {
        admin: admin.address().to_owned(),
        rollouts,
        series,
    })
}

/// Counts the rollouts that have none of these names, and their series.
fn count(lines: impl Iterator<Item = String>, names: &BTreeSet<String>) -> (usize, u64) {
    let mut stale: BTreeMap<String, u64> = BTreeMap::new();
    let mut known: BTreeSet<String> = BTreeSet::new();
    for line in lines {
        let name = line.split(": ").next().unwrap_or_default();
        let mut parts = name
            .strip_prefix(PREFIX)
            .into_iter()
            .flat_map(|name| name.split('.'));
        let (Some(metric), Some(rollout)) = (parts.next(), parts.next()) else {
            continue;
        };
        // Requests that match no rollout are counted under `-`.
        if names.contains(rollout) || rollout == "-" {
            continue;
        }
        // Every rollout has `decisions`. In other metrics, this part of the name may be something else.
        if metric == "decisions" {
            known.insert(rollout.to_owned());
        }
        let series = stale.entry(rollout.to_owned()).or_default();
        *series = series.saturating_add(1);
    }
    stale.retain(|rollout, _| known.contains(rollout));
    (stale.len(), stale.values().sum())
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn series_of_rollouts_that_are_gone_are_counted_and_no_others() {
        let lines = [
            "wasmcustom.turnout.decisions.a.v1.rule: 1",
            "wasmcustom.turnout.decisions.-.v1.no_rollout: 1",
            "wasmcustom.turnout.decisions.gone.v1.rule: 1",
            "wasmcustom.turnout.decisions.gone.v2.rule: 0",
            "wasmcustom.turnout.shadow.gone.equal: 0",
            "wasmcustom.turnout.shadow_v1_ms.gone: P0(nan,1)",
            "wasmcustom.turnout.records.written: 4",
            "wasmcustom.turnout.revision: 4",
            "server.live: 1",
        ];
        let lines = lines.map(String::from).into_iter();
        assert_eq!(count(lines, &["a".to_owned()].into()), (1, 4));
    }
}
