//! flagd's `fractional`: variants with weights. The total of the weights is the number of buckets.

use std::rc::Rc;

use serde_json::Value;

use super::targeting::{argument, is_targeting_key, variable};
use super::{FractionalVersion, Reader};
use crate::account_set::Condition;
use crate::bucketing::{Allocation, Bucketing, V2Range};
use crate::error::ImportResult;
use crate::flag::Remainder;
use crate::located_value::LocatedValue;
use crate::quote::quote;
use crate::variations::Treatment;

/// The largest `total_weight` of a policy.
const LARGEST_TOTAL: u32 = 100_000_000;
/// The longest text in a policy's `hash`, in bytes.
const LONGEST_TEXT: usize = 256;

impl<'a> Reader<'a, '_> {
    pub(super) fn fractional(
        &mut self,
        arguments: &LocatedValue<'a>,
        condition: &Condition<'a>,
    ) -> ImportResult<()> {
        let at = arguments.at();
        let allocation = match self.allocation(arguments)? {
            Ok(allocation) => allocation,
            Err(message) => {
                self.flag.reject(at, &message, self.notes);
                Allocation::V1
            }
        };
        self.flag
            .push(at, condition.clone(), allocation, Remainder::V1, self.notes);
        self.join_bucketings();
        Ok(())
    }

    /// The allocation, or why it is not supported.
    fn allocation(
        &mut self,
        arguments: &LocatedValue<'a>,
    ) -> ImportResult<Result<Allocation, String>> {
        let mut variants: Vec<_> = arguments.items()?.collect();
        let by = match variants.first() {
            Some(first) if !first.is_list() => Some(variants.remove(0)),
            _ => None,
        };
        let is_key =
            |by: &LocatedValue<'_>| variable(by).is_some() || argument(by, "cat").is_some();
        if by.as_ref().is_some_and(|by| !is_key(by)) {
            return Ok(Err("the accounts are not bucketed by a key".into()));
        }
        let prefix = match &by {
            Some(by) => self.prefix(by),
            None if is_targeting_key(self.account) => Some(self.flag.key.to_owned()),
            None => None,
        };
        let mut ranges = Vec::with_capacity(variants.len());
        for variant in &variants {
            match self.weighted_variant(variant)? {
                Some(range) => ranges.push(range),
                None => {
                    return Ok(Err(
                        "computed variants, computed weights and fractional weights are not supported".into(),
                    ));
                }
            }
        }
        let total = ranges
            .iter()
            .try_fold(0, |sum: u32, (_, weight)| sum.checked_add(*weight));
        let total = total.filter(|total| (1..=LARGEST_TOTAL).contains(total));
        let Some(total) = total else {
            return Ok(Err(format!(
                "the weights add up to 0 or to more than {LARGEST_TOTAL}"
            )));
        };
        let range = V2Range::new(&ranges, total, Treatment::V1);
        let Some(prefix) = prefix else {
            let message = match by {
                Some(_) => format!("accounts are not bucketed by {}", quote(self.account)),
                None => format!(
                    "accounts are bucketed by the targeting key, but the account is {}",
                    quote(self.account)
                ),
            };
            return Ok(Err(message));
        };
        if matches!(range, V2Range::Empty | V2Range::Full) {
            // Every context with the key gets the same variant, whatever its bucket.
            return Ok(Ok(range
                .allocation(|_| Bucketing::none())
                .unwrap_or(Allocation::V1)));
        }
        if prefix.len() > LONGEST_TEXT {
            return Ok(Err(format!("{} is too long for a policy", quote(&prefix))));
        }
        self.note_version(arguments);
        let version = match self.version {
            FractionalVersion::One => 1,
            FractionalVersion::Two => 2,
        };
        let allocation = range.allocation(|is_v2_last| Bucketing {
            tool: "flagd",
            fields: vec![
                ("flag_key", Value::from(prefix.as_str())),
                ("version", Value::from(version)),
                ("total_weight", Value::from(total)),
            ],
            buckets: total,
            is_v2_last,
        });
        Ok(Ok(allocation.unwrap_or_else(|| {
            self.notes.add_branch_loss(
                arguments.at(),
                "v2 is between other variants, and a policy supports v2 only at an end of the bucket range, so the rule is skipped",
                "before the import, move v2 to an end of the list if its accounts may change",
            );
            Allocation::V1
        })))
    }

    fn note_version(&mut self, value: &LocatedValue<'a>) {
        if std::mem::replace(&mut self.has_version_note, true) {
            return;
        }
        let (as_flagd, help) = match self.version {
            FractionalVersion::One => (
                "as flagd did before the spring of 2026",
                "use --formula 2 for a later flagd",
            ),
            FractionalVersion::Two => (
                "as flagd does since the spring of 2026",
                "use --formula 1 for an earlier flagd; versions that hash CBOR, such as core 2.0 of the Python SDK, are not supported",
            ),
        };
        self.notes.add_note(
            value.at(),
            format!("accounts are bucketed {as_flagd}"),
            help,
        );
    }

    /// A variant's treatment and its weight, by default 1; `None` if one is computed or the weight is not an integer.
    fn weighted_variant(
        &mut self,
        value: &LocatedValue<'a>,
    ) -> ImportResult<Option<(Treatment, u32)>> {
        let mut parts = value.items()?;
        let name = parts.next();
        let weight = parts.next();
        let name = match name.as_ref().map(LocatedValue::value) {
            Some(Value::String(name)) => name.clone(),
            Some(Value::Bool(name)) => name.to_string(),
            _ => return Ok(None),
        };
        let weight = match weight.as_ref().map(LocatedValue::value) {
            None => Some(1),
            // flagd treats a negative weight as 0.
            Some(_) => weight
                .and_then(|weight| weight.integer().ok())
                .map(|weight| weight.max(0)),
        };
        if parts.next().is_some() {
            return Ok(None);
        }
        let weight = weight.and_then(|weight| u32::try_from(weight).ok());
        Ok(weight.map(|weight| (self.treatment(value.at(), &name), weight)))
    }

    /// The text that is hashed before the account; `None` if the hash has other inputs.
    fn prefix(&self, by: &LocatedValue<'a>) -> Option<String> {
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
            None => part.string().ok(),
        });
        texts.collect()
    }

    /// Gives bucketings that differ only in their totals the least common multiple as the total, so that they
    /// are one bucketing.
    fn join_bucketings(&mut self) {
        let mut common: Option<u32> = None;
        for branch in &self.flag.branches {
            let Allocation::Partial(partial) = &branch.allocation else {
                continue;
            };
            let buckets = partial.bucketing.buckets;
            common = Some(match common {
                None => buckets,
                Some(common) => match least_common_multiple(common, buckets) {
                    Some(common) => common,
                    None => return,
                },
            });
        }
        let Some(common) = common else { return };
        for branch in &mut self.flag.branches {
            let Allocation::Partial(partial) = &mut branch.allocation else {
                continue;
            };
            let times = common.checked_div(partial.bucketing.buckets).unwrap_or(1);
            partial.v2_buckets = partial.v2_buckets.saturating_mul(times);
            let mut bucketing = Bucketing::clone(&partial.bucketing);
            bucketing.buckets = common;
            for (name, value) in &mut bucketing.fields {
                if *name == "total_weight" {
                    *value = Value::from(common);
                }
            }
            partial.bucketing = Rc::new(bucketing);
        }
    }
}

/// The least common multiple; `None` if it is above the largest total.
fn least_common_multiple(a: u32, b: u32) -> Option<u32> {
    let (mut divisor, mut rest) = (a, b);
    while rest > 0 {
        (divisor, rest) = (rest, divisor.checked_rem(rest)?);
    }
    let multiple = a.checked_div(divisor)?.checked_mul(b)?;
    Some(multiple).filter(|multiple| *multiple <= LARGEST_TOTAL)
}
