//! Compiles a policy with its locations, piece by piece, as far as it can be read.

use crate::bucketing::Salt;
use crate::bucketing::hash::Hash;
use crate::compile::{self, guard, hash, request_match, rollout_rules::Rollouts};
use crate::diagnostics::location::{JsonPointer, Span};
use crate::guard::GuardSettings;
use crate::plan::request_match::{RequestMatch, When};
use crate::plan::segment_lookup::SegmentSet;
use crate::plan::{self, Mode};
use crate::policy::account_files::{self, AccountFiles};
use crate::policy::document::{self, RawAccounts};
use crate::policy::json::{Field, List, Located, LocatedText, Map, Number, Reader};
use crate::request::account_id::Format;
use crate::request::account_sources::Source;

use super::errors::Errors;

pub(super) struct PartialPlan<'a> {
    pub(super) format: Option<Format>,
    /// The account sources that can be read, each with its index.
    pub(super) sources: Vec<(usize, Span, Source)>,
    /// The location of `halted`, if it is true.
    pub(super) halted: Option<Span>,
    pub(super) segments: Vec<PartialSegment<'a>>,
    pub(super) rollouts: Vec<PartialRollout<'a>>,
    /// The start of the list of rollouts.
    pub(super) rollouts_span: Span,
    /// Whether `rollouts` has every rollout of the policy, each with its name.
    pub(super) names_are_known: bool,
    /// The segments that conditions use; `None` if a condition cannot be read.
    pub(super) used: Option<SegmentSet>,
}

pub(super) struct PartialSegment<'a> {
    pub(super) name: LocatedText<'a>,
    /// The accounts, each with its index in the list.
    pub(super) accounts: Vec<(usize, LocatedText<'a>)>,
    pub(super) packed: Vec<u128>,
    /// The accounts of its file, and where the policy names the file.
    pub(super) file: Option<(Span, &'a account_files::FileAccounts)>,
    /// Whether these are all accounts of the segment.
    pub(super) is_whole: bool,
}

pub(super) struct PartialRollout<'a> {
    pub(super) index: usize,
    pub(super) span: Span,
    pub(super) name: Option<LocatedText<'a>>,
    pub(super) clusters: [Option<LocatedText<'a>>; 2],
    pub(super) mode: Option<Located<Mode>>,
    /// The location of `halted`, if it is true.
    pub(super) halted: Option<Span>,
    /// The match; `None` if it cannot be read.
    pub(super) matches: Option<RequestMatch>,
    pub(super) rules: Vec<Option<PartialRule>>,
    /// Whether every rule of the rollout is in `rules`.
    pub(super) rules_are_whole: bool,
    pub(super) salt: Option<LocatedText<'a>>,
    /// The location of `hash`.
    pub(super) hash_span: Option<Span>,
    /// The hash that buckets accounts; `None` if it cannot be read.
    pub(super) hash: Option<Hash>,
    /// The location and name of a percentage of 0, because of which no request is shadowed.
    pub(super) shadows_nothing: Option<(Span, &'static str)>,
    /// Regions that the condition of the shadow lists twice.
    pub(super) repeated_regions: Vec<RepeatedRegion>,
    /// The guard, whatever the mode is; `None` if it cannot be read.
    pub(super) guard: Option<PartialGuard>,
}

pub(super) struct PartialGuard {
    /// The start of the guard.
    pub(super) span: Span,
    pub(super) settings: GuardSettings,
    /// The location of `alpha`, if the policy has it.
    pub(super) alpha: Option<Span>,
}

pub(super) struct PartialRule {
    pub(super) span: Span,
    pub(super) compiled: plan::Rule,
    pub(super) accounts: Span,
    pub(super) requests: Span,
    /// The locations of a ramp's percentages.
    pub(super) steps: Vec<Span>,
    pub(super) repeated_regions: Vec<RepeatedRegion>,
}

/// An item that its list already has.
pub(super) struct RepeatedRegion {
    pub(super) span: Span,
    pub(super) index: usize,
    pub(super) first: Span,
    pub(super) first_index: usize,
}

impl PartialSegment<'_> {
    pub(super) fn is_empty(&self) -> bool {
        let has_file = self.file.is_some_and(|(_, file)| !file.list.is_empty());
        self.accounts.is_empty() && self.packed.is_empty() && !has_file
    }
}

impl<'a> PartialPlan<'a> {
    /// Compiles what can be read. `reader` repeats problems that are already in `errors`.
    pub(super) fn new(
        reader: &mut Reader<'a>,
        policy: document::RawPolicy<'a>,
        errors: &Errors<'_>,
        files: &'a AccountFiles,
    ) -> Self {
        let root = &JsonPointer::Root;
        let (format, from) = match policy.account.into_value() {
            Some(account) => (
                account.value.format.into_value(),
                account.value.from.into_value(),
            ),
            None => (None, None),
        };
        let format = format.and_then(|word| Format::from_name(&word.value));
        let sources = from.map_or_else(Vec::new, |from| sources(reader, from));
        let segments_are_known = !matches!(policy.segments, Field::Bad);
        let segments = segments(policy.segments.into_value(), errors, files);
        let names: Vec<String> = segments.iter().map(|s| s.name.value.to_string()).collect();
        let at = root.field("rollouts");
        let whole = reader.whole_span();
        let given = policy.rollouts.into_value();
        let rollouts_span = given.as_ref().map_or(whole, |given| given.span).head();
        let is_given = given.is_some();
        let given = given.map_or_else(Vec::new, |given| given.value);
        let mut compiler = PartialCompiler {
            reader,
            errors,
            names: segments_are_known.then_some(names.as_slice()),
            used: is_given.then(SegmentSet::default),
        };
        let count = given.len();
        let mut rollouts = Vec::with_capacity(count);
        for (index, rollout) in given.into_iter().enumerate() {
            match rollout {
                Some(rollout) => rollouts.push(compiler.rollout(index, &at.index(index), rollout)),
                None => compiler.used = None,
            }
        }
        let used = compiler.used.filter(|_| errors.all_fields_known(root));
        Self {
            format,
            sources,
            halted: span_if_true(policy.halted),
            names_are_known: is_given
                && rollouts.len() == count
                && rollouts.iter().all(|rollout| rollout.name.is_some())
                && errors.all_fields_known(root),
            segments,
            rollouts,
            rollouts_span,
            used,
        }
    }
}

fn span_if_true(halted: Field<Located<bool>>) -> Option<Span> {
    let halted = halted.into_value().filter(|halted| halted.value);
    halted.map(|halted| halted.span)
}

fn sources<'a>(
    reader: &mut Reader<'a>,
    from: List<Located<document::RawSource<'a>>>,
) -> Vec<(usize, Span, Source)> {
    let at = JsonPointer::Root.field("account");
    let at = at.field("from");
    let given = from.value.into_iter().enumerate();
    let compiled = given.filter_map(|(index, given)| {
        let given = given?;
        let span = given.span;
        let source = compile::account_source(reader, &at.index(index), given)?;
        Some((index, span, source))
    });
    compiled.collect()
}

fn segments<'a>(
    given: Option<Map<'a, Located<document::RawSegment<'a>>>>,
    errors: &Errors<'_>,
    files: &'a AccountFiles,
) -> Vec<PartialSegment<'a>> {
    let at = JsonPointer::Root.field("segments");
    let entries = given.map_or_else(Vec::new, |Map(entries)| entries);
    let segments = entries.into_iter().map(|(name, segment)| {
        let is_whole = errors.none_in(&at.field(&name.value));
        let (accounts, packed, from) = match segment.map(|segment| segment.value) {
            Some(segment) => (
                segment.accounts.into_value(),
                segment.accounts_packed.into_value(),
                segment.accounts_from.into_value(),
            ),
            None => (None, None, None),
        };
        let accounts = accounts.map_or_else(Vec::new, |accounts| accounts.value);
        let accounts = accounts.into_iter().enumerate();
        let file = from.and_then(|from| {
            let accounts = files.get(&name.value)?.0.as_ref().ok()?;
            Some((from.span, accounts))
        });
        PartialSegment {
            accounts: accounts
                .filter_map(|(position, account)| Some((position, account?)))
                .collect(),
            packed: packed.map_or_else(Vec::new, |packed| packed.value),
            file,
            name,
            is_whole,
        }
    });
    segments.collect()
}

struct PartialCompiler<'r, 'a, 'e> {
    reader: &'r mut Reader<'a>,
    errors: &'e Errors<'e>,
    /// The names of the segments; `None` if the segments cannot be read.
    names: Option<&'e [String]>,
    used: Option<SegmentSet>,
}

impl<'a> PartialCompiler<'_, 'a, '_> {
    fn rollout(
        &mut self,
        index: usize,
        at: &JsonPointer<'_>,
        rollout: Located<document::RawRollout<'a>>,
    ) -> PartialRollout<'a> {
        let Located { value, span } = rollout;
        let fields_are_known = self.errors.all_fields_known(at);
        let match_at = at.field("match");
        let match_is_known = fields_are_known && self.errors.none_in(&match_at);
        let matches = match value.matches.into_value() {
            Some(given) => request_match::request_match(self.reader, &match_at, given),
            None => Some(RequestMatch::default()),
        };
        let mode = value.mode.into_value().and_then(|word| {
            let span = word.span;
            let mode = Rollouts::new(self.reader, None).mode(span, at, Field::Given(word))?;
            Some(Located { value: mode, span })
        });
        let rules_at = at.field("rules");
        let given = value
            .rules
            .into_value()
            .map_or_else(Vec::new, |rules| rules.value);
        let mut rules = Vec::with_capacity(given.len());
        for (index, rule) in given.into_iter().enumerate() {
            rules.push(self.rule(&rules_at.index(index), rule));
        }
        let name = value.name.into_value();
        let salt = value.salt.into_value();
        let hash_salt = salt
            .as_ref()
            .or(name.as_ref())
            .map(|text| Salt::new(&text.value));
        let (hash_span, hash) = match (value.hash, hash_salt) {
            (Field::Absent, salt) => (None, salt.map(Hash::turnout)),
            (Field::Given(given), Some(salt)) => {
                let span = match &given {
                    document::HashValue::Text(text) => text.span,
                    document::HashValue::Number(number) => number.span,
                    document::HashValue::Object(object) => object.span.head(),
                };
                let hash = hash::hash(self.reader, &at.field("hash"), given, salt);
                (Some(span), hash)
            }
            _ => (None, None),
        };
        let is_readable = |field| self.errors.none_in(&at.field(field));
        let hash_is_known = is_readable("name") && is_readable("salt") && is_readable("hash");
        let shadow_at = at.field("shadow");
        let shadow = value.shadow.into_value();
        let is_readable = fields_are_known && self.errors.none_in(&shadow_at);
        let (shadows_nothing, repeated_regions) = match shadow {
            Some(shadow) if is_readable => self.shadow(&shadow_at, shadow.value),
            _ => (None, Vec::new()),
        };
        if !is_readable || !self.errors.none_in(&rules_at) {
            self.used = None;
        }
        let guard_at = at.field("guard");
        let guard = value.guard.into_value();
        let guard = guard.filter(|_| fields_are_known && self.errors.none_in(&guard_at));
        let guard = guard.and_then(|given| self.guard(&guard_at, given));
        PartialRollout {
            index,
            span,
            hash_span,
            hash: hash.filter(|_| fields_are_known && hash_is_known),
            salt,
            clusters: [value.v1.into_value(), value.v2.into_value()],
            name,
            mode,
            halted: span_if_true(value.halted),
            matches: matches.filter(|_| match_is_known),
            rules_are_whole: fields_are_known && self.errors.none_in(&rules_at),
            rules,
            shadows_nothing,
            repeated_regions,
            guard,
        }
    }

    fn guard(
        &mut self,
        at: &JsonPointer<'_>,
        guard: Located<document::RawGuard<'a>>,
    ) -> Option<PartialGuard> {
        let span = guard.span.head();
        let alpha = guard.value.alpha.value().map(|alpha| alpha.span);
        // The number of strata is an error of its own, so the rules are not needed here.
        let settings = guard::settings(self.reader, at, guard, &[])?;
        Some(PartialGuard {
            span,
            settings,
            alpha,
        })
    }

    fn rule(
        &mut self,
        at: &JsonPointer<'_>,
        rule: Option<Located<document::RawRule<'a>>>,
    ) -> Option<PartialRule> {
        let Located { value, span } = rule?;
        if !self.errors.none_in(at) || !self.can_be_read(&value.when) {
            return None;
        }
        let (accounts, steps) = match &value.accounts {
            Field::Given(RawAccounts::Percentage(number)) => (number.span, Vec::new()),
            Field::Given(RawAccounts::Ramp(steps)) => (steps.span, percentages(steps)),
            Field::Absent | Field::Bad => (span, Vec::new()),
        };
        let requests = match &value.requests {
            Field::Given(number) => number.span,
            Field::Absent | Field::Bad => span,
        };
        let repeated_regions = match &value.when {
            Field::Given(when) => repeated_regions(when),
            Field::Absent | Field::Bad => Vec::new(),
        };
        let compiled = Rollouts::new(self.reader, self.names).rule(at, value)?;
        self.uses(&compiled.when);
        Some(PartialRule {
            span,
            compiled,
            accounts,
            requests,
            steps,
            repeated_regions,
        })
    }

    fn shadow(
        &mut self,
        at: &JsonPointer<'_>,
        shadow: document::RawShadow<'a>,
    ) -> (Option<(Span, &'static str)>, Vec<RepeatedRegion>) {
        let mut repeated = Vec::new();
        let mut compiler = Rollouts::new(self.reader, self.names);
        let mut zero = |field: &'static str, number: &Field<Number<'_>>| match number {
            Field::Given(given) => {
                let fraction = compiler.fraction(&at.field(field), number)?;
                (fraction.millionths() == 0).then_some((given.span, field))
            }
            Field::Absent | Field::Bad => None,
        };
        let nothing = zero("requests", &shadow.requests);
        let nothing = nothing.or_else(|| zero("accounts", &shadow.accounts));
        if let Field::Given(when) = shadow.when {
            repeated = repeated_regions(&when);
            let when = compiler.when(&at.field("when"), when);
            self.uses(&when);
        }
        (nothing, repeated)
    }

    /// Whether a condition can be compiled. A condition on segments needs the names of the segments.
    fn can_be_read(&self, when: &Field<document::RawWhen<'_>>) -> bool {
        let Field::Given(when) = when else {
            return true;
        };
        let asks = |list: &Field<_>| !matches!(list, Field::Absent);
        self.names.is_some() || !(asks(&when.within) || asks(&when.outside))
    }

    fn uses(&mut self, when: &When) {
        let Some(used) = &mut self.used else { return };
        let within = when.within.iter().flat_map(SegmentSet::iter);
        within
            .chain(when.outside.iter())
            .for_each(|segment| used.insert(segment));
    }
}

fn percentages(steps: &List<Located<document::RawStep<'_>>>) -> Vec<Span> {
    let steps = steps.value.iter().flatten();
    let spans = steps.filter_map(|step| match &step.value.percent {
        Field::Given(percent) => Some(percent.span),
        Field::Absent | Field::Bad => None,
    });
    spans.collect()
}

fn repeated_regions(when: &document::RawWhen<'_>) -> Vec<RepeatedRegion> {
    let Field::Given(regions) = &when.regions else {
        return Vec::new();
    };
    let regions = regions.value.iter().enumerate();
    let mut seen = std::collections::BTreeMap::new();
    let mut repeated = Vec::new();
    for (index, region) in regions.filter_map(|(index, region)| Some((index, region.as_ref()?))) {
        let (first_index, first) = *seen.entry(&*region.value).or_insert((index, region.span));
        if first_index != index {
            repeated.push(RepeatedRegion {
                span: region.span,
                index,
                first,
                first_index,
            });
        }
    }
    repeated
}
