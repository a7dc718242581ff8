//! Stores the parts of a response that are compared.

use turnout_diff::{Comparison, OptionUsage, Part, Response};

use super::ShadowPlan;

/// The parts of a response that are compared.
#[derive(Clone, Debug)]
pub struct StoredResponse {
    /// The status code.
    pub status: u16,
    /// The headers that are compared, and `content-encoding`.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// A stored response in the form that the differ takes.
pub(super) struct ResponseView<'a> {
    status: u16,
    headers: Vec<(&'a [u8], &'a [u8])>,
    body: &'a [u8],
}

impl StoredResponse {
    /// The number of bytes it holds, including spare capacity.
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

    /// Whether [`decode`](Self::decode) may be able to decompress its body.
    #[must_use]
    pub fn is_encoded(&self) -> bool {
        let mut names = self.headers.iter().map(|(name, _)| name);
        !self.body.is_empty() && names.any(|name| name == b"content-encoding")
    }

    pub(super) fn view(&self) -> ResponseView<'_> {
        let headers = self.headers.iter();
        ResponseView {
            status: self.status,
            headers: headers.map(|(name, value)| (&**name, &**value)).collect(),
            body: &self.body,
        }
    }
}

impl ResponseView<'_> {
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
    v1: &'a ResponseView<'a>,
    v2: &'a ResponseView<'a>,
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
