//! Reads Split's flags: the response of `splitChanges` (`splits`, or `ff` in newer ones), or one definition.
//!
//! Conditions decide in order, and each buckets keys by the flag's seed. The first condition of the type
//! `ROLLOUT` applies only within the traffic allocation, which has a bucketing of its own: keys outside
//! take the default treatment.

mod matchers;

use serde_json::Value;

use crate::account_set::Condition;
use crate::bucketing::{Allocation, Bucketing, V2Range};
use crate::error::{ImportError, ImportResult};
use crate::flag::{Flag, Remainder, reject_environment, select_flag};
use crate::located_value::{AS_EXPORTED, LocatedValue};
use crate::note::Notes;
use crate::object_reader::ObjectReader;
use crate::options::Options;
use crate::quote::quote;
use crate::variations::{Treatment, Variations};

const BUCKETS: u32 = 100;
/// The number of the algorithm MurmurHash3, the only supported one.
const MURMUR: i64 = 2;

const NAME: &str = "Split";

/// Fields that Split always writes, even if they are empty.
const FLAG_FIELDS: &[&str] = &["conditions", "killed", "status", "trafficAllocation"];
const CONDITION_FIELDS: &[&str] = &["conditionType", "partitions"];

/// Fields without a meaning for the decision.
const IGNORED_FIELDS: &[&str] = &[
    "changeNumber",
    "creationTime",
    "description",
    "id",
    "impressionsDisabled",
    "lastUpdateTime",
    "owners",
    "sets",
    "tags",
    "trafficType",
    "trafficTypeId",
    "trafficTypeName",
];

pub(crate) fn read<'a>(
    root: &LocatedValue<'a>,
    options: &'a Options,
    notes: &mut Notes,
) -> ImportResult<Flag<'a>> {
    reject_environment(options.environment.as_deref())?;
    if options.account_key.is_some() {
        return Err(ImportError::option(
            "--account-key",
            "Split buckets by the key that its client passes, which has no name",
            "omit the option",
        ));
    }
    let (key, flag) = select_flag(&flags(root)?, options.flag.as_deref(), root.at())?;
    let mut reader = Reader {
        options,
        notes,
        flag: Flag::new(key),
    };
    reader.flag(flag.object()?)?;
    let mut file = root.object()?;
    if let Some(changes) = file.get("ff") {
        let mut changes = changes.object()?;
        changes.get("d");
        changes.finish(&["s", "t"], reader.notes);
        file.finish(&["rbs"], reader.notes);
    } else if flag.at() != root.at() {
        file.get("splits");
        file.finish(&["since", "till"], reader.notes);
    }
    Ok(reader.flag)
}

fn flags<'a>(root: &LocatedValue<'a>) -> ImportResult<Vec<(&'a str, LocatedValue<'a>)>> {
    let mut file = root.object()?;
    if file.get("conditions").is_some() {
        return Ok(vec![(file.require("name")?.string()?, root.clone())]);
    }
    let list = match file.get("ff") {
        Some(changes) => changes.object()?.require("d")?,
        None => file.require("splits")?,
    };
    let flags = list.items()?.map(|flag| {
        let key = flag.object()?.require("name")?.string()?;
        Ok((key, flag))
    });
    flags.collect()
}

struct Reader<'a, 'n> {
    options: &'a Options,
    notes: &'n mut Notes,
    flag: Flag<'a>,
}

/// Settings of a flag that all its conditions share.
struct Settings<'a> {
    variations: Variations<'a>,
    seed: Option<i64>,
    is_murmur: bool,
    /// The traffic allocation, in percent.
    traffic: u32,
    traffic_seed: Option<i64>,
    /// The pointer of the default treatment.
    default_at: String,
}

impl<'a> Reader<'a, '_> {
    fn flag(&mut self, mut flag: ObjectReader<'a>) -> ImportResult<()> {
        flag.require("name")?;
        self.flag
            .require_fields(&flag, FLAG_FIELDS, NAME, self.notes);
        let default = flag.require("defaultTreatment")?.string()?;
        let conditions = flag.items("conditions")?;
        let variations = self.variations(default, &conditions, flag.at())?;
        let algorithm = flag.integer("algo")?;
        let traffic = flag.get("trafficAllocation");
        let settings = Settings {
            variations,
            seed: seed(&mut flag, "seed")?,
            is_murmur: algorithm == Some(MURMUR),
            traffic: traffic.map_or(Ok(BUCKETS), |traffic| traffic.integer_up_to(BUCKETS))?,
            traffic_seed: seed(&mut flag, "trafficAllocationSeed")?,
            default_at: flag.at_field("defaultTreatment"),
        };
        let default = settings.variations.treatment(default);
        self.state(&mut flag)?;
        let is_killed = flag.boolean("killed")?.unwrap_or_default();
        if is_killed && default == Treatment::V2 {
            let at = flag.at_field("killed");
            let always = Condition::always();
            self.flag
                .push(&at, always, Allocation::V2, Remainder::V1, self.notes);
        } else {
            if is_killed {
                self.flag.turn_off(&flag.at_field("killed"), self.notes);
            }
            self.conditions(&settings, default, conditions)?;
        }
        flag.finish(IGNORED_FIELDS, self.notes);
        Ok(())
    }

    fn variations(
        &mut self,
        default: &'a str,
        conditions: &[LocatedValue<'a>],
        at: &str,
    ) -> ImportResult<Variations<'a>> {
        let mut names = vec![default];
        for condition in conditions {
            for partition in condition.object()?.items("partitions")? {
                names.push(partition.object()?.require("treatment")?.string()?);
            }
        }
        Variations::new(names, self.options, at, self.notes)
    }

    /// Reads what decides besides the conditions.
    fn state(&mut self, flag: &mut ObjectReader<'a>) -> ImportResult<()> {
        if let Some(status) = flag.non_empty_string("status")?
            && status != "ACTIVE"
        {
            let message = format!("the flag's status is {}", quote(status));
            self.flag
                .reject(&flag.at_field("status"), &message, self.notes);
        }
        let prerequisites = flag.items("prerequisites")?;
        if let Some(first) = prerequisites.first() {
            self.flag
                .reject(first.at(), "prerequisites are not supported", self.notes);
        }
        if let Some(configurations) = flag.get("configurations") {
            let configurations = configurations.entries()?;
            if configurations.iter().any(|(_, text)| !text.is_zero()) {
                self.notes.add_loss(
                    &flag.at_field("configurations"),
                    "configurations of treatments are not supported",
                    "configure v1 and v2 as the configurations do",
                );
            }
        }
        Ok(())
    }

    fn conditions(
        &mut self,
        settings: &Settings<'a>,
        default: Treatment,
        conditions: Vec<LocatedValue<'a>>,
    ) -> ImportResult<()> {
        let mut is_within_traffic = false;
        for value in conditions {
            let mut condition = value.object()?;
            self.flag
                .require_fields(&condition, CONDITION_FIELDS, NAME, self.notes);
            let kind = condition
                .non_empty_string("conditionType")?
                .unwrap_or("WHITELIST");
            if kind == "ROLLOUT" && !is_within_traffic && settings.traffic < BUCKETS {
                is_within_traffic = true;
                if default == Treatment::V2 {
                    self.flag.reject(
                        value.at(),
                        "keys outside the traffic allocation take the default treatment, which is v2; this is not supported",
                        self.notes,
                    );
                }
                if settings.traffic == 0 {
                    break;
                }
            }
            let matches = self.matchers(&condition.require("matcherGroup")?)?;
            let mut ranges = Vec::new();
            for partition in condition.items("partitions")? {
                let mut partition = partition.object()?;
                let treatment = settings
                    .variations
                    .treatment(partition.require("treatment")?.string()?);
                ranges.push((
                    treatment,
                    partition.require("size")?.integer_up_to(BUCKETS)?,
                ));
                partition.finish(&[], self.notes);
            }
            let range = V2Range::new(&ranges, BUCKETS, Treatment::V1);
            let allocation = self.allocation(settings, range, is_within_traffic, &condition)?;
            condition.finish(&["label"], self.notes);
            self.flag
                .push(value.at(), matches, allocation, Remainder::V1, self.notes);
        }
        self.flag.push(
            &settings.default_at,
            Condition::always(),
            Allocation::from(default),
            Remainder::V1,
            self.notes,
        );
        Ok(())
    }

    fn allocation(
        &mut self,
        settings: &Settings<'a>,
        range: V2Range,
        is_within_traffic: bool,
        condition: &ObjectReader<'a>,
    ) -> ImportResult<Allocation> {
        let at = condition.at_field("partitions");
        let is_bucketed = matches!(range, V2Range::First(_) | V2Range::Last(_) | V2Range::Inner);
        let is_all_of_traffic = range == V2Range::Full && is_within_traffic;
        if (is_bucketed || is_all_of_traffic) && !settings.is_murmur {
            self.flag.reject(
                &at,
                "only the algorithm 2 (`algo`) is supported, and the flag has another one or none",
                self.notes,
            );
            return Ok(Allocation::V1);
        }
        let seed = |seed: Option<i64>, name: &str| {
            seed.ok_or_else(|| {
                let message = format!("the condition needs the flag's `{name}`, which is missing");
                ImportError::new(condition.at(), message, AS_EXPORTED)
            })
        };
        let bucketing = |fields, is_v2_last| Bucketing {
            tool: "split",
            fields,
            buckets: BUCKETS,
            is_v2_last,
        };
        if is_all_of_traffic {
            // Only the traffic allocation buckets accounts.
            let seed = seed(settings.traffic_seed, "trafficAllocationSeed")?;
            let fields = vec![("seed", Value::from(seed))];
            return Ok(Allocation::partial(
                bucketing(fields, false),
                settings.traffic,
            ));
        }
        let mut fields = Vec::new();
        if is_bucketed {
            fields.push(("seed", Value::from(seed(settings.seed, "seed")?)));
            if is_within_traffic {
                let seed = seed(settings.traffic_seed, "trafficAllocationSeed")?;
                fields.push(("traffic_allocation", Value::from(settings.traffic)));
                fields.push(("traffic_allocation_seed", Value::from(seed)));
            }
        }
        let allocation = range.allocation(|is_v2_last| bucketing(fields.clone(), is_v2_last));
        Ok(allocation.unwrap_or_else(|| {
            self.notes.add_branch_loss(
                &at,
                "v2 is between other treatments, and a policy supports v2 only at an end of the bucket range, so the rule is skipped",
                "before the export, move v2 to an end of the list in Split if its accounts may change",
            );
            Allocation::V1
        }))
    }
}

/// Reads a seed, a signed or unsigned 32-bit integer.
fn seed(flag: &mut ObjectReader<'_>, name: &'static str) -> ImportResult<Option<i64>> {
    let seed = flag.integer(name)?;
    match seed {
        Some(seed) if i32::try_from(seed).is_err() && u32::try_from(seed).is_err() => {
            Err(ImportError::new(
                &flag.at_field(name),
                format!("{seed} is out of range"),
                "expected a signed or unsigned 32-bit integer",
            ))
        }
        seed => Ok(seed),
    }
}
