//! The headers of a request, as the proxy reports them.

/// Header names (lower case) and values (any bytes), in order; a name may occur more than once.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a>(&'a [(&'a [u8], &'a [u8])]);

/// The value of a header that must occur at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Single<'a> {
    Absent,
    One(&'a [u8]),
    /// The header occurs more than once, or in a spelling that only some upstreams read as this header, so
    /// upstreams may disagree about its value.
    Ambiguous,
}

impl<'a> Headers<'a> {
    /// Wraps headers, which include the pseudo-headers (`:path`).
    #[must_use]
    pub fn new(pairs: &'a [(&'a [u8], &'a [u8])]) -> Self {
        Self(pairs)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.0.iter().copied()
    }

    /// Returns every value of a header, in order.
    pub fn values(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(found, _)| *found == name.as_bytes())
            .map(|(_, value)| value)
    }

    /// Returns the value of a header that must occur at most once. A header whose name differs only in
    /// `_` for `-` makes it ambiguous, because CGI, WSGI and similar interfaces read both as one name.
    pub(crate) fn single(self, name: &str) -> Single<'a> {
        let mut found = Single::Absent;
        let has_length = |(sent, _): &(&[u8], &[u8])| sent.len() == name.len();
        for (sent, value) in self.iter().filter(has_length) {
            if sent == name.as_bytes() {
                found = match found {
                    Single::Absent => Single::One(value),
                    Single::One(_) | Single::Ambiguous => return Single::Ambiguous,
                };
            } else if is_equal_with_hyphens(sent, name) {
                return Single::Ambiguous;
            }
        }
        found
    }
}

/// Whether two names are equal once every `_` is a `-`.
#[inline(never)]
fn is_equal_with_hyphens(sent: &[u8], name: &str) -> bool {
    let hyphens = |byte: u8| if byte == b'_' { b'-' } else { byte };
    let sent = sent.iter().copied().map(hyphens);
    sent.eq(name.bytes().map(hyphens))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_in_two_spellings_is_ambiguous() {
        let single = |names: &[&'static str]| {
            let pairs: Vec<_> = names
                .iter()
                .map(|name| (name.as_bytes(), &b"v"[..]))
                .collect();
            match Headers::new(&pairs).single("x-account-sid") {
                Single::Absent => "absent",
                Single::One(_) => "one",
                Single::Ambiguous => "ambiguous",
            }
        };
        assert_eq!(single(&[]), "absent");
        assert_eq!(
            single(&["x-account-uid", "x-account", "x_account_side"]),
            "absent"
        );
        assert_eq!(single(&["x-request-id1", "x-account-sid"]), "one");
        for names in [
            &["x-account-sid", "x-account-sid"][..],
            &["x_account_sid"],
            &["x-account_sid"],
            &["x-account-sid", "x_account-sid"],
            &["x_account_sid", "x-account-sid"],
        ] {
            assert_eq!(single(names), "ambiguous", "{names:?}");
        }
    }
}
