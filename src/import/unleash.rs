//! Reads Unleash's flags: the response of `client/features`.
//!
//! A flag is on for an account if one of its strategies serves it. Strategies with the same group have
//! the same bucketing, so the largest percentage includes the others.

mod constraint;
mod strategy;

use crate::account_set::Condition;
use crate::bucketing::Allocation;
use crate::error::{ImportError, ImportResult};
use crate::flag::{Flag, Remainder, reject_environment, select_flag};
use crate::located_value::LocatedValue;
use crate::note::Notes;
use crate::object_reader::ObjectReader;
use crate::options::Options;

const BUCKETS: u32 = 100;

const NAME: &str = "Unleash";
/// Fields that the server writes for each feature and that do not decide. A feature without any of them
/// was written by hand, where empty fields may be missing.
const SERVER_FIELDS: &[&str] = &[
    "createdAt",
    "impressionData",
    "lastSeenAt",
    "project",
    "stale",
    "type",
];

/// Fields without a meaning for the decision.
const IGNORED_FIELDS: &[&str] = &[
    "createdAt",
    "description",
    "favorite",
    "impressionData",
    "lastSeenAt",
    "name",
    "project",
    "stale",
    "tags",
    "type",
];

pub(crate) fn read<'a>(
    root: &LocatedValue<'a>,
    options: &'a Options,
    notes: &mut Notes,
) -> ImportResult<Flag<'a>> {
    reject_environment(options.environment.as_deref())?;
    if options.v2_is.is_some() {
        return Err(ImportError::option(
            "--v2-is",
            "variants of Unleash are not supported",
            "omit the option; v2 is where the flag is on",
        ));
    }
    let mut file = root.object()?;
    let features = match file.get("features") {
        Some(features) => {
            let features = features.items()?.map(|flag| {
                let key = flag.object()?.require("name")?.string()?;
                Ok((key, flag))
            });
            features.collect::<ImportResult<Vec<_>>>()?
        }
        None => {
            file.require("strategies")?;
            vec![(file.require("name")?.string()?, root.clone())]
        }
    };
    let (key, flag) = select_flag(&features, options.flag.as_deref(), root.at())?;
    let mut reader = Reader {
        account: options.account_key.as_deref().unwrap_or("userId"),
        segments: file.items("segments")?,
        is_by_server: false,
        notes,
        is_bare: !file.has("version"),
        flag: Flag::new(key),
    };
    reader.flag(flag.object()?)?;
    if file.has("features") {
        file.finish(&["version", "query", "meta"], reader.notes);
    }
    Ok(reader.flag)
}

struct Reader<'a, 'n> {
    /// The context field that is the account.
    account: &'a str,
    segments: Vec<LocatedValue<'a>>,
    /// Whether the feature comes from the server, which also writes empty lists.
    is_by_server: bool,
    /// Whether the file has only fields that decide, for example because `jq` selected them.
    is_bare: bool,
    notes: &'n mut Notes,
    flag: Flag<'a>,
}

impl<'a> Reader<'a, '_> {
    fn flag(&mut self, mut flag: ObjectReader<'a>) -> ImportResult<()> {
        self.is_by_server = SERVER_FIELDS.iter().any(|name| flag.has(name));
        self.is_bare = self.is_bare || !flag.has("description");
        let always = &["enabled", "strategies"];
        self.flag.require_fields(&flag, always, NAME, self.notes);
        if flag.boolean("archived")?.unwrap_or_default() {
            self.flag.reject(
                &flag.at_field("archived"),
                "the flag is archived",
                self.notes,
            );
        }
        let is_enabled = flag.boolean("enabled")?.unwrap_or_default();
        if !is_enabled && flag.has("enabled") {
            self.flag.turn_off(&flag.at_field("enabled"), self.notes);
        }
        if let Some(first) = flag.items("dependencies")?.first() {
            self.flag.reject(
                first.at(),
                "the flag depends on another flag, which is not supported",
                self.notes,
            );
        }
        if !flag.items("variants")?.is_empty() {
            self.note_variants(&flag.at_field("variants"));
        }
        let strategies = flag.items("strategies")?;
        if strategies.is_empty() {
            self.flag.push_without_account(
                flag.at(),
                Condition::always(),
                Allocation::V2,
                Remainder::Next,
                self.notes,
            );
        }
        for strategy in strategies {
            self.strategy(&strategy)?;
        }
        // The order has no meaning in Unleash. The merge needs the largest percentage first.
        self.flag
            .branches
            .sort_by_key(|branch| match &branch.allocation {
                Allocation::V2 => 0,
                Allocation::Partial(partial) => {
                    BUCKETS.saturating_sub(partial.v2_buckets).saturating_add(1)
                }
                Allocation::V1 => u32::MAX,
            });
        flag.finish(IGNORED_FIELDS, self.notes);
        Ok(())
    }

    pub(super) fn note_variants(&mut self, at: &str) {
        self.notes.add_loss(
            at,
            "variants are not supported: v2 is where the flag is on",
            "if the variants differ, write a rollout by hand for each of them",
        );
    }
}
