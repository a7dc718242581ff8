//! GrowthBook's experiments: variations, each with a range of buckets.

use super::ranges::{self, HashVersion};
use super::{HashInputs, NAME, Reader, SERVER_FIELDS};
use crate::bucketing::Allocation;
use crate::error::ImportResult;
use crate::flag::{Remainder, note_skipped};
use crate::object_reader::ObjectReader;
use crate::variations::Treatment;

impl<'a> Reader<'a, '_> {
    pub(super) fn experiment(
        &mut self,
        rule: &mut ObjectReader<'a>,
    ) -> ImportResult<(Allocation, Remainder, bool)> {
        let variations = rule.get("variations");
        if variations.is_none() && (rule.has("force") || !rule.has("variations")) {
            // For a `force` of null, some SDKs return null and others go on to the next rule.
            self.flag.reject(
                rule.at(),
                "a rule without a forced value or variations is not supported",
                self.notes,
            );
        }
        let is_by_tool = SERVER_FIELDS.iter().any(|name| rule.has(name));
        if is_by_tool && !rule.has("ranges") {
            self.flag
                .require_fields(rule, &["coverage"], NAME, self.notes);
        }
        if rule.has("meta") && !rule.has("ranges") {
            let always = &["hashAttribute", "hashVersion", "weights"];
            self.flag.require_fields(rule, always, NAME, self.notes);
        }
        let version = HashVersion::new(rule.get("hashVersion"))?;
        let variations = rule.items("variations")?;
        let treatments: Vec<_> = variations
            .iter()
            .map(|value| (self.treatment)(value.value()))
            .collect();
        if treatments.is_empty() {
            return Ok((Allocation::V1, Remainder::Next, false));
        }
        let key = rule.string("key")?.filter(|key| !key.is_empty());
        let seed = rule.string("seed")?.filter(|seed| !seed.is_empty());
        let seed = seed.or(key).unwrap_or(self.flag.key);
        let namespace = match rule.get("namespace") {
            Some(namespace) => Some(ranges::namespace(&namespace)?),
            None => None,
        };
        let ranges = match rule.get("ranges") {
            Some(ranges) => {
                let ranges = ranges.items()?.map(|range| version.range(&range));
                ranges.collect::<ImportResult<Vec<_>>>()?
            }
            None => version.ranges(treatments.len(), rule.get("coverage"), rule.get("weights"))?,
        };
        for name in ["coverage", "weights", "range"] {
            rule.get(name);
        }
        let mut goes_on = false;
        for meta in rule.items("meta")? {
            let mut meta = meta.object()?;
            goes_on |= meta.boolean("passthrough")?.unwrap_or_default();
            meta.finish(&["key", "name"], self.notes);
        }
        let inputs = HashInputs {
            version,
            seed,
            namespace,
        };
        if goes_on {
            note_skipped(rule.at(), "holdouts are not supported", self.notes);
            return Ok((Allocation::V1, Remainder::Mixed, true));
        }
        let ranges_of = |wanted: Treatment| {
            let both = ranges.iter().zip(&treatments);
            let matching =
                both.filter(move |(range, treatment)| **treatment == wanted && range.len() > 0);
            matching.map(|(range, _)| *range).collect::<Vec<_>>()
        };
        let (v1, v2) = (ranges_of(Treatment::V1), ranges_of(Treatment::V2));
        let has_all =
            ranges::cover_all_buckets(&ranges, version.bucket_count()) && namespace.is_none();
        let remainder = match (has_all, v1.is_empty()) {
            (true, _) => Remainder::V1,
            (false, true) => Remainder::Next,
            (false, false) => Remainder::Mixed,
        };
        let allocation = match ranges::merge_adjacent(&v2).as_slice() {
            [] => Allocation::V1,
            [one] if one.len() == version.bucket_count() && namespace.is_none() => Allocation::V2,
            [one] => self.partial(rule, &inputs, "experiment", *one),
            _ => {
                self.notes.add_branch_loss(
                    rule.at(),
                    "v2 has several ranges of buckets, and a policy supports one, so the rule is skipped",
                    "put v2's variations next to each other if their accounts may change",
                );
                Allocation::V1
            }
        };
        Ok((allocation, remainder, true))
    }
}
