//! Checks names by the rules of Kubernetes, and makes them unique.

use std::collections::BTreeSet;

use turnout_text::is_dns_label;

use crate::error::Error;

/// Checks that a name is a DNS label, which is valid for all objects here.
pub(crate) fn check(what: &'static str, name: &str) -> Result<(), Error> {
    match is_dns_label(name) {
        true => Ok(()),
        false => Err(Error::Name {
            what,
            found: name.to_owned(),
        }),
    }
}

/// Whether a name is a host name: DNS labels separated by dots.
pub(crate) fn is_host(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_dns_label)
}

/// Parses a pod label `key=value`.
pub(crate) fn label(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once('=')?;
    let (domain, name) = match key.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, key),
    };
    let is_label = domain.is_none_or(is_host) && is_word(name) && is_word(value);
    is_label.then_some((key, value))
}

/// Whether a text has 1 to 63 letters, digits, `-`, `_` and `.`, and begins and ends with a letter or digit.
fn is_word(text: &str) -> bool {
    let is_end = |c: char| c.is_ascii_alphanumeric();
    (1..=63).contains(&text.len())
        && text.chars().all(|c| is_end(c) || "-_.".contains(c))
        && text.starts_with(is_end)
        && text.ends_with(is_end)
}

/// The names in use for objects of one kind.
#[derive(Default)]
pub(crate) struct UsedNames(BTreeSet<String>);

impl UsedNames {
    /// Returns the name, with a number appended if another object has it.
    pub(crate) fn unique(&mut self, name: String) -> String {
        let numbered = (2_u32..).map(|number| format!("{name}-{number}"));
        let mut wanted = std::iter::once(name.clone()).chain(numbered);
        let own = wanted.find(|name| !self.0.contains(name)).unwrap_or(name);
        self.0.insert(own.clone());
        own
    }
}
