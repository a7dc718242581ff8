//! LaunchDarkly's name for the account.

use super::USER;
use crate::quote::quote;

/// The account in a context: the key of a kind of context, or an attribute of users.
#[derive(Clone, Copy)]
pub(super) struct AccountKey<'a>(pub(super) Option<&'a str>);

impl AccountKey<'_> {
    /// Whether an attribute of a kind of context is the account.
    ///
    /// Where the kind is written, the attribute may be a reference, such as `/key`.
    pub(super) fn is(self, kind: Option<&str>, attribute: &str) -> bool {
        let has_kind = kind.is_some();
        let kind = kind.unwrap_or(USER);
        let attribute = match has_kind {
            true => attribute.strip_prefix('/').unwrap_or(attribute),
            false => attribute,
        };
        match self.0 {
            None => kind == USER && attribute == "key",
            Some(name) => {
                (kind == name && attribute == "key") || (kind == USER && attribute == name)
            }
        }
    }

    pub(super) fn name(self) -> String {
        match self.0 {
            None => "the key of users".into(),
            Some(name) => quote(name),
        }
    }
}
