//! Compiles a policy document to a plan, and checks every rule of the language that types cannot express.
//!
//! Each function reports its problems and continues, so that all problems are found at once. A function that
//! returns `None` has reported why.

pub(crate) mod guard;
pub(crate) mod hash;
mod percentage;
mod ramp;
pub(crate) mod request_match;
mod rewrite;
pub(crate) mod rollout_rules;
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
use crate::request::account_id::Format;
use crate::request::account_sources::{AccountSources, Source};

use rollout_rules::Rollouts;
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

    /// Compiles the policy as [`ParsedPolicy::compile`] does, without a second copy of packed accounts, because a
    /// proxy has little memory.
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

/// Compiles the document, or reports what is wrong and returns `None`.
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
        collector.map(|name| rollout_rules::cluster_name(reader, &root.field("collector"), name));
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

    let halted = policy.halted.into_value();
    let halted = halted.is_some_and(|halted| halted.value);
    let mut rollouts = rollouts?;
    for rollout in &mut rollouts {
        rollout.is_halted |= halted;
    }
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
        halted,
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
        let what = format!("policy version {} is not supported", excerpt(version.value));
        let problem = Problem::invalid(what, "write 1").with_code(ErrorCode::UnknownVersion);
        reader.report(version.span, &root.field("version"), problem);
    }
}

/// Returns the revision of the policy; if the policy has none, the hash of its text.
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

/// Compiles the format and the sources separately, because accounts are checked by their format even if the sources
/// cannot be read.
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
            "the list of account sources",
            "add one, for example { \"header\": \"x-account-sid\" }",
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
    let is_one = exactly_one(reader, span, at, "an account source", KNOWN, given);
    let header = header.into_value().and_then(|name| {
        let at = at.field("header");
        request_match::header_name(reader, &at, &name).map(Source::Header)
    });
    let basic_auth = basic_auth.into_value().and_then(|word| {
        let at = at.field("basic_auth");
        let known = [("username", Source::BasicAuthUsername)];
        reader.one_of_words(&at, "part of Basic authentication", known, &word)
    });
    let path = path.into_value().and_then(|text| {
        let at = at.field("path");
        request_match::template(reader, &at, &text, TemplateUse::Account).map(Source::Path)
    });
    is_one.and(header.or(basic_auth).or(path))
}

/// Returns the names of the segments; `None` if the segments cannot be read, because then no name is unknown.
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

impl Reader<'_> {
    /// Returns the value of a required field of an object, or reports that it is missing. `parent` is the location of the
    /// object, and `at` its path.
    pub fn required<T>(
        &mut self,
        (parent, at): (Span, &JsonPointer<'_>),
        name: &'static str,
        expected: Expected,
        field: Field<T>,
    ) -> Option<T> {
        required(self, parent, at, name, expected, field)
    }
}

/// Returns the value of a required field, or reports that it is missing.
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

/// A separate function, because [`required`] is compiled for each type of value.
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
