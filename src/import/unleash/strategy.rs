//! Unleash's strategies: the accounts that a strategy serves v2 to.

use serde_json::Value;

use super::{BUCKETS, NAME, Reader};
use crate::account_set::{AccountSet, Condition};
use crate::bucketing::{Allocation, Bucketing};
use crate::error::{ImportError, ImportResult};
use crate::flag::{Remainder, note_skipped};
use crate::located_value::{LocatedValue, integer};
use crate::object_reader::ObjectReader;
use crate::quote::quote;

/// The longest `group_id` of a policy, in bytes.
const LONGEST_GROUP: usize = 256;

/// Fields that the server writes for each strategy and that do not decide.
const SERVER_FIELDS: &[&str] = &[
    "disabled",
    "featureName",
    "id",
    "segments",
    "sortOrder",
    "title",
    "variants",
];

/// The accounts that a strategy serves v2 to, before its constraints.
enum Audience<'a> {
    Everyone,
    Users(AccountSet<'a>),
    Bucketed(Allocation),
    /// An unsupported strategy.
    Unknown,
}

impl<'a> Reader<'a, '_> {
    pub(super) fn strategy(&mut self, value: &LocatedValue<'a>) -> ImportResult<()> {
        let mut strategy = value.object()?;
        if strategy.boolean("disabled")?.unwrap_or_default() {
            return Ok(());
        }
        self.require_server_fields(&strategy, &["parameters"]);
        let is_selection = self.is_bare && strategy.has("parameters");
        let is_by_server = SERVER_FIELDS.iter().any(|name| strategy.has(name));
        if self.is_by_server || is_selection || is_by_server {
            self.flag
                .require_fields(&strategy, &["constraints"], NAME, self.notes);
        }
        let name = strategy.require("name")?.string()?;
        let mut condition = Condition::always();
        for constraint in strategy.items("constraints")? {
            condition = condition.and(&self.constraint(&constraint)?);
        }
        for segment in strategy.items("segments")? {
            condition = condition.and(&self.segment(&segment)?);
        }
        if !strategy.items("variants")?.is_empty() {
            self.note_variants(&strategy.at_field("variants"));
        }
        let parameters = match strategy.get("parameters") {
            Some(parameters) => Some(parameters.object()?),
            None => None,
        };
        let audience = self.audience(value, name, parameters)?;
        strategy.finish(&["id", "sortOrder", "title", "featureName"], self.notes);
        match audience {
            Audience::Everyone => {
                let at = value.at();
                self.flag.push_without_account(
                    at,
                    condition,
                    Allocation::V2,
                    Remainder::Next,
                    self.notes,
                );
            }
            Audience::Users(users) => {
                let users = condition.and(&Condition::known(users));
                self.push(value, users, Allocation::V2);
            }
            Audience::Bucketed(allocation) => self.push(value, condition, allocation),
            // It serves v2 to an unknown part of these accounts.
            Audience::Unknown => {
                condition.is_known = false;
                self.push(value, condition, Allocation::V2);
            }
        }
        Ok(())
    }

    fn push(&mut self, value: &LocatedValue<'a>, condition: Condition<'a>, allocation: Allocation) {
        self.flag.push(
            value.at(),
            condition,
            allocation,
            Remainder::Next,
            self.notes,
        );
    }

    /// Requires fields that the server always writes, even if they are empty.
    pub(super) fn require_server_fields(
        &mut self,
        object: &ObjectReader<'a>,
        names: &[&'static str],
    ) {
        if self.is_by_server {
            self.flag.require_fields(object, names, NAME, self.notes);
        }
    }

    fn audience(
        &mut self,
        value: &LocatedValue<'a>,
        name: &str,
        parameters: Option<ObjectReader<'a>>,
    ) -> ImportResult<Audience<'a>> {
        let Some(mut parameters) = parameters else {
            return Ok(match name {
                "default" => Audience::Everyone,
                _ => self.unknown_strategy(value, name),
            });
        };
        let audience = match name {
            "default" => Audience::Everyone,
            "userWithId" => {
                let ids = parameters.require("userIds")?.string()?;
                let ids = ids.split(',').map(str::trim).filter(|id| !id.is_empty());
                if self.account == "userId" {
                    Audience::Users(AccountSet::within("", ids))
                } else {
                    let message = format!(
                        "the strategy lists users, but the account is {}",
                        quote(self.account)
                    );
                    note_skipped(value.at(), &message, self.notes);
                    Audience::Unknown
                }
            }
            "flexibleRollout" => {
                self.require_server_fields(&parameters, &["groupId", "stickiness"]);
                // `default` is the user ID, or random for a request without one.
                let sticky = match parameters.non_empty_string("stickiness")? {
                    None | Some("default") => ("userId", true),
                    Some(other) => (other, other == "random"),
                };
                let percent = percentage(&mut parameters, "rollout")?;
                self.bucketed(value, sticky, percent, &mut parameters)?
            }
            "gradualRolloutUserId" | "gradualRolloutSessionId" | "gradualRolloutRandom" => {
                let sticky = match name {
                    "gradualRolloutUserId" => "userId",
                    "gradualRolloutSessionId" => "sessionId",
                    _ => "random",
                };
                if sticky != "random" {
                    self.require_server_fields(&parameters, &["groupId"]);
                }
                let percent = percentage(&mut parameters, "percentage")?;
                self.bucketed(
                    value,
                    (sticky, sticky == "random"),
                    percent,
                    &mut parameters,
                )?
            }
            _ => return Ok(self.unknown_strategy(value, name)),
        };
        parameters.finish(&[], self.notes);
        Ok(audience)
    }

    fn unknown_strategy(&mut self, value: &LocatedValue<'a>, name: &str) -> Audience<'a> {
        let message = format!("the strategy {} is not supported", quote(name));
        note_skipped(value.at(), &message, self.notes);
        Audience::Unknown
    }

    /// The audience of a percentage. Accounts are bucketed by the context field `sticky`.
    ///
    /// With `is_random_without`, a request without the field is bucketed at random. Otherwise it is in no
    /// percentage, not even in 100 %.
    fn bucketed(
        &mut self,
        value: &LocatedValue<'a>,
        (sticky, is_random_without): (&str, bool),
        percent: u32,
        parameters: &mut ObjectReader<'a>,
    ) -> ImportResult<Audience<'a>> {
        let group = parameters.string("groupId")?.unwrap_or(self.flag.key);
        if percent == BUCKETS && (sticky == self.account || is_random_without) {
            return Ok(Audience::Bucketed(Allocation::V2));
        }
        if sticky != self.account {
            if percent == 0 {
                // The strategy serves nobody, whatever the bucketing is.
                return Ok(Audience::Users(AccountSet::within("", [])));
            }
            let message = format!(
                "accounts are bucketed by {}, but the account is {}",
                quote(sticky),
                quote(self.account)
            );
            self.flag.reject(value.at(), &message, self.notes);
            return Ok(Audience::Unknown);
        }
        if group.len() > LONGEST_GROUP || group.is_empty() {
            let message = format!(
                "the group {} is empty or too long for a policy",
                quote(group)
            );
            self.flag.reject(value.at(), &message, self.notes);
            return Ok(Audience::Unknown);
        }
        let bucketing = Bucketing {
            tool: "unleash",
            fields: vec![("group_id", Value::from(group))],
            buckets: BUCKETS,
            is_v2_last: false,
        };
        Ok(Audience::Bucketed(Allocation::partial(bucketing, percent)))
    }
}

/// Reads a percentage, which Unleash writes as a string of an integer.
fn percentage(parameters: &mut ObjectReader<'_>, name: &'static str) -> ImportResult<u32> {
    let field = parameters.require(name)?;
    let Ok(text) = field.string() else {
        return field.integer_up_to(BUCKETS);
    };
    let percent = serde_json::from_str(text.trim()).ok();
    let percent = percent.and_then(|value: Value| integer(&value));
    let percent = percent.and_then(|percent| u32::try_from(percent).ok());
    let percent = percent.filter(|percent| *percent <= BUCKETS);
    percent.ok_or_else(|| {
        ImportError::new(
            field.at(),
            format!("{} is not a percentage", quote(text)),
            "expected an integer from 0 to 100",
        )
    })
}
