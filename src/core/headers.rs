//! The headers of a request, as the proxy gives them.

/// Names (lower case) and values (any bytes) in their order; a name may come more than once.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a>(&'a [(&'a [u8], &'a [u8])]);

/// What a header that should be there at most once turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Single<'a> {
    Absent,
    One(&'a [u8]),
    /// Several: which of them is meant, nobody can tell.
    Repeated,
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

    pub(crate) fn single(self, name: &str) -> Single<'a> {
        let mut found = Single::Absent;
        for value in self.values(name) {
            found = match found {
                Single::Absent => Single::One(value),
                Single::One(_) | Single::Repeated => return Single::Repeated,
            };
        }
        found
    }
}
