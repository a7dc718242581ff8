//! From the policy as it is written to a plan: every rule of the language that types cannot say.
//!
//! Each function reports what is wrong and goes on, so that all problems are found at once; a
//! `None` always has a report behind it.

pub(crate) mod hash;
pub(crate) mod matches;
mod percentage;
mod ramp;
mod rewrite;
pub(crate) mod rollouts;
pub(crate) mod segments;
mod shadow;
pub(crate) mod whole_number;

use crate::diagnostics::Diagnostics;
use crate::diagnostics::error_code::ErrorCode;
use crate::diagnostics::location::{JsonPointer, Span};
use crate::diagnostics::problem::{Expected, Problem, excerpt};
use crate::plan::Plan;
use crate::plan::path_match::TemplateUse;
use crate::plan::rollout_index::RolloutIndex;
use crate::policy::account_files::AccountFiles;
use crate::policy::document;
use crate::policy::json::{Field, Located, LocatedText, Map, Number, Reader};
use crate::policy::parsed_policy::ParsedPolicy;
use crate::policy::read::expected;
use crate::proxy::revision::Revision;
use crate::request::account::Format;
use crate::request::account_sources::{AccountSources, Source};

use rollouts::Rollouts;
use turnout_text::is_dns_label;
use whole_number::parsed;

impl Plan {
    /// Parses and compiles a policy.
    ///
    /// # Errors
    /// Every problem of the text at once, each with its place and what to write instead.
    pub fn from_json(text: &str) -> Result<Self, Diagnostics> {
        ParsedPolicy::parse(text).into_plan(&AccountFiles::default())
    }
}

impl ParsedPolicy<'_> {
    /// Compiles the policy, with the accounts of its files.
    ///
    /// # Errors
    /// Every problem of the text at once, each with its place and what to write instead, and each file that
    /// could not be read.
    pub fn compile(&self, files: &AccountFiles) -> Result<Plan, Diagnostics> {
        self.clone().into_plan(files)
    }

    /// As [`ParsedPolicy::compile`], without a second copy of packed accounts: a proxy has little memory.
    pub(crate) fn into_plan(self, files: &AccountFiles) -> Result<Plan, Diagnostics> {
        let Self {
            mut reader,
            document,
        } = self;
        let plan = document.and_then(|policy| plan(&mut reader, policy, files));
        let diagnostics = reader.finish();
        match plan {
            Some(plan) if diagnostics.is_empty() => Ok(plan),
            _ => Err(diagnostics),
        }
    }
}

/// `None`, and a report, when anything is wrong.
fn plan(
    reader: &mut Reader<'_>,
    policy: document::RawPolicy<'_>,
    files: &AccountFiles,
) -> Option<Plan> {
    let root = &JsonPointer::Root;
    let whole = reader.whole_span();
    version(reader, whole, policy.version);
    let revision = revision(reader, policy.revision);

    let account = required(
        reader,
        whole,
        root,
        "account",
        expected::ACCOUNT,
        policy.account,
    );
    let at = root.field("account");
    let (format, sources) =
        account.map_or((None, None), |given| account_fields(reader, &at, given));

    let names = segment_names(&policy.segments);
    let collector = policy.collector.into_value();
    let collector =
        collector.map(|name| rollouts::cluster_name(reader, &root.field("collector"), name));
    let segments = policy.segments.into_value().map_or(Vec::new(), |map| map.0);
    let segments = segments::segments(reader, &root.field("segments"), segments, (format, files));

    let rollouts = required(
        reader,
        whole,
        root,
        "rollouts",
        expected::ROLLOUTS,
        policy.rollouts,
    );
    let rollouts = rollouts.map(|given| {
        let at = root.field("rollouts");
        Rollouts::new(reader, names.as_deref()).compile(&at, given.value)
    });

    let rollouts = rollouts?;
    let matches = rollouts.iter().map(|rollout| &rollout.matches);
    let index = RolloutIndex::new(matches);
    Some(Plan {
        revision: revision?,
        account: AccountSources {
            from: sources?,
            format: format?,
        },
        segments: segments?,
        segment_names: names.unwrap_or_default(),
        collector,
        halted: policy
            .halted
            .into_value()
            .is_some_and(|halted| halted.value),
        rollouts,
        index,
    })
}

fn version(reader: &mut Reader<'_>, whole: Span, version: Field<Number<'_>>) {
    let root = &JsonPointer::Root;
    let Some(version) = required(reader, whole, root, "version", expected::VERSION, version) else {
        return;
    };
    if parsed(version.value) != Some(1) {
        let what = format!(
            "version {} of the policy is not known",
            excerpt(version.value)
        );
        let problem = Problem::invalid(what, "write 1").with_code(ErrorCode::UnknownVersion);
        reader.report(version.span, &root.field("version"), problem);
    }
}

/// The text's own hash where the policy does not say it.
fn revision(reader: &mut Reader<'_>, given: Field<LocatedText<'_>>) -> Option<Revision> {
    let text = match given {
        Field::Absent => return Some(Revision::of_text(reader.document())),
        given => given.into_value()?,
    };
    let revision = Revision::from_name(&text.value);
    if revision.is_none() {
        let what = format!("`{}` is not a revision", excerpt(&text.value));
        let problem =
            Problem::invalid(what, "write 1 to 64 letters, digits, `.`, `_`, `+` and `-`");
        let at = JsonPointer::Root.field("revision");
        reader.report(
            text.span,
            &at,
            problem.with_code(ErrorCode::MalformedRevision),
        );
    }
    revision
}

/// The two apart: accounts are looked at by their format even where the sources are unreadable.
fn account_fields(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    account: Located<document::RawAccount<'_>>,
) -> (Option<Format>, Option<Vec<Source>>) {
    let Located { value, span } = account;
    let format = required(reader, span, at, "format", expected::FORMAT, value.format);
    let format = format.and_then(|word| {
        let at = at.field("format");
        let known = [("sid", Format::Sid), ("opaque", Format::Opaque)];
        reader.one_of_words(&at, "format", known, &word)
    });
    let from = required(reader, span, at, "from", expected::SOURCES, value.from);
    let Some(from) = from else {
        return (format, None);
    };
    let at = at.field("from");
    if from.value.is_empty() {
        let problem = Problem::empty_list(
            "the list of places of the account",
            "name one, for example { \"header\": \"x-account-sid\" }",
        );
        reader.report(from.span, &at, problem);
    }
    let mut sources = Vec::with_capacity(from.value.len());
    for (index, source) in from.value.into_iter().enumerate() {
        let source = source.and_then(|given| account_source(reader, &at.index(index), given));
        sources.extend(source);
    }
    (format, Some(sources))
}

pub(crate) fn account_source(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    source: Located<document::RawSource<'_>>,
) -> Option<Source> {
    const KNOWN: &[&str] = &["header", "basic_auth", "path"];
    let Located { value, span } = source;
    let document::RawSource {
        header,
        basic_auth,
        path,
    } = value;
    let given = [present(&header), present(&basic_auth), present(&path)];
    let is_one = exactly_one(reader, span, at, "a place of the account", KNOWN, given);
    let header = header.into_value().and_then(|name| {
        let at = at.field("header");
        matches::header_name(reader, &at, &name).map(Source::Header)
    });
    let basic_auth = basic_auth.into_value().and_then(|word| {
        let at = at.field("basic_auth");
        let known = [("username", Source::BasicAuthUsername)];
        reader.one_of_words(&at, "part of Basic authentication", known, &word)
    });
    let path = path.into_value().and_then(|text| {
        let at = at.field("path");
        matches::template(reader, &at, &text, TemplateUse::Account).map(Source::Path)
    });
    is_one.and(header.or(basic_auth).or(path))
}

/// `None` when the segments are unreadable: then no name can be called unknown.
fn segment_names<T>(segments: &Field<Map<'_, T>>) -> Option<Vec<String>> {
    match segments {
        Field::Absent => Some(Vec::new()),
        Field::Bad => None,
        Field::Given(segments) => Some(
            segments
                .0
                .iter()
                .map(|(name, _)| name.value.to_string())
                .collect(),
        ),
    }
}

fn check_name(reader: &mut Reader<'_>, at: &JsonPointer<'_>, what: &str, name: &LocatedText<'_>) {
    if !is_dns_label(&name.value) {
        let problem = Problem::invalid(
            format!("`{}` is not a {what} name", excerpt(&name.value)),
            "write 1 to 63 lower-case letters, digits and inner hyphens",
        );
        reader.report(name.span, at, problem.with_code(ErrorCode::MalformedName));
    }
}

/// The value of a field that has to be there.
fn required<T>(
    reader: &mut Reader<'_>,
    parent: Span,
    at: &JsonPointer<'_>,
    name: &'static str,
    expected: Expected,
    field: Field<T>,
) -> Option<T> {
    if matches!(field, Field::Absent) {
        missing(reader, parent, at, name, expected);
    }
    field.into_value()
}

/// Apart, since [`required`] is compiled for each kind of value.
#[cold]
#[inline(never)]
fn missing(
    reader: &mut Reader<'_>,
    parent: Span,
    at: &JsonPointer<'_>,
    name: &'static str,
    expected: Expected,
) {
    reader.report(parent.head(), at, Problem::missing_field(name, expected));
}

fn present<T>(field: &Field<T>) -> bool {
    !matches!(field, Field::Absent)
}

fn exactly_one<const N: usize>(
    reader: &mut Reader<'_>,
    span: Span,
    at: &JsonPointer<'_>,
    what: &'static str,
    known: &'static [&'static str],
    given: [bool; N],
) -> Option<()> {
    let count = given.into_iter().filter(|given| *given).count();
    if count == 1 {
        return Some(());
    }
    reader.report(span, at, Problem::not_one_of(what, known, count));
    None
}
