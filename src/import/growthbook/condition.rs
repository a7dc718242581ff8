//! GrowthBook's conditions: which accounts they are about.

use super::Reader;
use crate::flag::leave_out;
use crate::node::{Node, Read};
use crate::when::{Condition, When};
use crate::words::quoted;

impl<'a> Reader<'a, '_> {
    /// All members have to hold.
    pub(super) fn condition(&mut self, node: &Node<'a>) -> Read<Condition<'a>> {
        let members = node.entries()?;
        if members.is_empty() {
            // GrowthBook leaves a condition out that says nothing, so this one has lost its members.
            return Ok(self.unknown(node, "an empty condition"));
        }
        let mut all = Condition::known(When::everyone());
        for (name, value) in members {
            let one = match name {
                "$and" => {
                    let mut all = Condition::known(When::everyone());
                    for part in value.items()? {
                        all = all.and(&self.condition(&part)?);
                    }
                    all
                }
                "$or" => self.any(&value)?,
                "$nor" => self.any(&value)?.not(),
                "$not" => self.condition(&value)?.not(),
                name if name == self.account => self.attribute(&value)?,
                name => self.unknown(&value, &format!("the attribute {}", quoted(name))),
            };
            all = all.and(&one);
        }
        Ok(all)
    }

    /// No part at all holds for everyone.
    fn any(&mut self, parts: &Node<'a>) -> Read<Condition<'a>> {
        let mut any: Option<Condition<'a>> = None;
        for part in parts.items()? {
            let one = self.condition(&part)?;
            any = Some(any.map_or(one.clone(), |any| any.or(&one)));
        }
        Ok(any.unwrap_or_else(|| Condition::known(When::everyone())))
    }

    fn unknown(&mut self, node: &Node<'a>, what: &str) -> Condition<'a> {
        leave_out(node.at(), &format!("{what} is not known here"), self.notes);
        Condition::unknown()
    }

    /// What the account has to be.
    fn attribute(&mut self, node: &Node<'a>) -> Read<Condition<'a>> {
        if let Ok(text) = node.text() {
            return Ok(Condition::known(When::within("", [text])));
        }
        if !node.is_object() {
            return Ok(self.unknown(node, "an account that is no text"));
        }
        let operators = node.entries()?;
        if operators.is_empty() {
            return Ok(self.unknown(node, "an empty condition"));
        }
        let mut all = Condition::known(When::everyone());
        for (operator, value) in operators {
            all = all.and(&self.operator(operator, &value)?);
        }
        Ok(all)
    }

    fn operator(&mut self, operator: &str, value: &Node<'a>) -> Read<Condition<'a>> {
        let known = |when| Ok(Condition::known(when));
        match operator {
            "$eq" if value.text().is_ok() => known(When::within("", [value.text()?])),
            "$ne" if value.text().is_ok() => known(When::within("", [value.text()?]).not()),
            "$in" | "$nin" => Ok(match value.texts() {
                Ok(texts) if operator == "$in" => Condition::known(When::within("", texts)),
                Ok(texts) => Condition::known(When::within("", texts).not()),
                Err(_) => self.unknown(value, "an account that is no text"),
            }),
            "$inGroup" => self.group(value),
            "$notInGroup" => Ok(self.group(value)?.not()),
            "$not" => Ok(self.attribute(value)?.not()),
            other => Ok(self.unknown(value, &format!("the operator {}", quoted(other)))),
        }
    }

    /// A list of values that conditions share.
    fn group(&mut self, id: &Node<'a>) -> Read<Condition<'a>> {
        let name = id.text()?;
        let groups = match &self.groups {
            Some(groups) => groups.entries()?,
            None => Vec::new(),
        };
        let found = groups.into_iter().find(|(key, _)| *key == name);
        match found {
            Some((_, values)) if values.texts().is_ok() => {
                Ok(Condition::known(When::within(name, values.texts()?)))
            }
            _ => Ok(self.unknown(id, &format!("the saved group {}", quoted(name)))),
        }
    }
}
