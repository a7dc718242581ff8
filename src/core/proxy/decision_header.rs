//! Decisions that travel with a request, `<rollout>=<treatment>`, so that it sees one version of a
//! rollout along its whole call chain.

use std::borrow::Cow;

use crate::decision::Treatment;
use crate::proxy::wire_names::DECISION_HEADER;
use crate::request::headers::Headers;

/// Whether `x-turnout-*` headers of a request are believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inbound {
    /// They come from anyone, so they are removed.
    #[default]
    Strip,
    /// They come from a proxy that strips what its clients send.
    Trust,
}

impl Inbound {
    /// As in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strip => "strip",
            Self::Trust => "trust",
        }
    }
}

/// How much of earlier hops' decisions is passed on, in bytes: some sixty rollouts.
const LONGEST: usize = 4_096;

/// What an earlier hop decided for a rollout.
pub(crate) fn decided(earlier: Headers<'_>, rollout: &str) -> Option<Treatment> {
    entries(earlier)
        .find(|entry| entry.rollout == rollout.as_bytes())
        .map(|entry| entry.treatment)
}

/// What earlier hops decided for other rollouts, then the entry of this one. Where there is nothing
/// but the entry, nothing is copied.
pub(crate) fn record<'e>(earlier: Headers<'_>, rollout: &str, entry: &'e str) -> Cow<'e, [u8]> {
    let mut value = Vec::new();
    for other in entries(earlier).filter(|other| other.rollout != rollout.as_bytes()) {
        if value.len().saturating_add(other.rollout.len()) > LONGEST {
            break;
        }
        value.extend_from_slice(other.rollout);
        value.push(b'=');
        value.extend_from_slice(other.treatment.as_str().as_bytes());
        value.push(b',');
    }
    if value.is_empty() {
        return Cow::Borrowed(entry.as_bytes());
    }
    value.extend_from_slice(entry.as_bytes());
    Cow::Owned(value)
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

    fn recorded(earlier: &[&str]) -> String {
        let pairs: Vec<_> = earlier
            .iter()
            .map(|value| (DECISION_HEADER.as_bytes(), value.as_bytes()))
            .collect();
        String::from_utf8(record(Headers::new(&pairs), "b", "b=v1").into_owned()).unwrap()
    }

    #[test]
    fn one_entry_for_each_rollout() {
        assert_eq!(recorded(&[]), "b=v1");
        assert_eq!(recorded(&["a=v2"]), "a=v2,b=v1");
        assert_eq!(recorded(&["b=v2, a=v2", "c=v1"]), "a=v2,c=v1,b=v1");
        assert_eq!(recorded(&["", "=v1,x,y=v3,,a=v1"]), "a=v1,b=v1");
    }

    #[test]
    fn what_is_passed_on_is_bounded() {
        let value = recorded(&[&format!("{}=v1,", "a".repeat(60)).repeat(1_000)]);
        assert!(value.len() <= LONGEST + 80, "{}", value.len());
        assert!(value.ends_with(",b=v1"));
    }
}
