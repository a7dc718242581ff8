//! A rollout's `hash` in the schema. It is read by tables, and not into types; these are for the schema
//! alone.
#![expect(dead_code, reason = "a schema is made of the types, and of no value")]

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::policy::document::HashValue;
use crate::policy::json::Field;

impl JsonSchema for HashValue<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Hash".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let tool = generator.subschema_for::<Tool>();
        json_schema!({
            "if": { "type": "string" },
            "then": { "const": "turnout" },
            "else": tool
        })
    }
}

/// The tool that drew the accounts, with what its formula needs.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1, "maxProperties" = 1))]
struct Tool {
    /// Split: a flag of algorithm 2.
    split: Field<Split>,
    /// Unleash: a gradual rollout.
    unleash: Field<Unleash>,
    /// LaunchDarkly: a percentage rollout, or an experiment.
    launchdarkly: Field<LaunchDarkly>,
    /// GrowthBook: a percentage rollout, or an experiment.
    growthbook: Field<GrowthBook>,
    /// flagd: the operation `fractional`.
    flagd: Field<Flagd>,
}

/// At which end of the tool's list of variations v2 stands.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum End {
    First,
    Last,
}

/// A flag of Split.
#[derive(JsonSchema)]
#[schemars(
    deny_unknown_fields,
    extend(
        "dependentRequired" = { "traffic_allocation_seed": ["traffic_allocation"] },
        "if" = {
            "properties": { "traffic_allocation": { "exclusiveMaximum": 100 } },
            "required": ["traffic_allocation"]
        },
        "then" = { "required": ["traffic_allocation_seed"] }
    )
)]
struct Split {
    /// The flag's `seed`.
    #[schemars(range(min = -2147483648, max = 4294967295_i64))]
    seed: i64,
    /// The flag's `algo`: 2.
    #[schemars(extend("const" = 2))]
    algo: Field<i64>,
    /// The flag's `trafficAllocation`; 100 unless given. Who is above it is drawn never.
    #[schemars(range(min = 0, max = 100))]
    traffic_allocation: Field<i64>,
    /// The flag's `trafficAllocationSeed`.
    #[schemars(range(min = -2147483648, max = 4294967295_i64))]
    traffic_allocation_seed: Field<i64>,
    /// `first` unless given: where v2's treatment stands among the partitions.
    v2: Field<End>,
}

/// A gradual rollout of Unleash.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Unleash {
    /// The strategy's `groupId`; the name of the feature unless that is given.
    #[schemars(length(min = 1, max = 256))]
    group_id: String,
    /// `first` unless given, where v2 is what the feature turns on.
    v2: Field<End>,
}

/// A rollout of LaunchDarkly: the flag's key and salt, or an experiment's seed.
#[derive(JsonSchema)]
#[schemars(
    deny_unknown_fields,
    extend(
        "if" = { "required": ["seed"] },
        "then" = { "not": { "anyOf": [{ "required": ["flag_key"] }, { "required": ["salt"] }] } },
        "else" = { "required": ["flag_key", "salt"] }
    )
)]
struct LaunchDarkly {
    /// The flag's `key`.
    #[schemars(length(min = 1, max = 256))]
    flag_key: Field<String>,
    /// The flag's `salt`.
    #[schemars(length(min = 1, max = 256))]
    salt: Field<String>,
    /// The rollout's `seed`, where it has one; as a text where it is beyond 9007199254740991.
    seed: Field<LargeNumber>,
    /// `first` unless given: where v2's variation stands among the rollout's.
    v2: Field<End>,
}

/// A whole number; as a text where a double does not hold it.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum LargeNumber {
    /// As a number.
    Number(
        #[schemars(range(min = -9_007_199_254_740_991_i64, max = 9_007_199_254_740_991_i64))] i64,
    ),
    /// Its digits.
    Text(#[schemars(regex(pattern = "^[+-]?[0-9]{1,19}$"))] String),
}

/// A rule of GrowthBook.
#[derive(JsonSchema)]
#[schemars(
    deny_unknown_fields,
    extend(
        "not" = { "required": ["start", "v2"] },
        "if" = { "properties": { "rule": { "const": "rollout" } }, "required": ["rule"] },
        "then" = { "properties": { "start": false } }
    )
)]
struct GrowthBook {
    /// The rule's `seed`; for a rollout the feature's key, for an experiment its key, unless given.
    #[schemars(length(min = 1, max = 256))]
    seed: String,
    /// The rule's `hashVersion`.
    #[schemars(range(min = 1, max = 2))]
    version: i64,
    /// `rollout` takes who is not above the coverage, `experiment` who is inside of a range.
    rule: Rule,
    /// The percentage at which v2's range begins; 0 unless given.
    #[schemars(range(min = 0, max = 100))]
    start: Field<f64>,
    /// The namespace that the experiment is in. Who is outside is drawn never.
    namespace: Field<Namespace>,
    /// `first` unless given: where v2 stands among the variations.
    v2: Field<End>,
}

/// A kind of rule.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Rule {
    Rollout,
    Experiment,
}

/// A range of a namespace.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Namespace {
    /// The namespace's id.
    #[schemars(length(min = 1, max = 256))]
    id: String,
    /// The percentage at which the range begins.
    #[schemars(range(min = 0, max = 100))]
    from: f64,
    /// The percentage at which the range ends.
    #[schemars(range(min = 0, max = 100))]
    to: f64,
}

/// A flag of flagd with `fractional`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Flagd {
    /// The flag's key; empty where its targeting names what is hashed, without the key.
    #[schemars(length(max = 256))]
    flag_key: String,
    /// The formula: 2, or 1 for what flagd did before.
    #[schemars(range(min = 1, max = 2))]
    version: i64,
    /// The sum of the weights.
    #[schemars(range(min = 1, max = 100_000_000))]
    total_weight: i64,
    /// `first` unless given: where v2's variant stands among the variants.
    v2: Field<End>,
}
