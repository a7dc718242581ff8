//! Reads LaunchDarkly's flags: the response of `sdk/latest-all` (`flags` and `segments`), or a flag of the
//! REST API, which has settings for each environment.
//!
//! Targets decide first, then rules in order, then the fallthrough. A rollout buckets contexts by the
//! flag's key and salt, or by a seed; buckets beyond its weights take its last variation.

mod account_key;
mod clauses;
mod rollout;
mod targets;

use serde_json::Value;

use self::account_key::AccountKey;
use crate::account_set::Condition;
use crate::bucketing::Allocation;
use crate::error::{ImportError, ImportResult};
use crate::flag::{Flag, Remainder, note_skipped, reject_environment, select_flag};
use crate::located_value::{AS_EXPORTED, LocatedValue};
use crate::note::Notes;
use crate::object_reader::ObjectReader;
use crate::options::Options;
use crate::quote::{quote, quote_list};
use crate::variations::{Treatment, Variations};

/// The number of buckets: weights are thousandths of a percent.
const BUCKETS: u32 = 100_000;
/// The longest text in a policy's `hash`, in bytes.
const LONGEST_TEXT: usize = 256;
/// The default kind of context.
const USER: &str = "user";

const NAME: &str = "LaunchDarkly";

/// Fields that LaunchDarkly always writes for a flag of an environment, even if they are empty.
const REQUIRED_FIELDS: &[&str] = &[
    "fallthrough",
    "offVariation",
    "on",
    "prerequisites",
    "rules",
    "salt",
    "targets",
];

/// Fields without a meaning for the decision.
const IGNORED_FIELDS: &[&str] = &[
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

pub(crate) fn read<'a>(
    root: &LocatedValue<'a>,
    options: &'a Options,
    notes: &mut Notes,
) -> ImportResult<Flag<'a>> {
    let mut file = root.object()?;
    let flags = match (file.get("flags"), file.get("items")) {
        (Some(flags), _) => flags.entries()?,
        (None, Some(items)) => {
            let items = items.items()?.map(|flag| {
                let key = flag.object()?.require("key")?.string()?;
                Ok((key, flag))
            });
            items.collect::<ImportResult<Vec<_>>>()?
        }
        (None, None) => {
            file.require("variations")?;
            vec![(file.require("key")?.string()?, root.clone())]
        }
    };
    let (key, value) = select_flag(&flags, options.flag.as_deref(), root.at())?;
    let mut flag = value.object()?;
    let variations = variations(&mut flag, notes)?;
    let names = variations.iter().map(String::as_str).collect();
    let is_v2 = Variations::new(names, options, &flag.at_field("variations"), notes)?;
    let treatments = variations
        .iter()
        .map(|name| is_v2.treatment(name))
        .collect();
    let targeting = environment(&value, &mut flag, options)?;
    let mut reader = Reader {
        account: AccountKey(options.account_key.as_deref()),
        segments: file.get("segments"),
        notes,
        treatments,
        salt: "",
        has_context_targets: has_context_targets(&flags),
        flag: Flag::new(key),
    };
    match targeting {
        Some(targeting) => {
            reader.state(&mut flag)?;
            reader.targeting(targeting.object()?)?;
            flag.finish(IGNORED_FIELDS, reader.notes);
        }
        None => reader.targeting(flag)?,
    }
    if value.at() != root.at() {
        let ignored = ["_links", "totalCount", "totalCountWithDifferences"];
        file.finish(&ignored, reader.notes);
    }
    Ok(reader.flag)
}

/// Whether the file comes from a version of LaunchDarkly that writes `contextTargets`, which then writes
/// them for every flag, even if they are empty.
fn has_context_targets(flags: &[(&str, LocatedValue<'_>)]) -> bool {
    let has = |settings: &Value| settings.get("contextTargets").is_some();
    flags.iter().any(|(_, flag)| {
        let environments = flag.value().get("environments").and_then(Value::as_object);
        has(flag.value()) || environments.is_some_and(|all| all.values().any(has))
    })
}

/// The names of the variations, which are their values as text.
fn variations(flag: &mut ObjectReader<'_>, notes: &mut Notes) -> ImportResult<Vec<String>> {
    let has_environments = flag.get("environments").is_some();
    let variations = flag.require("variations")?.items()?.map(|variation| {
        if has_environments {
            let mut variation = variation.object()?;
            let value = variation.require("value")?;
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

/// Selects the environment of a flag of the REST API; `None` for a flag of the SDK API.
fn environment<'a>(
    value: &LocatedValue<'a>,
    flag: &mut ObjectReader<'a>,
    options: &Options,
) -> ImportResult<Option<LocatedValue<'a>>> {
    let name = options.environment.as_deref();
    let Some(environments) = flag.get("environments") else {
        reject_environment(name)?;
        return Ok(None);
    };
    let entries = environments.entries()?;
    let names = || quote_list(entries.iter().map(|(name, _)| *name));
    let found = match (name, entries.as_slice()) {
        (None, [(_, only)]) => Some(only.clone()),
        (None, _) => {
            return Err(ImportError::new(
                value.at(),
                format!("the flag has the environments {}", names()),
                "select one with --environment NAME",
            ));
        }
        (Some(name), _) => {
            let entry = entries.iter().find(|(entry, _)| *entry == name);
            entry.map(|(_, environment)| environment.clone())
        }
    };
    found.map(Some).ok_or_else(|| {
        ImportError::option(
            "--environment",
            format!(
                "the flag has no environment {}",
                quote(name.unwrap_or_default())
            ),
            format!("use one of {}", names()),
        )
    })
}

struct Reader<'a, 'n> {
    account: AccountKey<'a>,
    segments: Option<LocatedValue<'a>>,
    notes: &'n mut Notes,
    /// The treatments of the variations, by index.
    treatments: Vec<Treatment>,
    salt: &'a str,
    has_context_targets: bool,
    flag: Flag<'a>,
}

impl<'a> Reader<'a, '_> {
    fn targeting(&mut self, mut flag: ObjectReader<'a>) -> ImportResult<()> {
        self.flag
            .require_fields(&flag, REQUIRED_FIELDS, NAME, self.notes);
        if self.has_context_targets {
            self.flag
                .require_fields(&flag, &["contextTargets"], NAME, self.notes);
        }
        self.salt = flag.string("salt")?.unwrap_or_default();
        let is_on = flag.boolean("on")?.unwrap_or_default();
        let off = match flag.get("offVariation") {
            Some(index) => Some(self.treatment(&index)?),
            None => None,
        };
        self.state(&mut flag)?;
        if let Some(first) = flag.items("prerequisites")?.first() {
            self.flag
                .reject(first.at(), "prerequisites are not supported", self.notes);
        }
        if !is_on && off == Some(Treatment::V2) {
            self.flag.push(
                &flag.at_field("offVariation"),
                Condition::always(),
                Allocation::V2,
                Remainder::V1,
                self.notes,
            );
        }
        if !is_on && off != Some(Treatment::V2) && flag.has("on") {
            self.flag.turn_off(&flag.at_field("on"), self.notes);
        }
        self.targets(&mut flag)?;
        for rule in flag.items("rules")? {
            self.rule(&rule)?;
        }
        if let Some(fallthrough) = flag.get("fallthrough") {
            let mut served = fallthrough.object()?;
            let allocation = self.allocation(&mut served)?;
            served.finish(&[], self.notes);
            self.flag.push(
                fallthrough.at(),
                Condition::always(),
                allocation,
                Remainder::V1,
                self.notes,
            );
        }
        flag.finish(IGNORED_FIELDS, self.notes);
        Ok(())
    }

    fn state(&mut self, flag: &mut ObjectReader<'a>) -> ImportResult<()> {
        for name in ["archived", "deleted"] {
            if flag.boolean(name)?.unwrap_or_default() {
                let message = format!("the flag is {name}");
                self.flag.reject(&flag.at_field(name), &message, self.notes);
            }
        }
        Ok(())
    }

    fn treatment(&self, index: &LocatedValue<'a>) -> ImportResult<Treatment> {
        let number = index.integer()?;
        let treatment = usize::try_from(number)
            .ok()
            .and_then(|index| self.treatments.get(index));
        treatment.copied().ok_or_else(|| {
            ImportError::new(
                index.at(),
                format!("the flag has no variation {number}"),
                AS_EXPORTED,
            )
        })
    }

    fn rule(&mut self, value: &LocatedValue<'a>) -> ImportResult<()> {
        let mut rule = value.object()?;
        self.flag
            .require_fields(&rule, &["clauses"], NAME, self.notes);
        let mut condition = Condition::always();
        for clause in rule.items("clauses")? {
            condition = condition.and(&self.clause(&clause)?);
        }
        for name in ["disabled", "_deleted"] {
            if rule.boolean(name)?.unwrap_or_default() {
                let message = format!("a rule with `{name}` is not supported");
                note_skipped(&rule.at_field(name), &message, self.notes);
                condition.is_known = false;
            }
        }
        let allocation = self.allocation(&mut rule)?;
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
            .push(value.at(), condition, allocation, Remainder::V1, self.notes);
        Ok(())
    }
}
