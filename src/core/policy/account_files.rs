//! Accounts in files, which a policy names: `"accounts_from": "hvc.csv"`.
//!
//! A proxy cannot read files, so the command inlines their accounts into the policy before it sends it. This module
//! lists the files that a policy names ([`ParsedPolicy::account_files`]) and holds their accounts
//! ([`AccountFiles`]); the command reads the files.

use std::borrow::Borrow;

use crate::diagnostics::problem::excerpt;
use crate::policy::parsed_policy::ParsedPolicy;
use crate::request::account_id::{Format, Sid, is_opaque_account};

/// A file that a segment of a policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountFileReference {
    /// The name of the segment.
    pub segment: String,
    /// The path in the policy, relative to the policy's own file.
    pub file: String,
    /// The column of a CSV file: its name, or its number from 1. `None` if each line is an account.
    pub column: Option<String>,
}

impl ParsedPolicy<'_> {
    /// Returns the format of the accounts and the files that the policy names, in the order of the policy; both as
    /// far as the policy can be read.
    #[must_use]
    pub fn account_files(&self) -> (Option<Format>, Vec<AccountFileReference>) {
        let Some(policy) = &self.document else {
            return (None, Vec::new());
        };
        let segments = policy.segments.value().into_iter().flat_map(|map| &map.0);
        let files = segments.filter_map(|(segment, given)| {
            let from = &given.as_ref()?.value.accounts_from.value()?.value;
            Some(AccountFileReference {
                segment: segment.value.clone().into_owned(),
                file: from.file.value()?.value.clone().into_owned(),
                column: from
                    .column
                    .value()
                    .map(|column| column.value.clone().into_owned()),
            })
        });
        (self.account_format(), files.collect())
    }

    /// Returns the format of the accounts, as far as the policy can be read.
    pub(crate) fn account_format(&self) -> Option<Format> {
        let account = self.document.as_ref()?.account.value()?;
        Format::from_name(&account.value.format.value()?.value)
    }
}

/// The contents of the files that a policy names.
#[derive(Debug, Default)]
pub struct AccountFiles(Vec<(String, AccountFile)>);

impl AccountFiles {
    /// Adds the contents of the file of a segment.
    pub fn insert(&mut self, segment: impl Into<String>, file: AccountFile) {
        self.0.push((segment.into(), file));
    }

    pub(crate) fn get(&self, segment: &str) -> Option<&AccountFile> {
        let found = self.0.iter().find(|(name, _)| name == segment);
        found.map(|(_, file)| file)
    }
}

/// The contents of one file: its accounts, or why it cannot be used.
#[derive(Debug)]
pub struct AccountFile(pub(crate) Result<FileAccounts, UnusableFile>);

/// Why a file cannot be used, and what to do instead.
#[derive(Debug)]
pub(crate) struct UnusableFile {
    pub(crate) what: String,
    pub(crate) instead: String,
}

/// The accounts of a file, sorted, without duplicates.
#[derive(Debug)]
pub(crate) struct FileAccounts {
    pub(crate) list: AccountList,
    /// The message about accounts that the file has more than once, if there are any.
    pub(crate) repeated: Option<String>,
    /// Whether messages may quote its accounts.
    pub(crate) is_quotable: bool,
}

/// Whether messages quote the text of an account file. The author of a policy chooses the file, and may not be
/// allowed to read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileQuoting {
    /// Messages contain only line numbers and what is wrong.
    #[default]
    Hidden,
    /// Messages also quote the text.
    Shown,
}

#[derive(Debug)]
pub(crate) enum AccountList {
    Sids(Vec<u128>),
    Opaque(Vec<Box<[u8]>>),
}

impl AccountList {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Sids(sids) => sids.is_empty(),
            Self::Opaque(accounts) => accounts.is_empty(),
        }
    }
}

impl AccountFile {
    /// Creates a file that cannot be used: it is missing, or has lines that are not accounts.
    #[must_use]
    pub fn unusable(what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self(Err(UnusableFile {
            what: what.into(),
            instead: instead.into(),
        }))
    }
}

/// Collects the accounts of a file.
#[derive(Debug)]
pub struct AccountListBuilder(Lines);

/// The accounts, each with its line number.
#[derive(Debug)]
enum Lines {
    Sids(Vec<(u128, u64)>),
    Opaque(Vec<(Box<[u8]>, u64)>),
}

impl AccountListBuilder {
    /// Creates a builder for accounts of this format.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self(match format {
            Format::Sid => Lines::Sids(Vec::new()),
            Format::Opaque => Lines::Opaque(Vec::new()),
        })
    }

    /// Adds the account of a line. A malformed account is ignored.
    pub fn push(&mut self, line: u64, account: &[u8]) {
        match &mut self.0 {
            Lines::Sids(lines) => {
                lines.extend(Sid::parse(account).map(|sid| (sid.number(), line)));
            }
            Lines::Opaque(lines) if is_opaque_account(account) => {
                lines.push((account.into(), line));
            }
            Lines::Opaque(_) => {}
        }
    }

    /// Returns the number of accounts, duplicates included.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Lines::Sids(lines) => lines.len(),
            Lines::Opaque(lines) => lines.len(),
        }
    }

    /// Whether there are no accounts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the base64 of the sorted SIDs, as in `accounts_packed`; `None` if the accounts are opaque.
    #[must_use]
    pub fn pack(self) -> Option<String> {
        match self.into_list("", FileQuoting::Hidden).list {
            AccountList::Sids(sids) => Some(crate::policy::packed_accounts::pack(&sids)),
            AccountList::Opaque(_) => None,
        }
    }

    /// Returns the accounts as the contents of the file with this name.
    #[must_use]
    pub fn into_file(self, name: &str, text: FileQuoting) -> AccountFile {
        AccountFile(Ok(self.into_list(name, text)))
    }

    /// Sorts the accounts. SIDs may always be quoted, but an opaque account may be any text.
    fn into_list(self, name: &str, text: FileQuoting) -> FileAccounts {
        match self.0 {
            Lines::Sids(lines) => {
                let show = |sid: &u128| Some(Sid::from_number(*sid).to_string());
                let (list, repeated) = sorted(lines, name, show);
                FileAccounts {
                    list: AccountList::Sids(list),
                    repeated,
                    is_quotable: true,
                }
            }
            Lines::Opaque(lines) => {
                let is_quotable = text == FileQuoting::Shown;
                let show = |account: &[u8]| {
                    is_quotable.then(|| excerpt(&String::from_utf8_lossy(account)))
                };
                let (list, repeated) = sorted(lines, name, show);
                FileAccounts {
                    list: AccountList::Opaque(list),
                    repeated,
                    is_quotable,
                }
            }
        }
    }
}

/// Returns the accounts in order, without duplicates, and a message about the duplicates. `show` returns `None` for
/// an account that must not be quoted; the message then has only its line numbers.
fn sorted<T: Ord + Borrow<B>, B: ?Sized>(
    mut lines: Vec<(T, u64)>,
    name: &str,
    show: impl Fn(&B) -> Option<String>,
) -> (Vec<T>, Option<String>) {
    /// The most duplicates that the message names.
    const NAMED: usize = 3;
    lines.sort_unstable();
    let same = lines.chunk_by(|(a, _), (b, _)| a == b);
    let mut repeated = 0_usize;
    let mut named = Vec::new();
    for same in same {
        if let [(account, first), (_, again), ..] = same {
            repeated = repeated.saturating_add(1);
            if named.len() < NAMED {
                let account = match show(account.borrow()) {
                    Some(account) => format!("`{account}`"),
                    None => String::from("one"),
                };
                named.push(format!("{account} on lines {first} and {again}"));
            }
        }
    }
    let others = match repeated.saturating_sub(named.len()) {
        0 => String::new(),
        others => format!(", and {others} others"),
    };
    let message = (repeated > 0).then(|| {
        let file = excerpt(name);
        format!(
            "`{file}` has duplicate accounts: {}{others}",
            named.join(", ")
        )
    });
    let mut accounts: Vec<T> = lines.into_iter().map(|(account, _)| account).collect();
    accounts.dedup();
    (accounts, message)
}
