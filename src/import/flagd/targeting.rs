//! flagd's targeting: a JsonLogic expression as branches and conditions.

use serde_json::Value;

use super::{KEY, Reader};
use crate::draw::Serve;
use crate::flag::{Rest, leave_out};
use crate::node::{Node, Read, Unreadable};
use crate::when::{Condition, When};
use crate::words::quoted;

/// Expressions that are looked at in one flag.
const MOST: usize = 20_000;
/// How deep expressions may refer to others.
const DEEPEST: usize = 32;

impl<'a> Reader<'a, '_> {
    /// What an expression serves to the accounts of a condition.
    pub(super) fn expression(&mut self, node: &Node<'a>, when: &Condition<'a>) -> Read<()> {
        let node = self.resolved(node)?;
        let (operator, arguments) = match node.value() {
            Value::Null => {
                self.default(node.at(), when.clone());
                return Ok(());
            }
            Value::String(name) => {
                self.variant(node.at(), when.clone(), name);
                return Ok(());
            }
            Value::Bool(name) => {
                self.variant(node.at(), when.clone(), &name.to_string());
                return Ok(());
            }
            _ => operation(&node)?,
        };
        match operator {
            "if" | "?:" => self.branches(&arguments, when),
            "fractional" => self.fractional(&arguments, when),
            other => {
                let what = format!(
                    "what the operation {} gives is not known here",
                    quoted(other)
                );
                leave_out(node.at(), &what, self.notes);
                let unknown = Condition {
                    is_known: false,
                    ..when.clone()
                };
                self.flag
                    .push(node.at(), unknown, Serve::V1, Rest::V1, self.notes);
                Ok(())
            }
        }
    }

    /// `[condition, then, condition, then, …, else]`
    fn branches(&mut self, arguments: &Node<'a>, when: &Condition<'a>) -> Read<()> {
        let at = arguments.at().to_owned();
        let mut arguments = arguments.items()?;
        while let Some(first) = arguments.next() {
            let Some(then) = arguments.next() else {
                return self.expression(&first, when);
            };
            let holds = self.condition(&first)?;
            self.expression(&then, &when.and(&holds))?;
        }
        self.default(&at, when.clone());
        Ok(())
    }

    pub(super) fn condition(&mut self, node: &Node<'a>) -> Read<Condition<'a>> {
        let node = self.resolved(node)?;
        if let Value::Bool(holds) = node.value() {
            let everyone = Condition::known(When::everyone());
            return Ok(if *holds { everyone } else { everyone.not() });
        }
        if !node.is_object() {
            return Ok(self.unknown(&node, "this value"));
        }
        let (operator, arguments) = operation(&node)?;
        match operator {
            "and" => self.every(&arguments),
            "or" => self.any(&arguments),
            "!" => Ok(self.only(&arguments)?.not()),
            "!!" => self.only(&arguments),
            "==" | "===" => self.equal(&node, &arguments),
            "!=" | "!==" => Ok(self.equal(&node, &arguments)?.not()),
            "in" => self.within(&node, &arguments),
            other => Ok(self.unknown(&node, &format!("the operation {}", quoted(other)))),
        }
    }

    fn unknown(&mut self, node: &Node<'a>, what: &str) -> Condition<'a> {
        leave_out(
            node.at(),
            &format!("whether {what} holds is not known here"),
            self.notes,
        );
        Condition::unknown()
    }

    fn every(&mut self, arguments: &Node<'a>) -> Read<Condition<'a>> {
        let mut all = Condition::known(When::everyone());
        if arguments.items()?.next().is_none() {
            return Ok(self.unknown(arguments, "an operation of nothing"));
        }
        for argument in arguments.items()? {
            all = all.and(&self.condition(&argument)?);
        }
        Ok(all)
    }

    fn any(&mut self, arguments: &Node<'a>) -> Read<Condition<'a>> {
        let mut any = Condition::known(When::within("", []));
        if arguments.items()?.next().is_none() {
            return Ok(self.unknown(arguments, "an operation of nothing"));
        }
        for argument in arguments.items()? {
            any = any.or(&self.condition(&argument)?);
        }
        Ok(any)
    }

    /// An operation of one argument may have it without a list.
    fn only(&mut self, arguments: &Node<'a>) -> Read<Condition<'a>> {
        if !arguments.is_list() {
            return self.condition(arguments);
        }
        let mut arguments_of_list = arguments.items()?;
        match (arguments_of_list.next(), arguments_of_list.next()) {
            (Some(only), None) => self.condition(&only),
            _ => Ok(self.unknown(arguments, "an operation of one argument")),
        }
    }

    fn equal(&mut self, node: &Node<'a>, arguments: &Node<'a>) -> Read<Condition<'a>> {
        let two: Vec<_> = arguments.items()?.collect();
        let equal = match two.as_slice() {
            [a, b] if self.is_account(a) => b.text().ok(),
            [a, b] if self.is_account(b) => a.text().ok(),
            _ => None,
        };
        Ok(match equal {
            Some(account) => Condition::known(When::within("", [account])),
            None => self.unknown(node, "this comparison"),
        })
    }

    fn within(&mut self, node: &Node<'a>, arguments: &Node<'a>) -> Read<Condition<'a>> {
        let two: Vec<_> = arguments.items()?.collect();
        match two.as_slice() {
            [account, list] if self.is_account(account) && list.texts().is_ok() => {
                Ok(Condition::known(When::within("", list.texts()?)))
            }
            _ => Ok(self.unknown(node, "`in`")),
        }
    }

    /// `{"var": "targetingKey"}`
    pub(super) fn is_account(&self, node: &Node<'a>) -> bool {
        variable(node).is_some_and(|name| name == self.account)
    }

    /// What an expression refers to, or itself.
    fn resolved(&mut self, node: &Node<'a>) -> Read<Node<'a>> {
        let mut node = node.clone();
        for _ in 0..DEEPEST {
            self.visited = self.visited.saturating_add(1);
            if self.visited > MOST {
                return Err(too_deep(&node));
            }
            let Some(name) = argument(&node, "$ref").and_then(Value::as_str) else {
                return Ok(node);
            };
            let found = match &self.evaluators {
                Some(evaluators) => {
                    let entries = evaluators.entries()?;
                    entries.into_iter().find(|(key, _)| *key == name)
                }
                None => None,
            };
            let Some((_, evaluator)) = found else {
                return Err(Unreadable::new(
                    node.at(),
                    format!("there is no evaluator {}", quoted(name)),
                    "give the file with its `$evaluators`",
                ));
            };
            node = evaluator;
        }
        Err(too_deep(&node))
    }
}

fn too_deep(node: &Node<'_>) -> Unreadable {
    Unreadable::new(
        node.at(),
        "the targeting refers to others more often than can be followed",
        "give a flag with a smaller targeting",
    )
}

/// The one operation of an expression.
fn operation<'a>(node: &Node<'a>) -> Read<(&'a str, Node<'a>)> {
    match node.entries()?.as_slice() {
        [(operator, arguments)] => Ok((operator, arguments.clone())),
        _ => Err(Unreadable::new(
            node.at(),
            "found no single operation where an expression belongs",
            "give the file as flagd reads it",
        )),
    }
}

/// What an expression gives to an operation, if that is all there is in it.
pub(super) fn argument<'a>(node: &Node<'a>, operation: &str) -> Option<&'a Value> {
    let map = node.value().as_object()?;
    map.get(operation).filter(|_| map.len() == 1)
}

/// The name in `{"var": "name"}` or `{"var": ["name"]}`.
pub(super) fn variable<'a>(node: &Node<'a>) -> Option<&'a str> {
    let value = argument(node, "var")?;
    value
        .as_str()
        .or_else(|| match value.as_array()?.as_slice() {
            [name] => name.as_str(),
            _ => None,
        })
}

/// Whether the account is what flagd draws by unless told otherwise.
pub(super) fn is_targeting_key(account: &str) -> bool {
    account == KEY
}
