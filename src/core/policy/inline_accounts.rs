//! Creates the policy text for proxies: account files are replaced by their accounts, and long lists are packed.

use std::borrow::Cow;
use std::ops::Range;

use crate::diagnostics::location::Span;
use crate::policy::account_files::{AccountFiles, AccountList};
use crate::policy::json::{List, LocatedText};
use crate::policy::packed_accounts::pack;
use crate::policy::parsed_policy::ParsedPolicy;
use crate::request::account_id::{Format, Sid};

impl<'t> ParsedPolicy<'t> {
    /// Returns the policy's text with the file names replaced by the accounts of the files, and with every list of
    /// more than `most` SIDs packed. Workers read a packed list about a hundred times as fast as a JSON list. All
    /// other text stays as its author wrote it.
    ///
    /// The policy must compile with these files.
    #[must_use]
    pub fn inline_accounts(&self, files: &AccountFiles, most: usize) -> Cow<'t, str> {
        let policy = self.reader.document();
        let replacements = self.replacements(files, most);
        if replacements.is_empty() {
            return Cow::Borrowed(policy);
        }
        let mut text = String::with_capacity(policy.len());
        let mut done = 0;
        for (Range { start, end }, field) in replacements {
            text.push_str(policy.get(done..start).unwrap_or_default());
            text.push_str(&field);
            done = end;
        }
        text.push_str(policy.get(done..).unwrap_or_default());
        Cow::Owned(text)
    }

    /// Returns the fields to replace, in the order of the text, each with its replacement.
    fn replacements(&self, files: &AccountFiles, most: usize) -> Vec<(Range<usize>, String)> {
        let policy = self.document.as_ref();
        let segments = policy.and_then(|policy| policy.segments.value());
        let segments = segments.into_iter().flat_map(|segments| &segments.0);
        let replacements = segments.filter_map(|(name, segment)| {
            let segment = &segment.as_ref()?.value;
            if let Some(from) = segment.accounts_from.value() {
                let file = files.get(&name.value)?.0.as_ref().ok()?;
                return Some((self.field_range(from.span)?, field_of(&file.list)));
            }
            let list = segment.accounts.value()?;
            if self.account_format() != Some(Format::Sid) || list.value.len() <= most {
                return None;
            }
            let sids = sids(list).filter(|sids| sids.len() > most)?;
            let field = field_of(&AccountList::Sids(sids));
            Some((self.field_range(list.span)?, field))
        });
        replacements.collect()
    }

    /// Returns the range from the first quote of a field's name to the end of its value.
    ///
    /// Only white space and a colon separate the name and the value. The name is `accounts` or `accounts_from`, so
    /// it has no quote inside, even if it is escaped.
    fn field_range(&self, value: Span) -> Option<Range<usize>> {
        let before = self.reader.document().get(..value.start)?;
        let name_end = before.rfind('"')?;
        let name_start = before.get(..name_end)?.rfind('"')?;
        Some(name_start..value.end)
    }
}

/// Returns the SIDs of a list in ascending order, without duplicates.
fn sids(list: &List<LocatedText<'_>>) -> Option<Vec<u128>> {
    let sids = list.value.iter().map(|account| {
        let sid = Sid::parse(account.as_ref()?.value.as_bytes())?;
        Some(sid.number())
    });
    let mut sids: Vec<u128> = sids.collect::<Option<_>>()?;
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
