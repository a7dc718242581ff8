//! flagd's `fractional`: variants with weights, on a line that the total of the weights divides.

use std::rc::Rc;

use serde_json::Value;

use super::targeting::{argument, is_targeting_key, variable};
use super::{Formula, Reader};
use crate::draw::{Draw, Place, Serve};
use crate::flag::Rest;
use crate::node::{Node, Read};
use crate::treatment::Treatment;
use crate::when::Condition;
use crate::words::quoted;

/// The largest total that a policy's hash has.
const LARGEST_TOTAL: u32 = 100_000_000;
/// The longest text that a policy's hash has.
const LONGEST: usize = 256;

impl<'a> Reader<'a, '_> {
    pub(super) fn fractional(&mut self, arguments: &Node<'a>, when: &Condition<'a>) -> Read<()> {
        let at = arguments.at();
        let serve = match self.drawn(arguments)? {
            Ok(serve) => serve,
            Err(what) => {
                self.flag.refuse(at, &what, self.notes);
                Serve::V1
            }
        };
        self.flag
            .push(at, when.clone(), serve, Rest::V1, self.notes);
        self.join_lines();
        Ok(())
    }

    /// What is served, or why it cannot be kept.
    fn drawn(&mut self, arguments: &Node<'a>) -> Read<Result<Serve, String>> {
        let mut given: Vec<_> = arguments.items()?.collect();
        let by = match given.first() {
            Some(first) if !first.is_list() => Some(given.remove(0)),
            _ => None,
        };
        let is_key = |by: &Node<'_>| variable(by).is_some() || argument(by, "cat").is_some();
        if by.as_ref().is_some_and(|by| !is_key(by)) {
            return Ok(Err("accounts are drawn by something that is no key".into()));
        }
        let prefix = match &by {
            Some(by) => self.prefix(by),
            None if is_targeting_key(self.account) => Some(self.flag.key.to_owned()),
            None => None,
        };
        let mut pieces = Vec::with_capacity(given.len());
        for node in &given {
            match self.piece(node)? {
                Some(piece) => pieces.push(piece),
                None => {
                    return Ok(Err(
                        "a variant or a weight is computed, or a weight is no whole number".into(),
                    ));
                }
            }
        }
        let total = pieces
            .iter()
            .try_fold(0, |sum: u32, (_, weight)| sum.checked_add(*weight));
        let total = total.filter(|total| (1..=LARGEST_TOTAL).contains(total));
        let Some(total) = total else {
            return Ok(Err(format!(
                "the weights add up to 0 or to more than {LARGEST_TOTAL}"
            )));
        };
        let place = Place::of(&pieces, total, Treatment::V1);
        let Some(prefix) = prefix else {
            let what = match by {
                Some(_) => format!(
                    "accounts are drawn by something else than {}",
                    quoted(self.account)
                ),
                None => format!(
                    "accounts are drawn by the targeting key, and the account is {}",
                    quoted(self.account)
                ),
            };
            return Ok(Err(what));
        };
        if matches!(place, Place::Nowhere | Place::Everywhere) {
            // Whatever is drawn, for who has the key; who has not is served the default variant.
            return Ok(Ok(place.serve(|_| Draw::none()).unwrap_or(Serve::V1)));
        }
        if prefix.len() > LONGEST {
            return Ok(Err(format!("{} is too long for a policy", quoted(&prefix))));
        }
        self.tell_formula(arguments);
        let version = match self.formula {
            Formula::One => 1,
            Formula::Two => 2,
        };
        let serve = place.serve(|is_last| Draw {
            tool: "flagd",
            fields: vec![
                ("flag_key", Value::from(prefix.as_str())),
                ("version", Value::from(version)),
                ("total_weight", Value::from(total)),
            ],
            all: total,
            is_last,
        });
        Ok(Ok(serve.unwrap_or_else(|| {
            self.notes.lost_of_branch(
                arguments.at(),
                "v2 is between other variants, and only one at an end of flagd's range can be kept:",
                "move v2 to one end of the list before the import, if its accounts may change",
            );
            Serve::V1
        })))
    }

    fn tell_formula(&mut self, node: &Node<'a>) {
        if std::mem::replace(&mut self.has_told_formula, true) {
            return;
        }
        let (what, help) = match self.formula {
            Formula::One => (
                "as flagd did before the spring of 2026",
                "give --formula 2 for a later one",
            ),
            Formula::Two => (
                "as flagd does since the spring of 2026",
                "give --formula 1 for one from before; accounts of one that hashes CBOR, as the core 2.0 of the SDK for Python, cannot be kept",
            ),
        };
        self.notes
            .note(node.at(), format!("accounts are drawn {what}"), help);
    }

    /// A variant and its weight, which is 1 unless given; `None` where one is computed, or is no whole number.
    fn piece(&mut self, node: &Node<'a>) -> Read<Option<(Treatment, u32)>> {
        let mut parts = node.items()?;
        let name = parts.next();
        let weight = parts.next();
        let name = match name.as_ref().map(Node::value) {
            Some(Value::String(name)) => name.clone(),
            Some(Value::Bool(name)) => name.to_string(),
            _ => return Ok(None),
        };
        let weight = match weight.as_ref().map(Node::value) {
            None => Some(1),
            // flagd takes a negative one for none.
            Some(_) => weight
                .and_then(|weight| weight.whole().ok())
                .map(|weight| weight.max(0)),
        };
        if parts.next().is_some() {
            return Ok(None);
        }
        let weight = weight.and_then(|weight| u32::try_from(weight).ok());
        Ok(weight.map(|weight| (self.treatment(node.at(), &name), weight)))
    }

    /// What is hashed before the account; `None` where something else is hashed than the account.
    fn prefix(&self, by: &Node<'a>) -> Option<String> {
        if self.is_account(by) {
            return Some(String::new());
        }
        let parts: Vec<_> = by.entries().ok()?;
        let [("cat", parts)] = parts.as_slice() else {
            return None;
        };
        let mut parts: Vec<_> = parts.items().ok()?.collect();
        let last = parts.pop()?;
        if !self.is_account(&last) {
            return None;
        }
        let texts = parts.iter().map(|part| match variable(part) {
            Some("$flagd.flagKey") => Some(self.flag.key),
            Some(_) => None,
            None => part.text().ok(),
        });
        texts.collect()
    }

    /// Lines that differ in nothing but their totals are one line of the least common multiple.
    fn join_lines(&mut self) {
        let mut common: Option<u32> = None;
        for branch in &self.flag.branches {
            let Serve::Part(part) = &branch.serve else {
                continue;
            };
            let all = part.draw.all;
            common = Some(match common {
                None => all,
                Some(common) => match least_common_multiple(common, all) {
                    Some(common) => common,
                    None => return,
                },
            });
        }
        let Some(common) = common else { return };
        for branch in &mut self.flag.branches {
            let Serve::Part(part) = &mut branch.serve else {
                continue;
            };
            let times = common.checked_div(part.draw.all).unwrap_or(1);
            part.share = part.share.saturating_mul(times);
            let mut draw = Draw::clone(&part.draw);
            draw.all = common;
            for (name, value) in &mut draw.fields {
                if *name == "total_weight" {
                    *value = Value::from(common);
                }
            }
            part.draw = Rc::new(draw);
        }
    }
}

/// `None` where it is more than a policy's hash has.
fn least_common_multiple(a: u32, b: u32) -> Option<u32> {
    let (mut divisor, mut rest) = (a, b);
    while rest > 0 {
        (divisor, rest) = (rest, divisor.checked_rem(rest)?);
    }
    let multiple = a.checked_div(divisor)?.checked_mul(b)?;
    Some(multiple).filter(|multiple| *multiple <= LARGEST_TOTAL)
}
