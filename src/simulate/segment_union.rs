//! Combines the segments of two policies, and finds renamed ones.

use std::collections::{BTreeMap, BTreeSet};

use turnout_core::AccountId;

use crate::policy_at::PolicyAt;
use crate::saturating::increase;

/// The segments of both policies, by name.
pub(crate) struct SegmentUnion {
    /// The segments of the new policy, then those that only the old policy has.
    pub(crate) names: Vec<String>,
    /// For each policy, maps the index of a segment to its index in `names`.
    places: [Vec<usize>; 2],
    /// For each policy and index in `names`, whether only this policy has the segment.
    is_only_in: [Vec<bool>; 2],
    /// The number of accounts in each segment that only one policy has.
    members: BTreeMap<usize, u64>,
    /// The number of accounts in both a removed and an added segment. Only pairs that occur are stored, because
    /// all pairs would be too many.
    shared: BTreeMap<(usize, usize), u64>,
}

impl SegmentUnion {
    pub(crate) fn new(versions: [PolicyAt<'_>; 2]) -> Self {
        let names = union(versions.map(|v| v.plan.segment_names().iter().map(String::as_str)));
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let place: BTreeMap<&str, usize> = names
            .iter()
            .enumerate()
            .map(|(place, name)| (name.as_str(), place))
            .collect();
        let place = |name: &String| place.get(name.as_str()).copied();
        let places = versions.map(|v| v.plan.segment_names().iter().filter_map(place).collect());
        let known = versions.map(|v| BTreeSet::from_iter(v.plan.segment_names()));
        let [in_old, in_new] = known.map(|known| {
            let is_in = |name| known.contains(name);
            names.iter().map(is_in).collect::<Vec<_>>()
        });
        let only = |here: &[bool], there: &[bool]| {
            let pairs = here.iter().zip(there);
            pairs.map(|(here, there)| *here && !there).collect()
        };
        Self {
            is_only_in: [only(&in_old, &in_new), only(&in_new, &in_old)],
            names,
            places,
            members: BTreeMap::new(),
            shared: BTreeMap::new(),
        }
    }

    /// Returns the segments that an account is in, under either policy.
    pub(crate) fn of(
        &mut self,
        versions: [PolicyAt<'_>; 2],
        ids: &[Option<AccountId<'_>>; 2],
    ) -> BTreeSet<usize> {
        let mut all = BTreeSet::new();
        let mut each = [BTreeSet::<usize>::new(), BTreeSet::new()];
        let of_each = versions.iter().zip(ids).zip(&self.places).zip(&mut each);
        for (((version, id), places), found) in of_each {
            let segments = id.iter().flat_map(|id| version.plan.segments_of(id));
            found.extend(segments.filter_map(|segment| places.get(segment)));
            all.extend(found.iter().copied());
        }
        for (each, is_only) in each.iter_mut().zip(&self.is_only_in) {
            each.retain(|place| is_only.get(*place).is_some_and(|is_only| *is_only));
            for place in each.iter() {
                increase(self.members.entry(*place).or_default());
            }
        }
        let [gone, added] = &each;
        for gone in gone {
            for added in added {
                increase(self.shared.entry((*gone, *added)).or_default());
            }
        }
        all
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        let members = |place| self.members.get(place).copied().unwrap_or_default();
        let pairs = self.shared.iter();
        let renamed = pairs
            .filter(|((gone, added), both)| members(gone) == **both && members(added) == **both);
        let sentence = |((gone, added), _): (&(usize, usize), &u64)| {
            let (gone, added) = (self.names.get(*gone)?, self.names.get(*added)?);
            Some(format!(
                "the segment `{gone}` is removed, and `{added}` has the same accounts of the list, so it seems to be renamed"
            ))
        };
        renamed.filter_map(sentence).collect()
    }
}

/// The names of the new policy, then those that only the old one has.
pub(crate) fn union<'a>([old, new]: [impl Iterator<Item = &'a str>; 2]) -> Vec<&'a str> {
    let mut names: Vec<&str> = new.collect();
    let known = BTreeSet::from_iter(names.iter().copied());
    let gone: Vec<&str> = old.filter(|name| !known.contains(name)).collect();
    names.extend(gone);
    names
}
