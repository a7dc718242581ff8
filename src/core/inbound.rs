//! Decisions that travel with a request, `<rollout>=<treatment>`, so that it sees one version of a
//! rollout along its whole call chain.

use crate::configuration::Inbound;
use crate::decide::Treatment;
use crate::headers::Headers;
use crate::names::DECISION_HEADER;
use crate::request::Request;

/// How much of earlier hops' decisions is passed on, in bytes: some sixty rollouts.
const LONGEST: usize = 4_096;

/// What a trusted earlier hop decided for a rollout.
pub(crate) fn decided_upstream(request: &Request<'_>, rollout: &str) -> Option<Treatment> {
    match request.inbound {
        Inbound::Strip => None,
        Inbound::Trust => entries(request.headers)
            .find(|entry| entry.rollout == rollout.as_bytes())
            .map(|entry| entry.treatment),
    }
}

/// The value of `x-turnout-decision` for the next hop: what earlier hops decided for other
/// rollouts, if they are trusted, then what was served for this one.
#[must_use]
pub fn record_decision(request: &Request<'_>, rollout: &str, served: Treatment) -> Vec<u8> {
    let mut value = Vec::new();
    if request.inbound == Inbound::Trust {
        for entry in entries(request.headers).filter(|entry| entry.rollout != rollout.as_bytes()) {
            if value.len().saturating_add(entry.rollout.len()) > LONGEST {
                break;
            }
            append(&mut value, entry.rollout, entry.treatment);
        }
    }
    append(&mut value, rollout.as_bytes(), served);
    value
}

fn append(value: &mut Vec<u8>, rollout: &[u8], treatment: Treatment) {
    if !value.is_empty() {
        value.push(b',');
    }
    value.extend_from_slice(rollout);
    value.push(b'=');
    value.extend_from_slice(treatment.as_str().as_bytes());
}

struct Entry<'a> {
    rollout: &'a [u8],
    treatment: Treatment,
}

/// The well-formed entries; what is not one is passed over.
fn entries<'a>(headers: Headers<'a>) -> impl Iterator<Item = Entry<'a>> {
    headers
        .values(DECISION_HEADER)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .filter_map(|entry| {
            let mut parts = entry.trim_ascii().splitn(2, |byte| *byte == b'=');
            let rollout = parts.next().filter(|rollout| !rollout.is_empty())?;
            let treatment = Treatment::parse(parts.next()?)?;
            Some(Entry { rollout, treatment })
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Plan;

    fn recorded(inbound: Inbound, earlier: &[&str]) -> String {
        let plan = Plan::from_json(
            r#"{"version": 1, "account": {"from": [{"header": "x"}], "format": "sid"}, "rollouts": []}"#,
        )
        .unwrap();
        let pairs: Vec<_> = earlier
            .iter()
            .map(|value| (DECISION_HEADER.as_bytes(), value.as_bytes()))
            .collect();
        let request = Request::new(&plan, Headers::new(&pairs), inbound);
        String::from_utf8(record_decision(&request, "b", Treatment::V1)).unwrap()
    }

    #[test]
    fn one_entry_for_each_rollout() {
        assert_eq!(recorded(Inbound::Trust, &[]), "b=v1");
        assert_eq!(recorded(Inbound::Trust, &["a=v2"]), "a=v2,b=v1");
        assert_eq!(
            recorded(Inbound::Trust, &["b=v2, a=v2", "c=v1"]),
            "a=v2,c=v1,b=v1"
        );
        assert_eq!(
            recorded(Inbound::Trust, &["", "=v1,x,y=v3,,a=v1"]),
            "a=v1,b=v1"
        );
        assert_eq!(recorded(Inbound::Strip, &["a=v2"]), "b=v1");
    }

    #[test]
    fn what_is_passed_on_is_bounded() {
        let entry = format!("{}=v1,", "a".repeat(60)).repeat(1_000);
        let value = recorded(Inbound::Trust, &[&entry]);
        assert!(value.len() <= LONGEST + 80, "{}", value.len());
        assert!(value.ends_with(",b=v1"));
    }
}
