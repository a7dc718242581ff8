//! Which rollouts lose requests to one that now stands before them: the first that matches has a request.

use std::collections::HashMap;

use turnout_core::{Plan, Rollout};

/// A sentence for each rollout of both policies before which another stands that did not before.
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
                "{rollout}: `{first}`{others} now stands before it, and has the requests that both match; accounts are \
                 counted as if theirs were all of {rollout}, --log says which requests move"
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
    fn a_rollout_that_comes_or_moves_before_another_is_told() {
        let told = |old: &[&str], new: &[&str]| overtaken(&plan(old), &plan(new)).join("\n");
        assert_eq!(told(&["a", "b"], &["a", "b"]), "");
        assert_eq!(told(&["a", "b"], &["b"]), "");
        assert_eq!(told(&["a", "b"], &["a", "b", "c"]), "");
        assert!(told(&["a"], &["c", "a"]).starts_with("a: `c` now stands before it,"));
        assert!(told(&["a", "b"], &["b", "a"]).starts_with("a: `b` now stands before it,"));
        let two = told(&["a"], &["c", "d", "a"]);
        assert!(two.starts_with("a: `c` (and 1 more) now"), "{two}");
    }
}
