//! The decision header, with entries `<rollout>=<treatment>`: it carries decisions along a call chain, so that
//! every hop uses the same treatment for a rollout.

use std::borrow::Cow;

use crate::decision::Treatment;
use crate::proxy::wire_names::DECISION_HEADER;
use crate::request::headers::Headers;

/// Whether a proxy trusts the `x-turnout-*` headers of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inbound {
    /// Anyone may have sent them, so they are removed.
    #[default]
    Strip,
    /// They come from a proxy that strips those of its clients.
    Trust,
}

impl Inbound {
    /// The name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strip => "strip",
            Self::Trust => "trust",
        }
    }
}

/// The maximum length of the forwarded decisions of earlier hops, in bytes: approximately 60 rollouts.
const MAX_FORWARDED_LEN: usize = 4_096;

/// Returns the treatment that an earlier hop decided for a rollout.
pub(crate) fn find_decision(earlier: Headers<'_>, rollout: &str) -> Option<Treatment> {
    entries(earlier)
        .find(|entry| entry.rollout == rollout.as_bytes())
        .map(|entry| entry.treatment)
}

/// Appends the entry of a rollout to the decisions of earlier hops for other rollouts. If there are none, the
/// entry is borrowed.
pub(crate) fn append<'e>(earlier: Headers<'_>, rollout: &str, entry: &'e str) -> Cow<'e, [u8]> {
    let mut value = Vec::new();
    for other in entries(earlier).filter(|other| other.rollout != rollout.as_bytes()) {
        if value.len().saturating_add(other.rollout.len()) > MAX_FORWARDED_LEN {
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

/// Returns the well-formed entries. Malformed ones are ignored.
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

    fn appended(earlier: &[&str]) -> String {
        let pairs: Vec<_> = earlier
            .iter()
            .map(|value| (DECISION_HEADER.as_bytes(), value.as_bytes()))
            .collect();
        String::from_utf8(append(Headers::new(&pairs), "b", "b=v1").into_owned()).unwrap()
    }

    #[test]
    fn one_entry_for_each_rollout() {
        assert_eq!(appended(&[]), "b=v1");
        assert_eq!(appended(&["a=v2"]), "a=v2,b=v1");
        assert_eq!(appended(&["b=v2, a=v2", "c=v1"]), "a=v2,c=v1,b=v1");
        assert_eq!(appended(&["", "=v1,x,y=v3,,a=v1"]), "a=v1,b=v1");
    }

    #[test]
    fn forwarded_decisions_are_bounded() {
        let value = appended(&[&format!("{}=v1,", "a".repeat(60)).repeat(1_000)]);
        assert!(value.len() <= MAX_FORWARDED_LEN + 80, "{}", value.len());
        assert!(value.ends_with(",b=v1"));
    }
}
