//! Compiles the accounts of the segments.

use super::{check_name, exactly_one, present, required};
use crate::diagnostics::error_code::ErrorCode;
use crate::diagnostics::location::JsonPointer;
use crate::diagnostics::malformed_account::malformed_account;
use crate::diagnostics::problem::{Problem, excerpt};
use crate::plan::segment_lookup::{Segments, SegmentsBuilder};
use crate::policy::account_files::AccountFiles;
use crate::policy::document;
use crate::policy::json::{List, Located, LocatedText, Reader};
use crate::policy::read::expected;
use crate::request::account_id::Format;

/// The fields that may contain the accounts of a segment.
const KNOWN: &[&str] = &["accounts", "accounts_from", "accounts_packed"];

pub(super) fn segments(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    segments: Vec<(LocatedText<'_>, Option<Located<document::RawSegment<'_>>>)>,
    (format, files): (Option<Format>, &AccountFiles),
) -> Option<Segments> {
    // If the format cannot be read, accounts are checked as opaque, which is the less strict format.
    let assumed = format.unwrap_or(Format::Opaque);
    let mut builder = SegmentsBuilder::new(assumed);
    for (index, (name, segment)) in segments.into_iter().enumerate() {
        let at = at.field(&name.value);
        check_name(reader, &at, "segment", &name);
        let Some(Located { value, span }) = segment else {
            continue;
        };
        let document::RawSegment {
            accounts,
            accounts_from,
            accounts_packed,
        } = value;
        let given = [
            present(&accounts),
            present(&accounts_from),
            present(&accounts_packed),
        ];
        if given == [false; 3] {
            required(reader, span, &at, "accounts", expected::ACCOUNTS, accounts);
            continue;
        }
        exactly_one(reader, span, &at, "a segment", KNOWN, given);
        if let Some(accounts) = accounts.into_value() {
            list(
                reader,
                &at.field("accounts"),
                (index, accounts),
                (assumed, &mut builder),
            );
        }
        if let Some(from) = accounts_from.into_value() {
            let at = at.field("accounts_from");
            file(reader, &at, (index, from), (files, &name, &mut builder));
        }
        if let Some(packed) = accounts_packed.into_value() {
            if format == Some(Format::Opaque) {
                let problem = Problem::invalid(
                    "packed accounts are SIDs, but the accounts of this policy are `opaque`",
                    "list them in `accounts`, or name their file in `accounts_from`",
                );
                let at = at.field("accounts_packed");
                reader.report(packed.span, &at, problem.with_code(ErrorCode::PackedOpaque));
            }
            builder.insert_sorted(index, packed.value);
        }
    }
    format.map(|_| builder.build())
}

fn list(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    (segment, accounts): (usize, List<LocatedText<'_>>),
    (format, builder): (Format, &mut SegmentsBuilder),
) {
    for (position, account) in accounts.value.into_iter().enumerate() {
        let Some(account) = account else { continue };
        if !builder.insert(segment, account.value.as_bytes()) {
            let problem = malformed_account(&account.value, format);
            let problem = problem.with_code(ErrorCode::MalformedAccount);
            reader.report(account.span, &at.index(position), problem);
        }
    }
}

fn file(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    (segment, from): (usize, Located<document::RawAccountsFrom<'_>>),
    (files, name, builder): (&AccountFiles, &LocatedText<'_>, &mut SegmentsBuilder),
) {
    let Located { value, span } = from;
    let document::RawAccountsFrom { file, column: _ } = value;
    let expected = expected::FILE_NAME;
    let Some(file) = required(reader, span, at, "file", expected, file) else {
        return;
    };
    if file.value.is_empty() {
        let problem = Problem::invalid(
            "the file path is empty",
            "write the path of an account file",
        );
        reader.report(file.span, at, problem.with_code(ErrorCode::UnreadAccounts));
        return;
    }
    let problem = match files.get(&name.value).map(|found| &found.0) {
        Some(Ok(found)) => return builder.insert_file(segment, &found.list),
        Some(Err(why)) => Problem::invalid(why.what.clone(), why.instead.clone()),
        None => Problem::invalid(
            format!(
                "the accounts are in the file `{}`, which a proxy cannot read",
                excerpt(&file.value)
            ),
            "configure the proxy with the output of `turnout render` or `turnout apply`, which contains the accounts",
        ),
    };
    reader.report(file.span, at, problem.with_code(ErrorCode::UnreadAccounts));
}
