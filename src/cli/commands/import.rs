//! `turnout import`: a flag of another tool becomes a policy.

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

/// Make a policy of a flag that another tool exported.
///
/// Every account stays where it is: the rollout draws as the tool did. What has no counterpart in a
/// policy is listed on standard error, with its place in the file and with what becomes of whoever it
/// concerned: nobody is moved to v2 by a guess.
///
/// Reads what the tools' own SDKs read: splitChanges (split), client/features (unleash),
/// sdk/latest-all or a flag of the REST API (launchdarkly), api/features (growthbook), and flag
/// definitions (flagd).
#[derive(Args)]
#[command(
    after_help = "Ends with 0 if all of the flag is in the policy, with 1 if something is lost, and \
with 2 if the file or an option is bad; then nothing is written.

Example:
  turnout import unleash features.json --flag chat --v1 channels-v1 --v2 channels-v2 > policy.json"
)]
pub(crate) struct Arguments {
    /// Whose file it is.
    #[arg(value_name = "TOOL")]
    tool: ToolWord,
    /// What the tool exported; `-` is standard input.
    file: PathBuf,
    /// Which flag, if the file has several.
    #[arg(long, value_name = "NAME")]
    flag: Option<String>,
    /// Which environment, if the file has several.
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Which variation is v2, if it is none that says on or true.
    #[arg(long, value_name = "VARIATION")]
    v2_is: Option<String>,
    /// The cluster of v1.
    #[arg(long, value_name = "CLUSTER")]
    v1: Option<String>,
    /// The cluster of v2.
    #[arg(long, value_name = "CLUSTER")]
    v2: Option<String>,
    /// The rollout's name; made of the flag's unless given.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where a request says its account: header:NAME, path:TEMPLATE or basic_auth; may be given more
    /// than once. header:x-account-sid unless given.
    #[arg(long, value_name = "SOURCE")]
    account: Vec<AccountSource>,
    /// What an account looks like.
    #[arg(long, value_name = "FORMAT", default_value = "opaque")]
    format: FormatWord,
    /// What the tool calls the account, if not the key of a user: userId, id, targetingKey.
    #[arg(long, value_name = "ATTRIBUTE")]
    account_key: Option<String>,
    /// Of flagd: by which of its formulas it draws, 1 before the spring of 2026 and 2 since then.
    #[arg(long, value_name = "FORMULA")]
    formula: Option<FormulaWord>,
    /// Print one JSON object, of the policy and the notes.
    #[arg(long)]
    json: bool,
}

/// The words of a type of the import.
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

/// Whether something is lost.
fn imported(arguments: &Arguments) -> Result<bool, String> {
    let Arguments { tool, .. } = arguments;
    if arguments.formula.is_some() && tool.0 != Tool::Flagd {
        return Err("--formula is of flagd alone; leave it out".into());
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
        print_error_line(&format!("{name}: not all of the flag is in the policy"));
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
