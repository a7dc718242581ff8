//! The policy in which a rollout is halted, for those who ship policies without this crate's folder.

use turnout_core::Revision;

use crate::policy_text::PolicyText;

/// Returns the text of a policy in which a rollout is halted, with its revision; `None` if the policy has no such rollout or
/// cannot be read.
#[must_use]
pub fn halted_policy(policy: &str, rollout: &str) -> Option<(String, Revision)> {
    let mut state = PolicyText::read(policy).ok()?.state();
    state.halts.rollouts.insert(rollout.to_owned());
    let halted = PolicyText::with_state(policy, &state).ok()?;
    Some((halted.text.into_owned(), halted.revision))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rollout_is_halted_and_the_revision_has_its_mark() {
        let policy = r#"{"revision": "r1", "rollouts": [{"name": "a"}]}"#;
        let (text, revision) = halted_policy(policy, "a").unwrap();
        assert_eq!(revision.as_str(), "r1+halted.a");
        let read = PolicyText::read(&text).unwrap();
        assert!(read.halts.rollouts.contains("a") && read.revision == revision);
        assert_eq!(halted_policy(policy, "b"), None);
        assert_eq!(halted_policy("{", "a"), None);
    }
}
