//! The schema of a rollout's `hash`. The reader uses tables of fields instead of types, so these types exist only
//! for the schema.
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

/// The tool that bucketed the accounts, with the parameters of its hash.
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

/// The end of the tool's list of variations at which v2 is.
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
    /// The flag's `trafficAllocation`. An account outside it takes v2 only at 100 %. Default: 100.
    #[schemars(range(min = 0, max = 100))]
    traffic_allocation: Field<i64>,
    /// The flag's `trafficAllocationSeed`.
    #[schemars(range(min = -2147483648, max = 4294967295_i64))]
    traffic_allocation_seed: Field<i64>,
    /// The position of v2's treatment in the list of partitions. Default: `first`.
    v2: Field<End>,
}

/// A gradual rollout of Unleash.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Unleash {
    /// The strategy's `groupId`; if the strategy has none, the name of the feature.
    #[schemars(length(min = 1, max = 256))]
    group_id: String,
    /// The position of v2; it is `first` if the feature turns v2 on. Default: `first`.
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
    /// The rollout's `seed`, if it has one; as a string if it is beyond 9007199254740991.
    seed: Field<LargeNumber>,
    /// The position of v2's variation in the rollout. Default: `first`.
    v2: Field<End>,
}

/// A whole number; as a string if a double cannot hold it.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum LargeNumber {
    /// A number.
    Number(
        #[schemars(range(min = -9_007_199_254_740_991_i64, max = 9_007_199_254_740_991_i64))] i64,
    ),
    /// A string of its digits.
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
    /// The rule's `seed`; if the rule has none, the feature's key for a rollout, and the experiment's key for an
    /// experiment.
    #[schemars(length(min = 1, max = 256))]
    seed: String,
    /// The rule's `hashVersion`.
    #[schemars(range(min = 1, max = 2))]
    version: i64,
    /// The type of the rule. `rollout`: accounts up to the coverage take v2. `experiment`: accounts inside a range
    /// take v2.
    rule: Rule,
    /// The percentage at which v2's range begins. Default: 0.
    #[schemars(range(min = 0, max = 100))]
    start: Field<f64>,
    /// The namespace of the experiment. An account outside it takes v2 only at 100 %.
    namespace: Field<Namespace>,
    /// The position of v2 in the list of variations. Default: `first`.
    v2: Field<End>,
}

/// A type of rule.
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
    /// The flag's key; empty if the flag's targeting names what is hashed, without the key.
    #[schemars(length(max = 256))]
    flag_key: String,
    /// The version of the formula: 2, or 1 for older releases of flagd.
    #[schemars(range(min = 1, max = 2))]
    version: i64,
    /// The sum of the weights.
    #[schemars(range(min = 1, max = 100_000_000))]
    total_weight: i64,
    /// The position of v2's variant in the list of variants. Default: `first`.
    v2: Field<End>,
}
