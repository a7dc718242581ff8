//! `turnout lint`: reports errors in a policy or in the plan of a roll, and warns of likely mistakes.

mod roll_plan;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use turnout_core::lint::{LintReport, Options, ProxyRoutes};
use turnout_core::{Diagnostic, Diagnostics, ParsedPolicy, Plan, Severity, WarningCode};
use turnout_text::escape_for_terminal;

use crate::support::account_file_access::{Access, AccountFileOptions};
use crate::support::account_files::{self, Found};
use crate::support::document_kind_arg::DocumentKind;
use crate::support::exit::{Exit, refuse};
use crate::support::lint_code_arg::{self, LintCode};
use crate::support::safe_output::print_error_line;
use crate::support::safe_output::{Annotation, SafeText};
use crate::support::text_io::{self, is_dash};
use crate::support::{render_diagnostics, stale_series};

/// Check a policy, or the plan of `turnout roll`, for errors and likely mistakes.
///
/// A proxy refuses a policy with an error, and `turnout roll` refuses a plan with an error. A warning points to a likely
/// mistake, for a person to judge. Text goes to standard error; JSON and GitHub commands go to standard output.
#[derive(Args)]
#[command(after_help = "Exit codes:
  0  there is no error
  1  there is a warning, and --strict is given
  2  there is an error, or the input cannot be read

Examples:
  turnout lint policy.json --against live.json --strict --allow zero-percent
  turnout lint policy.json --admin http://127.0.0.1:9901
  turnout lint --for roll roll-plan.json --strict")]
pub(crate) struct Arguments {
    /// The policy or the plan; `-` reads standard input.
    policy: PathBuf,
    /// The kind of document. A plan is checked together with the policy that it names, and so is the policy of each step.
    #[arg(long = "for", value_name = "KIND", value_enum, default_value_t = DocumentKind::Policy)]
    kind: DocumentKind,
    /// The policy that this one replaces: also warn of changes that move accounts unexpectedly.
    #[arg(long, value_name = "OLD")]
    against: Option<PathBuf>,
    #[command(flatten)]
    account_files: AccountFileOptions,
    /// The admin address of a running proxy. Checks that each rollout has a route, that routes do not rewrite
    /// requests after the filter (shadow requests would differ), and that no filter chain has two Turnout
    /// filters. May be repeated.
    #[arg(long, value_name = "URL")]
    admin: Vec<String>,
    /// Exit with 1 if there is a warning.
    #[arg(long)]
    strict: bool,
    /// Suppress the warnings with this code. May be repeated.
    #[arg(long, value_name = "CODE", value_parser = lint_code_arg::parser_of_all(), hide_possible_values = true)]
    allow: Vec<LintCode>,
    /// Output format.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Each problem with its line of the policy.
    Text,
    /// One JSON object.
    Json,
    /// GitHub workflow commands, shown next to the lines of a change.
    Github,
}

/// A policy text, which diagnostics refer to.
struct Source<'b> {
    name: String,
    /// The name in JSON, where it is not escaped.
    exact_name: String,
    bytes: &'b [u8],
    parsed: ParsedPolicy<'b>,
    found: Found,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let linted = match arguments.kind {
        DocumentKind::Policy => linted(arguments),
        DocumentKind::Roll => roll_plan::linted(arguments),
    };
    match linted {
        Ok(exit) => exit,
        Err(error) => refuse(&error),
    }
}

fn linted(arguments: &Arguments) -> Result<Exit, String> {
    if is_dash(&arguments.policy) && arguments.against.as_deref().is_some_and(is_dash) {
        return Err("both policies are standard input; name a file for one of them".into());
    }
    let access = arguments.account_files.access();
    let bytes = text_io::read_bytes(&arguments.policy)?;
    let policy = Source::parse(&arguments.policy, &bytes, access)?;
    let old = match &arguments.against {
        Some(path) => Some(old(path, access)?),
        None => None,
    };
    let routes = turnout_admin::routes(&arguments.admin).into_iter();
    let routes: Vec<ProxyRoutes> = routes.collect::<Result<_, _>>()?;
    let options = Options {
        against: old.as_ref(),
        files: Some(&policy.found.files),
        routes: &routes,
        allow: &arguments.allow_in_policies(),
    };
    let LintReport { diagnostics, plan } = policy.parsed.lint(&options);
    if let (Some(old), Some(new)) = (&old, &plan) {
        stale_series::warn(&arguments.admin, None, old, new);
    }
    match arguments.format() {
        Format::Json => text_io::write(None, &as_json(&policy, &diagnostics))?,
        Format::Github => {
            let is_file = !is_dash(&arguments.policy);
            text_io::write(None, &as_commands(&policy, is_file, &diagnostics))?;
            print_summary(&policy.name, &diagnostics);
        }
        Format::Text => {
            render_diagnostics::show(&policy.name, &policy.text(&diagnostics), &diagnostics);
            policy.found.print_bad_lines();
            print_summary(&policy.name, &diagnostics);
        }
    }
    Ok(arguments.exit(|severity| diagnostics.count(severity)))
}

impl Arguments {
    fn format(&self) -> Format {
        match self.json {
            true => Format::Json,
            false => self.format,
        }
    }

    fn allow_in_policies(&self) -> Vec<WarningCode> {
        let codes = self.allow.iter().filter_map(|code| match code {
            LintCode::Policy(code) => Some(*code),
            LintCode::Plan(_) => None,
        });
        codes.collect()
    }

    /// Returns the exit code for these numbers of problems.
    fn exit(&self, count: impl Fn(Severity) -> usize) -> Exit {
        match count(Severity::Error) {
            0 if count(Severity::Warning) > 0 && self.strict => Exit::No,
            0 => Exit::Done,
            _ => Exit::BadInput,
        }
    }
}

/// The plan of the policy to compare with.
fn old(path: &Path, access: Access<'_>) -> Result<Plan, String> {
    let bytes = text_io::read_bytes(path)?;
    let source = Source::parse(path, &bytes, access)?;
    if std::str::from_utf8(&bytes).is_err() {
        return Err(format!("cannot read {}: it is not UTF-8", source.name));
    }
    let compiled = source.parsed.compile(&source.found.files);
    compiled.map_err(|diagnostics| {
        render_diagnostics::show(&source.name, &source.text(&diagnostics), &diagnostics);
        source.found.print_bad_lines();
        format!(
            "{} is not a valid policy, so nothing can be compared with it",
            source.name
        )
    })
}

impl<'b> Source<'b> {
    /// Parses the bytes of the file, and reads the account files that it names.
    fn parse(path: &Path, bytes: &'b [u8], access: Access<'_>) -> Result<Self, String> {
        let parsed = ParsedPolicy::from_bytes(bytes);
        Ok(Self {
            name: text_io::name_of(path),
            exact_name: text_io::exact_name_of(path),
            found: account_files::read(path, &parsed, access)?,
            bytes,
            parsed,
        })
    }

    /// The policy as text. If it is not UTF-8, it is cut off a little after the first error, and invalid bytes
    /// become replacement characters.
    fn text(&self, diagnostics: &Diagnostics) -> Cow<'_, str> {
        const FURTHER: usize = 1_000;
        match std::str::from_utf8(self.bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => {
                let place = diagnostics.as_slice().first();
                let end = place.map_or(0, |place| place.span.end);
                let shown = self.bytes.get(..end.saturating_add(FURTHER));
                String::from_utf8_lossy(shown.unwrap_or(self.bytes))
            }
        }
    }
}

/// Prints the number of problems of a document.
fn print_summary(name: &str, diagnostics: &Diagnostics) {
    let count = |severity: Severity| match diagnostics.count(severity) {
        0 => None,
        1 => Some(format!("1 {}", severity.as_str())),
        more => Some(format!("{more} {}s", severity.as_str())),
    };
    let counts = [Severity::Error, Severity::Warning].map(count);
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    let found = match counts.is_empty() {
        true => String::from("clean"),
        false => counts.join(", "),
    };
    let omitted = match diagnostics.omitted() {
        0 => String::new(),
        omitted => format!(" ({omitted} not shown)"),
    };
    print_error_line(&format!("{name}: {found}{omitted}"));
}

fn as_json(source: &Source<'_>, diagnostics: &Diagnostics) -> SafeText {
    let list = diagnostics.as_slice().iter().map(diagnostic_as_json);
    let report = json!({
        "policy": source.exact_name,
        "errors": diagnostics.count(Severity::Error),
        "warnings": diagnostics.count(Severity::Warning),
        "omitted": diagnostics.omitted(),
        "diagnostics": list.collect::<Vec<_>>(),
        "bad_lines": bad_lines_as_json(&source.found),
        "bad_lines_omitted": source.found.omitted,
    });
    SafeText::json(&format!("{report:#}\n"))
}

fn bad_lines_as_json(found: &Found) -> Vec<Value> {
    let bad_lines = found
        .bad_lines
        .iter()
        .map(|bad| json!({ "file": bad.file, "line": bad.line, "message": bad.message }));
    bad_lines.collect()
}

fn diagnostic_as_json(diagnostic: &Diagnostic) -> Value {
    let related = diagnostic.related.as_ref().map(|related| {
        json!({
            "line": related.line,
            "column": related.column,
            "pointer": related.pointer,
        })
    });
    json!({
        "severity": diagnostic.severity().as_str(),
        "code": diagnostic.code(),
        "line": diagnostic.line,
        "column": diagnostic.column,
        "pointer": diagnostic.pointer,
        "message": diagnostic.problem.to_string(),
        "help": diagnostic.problem.help(),
        "related": related,
    })
}

/// One GitHub workflow command for each diagnostic.
fn as_commands(source: &Source<'_>, is_file: bool, diagnostics: &Diagnostics) -> SafeText {
    let mut commands = SafeText::default();
    push_commands(&mut commands, is_file.then_some(&source.name), diagnostics);
    push_bad_lines(&mut commands, &source.found);
    commands
}

fn push_commands(commands: &mut SafeText, file: Option<&String>, diagnostics: &Diagnostics) {
    let file = file.map(|name| ("file", name.as_str()));
    for diagnostic in diagnostics.as_slice() {
        let place = match diagnostic.pointer.as_str() {
            "" => String::new(),
            pointer => format!("at {}: ", escape_for_terminal(pointer)),
        };
        let problem = &diagnostic.problem;
        let (line, column) = (diagnostic.line.to_string(), diagnostic.column.to_string());
        let about = [
            ("line", line.as_str()),
            ("col", &column),
            ("title", diagnostic.code()),
        ];
        let properties: Vec<_> = file.into_iter().chain(about).collect();
        commands.push_annotation(&Annotation {
            level: diagnostic.severity().as_str(),
            properties: &properties,
            message: &format!("{place}{problem}; {}", problem.help()),
        });
    }
}

fn push_bad_lines(commands: &mut SafeText, found: &Found) {
    for bad in &found.bad_lines {
        let line = bad.line.to_string();
        commands.push_annotation(&Annotation {
            level: Severity::Error.as_str(),
            properties: &[
                ("file", &bad.file),
                ("line", &line),
                ("title", "malformed-account"),
            ],
            message: &bad.message,
        });
    }
}
