//! `turnout import`: converts a flag of another tool to a policy.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use turnout_import::{
    AccountFormat, AccountSource, FractionalVersion, Imported, Options, Tool, import,
};

use crate::support::exit::{Exit, refuse};
use crate::support::safe_output::SafeText;
use crate::support::safe_output::print_error_line;
use crate::support::text_io;

/// Convert a feature flag of another tool to a policy.
///
/// Every account keeps its treatment: the rollout buckets accounts with the tool's own hash. What a policy cannot
/// express is listed on standard error, with its place in the file and the effect on accounts. No account is
/// moved to v2 based on a guess.
///
/// Reads the formats of the tools' own SDKs: splitChanges (split), client/features (unleash), sdk/latest-all
/// or a flag of the REST API (launchdarkly), api/features (growthbook), and flag definitions (flagd).
#[derive(Args)]
#[command(after_help = "Exit codes:
  0  the policy expresses the whole flag
  1  the policy is printed, but something is lost
  2  the file or an option has an error; nothing is printed

Example:
  turnout import unleash features.json --flag chat --v1 channels-v1 --v2 channels-v2 > policy.json")]
pub(crate) struct Arguments {
    /// The tool that exported the file.
    #[arg(value_name = "TOOL")]
    tool: ToolWord,
    /// The exported file; `-` reads standard input.
    file: PathBuf,
    /// The flag. Required if the file has several.
    #[arg(long, value_name = "NAME")]
    flag: Option<String>,
    /// The environment. Required if the file has several.
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// The variation to treat as v2. Default: the one named `on` or `true`.
    #[arg(long, value_name = "VARIATION")]
    v2_is: Option<String>,
    /// The Envoy cluster of v1.
    #[arg(long, value_name = "CLUSTER")]
    v1: Option<String>,
    /// The Envoy cluster of v2.
    #[arg(long, value_name = "CLUSTER")]
    v2: Option<String>,
    /// The name of the rollout. Default: derived from the flag's name.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where a request has its account: header:NAME, path:TEMPLATE or basic_auth. May be repeated. Default:
    /// header:x-account-sid.
    #[arg(long, value_name = "SOURCE")]
    account: Vec<AccountSource>,
    /// The format of accounts.
    #[arg(long, value_name = "FORMAT", default_value = "opaque")]
    format: FormatWord,
    /// The tool's attribute that has the account. Default: the user's key (userId, id or targetingKey).
    #[arg(long, value_name = "ATTRIBUTE")]
    account_key: Option<String>,
    /// For flagd: the version of its bucketing formula. 1 is the formula before spring 2026, 2 the one since
    /// then.
    #[arg(long, value_name = "FORMULA")]
    formula: Option<FormulaWord>,
    /// Print one JSON object with the policy and the notes.
    #[arg(long)]
    json: bool,
}

/// Defines the values of an option that stands for a type of `turnout-import`.
macro_rules! words {
    ($name:ident, $of:ty, $($word:literal => $value:expr),+) => {
        #[derive(Clone, Copy)]
        struct $name($of);

        impl ValueEnum for $name {
            fn value_variants<'a>() -> &'a [Self] {
                &[$(Self($value)),+]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                $(if self.0 == $value {
                    return Some(PossibleValue::new($word));
                })+
                None
            }
        }
    };
}

words!(ToolWord, Tool,
    "split" => Tool::Split,
    "unleash" => Tool::Unleash,
    "launchdarkly" => Tool::LaunchDarkly,
    "growthbook" => Tool::GrowthBook,
    "flagd" => Tool::Flagd);
words!(FormatWord, AccountFormat, "opaque" => AccountFormat::Opaque, "sid" => AccountFormat::Sid);
words!(FormulaWord, FractionalVersion, "1" => FractionalVersion::One, "2" => FractionalVersion::Two);

pub(crate) fn run(arguments: &Arguments) -> Exit {
    match imported(arguments) {
        Ok(is_lossy) if is_lossy => Exit::No,
        Ok(_) => Exit::Done,
        Err(error) => refuse(&error),
    }
}

/// Prints the policy; `true` if something is lost.
fn imported(arguments: &Arguments) -> Result<bool, String> {
    let Arguments { tool, .. } = arguments;
    if arguments.formula.is_some() && tool.0 != Tool::Flagd {
        return Err("--formula applies only to flagd; remove it".into());
    }
    let given = text_io::read(&arguments.file)?;
    let name = text_io::name_of(&arguments.file);
    let imported =
        import(tool.0, &given, &options(arguments)).map_err(|error| format!("{name}: {error}"))?;
    match arguments.json {
        true => text_io::write(None, &SafeText::json(&as_json(&imported)?))?,
        false => {
            text_io::write(None, &SafeText::json(&imported.policy))?;
            tell(&name, &imported);
        }
    }
    Ok(imported.is_lossy)
}

fn options(arguments: &Arguments) -> Options {
    Options {
        flag: arguments.flag.clone(),
        environment: arguments.environment.clone(),
        v2_is: arguments.v2_is.clone(),
        name: arguments.name.clone(),
        v1: arguments.v1.clone(),
        v2: arguments.v2.clone(),
        account: arguments.account.clone(),
        format: arguments.format.0,
        account_key: arguments.account_key.clone(),
        formula: arguments
            .formula
            .map_or(FractionalVersion::default(), |word| word.0),
    }
}

fn tell(name: &str, imported: &Imported) {
    for note in &imported.notes {
        print_error_line(&format!("{name}: {note}"));
    }
    if imported.omitted > 0 {
        print_error_line(&format!("{name}: and {} more", imported.omitted));
    }
    if imported.is_lossy {
        print_error_line(&format!(
            "{name}: the policy does not express the whole flag"
        ));
    }
}

fn as_json(imported: &Imported) -> Result<String, String> {
    let policy: Value =
        serde_json::from_str(&imported.policy).map_err(|error| error.to_string())?;
    let notes: Vec<_> = imported
        .notes
        .iter()
        .map(|note| {
            json!({
                "pointer": note.pointer,
                "message": note.message,
                "help": note.help,
                "severity": note.severity.as_str(),
            })
        })
        .collect();
    let whole = json!({ "policy": policy, "notes": notes, "omitted_notes": imported.omitted });
    Ok(format!("{whole:#}\n"))
}
