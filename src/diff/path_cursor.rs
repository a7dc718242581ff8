//! The path from the body to the value being compared, and the rules that may apply there.

use crate::json_string::JsonString;
use crate::option_rules::{OptionEffect, OptionRule};
use crate::pattern::PatternStep;
use crate::tape::Tape;

/// One step of the path.
#[derive(Clone, Copy)]
pub(crate) enum PathStep {
    /// A key of one side.
    Key {
        side: usize,
        key: usize,
        /// Whether the object's keys are data.
        of_map: bool,
    },
    Element {
        index: usize,
        /// Whether the list is unordered, so that no pattern names its elements by index.
        unordered: bool,
    },
    /// Any element of an unordered list.
    AnyElement,
}

/// The path, and for each step the rules whose patterns match it so far.
pub(crate) struct PathCursor<'t, 'a> {
    rules: &'t [OptionRule<'t>],
    /// v1 and v2.
    tapes: [&'t Tape<'a>; 2],
    places: Vec<PathStep>,
    /// The rules that match at each step, as indices into `rules`. Those of a step follow those of the
    /// step before.
    live: Vec<usize>,
    /// The position in `live` at which those of the last step begin.
    first: usize,
}

/// The state that [`PathCursor::leave`] restores.
pub(crate) struct Mark {
    first: usize,
    live: usize,
}

impl<'t, 'a> PathCursor<'t, 'a> {
    pub(crate) fn new(rules: &'t [OptionRule<'t>], tapes: [&'t Tape<'a>; 2]) -> Self {
        Self {
            rules,
            tapes,
            places: Vec::new(),
            live: (0..rules.len()).collect(),
            first: 0,
        }
    }

    pub(crate) fn enter(&mut self, place: PathStep) -> Mark {
        let mark = Mark {
            first: self.first,
            live: self.live.len(),
        };
        let depth = self.places.len();
        for at in mark.first..mark.live {
            let Some(&live) = self.live.get(at) else {
                break;
            };
            let step = self.rules.get(live).and_then(|rule| rule.steps.get(depth));
            if step.is_some_and(|step| self.agree(step, place)) {
                self.live.push(live);
            }
        }
        self.first = mark.live;
        self.places.push(place);
        mark
    }

    pub(crate) fn leave(&mut self, mark: &Mark) {
        self.places.pop();
        self.live.truncate(mark.live);
        self.first = mark.first;
    }

    /// Whether no option applies here or below.
    pub(crate) fn is_plain(&self) -> bool {
        self.first == self.live.len()
    }

    /// Iterates over the rules for exactly this place.
    pub(crate) fn rules_here(&self) -> impl Iterator<Item = (usize, &'t OptionRule<'t>)> {
        let depth = self.places.len();
        self.live_rules()
            .filter(move |(_, rule)| rule.steps.len() == depth)
    }

    /// Returns the name of the value in its list or object, as a number.
    pub(crate) fn name(&self) -> u64 {
        let [v1, v2] = self.tapes;
        match self.places.last() {
            Some(PathStep::Key { side: 0, key, .. }) => v1.node(*key).extra.into(),
            Some(PathStep::Key { key, .. }) => v2.node(*key).extra.into(),
            Some(PathStep::Element {
                index,
                unordered: false,
            }) => u64::try_from(*index).unwrap_or_default(),
            _ => 0,
        }
    }

    /// Whether the value here is ignored, whatever its type.
    pub(crate) fn is_ignored(&self) -> bool {
        self.rules_here()
            .any(|(_, rule)| matches!(rule.effect, OptionEffect::Ignore))
    }

    /// Whether a tolerance may apply here or below.
    pub(crate) fn has_tolerance(&self) -> bool {
        self.live_rules()
            .any(|(_, rule)| matches!(rule.effect, OptionEffect::Tolerance(_)))
    }

    fn live_rules(&self) -> impl Iterator<Item = (usize, &'t OptionRule<'t>)> {
        let live = self.live.get(self.first..).unwrap_or_default();
        live.iter()
            .filter_map(|&live| Some((live, self.rules.get(live)?)))
    }

    fn agree(&self, step: &PatternStep, place: PathStep) -> bool {
        match (step, place) {
            (PatternStep::Any, _) => true,
            (PatternStep::Name { name, .. }, PathStep::Key { side, key, .. }) => {
                self.key(side, key).is(name)
            }
            (
                PatternStep::Name {
                    index: Some(named), ..
                },
                PathStep::Element {
                    index,
                    unordered: false,
                },
            ) => *named == index,
            _ => false,
        }
    }

    fn key(&self, side: usize, key: usize) -> JsonString<'a> {
        let [v1, v2] = self.tapes;
        let tape = if side == 0 { v1 } else { v2 };
        tape.string(tape.node(key))
    }

    /// Writes the folded path, which contains no data.
    pub(crate) fn folded(&self, pointer: &mut String) {
        self.write(pointer, true);
    }

    /// Writes the exact path.
    pub(crate) fn exact(&self, pointer: &mut String) {
        self.write(pointer, false);
    }

    #[inline(never)]
    fn write(&self, pointer: &mut String, is_folded: bool) {
        for place in &self.places {
            pointer.push('/');
            match *place {
                PathStep::Key { side, key, of_map } => {
                    let key = self.key(side, key);
                    let meaning = key.meaning();
                    // A key with lone surrogates is written as it was sent, which is UTF-8.
                    let name = std::str::from_utf8(&meaning)
                        .or_else(|_| std::str::from_utf8(key.raw))
                        .unwrap_or_default();
                    let whole = name.len();
                    match is_folded {
                        true if of_map || !is_identifier(name) => pointer.push('*'),
                        true => pointer.push_str(name),
                        false => {
                            let name = shortened(name);
                            pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                            pointer.push_str(if name.len() < whole { "…" } else { "" });
                        }
                    }
                }
                PathStep::Element { index, .. } if !is_folded => {
                    pointer.push_str(&index.to_string());
                }
                _ => pointer.push('*'),
            }
        }
    }
}

/// The longest key that is written in full. A key of a megabyte would be repeated in every finding
/// below it.
const LONGEST_NAME: usize = 256;

fn shortened(name: &str) -> &str {
    let mut ends = (0..=LONGEST_NAME).rev();
    match ends.find(|end| name.is_char_boundary(*end)) {
        Some(end) => name.get(..end).unwrap_or(name),
        None => name,
    }
}

/// Whether a key is a developer's name, as opposed to an id, a date or a user's text: the characters of
/// an identifier, at most forty of them, at most three of those digits.
fn is_identifier(name: &str) -> bool {
    let mut digits = 0_usize;
    for (index, byte) in name.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' => {}
            b'0'..=b'9' if index > 0 => digits = digits.wrapping_add(1),
            b'-' if index > 0 => {}
            _ => return false,
        }
    }
    (1..=40).contains(&name.len()) && digits <= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinguished_from_data() {
        for name in [
            "id",
            "_links",
            "$ref",
            "sha256",
            "content-type",
            "date_created",
            &"a".repeat(40),
        ] {
            assert!(is_identifier(name), "{name}");
        }
        for data in [
            "",
            "1",
            "2026-11-21",
            "a b",
            "a.b",
            "é",
            "*",
            "a/b",
            "user1234",
            "alice@example.com",
            "+15551234",
            "AC7342e9713fa896e4af00c654c444aada",
            "-x",
            &"a".repeat(41),
        ] {
            assert!(!is_identifier(data), "{data}");
        }
    }
}
