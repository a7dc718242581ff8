//! A text that is edited in place, with the origin of each part.

use std::ops::Range;

/// A text that is edited in place. It knows which parts were inserted, and where they come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct EditedText {
    text: String,
    /// What remains of the inserted parts, in the order of the text and apart from each other.
    inserted: Vec<Inserted>,
}

/// Where an inserted part of a step's policy comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The `rules` of the step with this index, as the plan has them.
    Rules(usize),
    /// The `accounts` of a step.
    Accounts(usize),
    /// The `requests` of a step.
    Requests(usize),
}

#[derive(Clone, Debug)]
struct Inserted {
    range: Range<usize>,
    origin: Origin,
    /// Where the part begins in its origin.
    start: usize,
}

impl EditedText {
    pub(crate) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            inserted: Vec::new(),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Replaces a range of the text, or inserts text if the range is empty. A range that is not in the text changes
    /// nothing.
    pub(crate) fn replace(&mut self, range: Range<usize>, new: &str, origin: Option<Origin>) {
        let before = self.text.get(..range.start);
        let Some((before, after)) = before.zip(self.text.get(range.end..)) else {
            return;
        };
        self.text = [before, new, after].concat();
        let new_end = range.start.saturating_add(new.len());
        let moved = |offset: usize| new_end.saturating_add(offset.saturating_sub(range.end));
        let mut parts = Vec::with_capacity(self.inserted.len().saturating_add(2));
        for part in self.inserted.drain(..) {
            let head = part.range.start..part.range.end.min(range.start);
            let tail = part.range.start.max(range.end)..part.range.end;
            let cut = tail.start.saturating_sub(part.range.start);
            for (range, skipped) in [(head, 0), (moved(tail.start)..moved(tail.end), cut)] {
                if !range.is_empty() {
                    parts.push(Inserted {
                        range,
                        origin: part.origin,
                        start: part.start.saturating_add(skipped),
                    });
                }
            }
        }
        parts.extend(origin.map(|origin| Inserted {
            range: range.start..new_end,
            origin,
            start: 0,
        }));
        parts.sort_by_key(|part| part.range.start);
        self.inserted = parts;
    }

    /// Returns the origin of a part of the text, and its range there, if both ends of it were inserted from one origin.
    pub(crate) fn origin_of(&self, range: &Range<usize>) -> Option<(Origin, Range<usize>)> {
        let part_of = |offset: usize| {
            let mut parts = self.inserted.iter();
            parts.find(|part| part.range.contains(&offset))
        };
        let first = part_of(range.start)?;
        let last = part_of(range.end.saturating_sub(1).max(range.start))?;
        let place = |part: &Inserted, offset: usize| {
            let inside = offset.saturating_sub(part.range.start);
            part.start.saturating_add(inside)
        };
        let found = place(first, range.start)..place(last, range.end);
        (first.origin == last.origin).then_some((first.origin, found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_keeps_its_origin_when_it_is_edited() {
        let mut text = EditedText::new("{rules: []}");
        text.replace(8..10, "[one, 22, three]", Some(Origin::Rules(0)));
        assert_eq!(text.as_str(), "{rules: [one, 22, three]}");
        let rules = |range| Some((Origin::Rules(0), range));
        assert_eq!(text.origin_of(&(9..12)), rules(1..4));
        assert_eq!(text.origin_of(&(7..9)), None);
        text.replace(14..16, "4", Some(Origin::Accounts(1)));
        text.replace(0..0, "..", None);
        assert_eq!(text.as_str(), "..{rules: [one, 4, three]}");
        assert_eq!(text.origin_of(&(11..14)), rules(1..4));
        assert_eq!(text.origin_of(&(16..17)), Some((Origin::Accounts(1), 0..1)));
        assert_eq!(text.origin_of(&(19..24)), rules(10..15));
        assert_eq!(text.origin_of(&(10..25)), rules(0..16));
        assert_eq!(text.origin_of(&(11..17)), None);
        text.replace(10..25, "[]", Some(Origin::Rules(2)));
        assert_eq!(text.as_str(), "..{rules: []}");
        assert_eq!(text.origin_of(&(10..12)), Some((Origin::Rules(2), 0..2)));
        text.replace(90..99, "x", None);
        assert_eq!(text.as_str(), "..{rules: []}");
    }
}
