//! The revision of a policy: a name that its author set, or a hash of its text.

use std::borrow::Cow;
use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

/// The maximum length of a revision, in characters.
pub(crate) const MAX_LEN: usize = 64;

/// The revision, which identifies exactly one policy text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    text: String,
    /// Whether the policy sets it.
    is_named: bool,
}

impl Revision {
    /// Creates a revision from the policy's `revision`; `None` unless it is 1 to 64 letters, digits, `.`, `_`, `+` and
    /// `-`.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        let is_allowed = |c: u8| c.is_ascii_alphanumeric() || b"._+-".contains(&c);
        let is_revision = (1..=MAX_LEN).contains(&text.len()) && text.bytes().all(is_allowed);
        is_revision.then(|| Self {
            text: text.to_owned(),
            is_named: true,
        })
    }

    /// Computes the revision of a policy that does not set one: 16 hex digits, the XXH3-64 of its text without
    /// surrounding white space.
    #[must_use]
    pub fn of_text(policy: &str) -> Self {
        Self::of_bytes(policy.as_bytes())
    }

    pub(crate) fn of_bytes(policy: &[u8]) -> Self {
        Self {
            text: format!("{:016x}", xxh3_64(policy.trim_ascii())),
            is_named: false,
        }
    }

    pub(crate) const fn is_named(&self) -> bool {
        self.is_named
    }

    /// The text that logs show.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The number that the gauge shows: the upper 48 bits of the XXH3-64 of the revision's text, which a 64-bit
    /// float represents exactly.
    #[must_use]
    pub fn number(&self) -> u64 {
        xxh3_64(self.text.as_bytes()) >> 16
    }

    /// Inserts the revision into a policy's text, unless the policy sets one. The revision then stays the same if the
    /// text is reformatted on its way to the proxy.
    #[must_use]
    pub fn insert_into<'p>(&self, policy: &'p str) -> Cow<'p, str> {
        match policy.split_once('{') {
            Some((before, fields)) if !self.is_named => {
                Cow::Owned(format!("{before}{{\"revision\":\"{self}\",{fields}"))
            }
            _ => Cow::Borrowed(policy),
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_has_plain_characters() {
        let longest = "r".repeat(MAX_LEN);
        for good in ["1", "2026-11-21.3", "v1.2.3+halted_A", &longest] {
            assert_eq!(Revision::from_name(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a/b", "é", "a\n", &format!("{longest}r")] {
            assert_eq!(Revision::from_name(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_hash_is_of_the_text_without_white_space_around_it() {
        let revision = Revision::of_text(" {}\n");
        assert_eq!(revision, Revision::of_text("{}"));
        assert_ne!(revision, Revision::of_text("{ }"));
        // Computed with Python's xxhash.
        assert_eq!(revision.as_str(), "1349cde127705c16");
        assert!(revision.number() < 1 << 48);
    }

    #[test]
    fn it_is_inserted_into_a_policy_without_one() {
        let policy = "\n{ \"version\": 1 }";
        let revision = Revision::of_text(policy);
        let written = revision.insert_into(policy);
        assert_eq!(
            written,
            format!("\n{{\"revision\":\"{revision}\", \"version\": 1 }}")
        );
        let named = Revision::from_name("r1").unwrap();
        assert_eq!(named.insert_into(policy), policy);
    }
}
