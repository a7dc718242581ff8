//! Compares two responses and separates known noise from other differences.

use std::cell::RefCell;

use turnout_diff::{Comparison, Finding, Findings, OptionUsage, Part, Severity};

use super::noise_model::PlaceId;
use super::stored_response::{self, ResponseView};
use super::{NoiseModel, ShadowPlan};

/// The largest number of noisy places kept of one comparison: a long list may vary in every element.
const MAX_NOISY_PLACES: usize = 64;

/// The differences of two responses, split by the noise model.
pub(super) struct SplitFindings<'a> {
    findings: Findings<'a>,
    /// The places of findings that are not known noise, in the order of the findings. If the statuses
    /// differ, this is the status alone, because the other differences follow from it.
    pub(super) unexplained: Vec<PlaceId>,
    /// Places that differ and are known to vary.
    pub(super) noisy: Vec<PlaceId>,
    /// For each finding, whether its place is known to vary.
    is_noise: Vec<bool>,
}

impl<'a> SplitFindings<'a> {
    /// The findings that are not known noise.
    pub(super) fn findings(&self) -> impl Iterator<Item = &Finding<'a>> {
        let findings = self.findings.as_slice().iter().zip(&self.is_noise);
        findings
            .filter(|(_, is_noise)| !**is_noise)
            .map(|(finding, _)| finding)
    }

    /// The number of findings that were not kept.
    pub(super) fn omitted(&self) -> usize {
        self.findings.omitted()
    }

    /// Whether every difference is known noise.
    pub(super) fn is_only_noise(&self) -> bool {
        self.unexplained.is_empty()
    }

    /// Whether the bodies were not compared, so that all findings are about the status and headers.
    pub(super) fn is_uncompared(&self) -> bool {
        self.findings.uncompared().is_some()
    }

    /// The worst severity of the findings that are not noise. Findings that were not kept may be of any
    /// severity.
    pub(super) fn severity(&self) -> Severity {
        let kept = self.findings().map(|finding| finding.severity).max();
        let all = self.findings.severity().filter(|_| self.omitted() > 0);
        kept.max(all).unwrap_or(Severity::Changed)
    }

    /// Every place that differs.
    pub(super) fn places(&self) -> impl Iterator<Item = PlaceId> {
        self.unexplained.iter().chain(&self.noisy).copied()
    }
}

/// The result of comparing two responses.
pub(super) enum PairComparison<'a> {
    Equal,
    NotComparable,
    Different(SplitFindings<'a>),
}

/// Compares two responses. `varied` has places that are known to vary in addition to those of the
/// model.
pub(super) fn compare<'a>(
    [left, right]: [&'a ResponseView<'a>; 2],
    shadow: &ShadowPlan,
    model: &NoiseModel,
    route: Option<usize>,
    varied: &[PlaceId],
    usage: &mut OptionUsage,
) -> PairComparison<'a> {
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
        if is_noisy && noisy.len() < MAX_NOISY_PLACES {
            add(&mut noisy, place);
        }
        is_noisy
    };
    let findings = match stored_response::compare(left, right, shadow, &is_noisy, usage) {
        Comparison::Equal => return PairComparison::Equal,
        Comparison::NotComparable(_) => return PairComparison::NotComparable,
        Comparison::Different(findings) => findings,
    };
    let mut noisy = noisy.into_inner();
    let mut unexplained = Vec::new();
    let mut is_noise = Vec::with_capacity(findings.as_slice().len());
    let status = (left.status() != right.status()).then(|| model.status(route));
    let status_varies = status.is_some_and(is_known);
    for finding in findings.as_slice() {
        // Responses with different statuses are different documents.
        let place = status.unwrap_or_else(|| model.place(route, finding));
        let is_known = status_varies || is_known(place);
        add(
            if is_known {
                &mut noisy
            } else {
                &mut unexplained
            },
            place,
        );
        is_noise.push(is_known);
    }
    PairComparison::Different(SplitFindings {
        findings,
        unexplained,
        noisy,
        is_noise,
    })
}

/// Returns the places at which v1's response to a repeated request differs, or `None` if the responses
/// are not comparable.
pub(super) fn varied(
    pair: [&ResponseView<'_>; 2],
    shadow: &ShadowPlan,
    model: &NoiseModel,
    route: Option<usize>,
) -> Option<Vec<PlaceId>> {
    let mut unused = OptionUsage::new(&shadow.compare);
    let [first, again] = pair;
    match stored_response::compare(first, again, shadow, &|_, _| false, &mut unused) {
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

/// Adds a place if it is not in the list.
fn add(places: &mut Vec<PlaceId>, place: PlaceId) {
    if !places.contains(&place) {
        places.push(place);
    }
}
