//! Writes a flag as a policy.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde::Serialize;
use serde_json::{Map, Number, Value};
use turnout_core::{Diagnostics, Plan, Sid};
use turnout_text::format_millionths;

use crate::bucketing::{Allocation, Bucketing};
use crate::error::{ImportError, ImportResult};
use crate::flag::Flag;
use crate::merge::{MergedRule, merge};
use crate::note::Notes;
use crate::options::{AccountFormat, AccountSource, Options};
use crate::policy_name::{policy_name, unused_name};
use crate::quote::quote;

/// The most rules that a rollout may have.
const MOST_RULES: usize = 100;
/// The longest opaque account, in bytes.
const LONGEST_ACCOUNT: usize = 128;

#[derive(Serialize)]
struct Policy<'a> {
    version: u8,
    account: Account,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    segments: BTreeMap<String, Segment<'a>>,
    rollouts: [Rollout<'a>; 1],
}

#[derive(Serialize)]
struct Account {
    from: Vec<Value>,
    format: &'static str,
}

#[derive(Serialize)]
struct Segment<'a> {
    accounts: Rc<BTreeSet<&'a str>>,
}

#[derive(Serialize)]
struct Rollout<'a> {
    name: &'a str,
    v1: String,
    v2: String,
    mode: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<Rc<Bucketing>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<PolicyRule>,
}

#[derive(Serialize)]
struct PolicyRule {
    #[serde(skip_serializing_if = "Option::is_none")]
    when: Option<PolicyCondition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serve: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<Number>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum PolicyCondition {
    In([String; 1]),
    NotIn([String; 1]),
}

/// Writes the policy and checks that it compiles.
pub(crate) fn write(flag: Flag<'_>, options: &Options, notes: &mut Notes) -> ImportResult<String> {
    let rollout = rollout_name(flag.key, options, notes);
    let without_branch = notes.take_pending();
    notes.complete(&without_branch, " and its accounts take v1");
    let rules = merge(flag.branches, notes)?;
    let mode = mode(&rules, flag.is_off, flag.serves_without_account);
    let rules = if mode == "on" { Vec::new() } else { rules };
    let mut segments = SegmentCollector {
        rollout: &rollout,
        format: options.format,
        by_name: BTreeMap::new(),
    };
    let hash = rules.iter().find_map(|rule| match &rule.allocation {
        Allocation::Partial(partial) => Some(Rc::clone(&partial.bucketing)),
        _ => None,
    });
    let rules: Vec<_> = rules
        .into_iter()
        .filter_map(|rule| segments.rule(rule, notes))
        .collect();
    if rules.len() > MOST_RULES {
        return Err(ImportError::new(
            "",
            format!(
                "the policy would have {} rules, and a rollout has at most {MOST_RULES}",
                rules.len()
            ),
            "join rules of the flag that serve the same",
        ));
    }
    let segments = segments.by_name;
    let policy = Policy {
        version: 1,
        account: account(options),
        segments,
        rollouts: [Rollout {
            name: &rollout,
            v1: cluster(options.v1.as_deref(), &rollout, "v1"),
            v2: cluster(options.v2.as_deref(), &rollout, "v2"),
            mode,
            hash,
            rules,
        }],
    };
    if options.v1.is_none() || options.v2.is_none() {
        let [rollout] = &policy.rollouts;
        let clusters = format!("{} and {}", quote(&rollout.v1), quote(&rollout.v2));
        notes.add_note(
            "",
            format!("the clusters are named {clusters}"),
            "set the names of your clusters with --v1 CLUSTER and --v2 CLUSTER",
        );
    }
    let mut text =
        serde_json::to_string_pretty(&policy).map_err(|error| bug(&error.to_string()))?;
    text.push('\n');
    match Plan::from_json(&text) {
        Ok(_) => Ok(text),
        Err(diagnostics) => Err(compile_error(&diagnostics)),
    }
}

/// Returns the rollout's mode. `on` also sends requests without an account to v2, so it needs a tool that does
/// the same.
fn mode(rules: &[MergedRule<'_>], is_off: bool, serves_without_account: bool) -> &'static str {
    match rules {
        _ if is_off => "off",
        [only]
            if serves_without_account
                && only.accounts.is_everyone()
                && only.allocation == Allocation::V2 =>
        {
            "on"
        }
        rules if rules.iter().all(|rule| rule.allocation == Allocation::V1) => "off",
        _ => "split",
    }
}

fn rollout_name(key: &str, options: &Options, notes: &mut Notes) -> String {
    if let Some(name) = &options.name {
        return name.clone();
    }
    let name = policy_name(key);
    if name != key {
        notes.add_note(
            "",
            format!("the rollout of {} is named {}", quote(key), quote(&name)),
            "set another name with --name NAME",
        );
    }
    name
}

fn cluster(name: Option<&str>, rollout: &str, treatment: &str) -> String {
    name.map_or_else(|| format!("{rollout}-{treatment}"), str::to_owned)
}

fn account(options: &Options) -> Account {
    let object =
        |name: &str, value: &str| Value::Object(Map::from_iter([(name.into(), value.into())]));
    let mut from: Vec<_> = options
        .account
        .iter()
        .map(|source| match source {
            AccountSource::Header(name) => object("header", name),
            AccountSource::BasicAuth => object("basic_auth", "username"),
            AccountSource::Path(template) => object("path", template),
        })
        .collect();
    if from.is_empty() {
        from.push(object("header", "x-account-sid"));
    }
    let format = match options.format {
        AccountFormat::Opaque => "opaque",
        AccountFormat::Sid => "sid",
    };
    Account { from, format }
}

/// Collects the segments that rules use, each set of accounts once.
struct SegmentCollector<'a, 'r> {
    rollout: &'r str,
    format: AccountFormat,
    by_name: BTreeMap<String, Segment<'a>>,
}

impl<'a> SegmentCollector<'a, '_> {
    /// Converts a rule to the policy's form; `None` if it is for nobody.
    fn rule(&mut self, rule: MergedRule<'a>, notes: &mut Notes) -> Option<PolicyRule> {
        let accounts = self.valid_accounts(&rule, notes);
        let when = match (rule.accounts.is_complement(), accounts.is_empty()) {
            (false, true) => return None,
            (true, true) => None,
            (false, false) => Some(PolicyCondition::In([
                self.segment_name(rule.accounts.name(), accounts)
            ])),
            (true, false) => Some(PolicyCondition::NotIn([
                self.segment_name(rule.accounts.name(), accounts)
            ])),
        };
        let percent = |millionths| format_millionths(millionths).parse().ok();
        let (serve, accounts) = match rule.allocation {
            Allocation::V1 => (Some("v1"), None),
            Allocation::V2 => (None, percent(100_000_000)),
            Allocation::Partial(partial) => (None, percent(partial.millionths())),
        };
        Some(PolicyRule {
            when,
            serve,
            accounts,
        })
    }

    /// The listed accounts of a rule that have the policy's account format.
    fn valid_accounts(&self, rule: &MergedRule<'a>, notes: &mut Notes) -> Rc<BTreeSet<&'a str>> {
        let is_valid = |account: &str| match self.format {
            AccountFormat::Opaque => (1..=LONGEST_ACCOUNT).contains(&account.len()),
            AccountFormat::Sid => Sid::parse(account.as_bytes()).is_some(),
        };
        let accounts = rule.accounts.listed();
        let mut invalid = accounts.iter().filter(|account| !is_valid(account));
        let Some(first) = invalid.next() else {
            return Rc::clone(accounts);
        };
        let (format, help) = match self.format {
            AccountFormat::Opaque => (
                "1 to 128 bytes",
                "no action is needed: no request can have such an account",
            ),
            AccountFormat::Sid => (
                "`AC` and 32 lower-case hex digits",
                "use --format opaque if your accounts look like this",
            ),
        };
        let message = match invalid.count() {
            0 => format!(
                "{} is not an account of {format}, so it is skipped",
                quote(first)
            ),
            more => format!(
                "{} and {more} more are not accounts of {format}, so they are skipped",
                quote(first)
            ),
        };
        notes.add_loss(&rule.at, message, help);
        let accounts = accounts.iter().copied();
        Rc::new(accounts.filter(|account| is_valid(account)).collect())
    }

    fn segment_name(&mut self, name: &str, accounts: Rc<BTreeSet<&'a str>>) -> String {
        let mut known = self.by_name.iter();
        if let Some((name, _)) = known.find(|(_, segment)| segment.accounts == accounts) {
            return name.clone();
        }
        let wanted = match name {
            "" => policy_name(&format!("{}-accounts", self.rollout)),
            name => policy_name(name),
        };
        let name = unused_name(&wanted, |name| self.by_name.contains_key(name));
        self.by_name.insert(name.clone(), Segment { accounts });
        name
    }
}

/// Blames the option whose value the policy refuses. Any other error is a bug of the import.
fn compile_error(diagnostics: &Diagnostics) -> ImportError {
    let by_option = diagnostics.as_slice().iter().find_map(|diagnostic| {
        let option = match diagnostic.pointer.as_str() {
            "/rollouts/0/name" => "--name",
            "/rollouts/0/v1" => "--v1",
            "/rollouts/0/v2" => "--v2",
            pointer if pointer.starts_with("/account/from") => "--account",
            _ => return None,
        };
        let problem = &diagnostic.problem;
        Some(ImportError::option(
            option,
            problem.to_string(),
            problem.help(),
        ))
    });
    by_option.unwrap_or_else(|| bug(&diagnostics.to_string()))
}

fn bug(error: &str) -> ImportError {
    ImportError::new(
        "",
        format!("the imported policy does not compile: {error}"),
        "this is a bug of turnout import; report it with the file",
    )
}
