//! The headers of a request, as the proxy gives them.

/// Names (lower case) and values (any bytes) in their order; a name may come more than once.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a>(&'a [(&'a [u8], &'a [u8])]);

/// What a header that should be there at most once turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Single<'a> {
    Absent,
    One(&'a [u8]),
    /// Several, or one in a spelling that only some upstreams read as this header: which of them is
    /// meant, nobody can tell.
    InDoubt,
}

impl<'a> Headers<'a> {
    /// Pseudo-headers (`:path`) included.
    #[must_use]
    pub fn new(pairs: &'a [(&'a [u8], &'a [u8])]) -> Self {
        Self(pairs)
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.0.iter().copied()
    }

    /// Every value of a header, in order.
    pub fn values(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(found, _)| *found == name.as_bytes())
            .map(|(_, value)| value)
    }

    /// A header of which CGI, WSGI and their like read a `_` as a `-` is in doubt where it comes in the
    /// other spelling.
    pub(crate) fn single(self, name: &str) -> Single<'a> {
        let mut found = Single::Absent;
        let of_this_length = |(given, _): &(&[u8], &[u8])| given.len() == name.len();
        for (given, value) in self.iter().filter(of_this_length) {
            if given == name.as_bytes() {
                found = match found {
                    Single::Absent => Single::One(value),
                    Single::One(_) | Single::InDoubt => return Single::InDoubt,
                };
            } else if is_respelled(given, name) {
                return Single::InDoubt;
            }
        }
        found
    }
}

/// Whether a name is another one but for `_` and `-`.
#[inline(never)]
fn is_respelled(given: &[u8], name: &str) -> bool {
    let hyphens = |byte: u8| if byte == b'_' { b'-' } else { byte };
    let given = given.iter().copied().map(hyphens);
    given.eq(name.bytes().map(hyphens))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_in_two_spellings_is_in_doubt() {
        let single = |names: &[&'static str]| {
            let pairs: Vec<_> = names
                .iter()
                .map(|name| (name.as_bytes(), &b"v"[..]))
                .collect();
            match Headers::new(&pairs).single("x-account-sid") {
                Single::Absent => "absent",
                Single::One(_) => "one",
                Single::InDoubt => "in doubt",
            }
        };
        assert_eq!(single(&[]), "absent");
        assert_eq!(
            single(&["x-account-uid", "x-account", "x_account_side"]),
            "absent"
        );
        assert_eq!(single(&["x-request-id1", "x-account-sid"]), "one");
        for doubtful in [
            &["x-account-sid", "x-account-sid"][..],
            &["x_account_sid"],
            &["x-account_sid"],
            &["x-account-sid", "x_account-sid"],
            &["x_account_sid", "x-account-sid"],
        ] {
            assert_eq!(single(doubtful), "in doubt", "{doubtful:?}");
        }
    }
}
