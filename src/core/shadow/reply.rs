//! An answer, kept as far as it is compared.

use turnout_diff::{Comparison, OptionUsage, Part, Response};

use super::ShadowPlan;

/// An answer, as far as it is compared.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Those that are compared, and `content-encoding`.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// All of it.
    pub body: Vec<u8>,
}

/// A reply as the differ takes it.
pub(super) struct View<'a> {
    status: u16,
    headers: Vec<(&'a [u8], &'a [u8])>,
    body: &'a [u8],
}

impl Reply {
    /// The bytes that it holds, spare room included.
    #[must_use]
    #[inline(never)]
    pub fn held_bytes(&self) -> usize {
        const HEADER: usize = size_of::<(Vec<u8>, Vec<u8>)>() + 32;
        let headers = self.headers.iter().map(|(name, value)| {
            let texts = name.capacity().saturating_add(value.capacity());
            texts.saturating_add(HEADER)
        });
        headers.fold(self.body.capacity(), usize::saturating_add)
    }

    /// Whether its body is compressed in a way that [`decode`](Self::decode) undoes, or may be.
    #[must_use]
    pub fn is_encoded(&self) -> bool {
        let mut names = self.headers.iter().map(|(name, _)| name);
        !self.body.is_empty() && names.any(|name| name == b"content-encoding")
    }

    pub(super) fn view(&self) -> View<'_> {
        let headers = self.headers.iter();
        View {
            status: self.status,
            headers: headers.map(|(name, value)| (&**name, &**value)).collect(),
            body: &self.body,
        }
    }
}

impl View<'_> {
    pub(super) const fn status(&self) -> u16 {
        self.status
    }

    fn response(&self) -> Response<'_> {
        Response {
            status: self.status,
            headers: &self.headers,
            body: self.body,
        }
    }
}

pub(super) fn compare<'a>(
    v1: &'a View<'a>,
    v2: &'a View<'a>,
    shadow: &ShadowPlan,
    is_noisy: &dyn Fn(Part, &str) -> bool,
    usage: &mut OptionUsage,
) -> Comparison<'a> {
    turnout_diff::compare(
        &v1.response(),
        &v2.response(),
        &shadow.compare,
        is_noisy,
        usage,
    )
}
