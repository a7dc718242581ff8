//! GrowthBook's conditions: the accounts for which they hold.

use super::Reader;
use crate::account_set::{AccountSet, Condition};
use crate::error::ImportResult;
use crate::flag::note_skipped;
use crate::located_value::LocatedValue;
use crate::quote::quote;

impl<'a> Reader<'a, '_> {
    /// Reads a condition, which holds if all its members do.
    pub(super) fn condition(&mut self, value: &LocatedValue<'a>) -> ImportResult<Condition<'a>> {
        let members = value.entries()?;
        if members.is_empty() {
            // GrowthBook omits empty conditions, so this one has lost its members.
            return Ok(self.unknown(value, "an empty condition"));
        }
        let mut all = Condition::always();
        for (name, member) in members {
            let one = match name {
                "$and" => {
                    let mut all = Condition::always();
                    for part in member.items()? {
                        all = all.and(&self.condition(&part)?);
                    }
                    all
                }
                "$or" => self.any(&member)?,
                "$nor" => self.any(&member)?.not(),
                "$not" => self.condition(&member)?.not(),
                name if name == self.account => self.attribute(&member)?,
                name => self.unknown(&member, &format!("the attribute {}", quote(name))),
            };
            all = all.and(&one);
        }
        Ok(all)
    }

    /// Reads alternatives. An empty list holds for everyone, as in GrowthBook.
    fn any(&mut self, parts: &LocatedValue<'a>) -> ImportResult<Condition<'a>> {
        let mut any: Option<Condition<'a>> = None;
        for part in parts.items()? {
            let one = self.condition(&part)?;
            any = Some(any.map_or(one.clone(), |any| any.or(&one)));
        }
        Ok(any.unwrap_or_else(Condition::always))
    }

    fn unknown(&mut self, value: &LocatedValue<'a>, what: &str) -> Condition<'a> {
        note_skipped(value.at(), &format!("{what} is not supported"), self.notes);
        Condition::unknown()
    }

    /// Reads the condition on the account.
    fn attribute(&mut self, value: &LocatedValue<'a>) -> ImportResult<Condition<'a>> {
        if let Ok(text) = value.string() {
            return Ok(Condition::known(AccountSet::within("", [text])));
        }
        if !value.is_object() {
            return Ok(self.unknown(value, "an account that is not a string"));
        }
        let operators = value.entries()?;
        if operators.is_empty() {
            return Ok(self.unknown(value, "an empty condition"));
        }
        let mut all = Condition::always();
        for (operator, value) in operators {
            all = all.and(&self.operator(operator, &value)?);
        }
        Ok(all)
    }

    fn operator(
        &mut self,
        operator: &str,
        value: &LocatedValue<'a>,
    ) -> ImportResult<Condition<'a>> {
        let known = |accounts| Ok(Condition::known(accounts));
        match operator {
            "$eq" if value.string().is_ok() => known(AccountSet::within("", [value.string()?])),
            "$ne" if value.string().is_ok() => {
                known(AccountSet::within("", [value.string()?]).not())
            }
            "$in" | "$nin" => Ok(match value.strings() {
                Ok(accounts) if operator == "$in" => {
                    Condition::known(AccountSet::within("", accounts))
                }
                Ok(accounts) => Condition::known(AccountSet::within("", accounts).not()),
                Err(_) => self.unknown(value, "an account that is not a string"),
            }),
            "$inGroup" => self.group(value),
            "$notInGroup" => Ok(self.group(value)?.not()),
            "$not" => Ok(self.attribute(value)?.not()),
            other => Ok(self.unknown(value, &format!("the operator {}", quote(other)))),
        }
    }

    /// Reads a saved group, a list of values that conditions share.
    fn group(&mut self, id: &LocatedValue<'a>) -> ImportResult<Condition<'a>> {
        let name = id.string()?;
        let groups = match &self.groups {
            Some(groups) => groups.entries()?,
            None => Vec::new(),
        };
        let found = groups.into_iter().find(|(key, _)| *key == name);
        match found {
            Some((_, values)) if values.strings().is_ok() => Ok(Condition::known(
                AccountSet::within(name, values.strings()?),
            )),
            _ => Ok(self.unknown(id, &format!("the saved group {}", quote(name)))),
        }
    }
}
