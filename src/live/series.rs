//! Series of rollouts that a policy does not have any more: Envoy keeps each until it restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::thread;
use std::time::Duration;

use serde::Deserialize;

use crate::address::distinct_admins;
use crate::admin::Admin;
use crate::directory::Directory;
use crate::error::Error;

/// A warning is not waited for as an answer is.
const ANSWER: Duration = Duration::from_secs(2);
/// Some hundred thousand series.
const MOST_BYTES: u64 = 64 << 20;
const PAGE: &str = "/stats?filter=%5Ewasmcustom%5C.turnout%5C.";
const PREFIX: &str = "wasmcustom.turnout.";

/// What a proxy keeps of rollouts that a policy does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleSeries {
    /// The proxy's address.
    pub admin: String,
    /// How many such rollouts there are.
    pub rollouts: usize,
    /// How many series they have.
    pub series: u64,
}

/// Asks proxies for the series of rollouts that have none of these names. Those that do not answer are left out.
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
    let admin = Admin::new(address, ANSWER).ok()?.at_most(MOST_BYTES);
    let page = BufReader::new(admin.open(PAGE).ok()?);
    let lines = page.lines().map_while(Result::ok);
    let (rollouts, series) = count(lines, names);
    Some(StaleSeries {
        admin: admin.name().to_owned(),
        rollouts,
        series,
    })
}

/// How many rollouts have none of these names, and how many series they have.
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
        // Requests that no rollout has are counted as `-`.
        if names.contains(rollout) || rollout == "-" {
            continue;
        }
        // Every rollout has decisions, and other metrics may be of something else.
        if metric == "decisions" {
            known.insert(rollout.to_owned());
        }
        let series = stale.entry(rollout.to_owned()).or_default();
        *series = series.saturating_add(1);
    }
    stale.retain(|rollout, _| known.contains(rollout));
    (stale.len(), stale.values().sum())
}

#[derive(Deserialize)]
struct Policy {
    rollouts: Vec<Rollout>,
}

#[derive(Deserialize)]
struct Rollout {
    name: String,
}

impl Directory {
    /// The names of the rollouts of every policy that the history keeps.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn rollouts_so_far(&self) -> Result<BTreeSet<String>, Error> {
        let history = self.history()?;
        let texts = history.texts().iter();
        let policies = texts.filter_map(|hash| {
            let text = history.text(hash).ok()?;
            serde_json::from_str::<Policy>(&text).ok()
        });
        let rollouts = policies.flat_map(|policy| policy.rollouts);
        Ok(rollouts.map(|rollout| rollout.name).collect())
    }
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
