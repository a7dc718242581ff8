//! `turnout lint`: what is wrong with a policy, and what in it is hardly what was meant.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use turnout_core::lint::{Code, Options, ProxyRoutes, lint};
use turnout_core::{Diagnostic, Diagnostics, Plan, Severity};
use turnout_text::escape_for_terminal;

use crate::support::account_file_access::{Access, AccountFileOptions};
use crate::support::account_files::{self, Found};
use crate::support::exit::{Exit, refuse};
use crate::support::lint_code_arg;
use crate::support::safe_output::print_error_line;
use crate::support::safe_output::{Annotation, SafeText};
use crate::support::text_io::{self, is_dash};
use crate::support::{render_diagnostics, stale_series};

/// Check a policy: its errors, and what in it is hardly what was meant.
///
/// An error makes a policy refused; a warning is for a person to judge. Ends with 2 when there is
/// an error, 1 when there is a warning and --strict is given, else 0. Text goes to standard error,
/// JSON and GitHub's commands to standard output.
#[derive(Args)]
#[command(after_help = "Examples:
  turnout lint policy.json --against live.json --strict --allow zero-percent
  turnout lint policy.json --admin http://127.0.0.1:9901")]
pub(crate) struct Arguments {
    /// The policy; `-` is standard input.
    policy: PathBuf,
    /// The policy that it takes the place of: tells what changes for accounts on their way.
    #[arg(long, value_name = "OLD")]
    against: Option<PathBuf>,
    #[command(flatten)]
    account_files: AccountFileOptions,
    /// A running proxy, whose routes are looked at: whether they change a request after the filter, so
    /// that shadow requests are others, and whether there is one for each rollout. Its filter chains are
    /// looked at too: whether two filters of one chain are Turnout. May be given more than once.
    #[arg(long, value_name = "URL")]
    admin: Vec<String>,
    /// End with 1 when there is a warning.
    #[arg(long)]
    strict: bool,
    /// Leave out the warnings of a kind; may be given more than once.
    #[arg(long, value_name = "CODE", value_parser = lint_code_arg::parser(), hide_possible_values = true)]
    allow: Vec<Code>,
    /// How to tell.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Each with the line that it stands in.
    Text,
    /// One object.
    Json,
    /// Commands that GitHub's workflows show beside the lines of a change.
    Github,
}

/// A text that diagnostics point into.
struct Source {
    name: String,
    /// As JSON has it.
    exact_name: String,
    bytes: Vec<u8>,
    found: Found,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    match linted(arguments) {
        Ok(exit) => exit,
        Err(error) => refuse(&error),
    }
}

fn linted(arguments: &Arguments) -> Result<Exit, String> {
    if is_dash(&arguments.policy) && arguments.against.as_deref().is_some_and(is_dash) {
        return Err("standard input is one policy; give the other one as a file".into());
    }
    let policy = Source::read(&arguments.policy, arguments.account_files.access())?;
    let old = match &arguments.against {
        Some(path) => Some(old(Source::read(path, arguments.account_files.access())?)?),
        None => None,
    };
    let routes = turnout_admin::routes(&arguments.admin).into_iter();
    let routes: Vec<ProxyRoutes> = routes.collect::<Result<_, _>>()?;
    let options = Options {
        against: old.as_ref(),
        files: Some(&policy.found.files),
        routes: &routes,
        allow: &arguments.allow,
    };
    let diagnostics = lint(&policy.bytes, &options);
    if let Some(old) = &old
        && let Some(new) = policy.plan()
    {
        stale_series::warn(&arguments.admin, None, old, &new);
    }
    match arguments.format {
        _ if arguments.json => text_io::write(None, &as_json(&policy, &diagnostics))?,
        Format::Json => text_io::write(None, &as_json(&policy, &diagnostics))?,
        Format::Github => {
            let is_file = !is_dash(&arguments.policy);
            text_io::write(None, &as_commands(&policy, is_file, &diagnostics))?;
            policy.summary(&diagnostics);
        }
        Format::Text => {
            render_diagnostics::show(&policy.name, &policy.text(&diagnostics), &diagnostics);
            policy.found.print_bad_lines();
            policy.summary(&diagnostics);
        }
    }
    let warnings = diagnostics.count(Severity::Warning);
    Ok(match diagnostics.count(Severity::Error) {
        0 if warnings > 0 && arguments.strict => Exit::No,
        0 => Exit::Done,
        _ => Exit::BadInput,
    })
}

fn old(source: Source) -> Result<Plan, String> {
    let text = String::from_utf8(source.bytes)
        .map_err(|_| format!("cannot read {}: it is not UTF-8", source.name))?;
    Plan::with_files(&text, &source.found.files).map_err(|diagnostics| {
        render_diagnostics::show(&source.name, &text, &diagnostics);
        source.found.print_bad_lines();
        format!(
            "{} is no policy that a proxy can run, so nothing can be held against it",
            source.name
        )
    })
}

impl Source {
    fn read(path: &Path, access: Access<'_>) -> Result<Self, String> {
        let bytes = text_io::read_bytes(path)?;
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        Ok(Self {
            name: text_io::name_of(path),
            exact_name: text_io::exact_name_of(path),
            found: account_files::read(path, text, access)?,
            bytes,
        })
    }

    /// As the proxies would run it, if they can.
    fn plan(&self) -> Option<Plan> {
        let text = std::str::from_utf8(&self.bytes).ok()?;
        Plan::with_files(text, &self.found.files).ok()
    }

    /// As text. Where it is none, up to there and a little further: what is not text is shown as
    /// replacement characters.
    fn text(&self, diagnostics: &Diagnostics) -> Cow<'_, str> {
        const FURTHER: usize = 1_000;
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => {
                let place = diagnostics.as_slice().first();
                let end = place.map_or(0, |place| place.span.end);
                let shown = self.bytes.get(..end.saturating_add(FURTHER));
                String::from_utf8_lossy(shown.unwrap_or(&self.bytes))
            }
        }
    }

    fn summary(&self, diagnostics: &Diagnostics) {
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
            omitted => format!(", of which {omitted} are not shown"),
        };
        print_error_line(&format!("{}: {found}{omitted}", self.name));
    }
}

fn as_json(source: &Source, diagnostics: &Diagnostics) -> SafeText {
    let list = diagnostics.as_slice().iter().map(diagnostic_as_json);
    let bad_lines = source
        .found
        .bad_lines
        .iter()
        .map(|bad| json!({ "file": bad.file, "line": bad.line, "message": bad.message }));
    let report = json!({
        "policy": source.exact_name,
        "errors": diagnostics.count(Severity::Error),
        "warnings": diagnostics.count(Severity::Warning),
        "omitted": diagnostics.omitted(),
        "diagnostics": list.collect::<Vec<_>>(),
        "bad_lines": bad_lines.collect::<Vec<_>>(),
        "bad_lines_omitted": source.found.omitted,
    });
    SafeText::json(&format!("{report:#}\n"))
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

/// One command for each, as GitHub's runner reads them.
fn as_commands(source: &Source, is_file: bool, diagnostics: &Diagnostics) -> SafeText {
    let mut commands = SafeText::default();
    let file = is_file.then_some(("file", source.name.as_str()));
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
    for bad in &source.found.bad_lines {
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
    commands
}
