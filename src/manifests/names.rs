//! What Kubernetes takes as a name.

use crate::error::Error;

/// A DNS label, which is a name of everything that is named here.
pub(crate) fn check(what: &'static str, name: &str) -> Result<(), Error> {
    match is_label(name) {
        true => Ok(()),
        false => Err(Error::Name {
            what,
            found: name.to_owned(),
        }),
    }
}

pub(crate) fn is_label(name: &str) -> bool {
    let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=63).contains(&name.len())
        && name.chars().all(|c| is_end(c) || c == '-')
        && name.starts_with(is_end)
        && name.ends_with(is_end)
}

/// A host name: labels with dots between them.
pub(crate) fn is_host(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label)
}
