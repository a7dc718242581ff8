//! A policy as a proxy gets it: the accounts of its files in it, and long lists packed. All else in
//! its text stays as its author wrote it.

use std::borrow::Cow;
use std::ops::Range;

use crate::diagnostics::Document;
use crate::policy::account_files::{AccountFiles, AccountList, referenced_account_files};
use crate::policy::json::{Node, Reader};
use crate::policy::packed_accounts::pack;
use crate::policy::read::expected;
use crate::request::account::{Format, Sid};

/// A policy's text with the accounts of its files in place of their names, and with every list of more
/// than `most` SIDs packed: as JSON it would be read slowly by every worker.
///
/// Of a text that is no policy, nothing is changed.
#[must_use]
pub fn inline_accounts<'t>(policy: &'t str, files: &AccountFiles, most: usize) -> Cow<'t, str> {
    let (format, _) = referenced_account_files(policy);
    let Some(changes) = format.and_then(|format| changes(policy, files, format, most)) else {
        return Cow::Borrowed(policy);
    };
    if changes.is_empty() {
        return Cow::Borrowed(policy);
    }
    let mut text = String::with_capacity(policy.len());
    let mut done = 0;
    for (Range { start, end }, field) in changes {
        text.push_str(policy.get(done..start).unwrap_or_default());
        text.push_str(&field);
        done = end;
    }
    text.push_str(policy.get(done..).unwrap_or_default());
    Cow::Owned(text)
}

/// What stands in place of which fields, in their order.
fn changes(
    policy: &str,
    files: &AccountFiles,
    format: Format,
    most: usize,
) -> Option<Vec<(Range<usize>, String)>> {
    let mut reader = Reader::new(Document::Policy, policy);
    let root = reader.root(expected::POLICY)?;
    let fields = reader.fields(root, expected::POLICY)?;
    let (_, segments) = fields
        .into_iter()
        .find(|(key, _)| key.value == "segments")?;
    let mut changes = Vec::new();
    for (name, segment) in reader.fields(segments, expected::SEGMENTS)? {
        for (key, value) in reader.fields(segment, expected::SEGMENT)? {
            let field = match &*key.value {
                "accounts_from" => files.get(&name.value).and_then(|file| {
                    let accounts = file.0.as_ref().ok()?;
                    Some(field_of(&accounts.list))
                }),
                "accounts" if format == Format::Sid => {
                    let sids = sids(&mut reader, value)?;
                    (sids.len() > most).then(|| field_of(&AccountList::Sids(sids)))
                }
                _ => None,
            };
            changes.extend(field.map(|field| (key.span.start..value.span.end, field)));
        }
    }
    Some(changes)
}

/// The SIDs of a list in order, each once.
fn sids<'a>(reader: &mut Reader<'a>, list: Node<'a, '_>) -> Option<Vec<u128>> {
    let list = reader.list(list, expected::ACCOUNTS, &|reader, node| {
        let text = reader.text(node, expected::ACCOUNT_ID)?;
        Sid::parse(text.value.as_bytes())
    })?;
    let sids: Option<Vec<Sid>> = list.value.into_iter().collect();
    let mut sids: Vec<u128> = sids?.into_iter().map(Sid::number).collect();
    sids.sort_unstable();
    sids.dedup();
    Some(sids)
}

fn field_of(list: &AccountList) -> String {
    match list {
        AccountList::Sids(sids) => format!("\"accounts_packed\": \"{}\"", pack(sids)),
        AccountList::Opaque(accounts) => {
            let accounts = accounts
                .iter()
                .map(|account| String::from_utf8_lossy(account));
            let accounts: Vec<Cow<'_, str>> = accounts.collect();
            let list = serde_json::to_string(&accounts).unwrap_or_default();
            format!("\"accounts\": {list}")
        }
    }
}
