//! The wire types of the plan: JSON with the right types, not yet checked for its meaning.
//!
//! These types generate the JSON Schema of the plan. The doc comments of types and fields are its descriptions, which
//! authors read in their editors.

use schemars::JsonSchema;
use turnout_core::json::{Field, List, Located, LocatedText, Number, RulesSchema};

/// Moves a rollout through steps. A step follows when v2 is healthy and the bake of the step before is over.
#[derive(Clone, JsonSchema)]
#[schemars(rename = "Plan", deny_unknown_fields)]
pub(crate) struct RawPlan<'a> {
    /// The path or URL of the JSON Schema, for editors. It has no effect.
    #[schemars(rename = "$schema")]
    #[expect(dead_code, reason = "it is for editors alone")]
    pub(crate) schema: Field<LocatedText<'a>>,
    /// The version of the plan language. It is 1.
    #[schemars(required, extend("const" = 1))]
    pub(crate) version: Field<Number<'a>>,
    /// The path of the policy, relative to the folder of the plan.
    #[schemars(required, length(min = 1))]
    pub(crate) policy: Field<LocatedText<'a>>,
    /// The name of the rollout that moves. It has the mode `split` and a `guard`.
    #[schemars(required)]
    pub(crate) rollout: Field<LocatedText<'a>>,
    /// How much higher v2's error rate may be than the guard allows, in percent of all requests, for v2 to be healthy. A
    /// lower number needs more requests. Default: 0.1.
    #[schemars(range(min = 0.001, max = 50))]
    pub(crate) excess_percent: Field<Number<'a>>,
    /// The steps in order.
    #[schemars(required, length(min = 1, max = 100))]
    pub(crate) steps: Field<List<Located<RawStep<'a>>>>,
    /// The segments whose accounts stay on v1 until a step.
    #[schemars(length(max = 1_000))]
    pub(crate) forbid: Field<List<Located<RawForbid<'a>>>>,
    /// What happens when v2 is worse. `halt`: everyone takes v1. `previous_step`: the step before is applied again, and
    /// in the first step everyone takes v1. Default: `halt`.
    #[schemars(extend("enum" = ["halt", "previous_step"]))]
    pub(crate) on_regressed: Field<LocatedText<'a>>,
    /// What happens when a step takes too long to become healthy.
    pub(crate) on_not_enough_data: Field<Located<RawOnNotEnoughData<'a>>>,
    /// The times at which the rollout does not move on. It is still rolled back.
    #[schemars(length(max = 100))]
    pub(crate) quiet: Field<Located<List<Located<RawQuiet<'a>>>>>,
    /// The URLs of webhooks that receive a sentence when a step begins or fails, when v2 is rolled back, when the roll
    /// ends, and when a person has to act. Incoming webhooks of Slack and Mattermost show it.
    #[schemars(length(max = 10))]
    pub(crate) notify: Field<List<LocatedText<'a>>>,
}

/// A step: new rules of the rollout, or new percentages of one rule. It keeps everything else of the step before.
#[derive(Clone, JsonSchema)]
#[schemars(
    rename = "RollStep",
    deny_unknown_fields,
    extend("anyOf" = [
        { "required": ["rules"] },
        { "required": ["accounts"] },
        { "required": ["requests"] }
    ])
)]
pub(crate) struct RawStep<'a> {
    /// The unique name of the step: lower-case letters, digits and `-`.
    #[schemars(required, regex(pattern = NAME))]
    pub(crate) name: Field<LocatedText<'a>>,
    /// All rules of the rollout, as in the policy.
    #[schemars(with = "Field<RulesSchema>", length(max = 100))]
    pub(crate) rules: Field<Located<&'a str>>,
    /// The number of the rule, from 1, that `accounts` and `requests` change. Required if the rollout has several rules.
    #[schemars(range(min = 1, max = 100))]
    pub(crate) rule: Field<Number<'a>>,
    /// The percentage of accounts that take v2.
    #[schemars(range(min = 0, max = 100))]
    pub(crate) accounts: Field<Number<'a>>,
    /// The percentage of the requests of each such account that take v2. The guard needs less than 100.
    #[schemars(range(min = 0, max = 100))]
    pub(crate) requests: Field<Number<'a>>,
    /// How long the step is observed before the next one. Only the last step may omit it. The roll then ends when the
    /// step is applied.
    pub(crate) bake: Field<Located<RawBake<'a>>>,
}

/// The form of the names of steps.
const NAME: &str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";

/// How long a step is observed before the next one, in requests and in minutes.
#[derive(Clone, JsonSchema)]
#[schemars(rename = "Bake", deny_unknown_fields)]
pub(crate) struct RawBake<'a> {
    /// The number of requests that v2 serves in this step and that the guard compares.
    #[schemars(required, range(min = 1, max = 1_000_000_000_000_u64))]
    pub(crate) requests: Field<Number<'a>>,
    /// The minutes in which all proxies run the step. Default: 0.
    #[schemars(range(min = 0, max = 525_600))]
    pub(crate) minutes: Field<Number<'a>>,
}

/// A segment whose accounts stay on v1 until a step.
#[derive(Clone, JsonSchema)]
#[schemars(rename = "Forbid", deny_unknown_fields)]
pub(crate) struct RawForbid<'a> {
    /// The name of the segment in the policy.
    #[schemars(required)]
    pub(crate) segment: Field<LocatedText<'a>>,
    /// The name of the first step in which the rules decide the accounts of the segment. It is not the first step of the
    /// plan.
    #[schemars(required)]
    pub(crate) until: Field<LocatedText<'a>>,
}

/// What happens when a step takes too long to become healthy.
#[derive(Clone, JsonSchema)]
#[schemars(rename = "OnNotEnoughData", deny_unknown_fields)]
pub(crate) struct RawOnNotEnoughData<'a> {
    /// The minutes in one step after which it happens. Default: 240.
    #[schemars(range(min = 1, max = 525_600))]
    pub(crate) after_minutes: Field<Number<'a>>,
    /// `wait`: the roll notifies and continues to wait. `hold`: the roll ends, and the step stays active. `give_up`: the
    /// rollout is rolled back as for `on_regressed`. Default: `wait`.
    #[schemars(extend("enum" = ["wait", "hold", "give_up"]))]
    pub(crate) then: Field<LocatedText<'a>>,
}

/// A window of the week in which the rollout does not move on.
#[derive(Clone, JsonSchema)]
#[schemars(rename = "Quiet", deny_unknown_fields)]
pub(crate) struct RawQuiet<'a> {
    /// The days on which the window begins. Default: every day.
    #[schemars(
        length(min = 1, max = 7),
        extend("items" = { "enum": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] })
    )]
    pub(crate) days: Field<List<LocatedText<'a>>>,
    /// When the window begins: `HH:MM`.
    #[schemars(required, regex(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub(crate) from: Field<LocatedText<'a>>,
    /// When the window ends: `HH:MM`, up to `24:00`. A time before `from` is on the next day.
    #[schemars(required, regex(pattern = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"))]
    pub(crate) to: Field<LocatedText<'a>>,
    /// The name of a time zone in the IANA database, such as `Europe/Berlin`. Default: `UTC`.
    #[schemars(length(min = 1))]
    pub(crate) time_zone: Field<LocatedText<'a>>,
}
