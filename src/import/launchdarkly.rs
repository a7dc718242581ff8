//! LaunchDarkly: the answer of `sdk/latest-all` (`flags` and `segments`), or a flag of the REST API,
//! which has a part for each environment.
//!
//! Targets decide first, then rules in order, then the fallthrough. A rollout puts a context on the
//! flag's line; what its weights leave of the line is its last variation's.

mod clauses;
mod rollout;

use serde_json::Value;

use crate::draw::Serve;
use crate::flag::{Flag, Rest, choose, leave_out, no_environment};
use crate::node::{Node, Object, Read, Unreadable};
use crate::note::Notes;
use crate::options::Options;
use crate::treatment::{Treatment, Variations};
use crate::when::{Condition, When};
use crate::words::{list, quoted};

/// Weights are thousandths of a percent.
const ALL: u32 = 100_000;
/// The longest text that a policy's hash has.
const LONGEST: usize = 256;
/// The kind of context that is meant where none is named.
const USER: &str = "user";

const NAME: &str = "LaunchDarkly";

/// What LaunchDarkly writes of each flag of an environment, also where it is empty.
const ALWAYS: &[&str] = &[
    "fallthrough",
    "offVariation",
    "on",
    "prerequisites",
    "rules",
    "salt",
    "targets",
];

const HARMLESS: &[&str] = &[
    "_debugEventsUntilDate",
    "_environmentName",
    "_links",
    "_maintainer",
    "_maintainerTeam",
    "_site",
    "_summary",
    "_version",
    "archivedDate",
    "clientSide",
    "clientSideAvailability",
    "creationDate",
    "customProperties",
    "debugEventsUntilDate",
    "defaults",
    "deprecated",
    "deprecatedDate",
    "description",
    "environments",
    "evaluation",
    "excludeFromSummaries",
    "experiments",
    "goalIds",
    "includeInSnippet",
    "key",
    "kind",
    "lastModified",
    "maintainerId",
    "maintainerTeamKey",
    "name",
    "samplingRatio",
    "sel",
    "tags",
    "temporary",
    "trackEvents",
    "trackEventsFallthrough",
    "variationJsonSchema",
    "version",
];

pub(crate) fn read<'a>(root: &Node<'a>, options: &'a Options, notes: &mut Notes) -> Read<Flag<'a>> {
    let mut file = root.object()?;
    let flags = match (file.get("flags"), file.get("items")) {
        (Some(flags), _) => flags.entries()?,
        (None, Some(items)) => {
            let items = items.items()?.map(|flag| {
                let key = flag.object()?.need("key")?.text()?;
                Ok((key, flag))
            });
            items.collect::<Read<Vec<_>>>()?
        }
        (None, None) => {
            file.need("variations")?;
            vec![(file.need("key")?.text()?, root.clone())]
        }
    };
    let (key, node) = choose(&flags, options.flag.as_deref(), root.at())?;
    let mut whole = node.object()?;
    let variations = variations(&mut whole, notes)?;
    let names = variations.iter().map(String::as_str).collect();
    let is_v2 = Variations::new(names, options, &whole.at_field("variations"), notes)?;
    let treatments = variations
        .iter()
        .map(|name| is_v2.treatment(name))
        .collect();
    let targeting = environment(&node, &mut whole, options)?;
    let mut reader = Reader {
        account: Account(options.account_key.as_deref()),
        segments: file.get("segments"),
        notes,
        treatments,
        salt: "",
        has_context_targets: has_context_targets(&flags),
        flag: Flag::new(key),
    };
    match targeting {
        Some(targeting) => {
            reader.state(&mut whole)?;
            reader.targeting(targeting.object()?)?;
            whole.finish(HARMLESS, reader.notes);
        }
        None => reader.targeting(whole)?,
    }
    if node.at() != root.at() {
        let harmless = ["_links", "totalCount", "totalCountWithDifferences"];
        file.finish(&harmless, reader.notes);
    }
    Ok(reader.flag)
}

/// Whether the file is of a LaunchDarkly that writes targets of kinds of contexts: then it writes them
/// of each flag, also where there are none.
fn has_context_targets(flags: &[(&str, Node<'_>)]) -> bool {
    let has = |part: &Value| part.get("contextTargets").is_some();
    flags.iter().any(|(_, flag)| {
        let parts = flag.value().get("environments").and_then(Value::as_object);
        has(flag.value()) || parts.is_some_and(|parts| parts.values().any(has))
    })
}

/// What variations are called: their values, or in the REST API their names.
fn variations(flag: &mut Object<'_>, notes: &mut Notes) -> Read<Vec<String>> {
    let has_environments = flag.get("environments").is_some();
    let variations = flag.need("variations")?.items()?.map(|variation| {
        if has_environments {
            let mut variation = variation.object()?;
            let value = variation.need("value")?;
            variation.finish(&["_id", "description", "name"], notes);
            return Ok(text_of(value.value()));
        }
        Ok(text_of(variation.value()))
    });
    variations.collect()
}

fn text_of(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// The part of a flag of the REST API that is about one environment; `None` of another flag.
fn environment<'a>(
    node: &Node<'a>,
    flag: &mut Object<'a>,
    options: &Options,
) -> Read<Option<Node<'a>>> {
    let asked = options.environment.as_deref();
    let Some(environments) = flag.get("environments") else {
        no_environment(asked)?;
        return Ok(None);
    };
    let entries = environments.entries()?;
    let names = || list(entries.iter().map(|(name, _)| *name));
    let found = match (asked, entries.as_slice()) {
        (None, [(_, only)]) => Some(only.clone()),
        (None, _) => {
            return Err(Unreadable::new(
                node.at(),
                format!("the flag has the environments {}", names()),
                "say which with --environment NAME",
            ));
        }
        (Some(asked), _) => {
            let entry = entries.iter().find(|(name, _)| *name == asked);
            entry.map(|(_, node)| node.clone())
        }
    };
    found.map(Some).ok_or_else(|| {
        Unreadable::option(
            "--environment",
            format!(
                "the flag has no environment {}",
                quoted(asked.unwrap_or_default())
            ),
            format!("write one of {}", names()),
        )
    })
}

/// What the file calls the account: the key of a kind of context, or an attribute of users.
#[derive(Clone, Copy)]
struct Account<'a>(Option<&'a str>);

impl Account<'_> {
    /// Beside a kind of context, an attribute may be written as a reference: `/key`.
    fn is(self, kind: Option<&str>, attribute: &str) -> bool {
        let has_kind = kind.is_some();
        let kind = kind.unwrap_or(USER);
        let attribute = match has_kind {
            true => attribute.strip_prefix('/').unwrap_or(attribute),
            false => attribute,
        };
        match self.0 {
            None => kind == USER && attribute == "key",
            Some(name) => {
                (kind == name && attribute == "key") || (kind == USER && attribute == name)
            }
        }
    }

    fn name(self) -> String {
        match self.0 {
            None => "the key of users".into(),
            Some(name) => quoted(name),
        }
    }
}

struct Reader<'a, 'n> {
    account: Account<'a>,
    segments: Option<Node<'a>>,
    notes: &'n mut Notes,
    /// Of the variations, by their index.
    treatments: Vec<Treatment>,
    salt: &'a str,
    has_context_targets: bool,
    flag: Flag<'a>,
}

impl<'a> Reader<'a, '_> {
    fn targeting(&mut self, mut flag: Object<'a>) -> Read<()> {
        self.flag.expect(&flag, ALWAYS, NAME, self.notes);
        if self.has_context_targets {
            self.flag
                .expect(&flag, &["contextTargets"], NAME, self.notes);
        }
        self.salt = flag.text("salt")?.unwrap_or_default();
        let is_on = flag.truth("on")?.unwrap_or_default();
        let off = match flag.get("offVariation") {
            Some(index) => Some(self.treatment(&index)?),
            None => None,
        };
        self.state(&mut flag)?;
        if let Some(first) = flag.items("prerequisites")?.first() {
            self.flag.refuse(
                first.at(),
                "the flag has prerequisites, and what another flag says is not known here",
                self.notes,
            );
        }
        if !is_on && off == Some(Treatment::V2) {
            let everyone = Condition::known(When::everyone());
            self.flag.push(
                &flag.at_field("offVariation"),
                everyone,
                Serve::V2,
                Rest::V1,
                self.notes,
            );
        }
        if !is_on && off != Some(Treatment::V2) && flag.has("on") {
            self.flag.stop(&flag.at_field("on"), self.notes);
        }
        self.targets(&mut flag)?;
        for rule in flag.items("rules")? {
            self.rule(&rule)?;
        }
        if let Some(fallthrough) = flag.get("fallthrough") {
            let mut served = fallthrough.object()?;
            let serve = self.serve(&mut served)?;
            served.finish(&[], self.notes);
            let everyone = Condition::known(When::everyone());
            self.flag
                .push(fallthrough.at(), everyone, serve, Rest::V1, self.notes);
        }
        flag.finish(HARMLESS, self.notes);
        Ok(())
    }

    fn state(&mut self, flag: &mut Object<'a>) -> Read<()> {
        for name in ["archived", "deleted"] {
            if flag.truth(name)?.unwrap_or_default() {
                let what = format!("the flag is {name}");
                self.flag.refuse(&flag.at_field(name), &what, self.notes);
            }
        }
        Ok(())
    }

    fn treatment(&self, index: &Node<'a>) -> Read<Treatment> {
        let number = index.whole()?;
        let treatment = usize::try_from(number)
            .ok()
            .and_then(|index| self.treatments.get(index));
        treatment.copied().ok_or_else(|| {
            Unreadable::new(
                index.at(),
                format!("there is no variation {number}"),
                "give the file as the tool exports it",
            )
        })
    }

    /// Targets of kinds of contexts, where there are any, say the order of all.
    fn targets(&mut self, flag: &mut Object<'a>) -> Read<()> {
        let users = flag.items("targets")?;
        let of_contexts = flag.items("contextTargets")?;
        if of_contexts.is_empty() {
            return users
                .iter()
                .try_for_each(|target| self.target(target, USER));
        }
        for target in &of_contexts {
            let mut object = target.object()?;
            let kind = object.word("contextKind")?.unwrap_or(USER);
            if kind != USER {
                self.target(target, kind)?;
                continue;
            }
            let variation = object.need("variation")?.whole()?;
            object.get("values");
            object.finish(&[], self.notes);
            for user in &users {
                if user.object()?.need("variation")?.whole()? == variation {
                    self.target(user, USER)?;
                    break;
                }
            }
        }
        Ok(())
    }

    fn target(&mut self, node: &Node<'a>, kind: &str) -> Read<()> {
        let mut target = node.object()?;
        let serve = match self.treatment(&target.need("variation")?)? {
            Treatment::V1 => Serve::V1,
            Treatment::V2 => Serve::V2,
        };
        let values = target.need_texts("values")?;
        let condition = match self.account.is(Some(kind), "key") {
            _ if values.is_empty() => return Ok(()),
            true => Condition::known(When::within("", values)),
            false => {
                let account = self.account.name();
                let what = format!(
                    "this names contexts of the kind {}, and the account is {account}",
                    quoted(kind)
                );
                leave_out(node.at(), &what, self.notes);
                Condition::unknown()
            }
        };
        target.finish(&["contextKind"], self.notes);
        self.flag
            .push(node.at(), condition, serve, Rest::V1, self.notes);
        Ok(())
    }

    fn rule(&mut self, node: &Node<'a>) -> Read<()> {
        let mut rule = node.object()?;
        self.flag.expect(&rule, &["clauses"], NAME, self.notes);
        let mut condition = Condition::known(When::everyone());
        for clause in rule.items("clauses")? {
            condition = condition.and(&self.clause(&clause)?);
        }
        for name in ["disabled", "_deleted"] {
            if rule.truth(name)?.unwrap_or_default() {
                let what = format!("whether a rule that is `{name}` decides is not known here");
                leave_out(&rule.at_field(name), &what, self.notes);
                condition.is_known = false;
            }
        }
        let serve = self.serve(&mut rule)?;
        rule.finish(
            &[
                "_id",
                "_generation",
                "_version",
                "description",
                "id",
                "ref",
                "trackEvents",
            ],
            self.notes,
        );
        self.flag
            .push(node.at(), condition, serve, Rest::V1, self.notes);
        Ok(())
    }
}
