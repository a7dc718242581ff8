//! The policy of one step, as an edit of the policy's text.

use turnout_core::{EditPlaces, ParsedPolicy, Revision};

use crate::edited_text::{EditedText, Origin};
use crate::plan::{RollPlan, RuleChange};

/// The mark of a step's revision.
const MARK: &str = "+roll.";
/// The hex digits of the revision that depend on the text.
const HASH_DIGITS: usize = 8;

/// The policy of one step: the policy with the rules of the step and a revision of its own. All other text is that of
/// the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepPolicy {
    /// The name of the step.
    pub name: String,
    /// The policy. It names account files as the policy of the plan does, relative to the folder of that policy.
    pub policy_text: String,
    /// The revision: `<revision of the policy>+roll.<step>.<hash>`. The hash depends on the whole text, so a changed plan or
    /// policy has other revisions. A revision that gets too long is a hash.
    pub revision: Revision,
}

/// Why a step cannot change the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeError {
    /// The policy has no such rollout, or cannot be read.
    RolloutUnreadable,
    /// The rollout has several rules or none, this many, and the step does not name one.
    RuleUnnamed(usize),
    /// The rollout has only this many rules.
    RuleMissing(usize),
}

/// Changes the rules of a rollout in the text of a policy, and nothing else.
pub(crate) fn change_rules(
    text: &mut EditedText,
    rollout: &str,
    index: usize,
    change: &RuleChange,
) -> Result<(), ChangeError> {
    let places = places(text, rollout)?;
    match change {
        RuleChange::Rules(rules) => {
            let origin = Some(Origin::Rules(index));
            match places.rules {
                Some(range) => text.replace(range, rules, origin),
                None => insert(text, places.rollout.start, "rules", rules, origin),
            }
        }
        RuleChange::Percentages {
            rule,
            accounts,
            requests,
        } => {
            let count = places.each_rule.len();
            let rule = match rule {
                Some(rule) => *rule,
                None if count == 1 => 0,
                None => return Err(ChangeError::RuleUnnamed(count)),
            };
            let rule = places.each_rule.get(rule);
            let rule = rule.ok_or(ChangeError::RuleMissing(count))?;
            let rule = rule.as_ref().ok_or(ChangeError::RolloutUnreadable)?;
            let accounts = accounts.map(|percentage| {
                let place = rule.accounts.clone();
                ("accounts", percentage, place, Origin::Accounts(index))
            });
            let requests = requests.map(|percentage| {
                let place = rule.requests.clone();
                ("requests", percentage, place, Origin::Requests(index))
            });
            let mut edits: Vec<_> = accounts.into_iter().chain(requests).collect();
            // From the end of the text, so that the other place stays where it is. New fields come first in the rule.
            edits.sort_by_key(|(_, _, place, _)| place.as_ref().map(|place| place.start));
            for (name, percentage, place, origin) in edits.into_iter().rev() {
                let value = percentage.to_string();
                match place {
                    Some(range) => text.replace(range, &value, Some(origin)),
                    None => insert(text, rule.rule.start, name, &value, Some(origin)),
                }
            }
        }
    }
    Ok(())
}

/// Creates the policy of a step from a text with its rules. `own` is the revision of the policy.
pub(crate) fn step_policy(
    rules: &EditedText,
    own: &Revision,
    plan: &RollPlan,
    index: usize,
) -> Result<StepPolicy, ChangeError> {
    let name = plan.steps.get(index).map_or("", |step| &step.name);
    let mut text = rules.clone();
    forbid_segments(&mut text, plan, index)?;
    let places = places(&text, &plan.rollout)?;
    let revision = step_revision(own, name, text.as_str());
    let value = format!("\"{revision}\"");
    match places.revision {
        Some(range) => text.replace(range, &value, None),
        None => insert(&mut text, places.policy.start, "revision", &value, None),
    }
    Ok(StepPolicy {
        name: name.to_owned(),
        policy_text: text.as_str().to_owned(),
        revision,
    })
}

/// Inserts a rule that serves v1 to the segments that are forbidden in a step, before all other rules.
fn forbid_segments(
    text: &mut EditedText,
    plan: &RollPlan,
    index: usize,
) -> Result<(), ChangeError> {
    let forbidden = plan.forbidden.iter().filter(|one| index < one.until);
    let mut segments: Vec<&str> = forbidden.map(|one| one.segment.as_str()).collect();
    segments.sort_unstable();
    segments.dedup();
    if segments.is_empty() {
        return Ok(());
    }
    let places = places(text, &plan.rollout)?;
    let names = serde_json::json!(segments);
    let rule = format!("{{\"when\":{{\"in\":{names}}},\"serve\":\"v1\"}}");
    match places.rules {
        Some(range) => {
            let comma = if places.each_rule.is_empty() { "" } else { "," };
            let first = range.start.saturating_add(1);
            text.replace(first..first, &format!("{rule}{comma}"), None);
        }
        None => insert(
            text,
            places.rollout.start,
            "rules",
            &format!("[{rule}]"),
            None,
        ),
    }
    Ok(())
}

fn places(text: &EditedText, rollout: &str) -> Result<EditPlaces, ChangeError> {
    let policy = ParsedPolicy::parse(text.as_str());
    policy
        .edit_places(rollout)
        .ok_or(ChangeError::RolloutUnreadable)
}

/// Inserts a field at the beginning of an object.
fn insert(text: &mut EditedText, object: usize, name: &str, value: &str, origin: Option<Origin>) {
    let first = object.saturating_add(1);
    let rest = text.as_str().get(first..).unwrap_or_default();
    let comma = if rest.trim_start().starts_with('}') {
        ""
    } else {
        ","
    };
    let field = format!("\"{name}\":");
    text.replace(first..first, &format!("{field}{comma}"), None);
    let place = first.saturating_add(field.len());
    text.replace(place..place, value, origin);
}

fn step_revision(own: &Revision, step: &str, text: &str) -> Revision {
    let hash = Revision::of_text(text);
    let hash = hash.as_str();
    let digits = hash.get(..HASH_DIGITS).unwrap_or(hash);
    let whole = format!("{own}{MARK}{step}.{digits}");
    Revision::from_name(&whole).unwrap_or_else(|| Revision::of_text(&format!("{whole} {text}")))
}
