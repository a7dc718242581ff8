//! Compiles the rollouts and their rules.

use std::collections::BTreeMap;

use crate::bucketing::hash::Hash;
use crate::bucketing::{Fraction, Salt};
use crate::decision::Treatment;
use crate::diagnostics::error_code::ErrorCode;
use crate::diagnostics::location::{JsonPointer, Span};
use crate::diagnostics::problem::{Problem, excerpt};
use crate::plan::guard_plan::GuardPlan;
use crate::plan::path_match::PathMatch;
use crate::plan::request_match::{RegionMatch, RequestMatch, When};
use crate::plan::segment_lookup::SegmentSet;
use crate::plan::{Mode, Rollout, Rule, Serve};
use crate::policy::document::{self, RawAccounts};
use crate::policy::json::{Field, List, Located, LocatedText, Number, Reader};
use crate::policy::read::expected;

use super::percentage::{between_parts, percentage};
use super::{check_name, guard, hash, request_match, required};

/// Compiles the rollouts of one policy.
pub(crate) struct Rollouts<'r, 't, 'n> {
    pub(super) reader: &'r mut Reader<'t>,
    segments: Option<&'n [String]>,
    /// The names so far, each with the index of its rollout.
    names: BTreeMap<String, usize>,
    /// The hash of the current rollout; `None` if it cannot be read, because then no percentage is too fine.
    hash: Option<Hash>,
}

impl<'r, 't, 'n> Rollouts<'r, 't, 'n> {
    pub(crate) fn new(reader: &'r mut Reader<'t>, segments: Option<&'n [String]>) -> Self {
        Self {
            reader,
            segments,
            names: BTreeMap::new(),
            hash: None,
        }
    }

    pub(super) fn compile(
        mut self,
        at: &JsonPointer<'_>,
        rollouts: Vec<Option<Located<document::RawRollout<'_>>>>,
    ) -> Vec<Rollout> {
        let mut compiled = Vec::with_capacity(rollouts.len());
        for (index, rollout) in rollouts.into_iter().enumerate() {
            let rollout = rollout.and_then(|given| self.rollout(index, &at.index(index), given));
            compiled.extend(rollout);
        }
        compiled
    }

    fn rollout(
        &mut self,
        index: usize,
        at: &JsonPointer<'_>,
        rollout: Located<document::RawRollout<'_>>,
    ) -> Option<Rollout> {
        let Located { value, span } = rollout;
        let name = self.name(index, span, at, value.name);
        let v1 = self.cluster(span, at, "v1", value.v1);
        let v2 = self.cluster(span, at, "v2", value.v2);
        let mode = self.mode(span, at, value.mode);
        let halted = value.halted.into_value();
        let halts_itself = halted.is_some_and(|halted| halted.value);
        let salt = self.salt(&at.field("salt"), value.salt);
        let salt = Salt::new(salt.as_deref().or(name.as_deref()).unwrap_or_default());
        self.hash = match value.hash {
            Field::Absent => Some(Hash::turnout(salt)),
            Field::Bad => None,
            Field::Given(given) => hash::hash(self.reader, &at.field("hash"), given, salt),
        };
        let matches = match value.matches.into_value() {
            Some(given) => request_match::request_match(self.reader, &at.field("match"), given),
            None => Some(RequestMatch::default()),
        };
        let rules = value
            .rules
            .into_value()
            .map_or(Vec::new(), |rules| rules.value);
        let rules = self.rules(&at.field("rules"), rules);
        let is_shadowed = !matches!(value.shadow, Field::Absent);
        if mode == Some(Mode::Shadow) && !is_shadowed {
            let problem = Problem::missing_field("shadow", expected::SHADOW);
            self.reader.report(span.head(), at, problem);
        }
        let shadow = value.shadow.into_value();
        let prefix = matches.as_ref().and_then(|matches| matches.path.as_ref());
        let prefix = match prefix {
            Some(PathMatch::Prefix(prefix)) => Some(prefix.as_str()),
            Some(PathMatch::Exact(_) | PathMatch::Template(_)) | None => None,
        };
        let shadow = shadow.and_then(|given| self.shadow(&at.field("shadow"), given, prefix));
        let guard = value.guard.into_value();
        let guard = guard.and_then(|given| {
            let settings = guard::settings(self.reader, &at.field("guard"), given, &rules)?;
            // In the other modes nobody takes v2, so there is nothing to compare.
            matches!(mode, Some(Mode::Split | Mode::On)).then(|| GuardPlan {
                settings,
                epoch: self.reader.hash_of_object(span, "halted"),
            })
        });
        let name = name?;
        Some(Rollout {
            index,
            salt,
            hash: self.hash.take()?,
            entries: Treatment::ALL.map(|treatment| format!("{name}={treatment}")),
            name,
            v1: v1?,
            v2: v2?,
            mode: mode?,
            halts_itself,
            is_halted: halts_itself,
            matches: matches?,
            rules,
            shadow,
            guard,
        })
    }

    fn name(
        &mut self,
        index: usize,
        span: Span,
        at: &JsonPointer<'_>,
        name: Field<LocatedText<'_>>,
    ) -> Option<String> {
        let name = required(self.reader, span, at, "name", expected::NAME, name)?;
        let at = at.field("name");
        check_name(self.reader, &at, "rollout", &name);
        let text = name.value.into_owned();
        if let Some(first) = self.names.get(&text) {
            let problem = Problem::repeated_rollout(&text, *first);
            self.reader.report(name.span, &at, problem);
        } else {
            self.names.insert(text.clone(), index);
        }
        Some(text)
    }

    fn cluster(
        &mut self,
        span: Span,
        at: &JsonPointer<'_>,
        field: &'static str,
        cluster: Field<LocatedText<'_>>,
    ) -> Option<String> {
        let name = required(self.reader, span, at, field, expected::CLUSTER, cluster)?;
        Some(cluster_name(self.reader, &at.field(field), name))
    }

    pub(crate) fn mode(
        &mut self,
        span: Span,
        at: &JsonPointer<'_>,
        mode: Field<LocatedText<'_>>,
    ) -> Option<Mode> {
        let word = required(self.reader, span, at, "mode", expected::MODE, mode)?;
        let at = at.field("mode");
        let known = [
            ("off", Mode::Off),
            ("dark", Mode::Dark),
            ("shadow", Mode::Shadow),
            ("split", Mode::Split),
            ("on", Mode::On),
        ];
        self.reader.one_of_words(&at, "mode", known, &word)
    }

    fn salt(&mut self, at: &JsonPointer<'_>, salt: Field<LocatedText<'_>>) -> Option<String> {
        let salt = salt.into_value()?;
        if !(1..=128).contains(&salt.value.len()) {
            let what = format!("the salt has {} bytes", salt.value.len());
            let problem = Problem::invalid(what, "write 1 to 128 bytes, or omit the salt");
            let problem = problem.with_code(ErrorCode::MalformedSalt);
            self.reader.report(salt.span, at, problem);
        }
        Some(salt.value.into_owned())
    }

    fn rules(
        &mut self,
        at: &JsonPointer<'_>,
        rules: Vec<Option<Located<document::RawRule<'_>>>>,
    ) -> Vec<Rule> {
        let mut compiled = Vec::with_capacity(rules.len());
        for (index, rule) in rules.into_iter().enumerate() {
            let rule = rule.and_then(|given| self.rule(&at.index(index), given.value));
            compiled.extend(rule);
        }
        compiled
    }

    pub(crate) fn rule(
        &mut self,
        at: &JsonPointer<'_>,
        rule: document::RawRule<'_>,
    ) -> Option<Rule> {
        let when = rule
            .when
            .into_value()
            .map(|given| self.when(&at.field("when"), given));
        let serves_v1 = match rule.serve.into_value() {
            None => Some(false),
            Some(word) => {
                let known = [("v1", true), ("v2", false)];
                let at = at.field("serve");
                self.reader.one_of_words(&at, "treatment", known, &word)
            }
        };
        let serve = if serves_v1 == Some(true) {
            if let Field::Given(accounts) = &rule.accounts {
                let span = match accounts {
                    RawAccounts::Percentage(number) => number.span,
                    RawAccounts::Ramp(steps) => steps.span,
                };
                self.refuse_fraction(&at.field("accounts"), span);
            }
            if let Field::Given(requests) = &rule.requests {
                self.refuse_fraction(&at.field("requests"), requests.span);
            }
            Serve::V1
        } else {
            let accounts = self.accounts(&at.field("accounts"), rule.accounts);
            let requests = self.fraction(&at.field("requests"), &rule.requests);
            Serve::V2 {
                accounts: accounts?,
                requests: requests?,
            }
        };
        serves_v1.map(|_| Rule {
            when: when.unwrap_or_default(),
            serve,
        })
    }

    /// Reports a percentage in a rule that serves v1, where it has no effect: the author probably expects the rule
    /// to serve v2.
    fn refuse_fraction(&mut self, at: &JsonPointer<'_>, span: Span) {
        let problem = Problem::invalid(
            "a percentage has no effect in a rule that serves v1",
            "remove it, or write a rule that serves v2 before this one",
        );
        self.reader
            .report(span, at, problem.with_code(ErrorCode::UselessPercentage));
    }

    pub(crate) fn fraction(
        &mut self,
        at: &JsonPointer<'_>,
        given: &Field<Number<'_>>,
    ) -> Option<Fraction> {
        let number = match given {
            Field::Absent => return Some(Fraction::ALL),
            Field::Bad => return None,
            Field::Given(number) => number,
        };
        percentage(self.reader, at, number).and_then(Fraction::from_millionths)
    }

    /// Compiles a percentage of the rollout's accounts. Some hashes have only a few buckets, and a finer percentage
    /// is reported.
    pub(super) fn account_fraction(
        &mut self,
        at: &JsonPointer<'_>,
        given: &Field<Number<'_>>,
    ) -> Option<Fraction> {
        let fraction = self.fraction(at, given)?;
        let (Some(hash), Field::Given(number)) = (&self.hash, given) else {
            return Some(fraction);
        };
        hash.fraction(fraction.millionths())
            .inspect_err(|between| {
                let problem = between_parts(between);
                self.reader.report(number.span, at, problem);
            })
            .ok()
    }

    pub(crate) fn when(&mut self, at: &JsonPointer<'_>, when: document::RawWhen<'_>) -> When {
        let within = when.within.into_value();
        let outside = when.outside.into_value();
        let regions = request_match::items(
            self.reader,
            &at.field("regions"),
            when.regions,
            "the list of regions",
            request_match::region,
        );
        When {
            region: match regions.is_empty() {
                true => RegionMatch::Here,
                false => RegionMatch::Unknown,
            },
            regions,
            within: within.map(|names| self.segment_set(&at.field("in"), names)),
            outside: outside.map_or_else(SegmentSet::default, |names| {
                self.segment_set(&at.field("not_in"), names)
            }),
            headers: request_match::headers(self.reader, &at.field("headers"), when.headers),
        }
    }

    fn segment_set(&mut self, at: &JsonPointer<'_>, names: List<LocatedText<'_>>) -> SegmentSet {
        if names.value.is_empty() {
            let problem =
                Problem::empty_list("the list of segments", "name one, or remove the list");
            self.reader.report(names.span, at, problem);
        }
        let mut set = SegmentSet::default();
        for (index, name) in names.value.into_iter().enumerate() {
            let (Some(name), Some(segments)) = (name, self.segments) else {
                continue;
            };
            match segments.iter().position(|known| *known == name.value) {
                Some(segment) => set.insert(segment),
                None => {
                    let problem = Problem::unknown_segment(&name.value, segments);
                    self.reader.report(name.span, &at.index(index), problem);
                }
            }
        }
        set
    }
}

pub(super) fn cluster_name(
    reader: &mut Reader<'_>,
    at: &JsonPointer<'_>,
    name: LocatedText<'_>,
) -> String {
    if !request_match::is_header_value(&name.value) {
        let what = format!(
            "`{}` cannot be sent as a header value",
            excerpt(&name.value)
        );
        let instead = "write a cluster name of visible ASCII, without spaces at its ends";
        let problem = Problem::invalid(what, instead).with_code(ErrorCode::MalformedCluster);
        reader.report(name.span, at, problem);
    }
    name.value.into_owned()
}
