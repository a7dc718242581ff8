//! GrowthBook's experiments: variations, each with a range of the line.

use super::ranges::{self, Hashing};
use super::{BY_GROWTHBOOK, Drawing, NAME, Reader};
use crate::draw::Serve;
use crate::flag::{Rest, leave_out};
use crate::node::{Object, Read};
use crate::treatment::Treatment;

impl<'a> Reader<'a, '_> {
    pub(super) fn experiment(&mut self, rule: &mut Object<'a>) -> Read<(Serve, Rest, bool)> {
        let variations = rule.get("variations");
        if variations.is_none() && (rule.has("force") || !rule.has("variations")) {
            // Of SDKs that find a `force` of null, some serve null and others ask the next rule.
            self.flag.refuse(
                rule.at(),
                "the rule has neither a value that it forces nor variations",
                self.notes,
            );
        }
        let is_by_tool = BY_GROWTHBOOK.iter().any(|name| rule.has(name));
        if is_by_tool && !rule.has("ranges") {
            self.flag.expect(rule, &["coverage"], NAME, self.notes);
        }
        if rule.has("meta") && !rule.has("ranges") {
            let always = &["hashAttribute", "hashVersion", "weights"];
            self.flag.expect(rule, always, NAME, self.notes);
        }
        let hashing = Hashing::new(rule.get("hashVersion"))?;
        let given = rule.items("variations")?;
        let treatments: Vec<_> = given
            .iter()
            .map(|node| (self.treatment)(node.value()))
            .collect();
        if treatments.is_empty() {
            return Ok((Serve::V1, Rest::Next, false));
        }
        let key = rule.text("key")?.filter(|key| !key.is_empty());
        let seed = rule.text("seed")?.filter(|seed| !seed.is_empty());
        let seed = seed.or(key).unwrap_or(self.flag.key);
        let namespace = match rule.get("namespace") {
            Some(namespace) => Some(ranges::namespace(&namespace)?),
            None => None,
        };
        let intervals = match rule.get("ranges") {
            Some(ranges) => {
                let ranges = ranges.items()?.map(|range| hashing.interval(&range));
                ranges.collect::<Read<Vec<_>>>()?
            }
            None => {
                hashing.intervals(treatments.len(), rule.get("coverage"), rule.get("weights"))?
            }
        };
        for name in ["coverage", "weights", "range"] {
            rule.get(name);
        }
        let mut goes_on = false;
        for meta in rule.items("meta")? {
            let mut meta = meta.object()?;
            goes_on |= meta.truth("passthrough")?.unwrap_or_default();
            meta.finish(&["key", "name"], self.notes);
        }
        let drawing = Drawing {
            hashing,
            seed,
            namespace,
        };
        if goes_on {
            leave_out(
                rule.at(),
                "a holdout lets a part of its accounts go on",
                self.notes,
            );
            return Ok((Serve::V1, Rest::Mixed, true));
        }
        let of = |wanted: Treatment| {
            let both = intervals.iter().zip(&treatments);
            let of = both
                .filter(move |(interval, treatment)| **treatment == wanted && interval.len() > 0);
            of.map(|(interval, _)| *interval).collect::<Vec<_>>()
        };
        let (v1, v2) = (of(Treatment::V1), of(Treatment::V2));
        let has_all = ranges::have_all(&intervals, hashing.places()) && namespace.is_none();
        let rest = match (has_all, v1.is_empty()) {
            (true, _) => Rest::V1,
            (false, true) => Rest::Next,
            (false, false) => Rest::Mixed,
        };
        let serve = match ranges::joined(&v2).as_slice() {
            [] => Serve::V1,
            [one] if one.len() == hashing.places() && namespace.is_none() => Serve::V2,
            [one] => self.drawn(rule, &drawing, "experiment", *one),
            _ => {
                self.notes.lost_of_branch(
                    rule.at(),
                    "v2 has several ranges of the line, and a policy keeps one:",
                    "order the variations so that v2's stand together, if its accounts may change",
                );
                Serve::V1
            }
        };
        Ok((serve, rest, true))
    }
}
