//! Which version of the policy decides: a name that its author gave, or a hash of the text.

use std::borrow::Cow;
use std::fmt;

use xxhash_rust::xxh3::xxh3_64;

/// How long a revision may be, in characters.
pub(crate) const LONGEST: usize = 64;

/// Which version of the policy this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    text: String,
    is_given: bool,
}

impl Revision {
    /// What the policy says; `None` when it is not 1 to 64 letters, digits, `.`, `_`, `+` and `-`.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        let is_allowed = |c: u8| c.is_ascii_alphanumeric() || b"._+-".contains(&c);
        let is_revision = (1..=LONGEST).contains(&text.len()) && text.bytes().all(is_allowed);
        is_revision.then(|| Self {
            text: text.to_owned(),
            is_given: true,
        })
    }

    /// That of a policy which does not say it: 16 hex digits, the XXH3-64 of its text without the
    /// white space around it.
    #[must_use]
    pub fn of_text(policy: &str) -> Self {
        Self::of_bytes(policy.as_bytes())
    }

    pub(crate) fn of_bytes(policy: &[u8]) -> Self {
        Self {
            text: format!("{:016x}", xxh3_64(policy.trim_ascii())),
            is_given: false,
        }
    }

    pub(crate) const fn is_named(&self) -> bool {
        self.is_given
    }

    /// As the access log and the log show it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// As the gauge shows it: the upper 48 bits of the XXH3-64 of the revision's text, which a double
    /// holds exactly.
    #[must_use]
    pub fn number(&self) -> u64 {
        xxh3_64(self.text.as_bytes()) >> 16
    }

    /// The text of the policy, which is otherwise as it was, with the revision in it. So it stays
    /// the same where the text is laid out anew on its way to the proxy.
    #[must_use]
    pub fn insert_into<'p>(&self, policy: &'p str) -> Cow<'p, str> {
        match policy.split_once('{') {
            Some((before, fields)) if !self.is_given => {
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
    fn a_revision_is_given_in_plain_characters() {
        let longest = "r".repeat(LONGEST);
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
        // By Python's xxhash.
        assert_eq!(revision.as_str(), "1349cde127705c16");
        assert!(revision.number() < 1 << 48);
    }

    #[test]
    fn it_is_written_into_a_policy_that_lacks_it() {
        let policy = "\n{ \"version\": 1 }";
        let revision = Revision::of_text(policy);
        let written = revision.insert_into(policy);
        assert_eq!(
            written,
            format!("\n{{\"revision\":\"{revision}\", \"version\": 1 }}")
        );
        let given = Revision::from_name("r1").unwrap();
        assert_eq!(given.insert_into(policy), policy);
    }
}
