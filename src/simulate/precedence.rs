//! Finds rollouts that lose requests to a rollout that now precedes them: the first match gets a request.

use std::collections::HashMap;

use turnout_core::{Plan, Rollout};

/// A sentence for each rollout that another rollout precedes only in the new policy.
pub(crate) fn overtaken(old: &Plan, new: &Plan) -> Vec<String> {
    let places: HashMap<&str, usize> = old.rollouts().iter().map(name).zip(0..).collect();
    let mut sentences = Vec::new();
    for (index, rollout) in new.rollouts().iter().enumerate() {
        let Some(place) = places.get(name(rollout)) else {
            continue;
        };
        let before = new.rollouts().iter().take(index).map(name);
        let mut came = before.filter(|name| places.get(name).is_none_or(|other| other > place));
        if let Some(first) = came.next() {
            let others = match came.count() {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            let rollout = name(rollout);
            sentences.push(format!(
                "{rollout}: `{first}`{others} now precedes it, and gets the requests that both match; accounts are \
                 counted as if all their requests matched {rollout}; use --log to count the requests that move"
            ));
        }
    }
    sentences
}

fn name(rollout: &Rollout) -> &str {
    &rollout.name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(names: &[&str]) -> Plan {
        let rollouts: Vec<String> = names
            .iter()
            .map(|name| format!(r#"{{"name": "{name}", "v1": "a", "v2": "b", "mode": "off"}}"#))
            .collect();
        let text = format!(
            r#"{{"version": 1, "account": {{"from": [{{"header": "a"}}], "format": "opaque"}},
                "rollouts": [{}]}}"#,
            rollouts.join(",")
        );
        Plan::from_json(&text).unwrap()
    }

    #[test]
    fn a_rollout_that_is_added_or_moved_before_another_is_reported() {
        let notes = |old: &[&str], new: &[&str]| overtaken(&plan(old), &plan(new)).join("\n");
        assert_eq!(notes(&["a", "b"], &["a", "b"]), "");
        assert_eq!(notes(&["a", "b"], &["b"]), "");
        assert_eq!(notes(&["a", "b"], &["a", "b", "c"]), "");
        assert!(notes(&["a"], &["c", "a"]).starts_with("a: `c` now precedes it,"));
        assert!(notes(&["a", "b"], &["b", "a"]).starts_with("a: `b` now precedes it,"));
        let two = notes(&["a"], &["c", "d", "a"]);
        assert!(two.starts_with("a: `c` (and 1 more) now"), "{two}");
    }
}
