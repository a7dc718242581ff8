//! Unleash's constraints and segments: the accounts for which they hold.

use super::{NAME, Reader};
use crate::account_set::{AccountSet, Condition};
use crate::error::ImportResult;
use crate::flag::note_skipped;
use crate::located_value::LocatedValue;
use crate::quote::quote;

impl<'a> Reader<'a, '_> {
    pub(super) fn constraint(&mut self, value: &LocatedValue<'a>) -> ImportResult<Condition<'a>> {
        let mut constraint = value.object()?;
        let context = constraint.require("contextName")?.string()?;
        let operator = constraint.require("operator")?.string()?;
        let is_inverted = constraint.boolean("inverted")?.unwrap_or_default();
        let ignores_case = constraint.boolean("caseInsensitive")?.unwrap_or_default();
        let values = match constraint.get("values") {
            Some(values) => values.strings()?,
            None => Vec::new(),
        };
        if matches!(operator, "IN" | "NOT_IN") {
            self.flag
                .require_fields(&constraint, &["values"], NAME, self.notes);
        }
        // Older constraints have neither of these two, and newer ones have both.
        if constraint.has("inverted") != constraint.has("caseInsensitive") {
            self.require_server_fields(&constraint, &["inverted", "caseInsensitive"]);
        }
        constraint.finish(&["id", "value"], self.notes);
        let condition = match operator {
            "IN" | "NOT_IN" if context == self.account && !ignores_case => {
                let within = AccountSet::within("", values);
                Condition::known(if operator == "IN" {
                    within
                } else {
                    within.not()
                })
            }
            _ => {
                let message = format!(
                    "the operator {} on {} is not supported",
                    quote(operator),
                    quote(context)
                );
                note_skipped(value.at(), &message, self.notes);
                return Ok(Condition::unknown());
            }
        };
        Ok(match is_inverted {
            true => condition.not(),
            false => condition,
        })
    }

    /// Reads a segment, a list of constraints that strategies share.
    pub(super) fn segment(&mut self, reference: &LocatedValue<'a>) -> ImportResult<Condition<'a>> {
        let id = reference.integer()?;
        let mut found = None;
        for segment in &self.segments {
            let mut segment = segment.object()?;
            if segment.require("id")?.integer()? == id {
                let name = segment.string("name")?.unwrap_or_default();
                self.flag
                    .require_fields(&segment, &["constraints"], NAME, self.notes);
                found = Some((segment.items("constraints")?, name));
                segment.finish(
                    &["createdAt", "createdBy", "description", "project"],
                    self.notes,
                );
                break;
            }
        }
        let Some((constraints, name)) = found else {
            // In that case, Unleash's own engine turns the whole flag off.
            let message = format!("the segment {id} is not in the file");
            self.flag.reject(reference.at(), &message, self.notes);
            return Ok(Condition::unknown());
        };
        let mut condition = Condition::always();
        for constraint in constraints {
            condition = condition.and(&self.constraint(&constraint)?);
        }
        condition.accounts = condition.accounts.with_name(name);
        Ok(condition)
    }
}
