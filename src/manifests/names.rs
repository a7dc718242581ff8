//! What Kubernetes takes as a name.

use std::collections::BTreeSet;

use turnout_text::is_dns_label;

use crate::error::Error;

/// A DNS label, which is a name of everything that is named here.
pub(crate) fn check(what: &'static str, name: &str) -> Result<(), Error> {
    match is_dns_label(name) {
        true => Ok(()),
        false => Err(Error::Name {
            what,
            found: name.to_owned(),
        }),
    }
}

/// A host name: labels with dots between them.
pub(crate) fn is_host(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_dns_label)
}

/// The key and the value of a label of pods: `key=value`.
pub(crate) fn label(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once('=')?;
    let (domain, name) = match key.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, key),
    };
    let is_label = domain.is_none_or(is_host) && is_word(name) && is_word(value);
    is_label.then_some((key, value))
}

/// Up to 63 letters, digits, `-`, `_` and `.`, the last three not at an end.
fn is_word(text: &str) -> bool {
    let is_end = |c: char| c.is_ascii_alphanumeric();
    (1..=63).contains(&text.len())
        && text.chars().all(|c| is_end(c) || "-_.".contains(c))
        && text.starts_with(is_end)
        && text.ends_with(is_end)
}

/// Names that have been given to objects of one kind.
#[derive(Default)]
pub(crate) struct Given(BTreeSet<String>);

impl Given {
    /// The name, with a number behind it if another object has it.
    pub(crate) fn own(&mut self, name: String) -> String {
        let numbered = (2_u32..).map(|number| format!("{name}-{number}"));
        let mut wanted = std::iter::once(name.clone()).chain(numbered);
        let own = wanted.find(|name| !self.0.contains(name)).unwrap_or(name);
        self.0.insert(own.clone());
        own
    }
}
