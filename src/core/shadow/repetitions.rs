//! The responses of v1 when the filter repeats a user's request.

use turnout_diff::OptionUsage;

use super::comparison::{PairComparison, compare, varied};
use super::noise_model::PlaceId;
use super::stored_response::ResponseView;
use super::trial::{CallResult, TrialContext};
use super::{NoiseModel, StoredResponse};

/// The repetitions of one trial.
#[derive(Debug, Default)]
pub(super) struct Repetitions {
    /// The number of responses with the same status as the first one.
    count: u8,
    /// Places at which one of them differs from the first response.
    varied: Vec<PlaceId>,
    /// Places at which the newest one differs, until the model has learned them.
    news: Option<Vec<PlaceId>>,
    /// The first repetition, if it differs, as long as v1 may be treating the filter differently than
    /// the user.
    suspect: Option<StoredResponse>,
    /// Two repetitions are alike and differ from the user's response.
    is_shifted: bool,
    has_other_status: bool,
    are_not_comparable: bool,
}

impl Repetitions {
    /// The number of bytes it holds.
    pub(super) fn held_bytes(&self) -> usize {
        let news = self.news.as_ref().map_or(0, Vec::capacity);
        let places = self.varied.capacity().saturating_add(news);
        let suspect = self.suspect.as_ref().map_or(0, StoredResponse::held_bytes);
        suspect.saturating_add(places.saturating_mul(size_of::<PlaceId>()))
    }

    /// The number of v1's responses with the status of its first one.
    pub(super) const fn count(&self) -> u8 {
        self.count
    }

    /// Whether v1 responded with another status than before.
    pub(super) const fn has_other_status(&self) -> bool {
        self.has_other_status
    }

    /// Whether v1's responses cannot be compared with each other.
    pub(super) const fn are_not_comparable(&self) -> bool {
        self.are_not_comparable
    }

    /// Compares two responses. Places where v1 varied in this trial count as noise.
    pub(super) fn compare<'a>(
        &self,
        pair: [&'a ResponseView<'a>; 2],
        context: &TrialContext<'_>,
    ) -> PairComparison<'a> {
        let mut unused = OptionUsage::new(&context.shadow.compare);
        compare(
            pair,
            context.shadow,
            context.model,
            context.route,
            &self.varied,
            &mut unused,
        )
    }

    /// Like [`compare`](Self::compare), and counts which options of the comparison applied.
    pub(super) fn compare_counted<'a>(
        &self,
        pair: [&'a ResponseView<'a>; 2],
        context: &mut TrialContext<'_>,
    ) -> PairComparison<'a> {
        let unused = OptionUsage::new(&context.shadow.compare);
        let mut usage = std::mem::replace(context.model.usage(), unused);
        let compared = compare(
            pair,
            context.shadow,
            context.model,
            context.route,
            &self.varied,
            &mut usage,
        );
        *context.model.usage() = usage;
        compared
    }

    /// Adds v1's response to the repeated request. Returns `false` if there is none, or a 429 or 503,
    /// which does not show what v1 sends to users.
    pub(super) fn add(
        &mut self,
        first: &StoredResponse,
        answer: CallResult,
        context: &TrialContext<'_>,
    ) -> bool {
        let again = match answer {
            CallResult::Response(again) if again.status == first.status => again,
            // It depends on v1's load, or on a limit that repeated requests run into.
            CallResult::Response(StoredResponse { status, .. })
            | CallResult::StatusOnly(status, _)
                if status != first.status && matches!(status, 429 | 503) =>
            {
                return false;
            }
            CallResult::Response(_) => {
                self.has_other_status = true;
                return true;
            }
            CallResult::StatusOnly(status, _) => {
                self.has_other_status = status != first.status;
                return self.has_other_status;
            }
            CallResult::Failed(_) => return false,
        };
        let between = |left: &StoredResponse, right: &StoredResponse| {
            let pair = [&left.view(), &right.view()];
            varied(pair, context.shadow, context.model, context.route)
        };
        self.count = self.count.saturating_add(1);
        let Some(varied) = between(first, &again) else {
            self.are_not_comparable = true;
            self.news = Some(Vec::new());
            return true;
        };
        let before = self.varied.clone();
        for place in &varied {
            if !self.varied.contains(place) {
                self.varied.push(*place);
            }
        }
        self.news = Some(match self.suspect.take() {
            Some(suspect) => {
                let among = between(&suspect, &again);
                self.is_shifted = among.is_some_and(|among| {
                    varied == before && before.iter().all(|place| !among.contains(place))
                });
                self.varied.clone()
            }
            None => varied,
        });
        let is_first = self.count == 1;
        self.suspect = (is_first && !self.varied.is_empty()).then_some(again);
        true
    }

    /// Whether there is something that the model has not learned.
    pub(super) const fn has_news(&self) -> bool {
        self.has_other_status || self.news.is_some()
    }

    /// Lets the model learn from the newest response. `pair` is the comparison of v1's first response
    /// with v2's. Returns whether v1 must be called once more, because it may vary, or may treat the
    /// filter differently than the user.
    pub(super) fn teach(
        &mut self,
        pair: &PairComparison<'_>,
        v2: &ResponseView<'_>,
        context: &mut TrialContext<'_>,
    ) -> bool {
        let route = context.route;
        if self.has_other_status {
            let status = context.model.status(route);
            context.model.learn(&[status], &[], false);
            return false;
        }
        if let Some(suspect) = &self.suspect {
            if is_alike(suspect, v2, &self.varied, context) {
                return true;
            }
            self.suspect = None;
        }
        let Some(varied) = self.news.take() else {
            return false;
        };
        let repeated = match pair {
            PairComparison::Different(compared) => compared.places().collect(),
            PairComparison::Equal | PairComparison::NotComparable => Vec::new(),
        };
        let repeated = repeated.into_iter();
        let repeated: Vec<_> = repeated
            .filter(|place| !self.varied.contains(place))
            .collect();
        context.model.learn(&varied, &repeated, self.count == 1);
        if self.is_shifted {
            context.model.note_shift(route);
        } else {
            context.model.note_no_shift(route);
        }
        false
    }

    /// Whether v1 may have varied at a place only once, by a change of the data. If so, and v1 now
    /// repeats itself, another repetition is worth it.
    pub(super) fn is_doubtful(&self, place: PlaceId, model: &NoiseModel) -> bool {
        let is_young = model
            .noise(place)
            .is_some_and(|noise| !noise.is_established());
        is_young && !self.varied.contains(&place)
    }

    /// Lets the model learn the newest places when no further call is possible: as far as is known,
    /// v1 varies there.
    pub(super) fn teach_the_rest(&mut self, context: &mut TrialContext<'_>) {
        if let Some(varied) = self.news.take() {
            context.model.learn(&varied, &[], false);
        }
    }
}

/// Whether v2 responds like v1's repetition at all places where the repetition differs from the user's
/// response.
fn is_alike(
    suspect: &StoredResponse,
    v2: &ResponseView<'_>,
    places: &[PlaceId],
    context: &TrialContext<'_>,
) -> bool {
    if suspect.status != v2.status() {
        return false;
    }
    let pair = [&suspect.view(), v2];
    let differing = varied(pair, context.shadow, context.model, context.route);
    differing.is_some_and(|differing| places.iter().all(|place| !differing.contains(place)))
}
