//! `turnout bucket`: shows the bucket of accounts and request ids.

mod hash_options;

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use clap::{Args, ValueEnum};
use serde_json::{Number, Value};
use turnout_core::{Fraction, Hash, Position, Salt, ToolPosition};
use turnout_text::escape_bytes_for_terminal;

use crate::support::exit::{Exit, refuse, refuse_all};
use crate::support::safe_output::{Output, SafeText};

/// The longest line of standard input, in bytes. Accounts and request ids are far shorter.
const LONGEST_LINE: usize = 65_536;

/// Show the bucket of accounts, and the percentage at which each is included.
///
/// Prints one line per key, in order, separated by tabs: the key, its bucket as the tool itself shows it,
/// the smallest percentage that includes it, and with --percentage `in` or `out`. A key that the tool never
/// buckets has the bucket `never`; only 100 percent includes it. Invisible characters of a key are escaped.
///
/// The options of a hash are the fields of `hash` in a policy:
///
///   turnout       --salt [--of]
///   split         --seed [--traffic-allocation --traffic-allocation-seed] [--v2]
///   unleash       --group-id [--v2]
///   launchdarkly  --flag-key --salt, or --seed [--v2]
///   growthbook    --seed --version --rule [--start] [--namespace] [--v2]
///   flagd         --flag-key --version --total-weight [--v2]
#[derive(Args)]
#[command(
    verbatim_doc_comment,
    disable_version_flag = true,
    after_help = "Examples:
  turnout bucket --salt chat-users AC7342e9713fa896e4af00c654c444aada
  turnout bucket --hash unleash --group-id chat --percentage 25 < accounts.txt"
)]
pub(crate) struct Arguments {
    /// The accounts or request ids. `-` reads one per line from standard input. Default: `-`.
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
    /// The tool whose hash is used.
    #[arg(long, value_enum, default_value_t = Name::Turnout)]
    hash: Name,
    /// For Turnout's own hash, what is bucketed: accounts, requests, the requests to shadow, or the requests of
    /// a noise trial. Default: accounts.
    #[arg(long, value_enum)]
    of: Option<Bucketed>,
    /// Also show whether this percentage includes the key.
    #[arg(long, value_name = "PERCENT")]
    percentage: Option<String>,
    /// Print one JSON object per key.
    #[arg(long)]
    json: bool,
    /// The rollout's salt, by default its name. For LaunchDarkly, the flag's salt.
    #[arg(long)]
    salt: Option<String>,
    /// Split, LaunchDarkly, GrowthBook: the seed.
    #[arg(long, allow_hyphen_values = true)]
    seed: Option<String>,
    /// Unleash: the strategy's groupId.
    #[arg(long, value_name = "ID")]
    group_id: Option<String>,
    /// LaunchDarkly, flagd: the flag's key.
    #[arg(long, value_name = "KEY")]
    flag_key: Option<String>,
    /// GrowthBook, flagd: the version of the formula.
    #[arg(long, value_name = "1|2")]
    version: Option<String>,
    /// flagd: the sum of the weights.
    #[arg(long, value_name = "WEIGHT")]
    total_weight: Option<String>,
    /// GrowthBook: `rollout` or `experiment`.
    #[arg(long)]
    rule: Option<String>,
    /// GrowthBook: the percentage at which the range of v2 begins.
    #[arg(long, value_name = "PERCENT")]
    start: Option<String>,
    /// GrowthBook: the namespace's id and its range in percent.
    #[arg(long, num_args = 3, value_names = ["ID", "FROM", "TO"])]
    namespace: Option<Vec<String>>,
    /// Split: the flag's trafficAllocation.
    #[arg(long, value_name = "PERCENT")]
    traffic_allocation: Option<String>,
    /// Split: the flag's trafficAllocationSeed.
    #[arg(long, value_name = "SEED", allow_hyphen_values = true)]
    traffic_allocation_seed: Option<String>,
    /// The place of v2 among the tool's variations: `first` or `last`.
    #[arg(long, value_name = "PLACE")]
    v2: Option<String>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Name {
    Turnout,
    Split,
    Unleash,
    #[value(name = "launchdarkly")]
    LaunchDarkly,
    #[value(name = "growthbook")]
    GrowthBook,
    Flagd,
}

#[derive(Clone, Copy, ValueEnum)]
enum Bucketed {
    Accounts,
    Requests,
    Shadow,
    Noise,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let bucketing = match Bucketing::new(arguments) {
        Ok(bucketing) => bucketing,
        Err(errors) => return refuse_all(&errors),
    };
    match bucketing.write(&arguments.keys) {
        Ok(()) => Exit::Done,
        Err(error) => refuse(&error),
    }
}

/// The settings for every key.
struct Bucketing {
    hash: Hash,
    salt: Salt,
    of: Bucketed,
    fraction: Option<Fraction>,
    is_json: bool,
}

impl Bucketing {
    /// The error is every sentence to print.
    fn new(arguments: &Arguments) -> Result<Self, Vec<String>> {
        let hash = hash_options::hash(arguments)?;
        let fraction = arguments.percentage.as_deref();
        let fraction = fraction.map(|text| fraction_of(&hash, text)).transpose();
        let fraction = fraction.map_err(|error| vec![error])?;
        Ok(Self {
            hash,
            salt: Salt::new(arguments.salt.as_deref().unwrap_or_default()),
            of: arguments.of.unwrap_or(Bucketed::Accounts),
            fraction,
            is_json: arguments.json,
        })
    }

    fn position(&self, key: &[u8]) -> Position {
        match self.of {
            Bucketed::Accounts => self.hash.position(key),
            Bucketed::Requests => self.salt.request(key),
            Bucketed::Shadow => self.salt.shadow(key),
            Bucketed::Noise => self.salt.noise(key),
        }
    }

    fn write(&self, keys: &[String]) -> Result<(), String> {
        let mut output = Output::new();
        let standard_input = [String::from("-")];
        let keys = match keys {
            [] => &standard_input,
            keys => keys,
        };
        for key in keys {
            let is_open = match key.as_str() {
                "-" => self.lines(&mut output)?,
                key => is_open(self.key(&mut output, key.as_bytes()))?,
            };
            if !is_open {
                return Ok(());
            }
        }
        is_open(output.flush()).map(|_| ())
    }

    /// Prints the bucket of each line of standard input; `false` if the reader has closed standard output.
    fn lines(&self, output: &mut Output) -> Result<bool, String> {
        let mut input = BufReader::new(io::stdin().lock());
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            let most = u64::try_from(LONGEST_LINE).unwrap_or(u64::MAX);
            // The end of the line takes at most two more bytes.
            let mut most_of_it = (&mut input).take(most.saturating_add(2));
            let read = most_of_it.read_until(b'\n', &mut line);
            let read = read.map_err(|error| format!("cannot read standard input: {error}"))?;
            if read == 0 {
                break;
            }
            let key = line.strip_suffix(b"\n").unwrap_or(&line);
            let key = key.strip_suffix(b"\r").unwrap_or(key);
            if key.len() > LONGEST_LINE {
                // The results of the lines before it are printed.
                is_open(output.flush())?;
                return Err(format!(
                    "standard input, line {number}: the key is longer than {LONGEST_LINE} bytes; write one key per line"
                ));
            }
            if !is_open(self.key(output, key))? {
                return Ok(false);
            }
            // A person who types keys sees each result at once.
            if input.buffer().is_empty() && !is_open(output.flush())? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn key(&self, output: &mut Output, key: &[u8]) -> io::Result<()> {
        let position = self.position(key);
        let native = self.hash.tool_position(position);
        let entry = self.hash.smallest_including(position);
        let text = String::from_utf8_lossy(key);
        let is_in = self.fraction.map(|fraction| fraction.includes(position));
        if !self.is_json {
            let text = escape_bytes_for_terminal(key);
            let (native, entry) = (native.to_string(), entry.to_string());
            let is_in = is_in.map(|is_in| if is_in { "in" } else { "out" });
            let cells = [text.as_str(), &native, &entry].into_iter().chain(is_in);
            return output.print(&SafeText::row(&cells.collect::<Vec<_>>()));
        }
        let native = match native {
            ToolPosition::Never => String::from("null"),
            native => format!("\"{native}\""),
        };
        let (key, name) = (Value::from(text), self.hash.name());
        let mut line = format!(
            r#"{{"key":{key},"hash":"{name}","position":{native},"enters_at_percent":{entry}"#
        );
        if let (Some(fraction), Some(is_in)) = (self.fraction, is_in) {
            line.push_str(&format!(r#","percent":{fraction},"includes":{is_in}"#));
        }
        line.push_str("}\n");
        output.print(&SafeText::json(&line))
    }
}

/// `false` if the reader has closed standard output, as `| head` does; that is not an error.
fn is_open(written: io::Result<()>) -> Result<bool, String> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(format!("cannot write to standard output: {error}")),
    }
}

fn fraction_of(hash: &Hash, text: &str) -> Result<Fraction, String> {
    let number = serde_json::from_str::<Number>(text);
    let fraction = number.ok().and_then(|_| Fraction::from_percentage(text));
    let Some(fraction) = fraction else {
        return Err(format!(
            "--percentage {text}: expected a number from 0 to 100 with at most 6 decimals"
        ));
    };
    hash.fraction(fraction.millionths())
        .map_err(|between| format!("--percentage: {between}; {}", between.help()))
}
