//! flagd's targeting: converts a JsonLogic expression to branches and conditions.

use serde_json::Value;

use super::{KEY, Reader};
use crate::account_set::{AccountSet, Condition};
use crate::bucketing::Allocation;
use crate::error::{ImportError, ImportResult};
use crate::flag::{Remainder, note_skipped};
use crate::located_value::LocatedValue;
use crate::quote::quote;

/// The most expressions that one flag may visit.
const MOST_VISITED: usize = 20_000;
/// The longest chain of `$ref`s.
const LONGEST_CHAIN: usize = 32;

impl<'a> Reader<'a, '_> {
    /// Adds the branches of an expression, for the accounts of a condition.
    pub(super) fn expression(
        &mut self,
        value: &LocatedValue<'a>,
        condition: &Condition<'a>,
    ) -> ImportResult<()> {
        let value = self.resolve(value)?;
        let (operator, arguments) = match value.value() {
            Value::Null => {
                self.default(value.at(), condition.clone());
                return Ok(());
            }
            Value::String(name) => {
                self.variant(value.at(), condition.clone(), name);
                return Ok(());
            }
            Value::Bool(name) => {
                self.variant(value.at(), condition.clone(), &name.to_string());
                return Ok(());
            }
            _ => operation(&value)?,
        };
        match operator {
            "if" | "?:" => self.branches(&arguments, condition),
            "fractional" => self.fractional(&arguments, condition),
            other => {
                let message = format!("the operation {} is not supported", quote(other));
                note_skipped(value.at(), &message, self.notes);
                let unknown = Condition {
                    is_known: false,
                    ..condition.clone()
                };
                self.flag.push(
                    value.at(),
                    unknown,
                    Allocation::V1,
                    Remainder::V1,
                    self.notes,
                );
                Ok(())
            }
        }
    }

    /// Adds the branches of `[condition, then, condition, then, …, else]`, for the accounts of a
    /// condition.
    fn branches(
        &mut self,
        arguments: &LocatedValue<'a>,
        condition: &Condition<'a>,
    ) -> ImportResult<()> {
        let at = arguments.at().to_owned();
        let mut arguments = arguments.items()?;
        while let Some(first) = arguments.next() {
            let Some(then) = arguments.next() else {
                return self.expression(&first, condition);
            };
            let holds = self.condition(&first)?;
            self.expression(&then, &condition.and(&holds))?;
        }
        self.default(&at, condition.clone());
        Ok(())
    }

    pub(super) fn condition(&mut self, value: &LocatedValue<'a>) -> ImportResult<Condition<'a>> {
        let value = self.resolve(value)?;
        if let Value::Bool(holds) = value.value() {
            let always = Condition::always();
            return Ok(if *holds { always } else { always.not() });
        }
        if !value.is_object() {
            return Ok(self.unknown(&value, "a condition that is not an operation"));
        }
        let (operator, arguments) = operation(&value)?;
        match operator {
            "and" => self.all(&arguments),
            "or" => self.any(&arguments),
            "!" => Ok(self.only_argument(&arguments)?.not()),
            "!!" => self.only_argument(&arguments),
            "==" | "===" => self.equal(&value, &arguments),
            "!=" | "!==" => Ok(self.equal(&value, &arguments)?.not()),
            "in" => self.contained(&value, &arguments),
            other => Ok(self.unknown(&value, &format!("the operation {}", quote(other)))),
        }
    }

    fn unknown(&mut self, value: &LocatedValue<'a>, what: &str) -> Condition<'a> {
        note_skipped(value.at(), &format!("{what} is not supported"), self.notes);
        Condition::unknown()
    }

    fn all(&mut self, arguments: &LocatedValue<'a>) -> ImportResult<Condition<'a>> {
        let mut all = Condition::always();
        if arguments.items()?.next().is_none() {
            return Ok(self.unknown(arguments, "an operation without arguments"));
        }
        for argument in arguments.items()? {
            all = all.and(&self.condition(&argument)?);
        }
        Ok(all)
    }

    fn any(&mut self, arguments: &LocatedValue<'a>) -> ImportResult<Condition<'a>> {
        let mut any = Condition::known(AccountSet::within("", []));
        if arguments.items()?.next().is_none() {
            return Ok(self.unknown(arguments, "an operation without arguments"));
        }
        for argument in arguments.items()? {
            any = any.or(&self.condition(&argument)?);
        }
        Ok(any)
    }

    /// Reads the argument of an operation that takes only one. It may be written without a list.
    fn only_argument(&mut self, arguments: &LocatedValue<'a>) -> ImportResult<Condition<'a>> {
        if !arguments.is_list() {
            return self.condition(arguments);
        }
        let mut items = arguments.items()?;
        match (items.next(), items.next()) {
            (Some(only), None) => self.condition(&only),
            _ => Ok(self.unknown(arguments, "a negation of several arguments")),
        }
    }

    fn equal(
        &mut self,
        value: &LocatedValue<'a>,
        arguments: &LocatedValue<'a>,
    ) -> ImportResult<Condition<'a>> {
        let two: Vec<_> = arguments.items()?.collect();
        let equal = match two.as_slice() {
            [a, b] if self.is_account(a) => b.string().ok(),
            [a, b] if self.is_account(b) => a.string().ok(),
            _ => None,
        };
        Ok(match equal {
            Some(account) => Condition::known(AccountSet::within("", [account])),
            None => self.unknown(value, "this comparison"),
        })
    }

    fn contained(
        &mut self,
        value: &LocatedValue<'a>,
        arguments: &LocatedValue<'a>,
    ) -> ImportResult<Condition<'a>> {
        let two: Vec<_> = arguments.items()?.collect();
        match two.as_slice() {
            [account, list] if self.is_account(account) && list.strings().is_ok() => {
                Ok(Condition::known(AccountSet::within("", list.strings()?)))
            }
            _ => Ok(self.unknown(value, "this use of `in`")),
        }
    }

    /// Whether an expression is the account: `{"var": "targetingKey"}`.
    pub(super) fn is_account(&self, value: &LocatedValue<'a>) -> bool {
        variable(value).is_some_and(|name| name == self.account)
    }

    /// Follows the `$ref`s of an expression.
    fn resolve(&mut self, value: &LocatedValue<'a>) -> ImportResult<LocatedValue<'a>> {
        let mut value = value.clone();
        for _ in 0..LONGEST_CHAIN {
            self.visited = self.visited.saturating_add(1);
            if self.visited > MOST_VISITED {
                return Err(too_deep(&value));
            }
            let Some(name) = argument(&value, "$ref").and_then(Value::as_str) else {
                return Ok(value);
            };
            let found = match &self.evaluators {
                Some(evaluators) => {
                    let entries = evaluators.entries()?;
                    entries.into_iter().find(|(key, _)| *key == name)
                }
                None => None,
            };
            let Some((_, evaluator)) = found else {
                return Err(ImportError::new(
                    value.at(),
                    format!("the file has no evaluator {}", quote(name)),
                    "pass the file with its `$evaluators`",
                ));
            };
            value = evaluator;
        }
        Err(too_deep(&value))
    }
}

fn too_deep(value: &LocatedValue<'_>) -> ImportError {
    ImportError::new(
        value.at(),
        "the targeting has too many expressions or too long chains of `$ref`",
        "simplify the targeting before the import",
    )
}

/// The operation of an expression, and its arguments.
fn operation<'a>(value: &LocatedValue<'a>) -> ImportResult<(&'a str, LocatedValue<'a>)> {
    match value.entries()?.as_slice() {
        [(operator, arguments)] => Ok((operator, arguments.clone())),
        _ => Err(ImportError::new(
            value.at(),
            "expected an object with one operation",
            "pass the file as flagd reads it",
        )),
    }
}

/// Returns the argument of this operation, if the expression has nothing else.
pub(super) fn argument<'a>(value: &LocatedValue<'a>, operation: &str) -> Option<&'a Value> {
    let map = value.value().as_object()?;
    map.get(operation).filter(|_| map.len() == 1)
}

/// The name in `{"var": "name"}` or `{"var": ["name"]}`.
pub(super) fn variable<'a>(value: &LocatedValue<'a>) -> Option<&'a str> {
    let name = argument(value, "var")?;
    name.as_str().or_else(|| match name.as_array()?.as_slice() {
        [name] => name.as_str(),
        _ => None,
    })
}

/// Whether the account is flagd's default key for bucketing.
pub(super) fn is_targeting_key(account: &str) -> bool {
    account == KEY
}
