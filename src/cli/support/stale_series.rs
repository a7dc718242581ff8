//! A warning of series that rollouts leave in the proxies when a policy does not have them any more.

use std::collections::BTreeSet;

use turnout_admin::{StaleSeries, stale_series};
use turnout_core::Plan;
use turnout_live::Directory;

use crate::support::safe_output::print_error_line;

/// So many rollouts are worth a warning: each has some tens of series.
const MANY: usize = 100;

/// Says how many series of rollouts that are gone the proxies keep, where the policy begins another rollout. Where
/// no proxy is asked, the history says how many rollouts there were.
pub(crate) fn warn(admins: &[String], directory: Option<&Directory>, old: &Plan, new: &Plan) {
    let names = |plan: &Plan| -> BTreeSet<String> {
        let rollouts = plan.rollouts().iter();
        rollouts.map(|rollout| rollout.name.clone()).collect()
    };
    let (old, new) = (names(old), names(new));
    if new.is_subset(&old) {
        return;
    }
    let instead =
        "only a restart of the proxy frees them. Let a rollout that goes on keep its name";
    let of_proxies = stale_series(admins, &new);
    for StaleSeries {
        admin,
        rollouts,
        series,
    } in &of_proxies
    {
        if *rollouts >= MANY {
            print_error_line(&format!(
                "turnout: warning: {admin} keeps {series} series of {rollouts} rollouts that this policy does not \
                 have; {instead}"
            ));
        }
    }
    let so_far = directory.and_then(|directory| directory.past_rollouts().ok());
    let gone = so_far.map_or(0, |so_far| so_far.difference(&new).count());
    if of_proxies.is_empty() && gone >= MANY {
        print_error_line(&format!(
            "turnout: warning: the history has {gone} rollouts that this policy does not have, and a proxy that ran \
             them keeps the series of each; {instead}"
        ));
    }
}
