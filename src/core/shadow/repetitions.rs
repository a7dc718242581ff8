//! What v1 answers when the filter asks it the request of a user again.

use turnout_diff::OptionUsage;

use super::comparison::{Pair, compare, varied};
use super::noise_model::PlaceId;
use super::reply::View;
use super::trial::{Answered, Judge};
use super::{NoiseModel, Reply};

/// The repetitions of one trial.
#[derive(Debug, Default)]
pub(super) struct Repetitions {
    /// Answers with the status of the first one.
    count: u8,
    /// Places at which one of them differs from the first one.
    varied: Vec<PlaceId>,
    /// Places at which the newest one does, until the model has learned it.
    news: Option<Vec<PlaceId>>,
    /// The first repetition where it differs, as long as v1 may answer the filter otherwise than it
    /// answers the user.
    suspect: Option<Reply>,
    /// Two repetitions are alike, and differ from what the user got.
    is_shifted: bool,
    has_other_status: bool,
    are_not_comparable: bool,
}

impl Repetitions {
    /// The bytes that they hold.
    pub(super) fn held_bytes(&self) -> usize {
        let news = self.news.as_ref().map_or(0, Vec::capacity);
        let places = self.varied.capacity().saturating_add(news);
        let suspect = self.suspect.as_ref().map_or(0, Reply::held_bytes);
        suspect.saturating_add(places.saturating_mul(size_of::<PlaceId>()))
    }

    /// How many of v1's answers had the status of its first one.
    pub(super) const fn count(&self) -> u8 {
        self.count
    }

    /// Whether v1 answered with another status than before.
    pub(super) const fn has_other_status(&self) -> bool {
        self.has_other_status
    }

    /// Whether v1's answers cannot be compared with each other.
    pub(super) const fn are_not_comparable(&self) -> bool {
        self.are_not_comparable
    }

    /// Compares two answers; where v1 varied in this trial, they differ by noise.
    pub(super) fn compare<'a>(&self, pair: [&'a View<'a>; 2], judge: &Judge<'_>) -> Pair<'a> {
        let mut unused = OptionUsage::new(&judge.shadow.compare);
        compare(
            pair,
            judge.shadow,
            judge.model,
            judge.route,
            &self.varied,
            &mut unused,
        )
    }

    /// The same, and counts of what use the options of the comparison were.
    pub(super) fn compare_counted<'a>(
        &self,
        pair: [&'a View<'a>; 2],
        judge: &mut Judge<'_>,
    ) -> Pair<'a> {
        let unused = OptionUsage::new(&judge.shadow.compare);
        let mut usage = std::mem::replace(judge.model.usage(), unused);
        let compared = compare(
            pair,
            judge.shadow,
            judge.model,
            judge.route,
            &self.varied,
            &mut usage,
        );
        *judge.model.usage() = usage;
        compared
    }

    /// Takes v1's answer to the repeated request. `false` where there is none: 429 and 503 say nothing
    /// about what v1 answers the user.
    pub(super) fn add(&mut self, first: &Reply, answer: Answered, judge: &Judge<'_>) -> bool {
        let again = match answer {
            Answered::Reply(again) if again.status == first.status => again,
            // It is about v1's load, or a limit that the filter's questions run into.
            Answered::Reply(Reply { status, .. }) | Answered::Unread(status, _)
                if status != first.status && matches!(status, 429 | 503) =>
            {
                return false;
            }
            Answered::Reply(_) => {
                self.has_other_status = true;
                return true;
            }
            Answered::Unread(status, _) => {
                self.has_other_status = status != first.status;
                return self.has_other_status;
            }
            Answered::Not(_) => return false,
        };
        let between = |left: &Reply, right: &Reply| {
            let pair = [&left.view(), &right.view()];
            varied(pair, judge.shadow, judge.model, judge.route)
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

    /// Lets the model learn from the newest answer. `pair` is what v1's first answer and v2's differ in.
    /// Returns whether v1 has to be asked once more to tell what its answer means: it may be v1 that
    /// varies, or v1 that answers the filter otherwise than the user.
    pub(super) fn teach(&mut self, pair: &Pair<'_>, v2: &View<'_>, judge: &mut Judge<'_>) -> bool {
        let route = judge.route;
        if self.has_other_status {
            let status = judge.model.status(route);
            judge.model.learn(&[status], &[], false);
            return false;
        }
        if let Some(suspect) = &self.suspect {
            if is_alike(suspect, v2, &self.varied, judge) {
                return true;
            }
            self.suspect = None;
        }
        let Some(varied) = self.news.take() else {
            return false;
        };
        let repeated = match pair {
            Pair::Different(compared) => compared.places().collect(),
            Pair::Equal | Pair::NotComparable => Vec::new(),
        };
        let repeated = repeated.into_iter();
        let repeated: Vec<_> = repeated
            .filter(|place| !self.varied.contains(place))
            .collect();
        judge.model.learn(&varied, &repeated, self.count == 1);
        if self.is_shifted {
            judge.model.note_shift(route);
        } else {
            judge.model.note_no_shift(route);
        }
        false
    }

    /// Whether v1 may have varied at a place by chance only: once, by a change of the data. As long as
    /// that is so, and v1 repeats itself now, it is worth another question.
    pub(super) fn is_doubtful(&self, place: PlaceId, model: &NoiseModel) -> bool {
        let is_young = model
            .noise(place)
            .is_some_and(|noise| !noise.is_established());
        is_young && !self.varied.contains(&place)
    }

    /// Lets the model learn what nobody can be asked about any more: as far as is known, v1 varies.
    pub(super) fn teach_the_rest(&mut self, judge: &mut Judge<'_>) {
        if let Some(varied) = self.news.take() {
            judge.model.learn(&varied, &[], false);
        }
    }
}

/// Whether v2 answers as v1 does when it is asked again, at all places where that is not what the user
/// got.
fn is_alike(suspect: &Reply, v2: &View<'_>, places: &[PlaceId], judge: &Judge<'_>) -> bool {
    if suspect.status != v2.status() {
        return false;
    }
    let pair = [&suspect.view(), v2];
    let differing = varied(pair, judge.shadow, judge.model, judge.route);
    differing.is_some_and(|differing| places.iter().all(|place| !differing.contains(place)))
}
