//! The way from a body to the value that is being compared, and the options that may apply there.

use super::pattern::Step;
use super::rules::{Rule, What};
use super::text::Text;

/// One step of the way.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Key {
        key: Text<'a>,
        /// Of an object whose keys are data.
        of_map: bool,
    },
    Element {
        index: usize,
        /// Of a list without an order: its index is nobody's name.
        unordered: bool,
    },
    /// Some element of a list without an order.
    AnyElement,
}

/// The way, and for each of its steps the rules whose patterns agree with it so far.
pub(super) struct Trail<'t, 'a> {
    pub(super) rules: &'t [Rule<'t>],
    places: Vec<Place<'a>>,
    /// The rules of each step one after the other, as indices into `rules`.
    live: Vec<usize>,
    /// Where those of the last step begin.
    first: usize,
}

/// What [`Trail::leave`] goes back to.
pub(super) struct Mark {
    first: usize,
    live: usize,
}

impl<'t, 'a> Trail<'t, 'a> {
    pub(super) fn new(rules: &'t [Rule<'t>]) -> Self {
        Self {
            rules,
            places: Vec::new(),
            live: (0..rules.len()).collect(),
            first: 0,
        }
    }

    pub(super) fn enter(&mut self, place: Place<'a>) -> Mark {
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
            if step.is_some_and(|step| place.agrees(step)) {
                self.live.push(live);
            }
        }
        self.first = mark.live;
        self.places.push(place);
        mark
    }

    pub(super) fn leave(&mut self, mark: &Mark) {
        self.places.pop();
        self.live.truncate(mark.live);
        self.first = mark.first;
    }

    /// Whether no option says anything of this place or of one below.
    pub(super) fn is_plain(&self) -> bool {
        self.first == self.live.len()
    }

    /// The rules for this very place.
    pub(super) fn here(&self) -> impl Iterator<Item = (usize, &'t Rule<'t>)> {
        let depth = self.places.len();
        self.live_rules()
            .filter(move |(_, rule)| rule.steps.len() == depth)
    }

    /// Whether there may be a tolerance here or below.
    pub(super) fn has_tolerance(&self) -> bool {
        self.live_rules()
            .any(|(_, rule)| matches!(rule.what, What::Tolerance(_)))
    }

    fn live_rules(&self) -> impl Iterator<Item = (usize, &'t Rule<'t>)> {
        let live = self.live.get(self.first..).unwrap_or_default();
        live.iter()
            .filter_map(|&live| Some((live, self.rules.get(live)?)))
    }

    /// Writes the way with nothing in it that is data.
    pub(super) fn folded(&self, pointer: &mut String) {
        for place in &self.places {
            pointer.push('/');
            match place {
                Place::Key { key, of_map: false } => {
                    let meaning = key.meaning();
                    match std::str::from_utf8(&meaning) {
                        Ok(name) if is_identifier(name) => pointer.push_str(name),
                        _ => pointer.push('*'),
                    }
                }
                _ => pointer.push('*'),
            }
        }
    }

    /// Writes the way as it is.
    pub(super) fn exact(&self, pointer: &mut String) {
        for place in &self.places {
            pointer.push('/');
            match place {
                Place::Key { key, .. } => push_step(pointer, *key),
                Place::Element { index, .. } => pointer.push_str(&index.to_string()),
                Place::AnyElement => pointer.push('*'),
            }
        }
    }
}

impl Place<'_> {
    fn agrees(self, step: &Step) -> bool {
        match (step, self) {
            (Step::Any, _) => true,
            (Step::Name { name, .. }, Place::Key { key, .. }) => key.is(name),
            (
                Step::Name { index: named, .. },
                Place::Element {
                    index,
                    unordered: false,
                },
            ) => *named == Some(index),
            _ => false,
        }
    }
}

fn push_step(pointer: &mut String, key: Text<'_>) {
    let meaning = key.meaning();
    let name = match std::str::from_utf8(&meaning) {
        Ok(name) => name,
        // With lone surrogates: as it was sent, which is UTF-8.
        Err(_) => std::str::from_utf8(key.raw).unwrap_or_default(),
    };
    for c in name.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

/// Whether a key is a name that a developer gave, and not an id, a date or a user's word: the
/// characters of an identifier, at most forty, at most three of them digits.
fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next();
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    first.is_some_and(|first| first.is_ascii_alphabetic() || matches!(first, b'_' | b'$'))
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'-'))
        && name.len() <= 40
        && digits <= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_data() {
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
