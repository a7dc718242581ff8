//! The policy that a proxy runs, found in the dump of its configuration.
//!
//! What stands there is what the proxy was given last, and it may have refused that. The number that
//! the filter tells says which one is in force; only that one is shown.

use serde_json::Value;
use turnout_core::{Configuration, Plan};

/// Where a filter may stand, the likeliest first.
pub(crate) const DUMPS: [&str; 3] = ["ecds_filters", "static_listeners", "dynamic_listeners"];

/// What a dump says of the policy in force.
#[derive(Debug)]
pub(crate) enum Found {
    /// It has it.
    Plan(Box<Plan>),
    /// It has policies, and this is the revision of one of them; another one is in force.
    Other(String),
    /// It has configurations of the filter, none of which is valid.
    Invalid,
    /// It has no configuration of the filter.
    Nothing,
}

/// The policy with a number; any, if it is not known which one is in force.
pub(crate) fn find(dump: &str, number: Option<u64>) -> Found {
    let Ok(dump) = serde_json::from_str::<Value>(dump) else {
        return Found::Nothing;
    };
    let mut found = Found::Nothing;
    visit(&dump, &mut |configuration| {
        let plan = Configuration::from_json(configuration.as_bytes()).map(|read| read.plan);
        match plan {
            Ok(plan) if number.is_none_or(|number| plan.revision().number() == number) => {
                found = Found::Plan(Box::new(plan));
                return true;
            }
            Ok(plan) => found = Found::Other(plan.revision().to_string()),
            Err(_) if matches!(found, Found::Nothing) => found = Found::Invalid,
            Err(_) => {}
        }
        false
    });
    found
}

/// Shows every text that may be a configuration, until one is taken. JSON that was read is at most
/// 128 levels deep.
fn visit(value: &Value, take: &mut impl FnMut(&str) -> bool) -> bool {
    match value {
        Value::Array(list) => list.iter().any(|value| visit(value, take)),
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let text = match (name.as_str(), value.get("value")) {
                ("configuration", Some(Value::String(text))) => Some(text.clone()),
                // A Struct.
                ("configuration", Some(Value::Object(fields))) => {
                    serde_json::to_string(fields).ok()
                }
                _ => None,
            };
            // Other filters have a `configuration` too.
            let text = text.filter(|text| text.contains("\"policy\""));
            text.is_some_and(|text| take(&text)) || visit(value, take)
        }),
        _ => false,
    }
}

/// The region of the proxy's node; empty where it has none.
pub(crate) fn region(server_info: &str) -> String {
    let info: Value = serde_json::from_str(server_info).unwrap_or_default();
    let region = info.pointer("/node/locality/region");
    let region = region.and_then(Value::as_str);
    region.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policy(revision: &str) -> String {
        format!(
            r#"{{"inbound":"strip","policy":{{"version":1,"revision":"{revision}","account":{{"from":[{{"header":"x-account-sid"}}],"format":"sid"}},"rollouts":[]}}}}"#
        )
    }

    fn dump(configurations: &[Value]) -> String {
        let filter = |configuration: &Value| json!({ "ecds_filter": { "typed_config": { "config": { "configuration": { "value": configuration } } } } });
        let filters: Vec<_> = configurations.iter().map(filter).collect();
        json!({ "configs": filters }).to_string()
    }

    #[test]
    fn the_one_in_force_is_found_among_others() {
        let number = |revision| turnout_core::Revision::given(revision).unwrap().number();
        let structured: Value = serde_json::from_str(&policy("r2")).unwrap();
        // What a proxy writes stands beside its policy.
        let beside = |text: String| text.replacen('{', r#"{"headers":["cluster"],"#, 1);
        let dump = dump(&[
            json!(policy("r1")),
            json!("{\"policy\":1}"),
            structured,
            json!(beside(policy("r3"))),
        ]);
        for revision in ["r1", "r2", "r3"] {
            let Found::Plan(plan) = find(&dump, Some(number(revision))) else {
                panic!("{revision} is not found");
            };
            assert_eq!(plan.revision().as_str(), revision);
        }
        assert!(matches!(find(&dump, None), Found::Plan(_)));
        assert!(matches!(find(&dump, Some(1)), Found::Other(_)));
    }

    #[test]
    fn what_is_no_policy_is_none() {
        for text in [
            "",
            "[",
            "{}",
            "null",
            "{\"configs\":7}",
            &"[".repeat(100_000),
        ] {
            assert!(matches!(find(text, None), Found::Nothing), "{text:.20}");
        }
        let invalid = dump(&[json!("{\"policy\":{\"version\":7}}"), json!(3)]);
        assert!(matches!(find(&invalid, None), Found::Invalid));
        let others = dump(&[json!("allow"), json!({ "rules": [] })]);
        assert!(matches!(find(&others, None), Found::Nothing));
    }

    #[test]
    fn a_region_is_that_of_the_node() {
        let info = r#"{ "node": { "locality": { "region": "eu" } } }"#;
        assert_eq!(region(info), "eu");
        for nothing in ["", "{}", r#"{ "node": 7 }"#] {
            assert_eq!(region(nothing), "");
        }
    }
}
