//! A flag written as a policy.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde::Serialize;
use serde_json::{Map, Number, Value};
use turnout_core::{Diagnostics, Plan, Sid};
use turnout_text::format_millionths;

use crate::draw::{Draw, Serve};
use crate::flag::Flag;
use crate::merge::{self, Rule};
use crate::node::{Read, Unreadable};
use crate::note::Notes;
use crate::options::{Format, Options, Source};
use crate::words::{free, name, quoted};

/// The rules that a rollout has at most.
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
    hash: Option<Rc<Draw>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<RuleOut>,
}

#[derive(Serialize)]
struct RuleOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    when: Option<WhenOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serve: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accounts: Option<Number>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum WhenOut {
    In([String; 1]),
    NotIn([String; 1]),
}

/// Writes the policy, and makes sure that it compiles.
pub(crate) fn write(flag: Flag<'_>, options: &Options, notes: &mut Notes) -> Read<String> {
    let rollout = rollout_name(flag.key, options, notes);
    let of_no_branch = notes.take_waiting();
    notes.conclude(&of_no_branch, "whoever was in it takes v1");
    let rules = merge::rules(flag.branches, notes)?;
    let mode = mode(&rules, flag.is_off, flag.needs_no_account);
    let rules = if mode == "on" { Vec::new() } else { rules };
    let mut segments = Segments {
        rollout: &rollout,
        format: options.format,
        named: BTreeMap::new(),
    };
    let hash = rules.iter().find_map(|rule| match &rule.serve {
        Serve::Part(part) => Some(Rc::clone(&part.draw)),
        _ => None,
    });
    let rules: Vec<_> = rules
        .into_iter()
        .filter_map(|rule| segments.rule(rule, notes))
        .collect();
    if rules.len() > MOST_RULES {
        return Err(Unreadable::new(
            "",
            format!(
                "the flag makes {} rules, and a rollout has at most {MOST_RULES}",
                rules.len()
            ),
            "give a flag with fewer rules, or with those that serve the same as one list",
        ));
    }
    let segments = segments.named;
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
        let clusters = format!("{} and {}", quoted(&rollout.v1), quoted(&rollout.v2));
        notes.note(
            "",
            format!("the clusters are written as {clusters}"),
            "give those of your Envoy with --v1 CLUSTER and --v2 CLUSTER",
        );
    }
    let mut text =
        serde_json::to_string_pretty(&policy).map_err(|error| bug(&error.to_string()))?;
    text.push('\n');
    match Plan::from_json(&text) {
        Ok(_) => Ok(text),
        Err(diagnostics) => Err(refused(&diagnostics)),
    }
}

/// `on` takes requests without an account to v2 too, so it is right only where the tool does so.
fn mode(rules: &[Rule<'_>], is_off: bool, needs_no_account: bool) -> &'static str {
    match rules {
        _ if is_off => "off",
        [only] if needs_no_account && only.when.is_everyone() && only.serve == Serve::V2 => "on",
        rules if rules.iter().all(|rule| rule.serve == Serve::V1) => "off",
        _ => "split",
    }
}

fn rollout_name(key: &str, options: &Options, notes: &mut Notes) -> String {
    if let Some(name) = &options.name {
        return name.clone();
    }
    let name = name(key);
    if name != key {
        notes.note(
            "",
            format!("the rollout of {} is named {}", quoted(key), quoted(&name)),
            "give another name with --name NAME",
        );
    }
    name
}

fn cluster(given: Option<&str>, rollout: &str, version: &str) -> String {
    given.map_or_else(|| format!("{rollout}-{version}"), str::to_owned)
}

fn account(options: &Options) -> Account {
    let only =
        |name: &str, value: &str| Value::Object(Map::from_iter([(name.into(), value.into())]));
    let mut from: Vec<_> = options
        .account
        .iter()
        .map(|source| match source {
            Source::Header(name) => only("header", name),
            Source::BasicAuth => only("basic_auth", "username"),
            Source::Path(template) => only("path", template),
        })
        .collect();
    if from.is_empty() {
        from.push(only("header", "x-account-sid"));
    }
    let format = match options.format {
        Format::Opaque => "opaque",
        Format::Sid => "sid",
    };
    Account { from, format }
}

/// The sets of accounts that rules name, each once.
struct Segments<'a, 'r> {
    rollout: &'r str,
    format: Format,
    named: BTreeMap<String, Segment<'a>>,
}

impl<'a> Segments<'a, '_> {
    /// `None` where a rule is for nobody.
    fn rule(&mut self, rule: Rule<'a>, notes: &mut Notes) -> Option<RuleOut> {
        let accounts = self.possible(&rule, notes);
        let when = match (rule.when.is_outside(), accounts.is_empty()) {
            (false, true) => return None,
            (true, true) => None,
            (false, false) => Some(WhenOut::In([self.name(rule.when.name(), accounts)])),
            (true, false) => Some(WhenOut::NotIn([self.name(rule.when.name(), accounts)])),
        };
        let percent = |millionths| format_millionths(millionths).parse().ok();
        let (serve, accounts) = match rule.serve {
            Serve::V1 => (Some("v1"), None),
            Serve::V2 => (None, percent(100_000_000)),
            Serve::Part(part) => (None, percent(part.millionths())),
        };
        Some(RuleOut {
            when,
            serve,
            accounts,
        })
    }

    /// The accounts of a rule that requests can have.
    fn possible(&self, rule: &Rule<'a>, notes: &mut Notes) -> Rc<BTreeSet<&'a str>> {
        let is_possible = |account: &str| match self.format {
            Format::Opaque => (1..=LONGEST_ACCOUNT).contains(&account.len()),
            Format::Sid => Sid::parse(account.as_bytes()).is_some(),
        };
        let accounts = rule.when.accounts();
        let mut bad = accounts.iter().filter(|account| !is_possible(account));
        let Some(first) = bad.next() else {
            return Rc::clone(accounts);
        };
        let (looks, how) = match self.format {
            Format::Opaque => ("1 to 128 bytes", "nothing; no request can be for them"),
            Format::Sid => (
                "`AC` and 32 lower-case hex digits",
                "give --format opaque if accounts look like that",
            ),
        };
        let what = match bad.count() {
            0 => format!("{} is no account of {looks} and is left out", quoted(first)),
            more => format!(
                "{} and {more} more are no accounts of {looks} and are left out",
                quoted(first)
            ),
        };
        notes.lost(&rule.at, what, how);
        let possible = accounts.iter().copied();
        Rc::new(possible.filter(|account| is_possible(account)).collect())
    }

    fn name(&mut self, given: &str, accounts: Rc<BTreeSet<&'a str>>) -> String {
        let mut known = self.named.iter();
        if let Some((name, _)) = known.find(|(_, segment)| segment.accounts == accounts) {
            return name.clone();
        }
        let wanted = match given {
            "" => name(&format!("{}-accounts", self.rollout)),
            given => name(given),
        };
        let name = free(&wanted, |name| self.named.contains_key(name));
        self.named.insert(name.clone(), Segment { accounts });
        name
    }
}

/// What a person gave may be no name of a policy; anything else is ours to mend.
fn refused(diagnostics: &Diagnostics) -> Unreadable {
    let of_option = diagnostics.as_slice().iter().find_map(|diagnostic| {
        let option = match diagnostic.pointer.as_str() {
            "/rollouts/0/name" => "--name",
            "/rollouts/0/v1" => "--v1",
            "/rollouts/0/v2" => "--v2",
            pointer if pointer.starts_with("/account/from") => "--account",
            _ => return None,
        };
        let problem = &diagnostic.problem;
        Some(Unreadable::option(
            option,
            problem.to_string(),
            problem.help(),
        ))
    });
    of_option.unwrap_or_else(|| bug(&diagnostics.to_string()))
}

fn bug(error: &str) -> Unreadable {
    Unreadable::new(
        "",
        format!("the import made a policy that does not compile: {error}"),
        "report it with the file, it is a fault of turnout import",
    )
}
