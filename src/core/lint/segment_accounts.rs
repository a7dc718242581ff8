//! Finds accounts that look mistyped or are listed twice, and groups the accounts into classes by segment.

use crate::diagnostics::location::{JsonPointer, Span};
use crate::diagnostics::problem::excerpt;
use crate::diagnostics::warning_code::WarningCode;
use crate::plan::segment_lookup::{SegmentSet, Segments, SegmentsBuilder};
use crate::policy::json::LocatedText;
use crate::request::account_id::{Format, Sid};

use super::partial_plan;
use super::partial_plan::PartialPlan;
use super::warnings::Warnings;

/// Accounts that are in the same segments, so that rules treat them alike.
pub(super) struct AccountClass {
    /// The segments in the order of the policy; empty for the accounts that the policy does not list.
    pub(super) segments: Vec<usize>,
    pub(super) count: usize,
    /// One of the accounts; empty for the accounts that the policy does not list.
    example: String,
    /// Whether messages may quote the example.
    is_quotable: bool,
}

pub(super) struct AccountClasses {
    pub(super) list: Vec<AccountClass>,
    /// The number of accounts in each segment.
    pub(super) sizes: Vec<usize>,
    /// Whether every account of every segment could be read.
    pub(super) are_complete: bool,
}

impl AccountClasses {
    pub(super) fn new(view: &PartialPlan<'_>) -> Self {
        let all = segments(view);
        let mut list: Vec<AccountClass> = vec![AccountClass {
            segments: Vec::new(),
            count: 0,
            example: String::new(),
            is_quotable: false,
        }];
        let mut sizes = vec![0_usize; view.segments.len()];
        for (set, count, example) in all.accounts_by_set() {
            for segment in set.iter() {
                if let Some(size) = sizes.get_mut(segment) {
                    *size = size.saturating_add(count);
                }
            }
            let has_hidden_file = set.iter().any(|segment| {
                let segment = view.segments.get(segment);
                let file = segment.and_then(|segment| segment.file.as_ref());
                file.is_some_and(|(_, accounts)| !accounts.is_quotable)
            });
            list.push(AccountClass {
                is_quotable: !has_hidden_file,
                segments: set.iter().collect(),
                count,
                example: String::from_utf8_lossy(&example).into_owned(),
            });
        }
        list.sort_by(|a, b| (&a.segments, &a.example).cmp(&(&b.segments, &b.example)));
        // The accounts of one class may arrive in several parts.
        list.dedup_by(|more, class| {
            let is_same = more.segments == class.segments;
            if is_same {
                class.count = class.count.saturating_add(more.count);
            }
            is_same
        });
        Self {
            list,
            sizes,
            are_complete: view.segments.iter().all(|segment| segment.is_whole),
        }
    }
}

impl AccountClass {
    /// Returns one of the accounts, if messages may quote it.
    pub(super) fn example(&self) -> Option<&str> {
        self.is_quotable.then_some(&self.example)
    }

    /// Returns the cost of [`AccountClass::set`].
    pub(super) fn cost(&self) -> usize {
        let last = self.segments.last().copied().unwrap_or_default();
        (last / 64)
            .saturating_add(self.segments.len())
            .saturating_add(1)
    }

    pub(super) fn set(&self) -> SegmentSet {
        let mut set = SegmentSet::default();
        self.segments
            .iter()
            .for_each(|segment| set.insert(*segment));
        set
    }
}

/// Compiles the accounts of all segments. Malformed accounts are reported as errors elsewhere, and left out.
fn segments(view: &PartialPlan<'_>) -> Segments {
    let mut builder = SegmentsBuilder::new(view.format.unwrap_or(Format::Opaque));
    for (index, segment) in view.segments.iter().enumerate() {
        for (_, account) in &segment.accounts {
            builder.insert(index, account.value.as_bytes());
        }
        builder.insert_sorted(index, segment.packed.clone());
        if let Some((_, file)) = &segment.file {
            builder.insert_file(index, &file.list);
        }
    }
    builder.build()
}

/// An account in a segment's list.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Mention<'v> {
    account: &'v str,
    segment: usize,
    position: usize,
    place: (usize, usize),
}

impl Mention<'_> {
    fn span(&self) -> Span {
        let (start, end) = self.place;
        Span { start, end }
    }
}

/// Returns the accounts of all lists, sorted by account, then by the order of the policy.
fn mentions<'v>(view: &'v PartialPlan<'_>) -> Vec<Mention<'v>> {
    let mut mentions = Vec::new();
    for (segment, partial_plan::PartialSegment { accounts, .. }) in view.segments.iter().enumerate()
    {
        mentions.extend(accounts.iter().map(|(position, account)| Mention {
            account: &account.value,
            segment,
            position: *position,
            place: (account.span.start, account.span.end),
        }));
    }
    mentions.sort_unstable();
    mentions
}

pub(super) fn check(view: &PartialPlan<'_>, warnings: &mut Warnings<'_>) {
    unused(view, warnings);
    repeated(view, warnings);
    repeated_in_files(view, warnings);
    if view.format == Some(Format::Opaque) {
        let at = JsonPointer::Root.field("segments");
        for segment in &view.segments {
            let at = at.field(&segment.name.value);
            let at = at.field("accounts");
            for (position, account) in &segment.accounts {
                suspicious(&at.index(*position), account, warnings);
            }
        }
    }
}

fn unused(view: &PartialPlan<'_>, warnings: &mut Warnings<'_>) {
    let Some(used) = &view.used else { return };
    let at = JsonPointer::Root.field("segments");
    for (index, segment) in view.segments.iter().enumerate() {
        if !used.contains(index) {
            let name = excerpt(&segment.name.value);
            warnings.push(
                WarningCode::UnusedSegment,
                (segment.name.span, &at.field(&segment.name.value)),
                format!("no rule and no shadow uses the segment `{name}`"),
                "remove it, or add it to the `in` or `not_in` of a rule",
            );
        }
    }
}

fn repeated(view: &PartialPlan<'_>, warnings: &mut Warnings<'_>) {
    let mentions = mentions(view);
    let at = JsonPointer::Root.field("segments");
    let same = |a: &Mention<'_>, b: &Mention<'_>| (a.account, a.segment) == (b.account, b.segment);
    for same in mentions.chunk_by(same) {
        let Some((first, again)) = same.split_first().filter(|(_, again)| !again.is_empty()) else {
            continue;
        };
        let Some(segment) = view.segments.get(first.segment) else {
            continue;
        };
        let at = at.field(&segment.name.value);
        let at = at.field("accounts");
        for mention in again {
            let first_at = at.index(first.position);
            warnings.push_with(
                WarningCode::RepeatedAccount,
                (mention.span(), &at.index(mention.position)),
                Some((first.span(), first_at.to_string())),
                format!("`{}` is already in this list", excerpt(first.account)),
                "remove it here, or write the intended account",
            );
        }
    }
}

fn repeated_in_files(view: &PartialPlan<'_>, warnings: &mut Warnings<'_>) {
    let at = JsonPointer::Root.field("segments");
    for segment in &view.segments {
        if let Some((span, file)) = &segment.file
            && let Some(message) = &file.repeated
        {
            let at = at.field(&segment.name.value);
            warnings.push(
                WarningCode::RepeatedAccount,
                (*span, &at.field("accounts_from")),
                message.as_str(),
                "remove all but one of these lines, or write the intended accounts",
            );
        }
    }
}

/// Warns about an opaque account that looks like a mistake. Any text can be one, so it only looks for what nobody
/// writes on purpose.
fn suspicious(at: &JsonPointer<'_>, account: &LocatedText<'_>, warnings: &mut Warnings<'_>) {
    let text = &*account.value;
    let shown = excerpt(text);
    let (what, instead) = if text.trim() != text {
        (
            format!("`{shown}` has white space at its ends, which is part of the account"),
            format!("write `{}`", excerpt(text.trim())),
        )
    } else if text.chars().any(char::is_control) {
        (
            format!("`{shown}` contains a control character"),
            "write the account as it appears in requests".into(),
        )
    } else if let Some(length) = digits_of_mistyped_sid(text) {
        let digits = match length {
            32 => "an account SID is `AC` and lower-case hex digits".into(),
            _ => format!("it has {length} digits, not 32"),
        };
        (
            format!("`{shown}` looks like an account SID, but {digits}"),
            "write the account as it appears in requests".into(),
        )
    } else {
        return;
    };
    warnings.push(
        WarningCode::SuspiciousAccount,
        (account.span, at),
        what,
        instead,
    );
}

/// Returns the number of hex digits of a text that resembles an account SID but is not one.
fn digits_of_mistyped_sid(text: &str) -> Option<usize> {
    let prefix = text.get(..2)?;
    let digits = text.get(2..)?;
    let is_near = prefix.eq_ignore_ascii_case("AC")
        && (24..=40).contains(&digits.len())
        && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        && Sid::parse(text.as_bytes()).is_none();
    is_near.then_some(digits.len())
}
