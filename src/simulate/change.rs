//! Compares two policies, account by account: whom a change moves, before it is made.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::Read;

use serde::Serialize;
use turnout_core::{Account, AccountId, Rollout, Time};
use turnout_text::{counted, thousands};

use crate::accounts::{Accounts, AccountsRead, BadAccounts, ListOptions};
use crate::counts::increase;
use crate::log::as_text;
use crate::moved_requests::{MovedRequests, RequestChange};
use crate::moves::{Move, Moves, Served};
use crate::order::overtaken;
use crate::redrawn::{drawn_anew, drawn_under_new_name};
use crate::version::Version;
use crate::words::{self, wanted};

/// What a change is not to do.
#[derive(Clone, Debug, Default)]
pub struct Forbidden {
    /// Segments of which no account is to move. Each is a segment of at least one version.
    pub segments: Vec<String>,
    /// How many accounts may newly take v2.
    pub max_new: Option<u64>,
}

/// What a change does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// When the old policy is asked.
    #[serde(serialize_with = "as_text")]
    pub at: Time,
    /// When the new one is.
    #[serde(serialize_with = "as_text")]
    pub at_new: Time,
    /// What was read.
    pub read: AccountsRead,
    /// Different accounts.
    pub accounts: u64,
    /// Lines with an account that an earlier line has.
    pub duplicates: u64,
    /// Accounts of forbidden segments that were not in the list; they are looked at too.
    pub not_in_list: u64,
    /// Accounts that newly take v2 in some rollout.
    pub newly_v2: u64,
    /// Accounts that go back to v1 in some rollout.
    pub back_to_v1: u64,
    /// Each rollout of either policy.
    pub rollouts: Vec<RolloutChange>,
    /// What else has changed, in sentences.
    pub notes: Vec<String>,
    /// What the change does though it is forbidden, in sentences.
    pub refused: Vec<String>,
    /// What was read of a log; `None` without one.
    pub requests: Option<MovedRequests>,
}

/// What a change does in one rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RolloutChange {
    /// Its name.
    pub rollout: String,
    /// Its mode in the old policy; `None` where the rollout is new.
    pub mode: Option<&'static str>,
    /// Its mode in the new policy; `None` where the rollout is removed.
    pub mode_new: Option<&'static str>,
    /// Accounts and requests are drawn anew: who is inside of a percentage has changed.
    pub drawn_anew: bool,
    /// All accounts.
    pub total: Moves,
    /// By segment, of either policy; an account counts in each.
    pub segments: Vec<Moves>,
    /// Accounts in no segment.
    pub no_segment: Moves,
    /// Every account that moves, or whose share of requests changes.
    pub moves: Vec<Move>,
    /// The requests of a log; `None` without one.
    pub requests: Option<RequestChange>,
}

struct Pair<'p> {
    rollouts: [Option<&'p Rollout>; 2],
    change: RolloutChange,
}

struct Comparison<'p> {
    versions: [Version<'p>; 2],
    segments: Segments,
    pairs: Vec<Pair<'p>>,
    known: HashSet<Box<[u8]>>,
    duplicates: u64,
    newly_v2: u64,
    back_to_v1: u64,
}

impl Change {
    /// Compares, for the accounts of a list.
    ///
    /// # Errors
    /// When the input fails, or has no such column.
    pub fn between(
        old: Version<'_>,
        new: Version<'_>,
        list: &ListOptions,
        forbidden: &Forbidden,
        input: impl Read,
    ) -> Result<Self, BadAccounts> {
        let mut comparison = Comparison::new([old, new]);
        let accounts = Accounts {
            options: list,
            wanted: wanted(new.plan.format()),
            malformed: &|found| words::malformed(new.plan.format(), found, list.text),
            // One that has become malformed is moved by that.
            is_account: &|found| [old, new].iter().any(|v| v.plan.account(found).is_some()),
            is_header: &|_| true,
        };
        let read = accounts.read(input, &mut |account| comparison.add(account))?;
        let before = comparison.known.len();
        comparison.add_forbidden(&forbidden.segments);
        let added = comparison.known.len().saturating_sub(before);
        let mut change = comparison.finish(read);
        change.not_in_list = u64::try_from(added).unwrap_or(u64::MAX);
        change.refused = change.refused_by(forbidden);
        Ok(change)
    }

    /// Adds what becomes of the requests of a log.
    pub fn add_requests(&mut self, requests: MovedRequests) {
        for rollout in &mut self.rollouts {
            rollout.requests = requests.of(&rollout.rollout);
        }
        self.requests = Some(requests);
    }

    fn refused_by(&self, forbidden: &Forbidden) -> Vec<String> {
        let mut refused = Vec::new();
        for name in &forbidden.segments {
            for rollout in &self.rollouts {
                let moves = rollout
                    .segments
                    .iter()
                    .find(|moves| moves.segment.as_ref() == Some(name));
                if let Some(sentence) = moves.and_then(Moves::sentence) {
                    refused.push(format!(
                        "{}: {sentence}, and --forbid {name} is given",
                        rollout.rollout
                    ));
                }
            }
        }
        if let Some(most) = forbidden.max_new.filter(|most| self.newly_v2 > *most) {
            refused.push(format!(
                "{} newly on v2, and --max-new {} is given",
                counted(self.newly_v2, "account", "accounts"),
                thousands(most)
            ));
        }
        refused
    }
}

impl<'p> Comparison<'p> {
    fn new(versions: [Version<'p>; 2]) -> Self {
        let segments = Segments::new(versions);
        let names = union(versions.map(|v| v.plan.rollouts().iter().map(|r| r.name.as_str())));
        let moves = |name: &String| Moves {
            segment: Some(name.clone()),
            ..Moves::default()
        };
        let pairs = names.into_iter().map(|name| {
            let rollouts = versions.map(|v| v.plan.rollouts().iter().find(|r| r.name == name));
            let [mode, mode_new] = rollouts.map(|rollout| rollout.map(|r| r.mode.as_str()));
            let drawn_anew = match rollouts {
                [Some(old), Some(new)] => !old.same_bucketing(new),
                _ => false,
            };
            let change = RolloutChange {
                rollout: name.to_owned(),
                mode,
                mode_new,
                drawn_anew,
                total: Moves::default(),
                segments: segments.names.iter().map(moves).collect(),
                no_segment: Moves::default(),
                moves: Vec::new(),
                requests: None,
            };
            Pair { rollouts, change }
        });
        Self {
            versions,
            pairs: pairs.collect(),
            segments,
            known: HashSet::new(),
            duplicates: 0,
            newly_v2: 0,
            back_to_v1: 0,
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        if self.known.contains(bytes) {
            increase(&mut self.duplicates);
            return;
        }
        self.known.insert(bytes.into());
        let ids = self.versions.map(|version| version.plan.account(bytes));
        let segments = self.segments.of(self.versions, &ids);
        let accounts = ids.map(|id| id.map_or(Account::Malformed, Account::Known));
        let (mut is_new, mut is_back) = (false, false);
        for pair in &mut self.pairs {
            let mut served = [Served::NONE; 2];
            let versions = self.versions.iter().zip(&pair.rollouts).zip(&accounts);
            for (place, ((version, rollout), account)) in served.iter_mut().zip(versions) {
                if let Some(rollout) = rollout {
                    *place = Served::of(*version, rollout, account);
                }
            }
            let [old, new] = served;
            pair.change.total.add(old, new);
            if segments.is_empty() {
                pair.change.no_segment.add(old, new);
            }
            for segment in &segments {
                if let Some(moves) = pair.change.segments.get_mut(*segment) {
                    moves.add(old, new);
                }
            }
            is_new |= !old.is_v2() && new.is_v2();
            is_back |= old.is_v2() && !new.is_v2();
            pair.change.moves.extend(Move::of(bytes, old, new));
        }
        if is_new {
            increase(&mut self.newly_v2);
        }
        if is_back {
            increase(&mut self.back_to_v1);
        }
    }

    /// Looks at all accounts of these segments, whatever the list has.
    fn add_forbidden(&mut self, names: &[String]) {
        let duplicates = self.duplicates;
        for version in self.versions {
            for name in names {
                let known = version.plan.segment_names();
                let Some(segment) = known.iter().position(|known| known == name) else {
                    continue;
                };
                let mut accounts: Vec<_> = version.plan.accounts_of_segment(segment).collect();
                accounts.sort();
                accounts.iter().for_each(|account| self.add(account));
            }
        }
        self.duplicates = duplicates;
    }

    fn finish(self, read: AccountsRead) -> Change {
        let [old, new] = self.versions;
        let notes = self.notes();
        Change {
            at: old.at,
            at_new: new.at,
            read,
            accounts: u64::try_from(self.known.len()).unwrap_or(u64::MAX),
            duplicates: self.duplicates,
            not_in_list: 0,
            newly_v2: self.newly_v2,
            back_to_v1: self.back_to_v1,
            rollouts: self.pairs.into_iter().map(|pair| pair.change).collect(),
            notes,
            refused: Vec::new(),
            requests: None,
        }
    }

    fn notes(&self) -> Vec<String> {
        let [old, new] = self.versions.map(|version| version.plan);
        let mut notes = Vec::new();
        if old.format() != new.format() {
            notes.push(String::from(
                "the format of accounts has changed: who is an account under one policy only counts as malformed under the other",
            ));
        }
        if !old.same_account_sources(new) {
            notes.push(String::from(
                "`account.from` has changed: a request may name another account, or none; accounts are counted as if \
                 theirs were found",
            ));
        }
        match (old.is_halted(), new.is_halted()) {
            (false, true) => {
                notes.push(String::from("the new policy is halted: everyone takes v1"));
            }
            (true, false) => {
                notes.push(String::from("the old policy is halted, the new one is not"));
            }
            _ => {}
        }
        for pair in &self.pairs {
            match pair.rollouts {
                [Some(gone), None] => {
                    let renamed = self.pairs.iter().find_map(|other| match other.rollouts {
                        [None, Some(added)] if added.v1 == gone.v1 && added.v2 == gone.v2 => {
                            Some(added)
                        }
                        _ => None,
                    });
                    if let Some(added) = renamed {
                        notes.push(format!(
                            "the rollout `{}` is gone, and `{}` has its clusters: a new name, it seems; {}",
                            gone.name,
                            added.name,
                            drawn_under_new_name(gone, added)
                        ));
                    }
                }
                [Some(old), Some(new)] => {
                    if pair.change.drawn_anew {
                        notes.push(format!("{}: {}", pair.change.rollout, drawn_anew(old, new)));
                    }
                    // Accounts are asked as if their requests were this rollout's.
                    if !old.same_match(new) {
                        notes.push(format!(
                            "{}: its `match` has changed, so requests come to it or leave it; accounts are counted as if \
                             theirs were all its own, --log says which requests move",
                            pair.change.rollout
                        ));
                    }
                }
                _ => {}
            }
        }
        notes.extend(overtaken(old, new));
        notes.extend(self.segments.notes());
        notes
    }
}

/// The segments of both versions, by name.
struct Segments {
    /// Those of the new version, then those that are gone.
    names: Vec<String>,
    /// From the places in a version to those in `names`.
    places: [Vec<usize>; 2],
    /// By place in `names`: in one version only, or in both.
    is_only_in: [Vec<bool>; 2],
    /// How many accounts were in each segment, in the version that has it alone.
    members: BTreeMap<usize, u64>,
    /// How many were in a segment that is gone and in one that is new. Only pairs that were met: all
    /// of them are far too many.
    shared: BTreeMap<(usize, usize), u64>,
}

impl Segments {
    fn new(versions: [Version<'_>; 2]) -> Self {
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

    /// The segments that an account is in, under either version.
    fn of(
        &mut self,
        versions: [Version<'_>; 2],
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

    fn notes(&self) -> Vec<String> {
        let members = |place| self.members.get(place).copied().unwrap_or_default();
        let pairs = self.shared.iter();
        let renamed = pairs
            .filter(|((gone, added), both)| members(gone) == **both && members(added) == **both);
        let sentence = |((gone, added), _): (&(usize, usize), &u64)| {
            let (gone, added) = (self.names.get(*gone)?, self.names.get(*added)?);
            Some(format!(
                "the segment `{gone}` is gone, and `{added}` has the same accounts of the list: a new name, it seems"
            ))
        };
        renamed.filter_map(sentence).collect()
    }
}

/// The names of the new version, then those that only the old one has.
fn union<'a>([old, new]: [impl Iterator<Item = &'a str>; 2]) -> Vec<&'a str> {
    let mut names: Vec<&str> = new.collect();
    let known = BTreeSet::from_iter(names.iter().copied());
    let gone: Vec<&str> = old.filter(|name| !known.contains(name)).collect();
    names.extend(gone);
    names
}
