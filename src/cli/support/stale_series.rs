//! Warns of metric series that removed rollouts leave in the proxies.

use std::collections::BTreeSet;

use turnout_admin::{StaleSeries, stale_series};
use turnout_core::Plan;
use turnout_live::Directory;

use crate::support::safe_output::print_error_line;

/// The number of removed rollouts that causes a warning: each has some tens of series.
const MANY: usize = 100;

/// Warns if the new policy adds a rollout while the proxies keep many series of removed rollouts. If no proxy
/// is asked, the number of removed rollouts comes from the history.
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
        "only a restart of the proxy frees them. Keep the name of a rollout that continues";
    let of_proxies = stale_series(admins, &new);
    for StaleSeries {
        admin,
        rollouts,
        series,
    } in &of_proxies
    {
        if *rollouts >= MANY {
            print_error_line(&format!(
                "turnout: warning: {admin} keeps {series} metric series of {rollouts} rollouts that this policy \
                 does not have; {instead}"
            ));
        }
    }
    let so_far = directory.and_then(|directory| directory.past_rollouts().ok());
    let gone = so_far.map_or(0, |so_far| so_far.difference(&new).count());
    if of_proxies.is_empty() && gone >= MANY {
        print_error_line(&format!(
            "turnout: warning: the history has {gone} rollouts that this policy does not have, and a proxy that \
             ran them keeps their metric series; {instead}"
        ));
    }
}
