//! Two answers compared, with what is known to vary told from what is not.

use std::cell::RefCell;

use turnout_diff::{Comparison, Finding, Findings, OptionUsage, Part, Severity};

use super::noise_model::PlaceId;
use super::reply::{self, View};
use super::{NoiseModel, ShadowPlan};

/// Noisy places that are kept of one comparison: a long list may vary in each of its elements.
const MOST_NOISY: usize = 64;

/// What two answers differ in.
pub(super) struct Compared<'a> {
    findings: Findings<'a>,
    /// Places of the findings that are not known to vary, in the order of the findings; for answers of
    /// different statuses that of the status alone, which the rest follows from.
    pub(super) standing: Vec<PlaceId>,
    /// Places that differ and are known to vary.
    pub(super) noisy: Vec<PlaceId>,
    /// By the finding's place: whether it is known to vary.
    is_noise: Vec<bool>,
}

impl<'a> Compared<'a> {
    /// The findings that are not known to vary.
    pub(super) fn findings(&self) -> impl Iterator<Item = &Finding<'a>> {
        let findings = self.findings.as_slice().iter().zip(&self.is_noise);
        findings
            .filter(|(_, is_noise)| !**is_noise)
            .map(|(finding, _)| finding)
    }

    /// How many findings there are besides.
    pub(super) fn omitted(&self) -> usize {
        self.findings.omitted()
    }

    /// Whether nothing stands but what is known to vary.
    pub(super) fn is_only_noise(&self) -> bool {
        self.standing.is_empty()
    }

    /// Whether the bodies were not compared, so that all findings are about what comes before them.
    pub(super) fn is_uncompared(&self) -> bool {
        self.findings.uncompared().is_some()
    }

    /// The worst of the findings that stand; those that are not kept may be of any severity.
    pub(super) fn severity(&self) -> Severity {
        let kept = self.findings().map(|finding| finding.severity).max();
        let all = self.findings.severity().filter(|_| self.omitted() > 0);
        kept.max(all).unwrap_or(Severity::Changed)
    }

    /// Every place that differs.
    pub(super) fn places(&self) -> impl Iterator<Item = PlaceId> {
        self.standing.iter().chain(&self.noisy).copied()
    }
}

/// How two answers compare.
pub(super) enum Pair<'a> {
    Equal,
    NotComparable,
    Different(Compared<'a>),
}

/// Compares two answers. `varied` are places that are known to vary in addition to the model's.
pub(super) fn compare<'a>(
    [left, right]: [&'a View<'a>; 2],
    shadow: &ShadowPlan,
    model: &NoiseModel,
    route: Option<usize>,
    varied: &[PlaceId],
    usage: &mut OptionUsage,
) -> Pair<'a> {
    let is_known = |place: PlaceId| varied.contains(&place) || model.noise(place).is_some();
    let nothing_varies = varied.is_empty() && model.is_quiet();
    let noisy = RefCell::new(Vec::new());
    let is_noisy = |part: Part, pointer: &str| {
        if nothing_varies {
            return false;
        }
        let place = model.value_at(route, part, pointer);
        let is_noisy = is_known(place);
        let mut noisy = noisy.borrow_mut();
        if is_noisy && noisy.len() < MOST_NOISY {
            add(&mut noisy, place);
        }
        is_noisy
    };
    let findings = match reply::compare(left, right, shadow, &is_noisy, usage) {
        Comparison::Equal => return Pair::Equal,
        Comparison::NotComparable(_) => return Pair::NotComparable,
        Comparison::Different(findings) => findings,
    };
    let mut noisy = noisy.into_inner();
    let mut standing = Vec::new();
    let mut is_noise = Vec::with_capacity(findings.as_slice().len());
    let status = (left.status() != right.status()).then(|| model.status(route));
    let status_varies = status.is_some_and(is_known);
    for finding in findings.as_slice() {
        // Answers of different statuses are different documents.
        let place = status.unwrap_or_else(|| model.place(route, finding));
        let is_known = status_varies || is_known(place);
        add(if is_known { &mut noisy } else { &mut standing }, place);
        is_noise.push(is_known);
    }
    Pair::Different(Compared {
        findings,
        standing,
        noisy,
        is_noise,
    })
}

/// The places at which v1 answers a repeated request otherwise; `None` where nobody can tell.
pub(super) fn varied(
    pair: [&View<'_>; 2],
    shadow: &ShadowPlan,
    model: &NoiseModel,
    route: Option<usize>,
) -> Option<Vec<PlaceId>> {
    let mut unused = OptionUsage::new(&shadow.compare);
    let [first, again] = pair;
    match reply::compare(first, again, shadow, &|_, _| false, &mut unused) {
        Comparison::Equal => Some(Vec::new()),
        Comparison::NotComparable(_) => None,
        Comparison::Different(findings) => {
            let mut places = Vec::new();
            for finding in findings.as_slice() {
                add(&mut places, model.place(route, finding));
            }
            Some(places)
        }
    }
}

/// Adds a place once.
fn add(places: &mut Vec<PlaceId>, place: PlaceId) {
    if !places.contains(&place) {
        places.push(place);
    }
}
