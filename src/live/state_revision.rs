//! Names the revision of a policy that is halted, resumed or re-armed.
//!
//! From `r1`, a halt of everyone makes `r1-halted`, a halt of the rollout `chat` makes `r1+halted.chat`, and both make
//! `r1-halted+halted.chat`. A resume goes back to `r1`. If the policy itself is halted, a resume adds `-resumed` or
//! `+resumed.chat` instead. A re-armed guard adds `+rearmed.chat.2`, where 2 is its `rearmed`, as the last mark.
//!
//! A revision identifies one text. Each state of a policy has a revision of its own, because neither `+` nor `.` can be
//! in the name of a rollout. All of them have the same [`root`], and `turnout apply` refuses a policy whose root belongs
//! to another one.

use std::collections::BTreeMap;

use turnout_core::Revision;

use crate::policy_state::PolicyState;

const HALTED: &str = "-halted";
const RESUMED: &str = "-resumed";
const HALTED_ROLLOUTS: &str = "+halted.";
const RESUMED_ROLLOUTS: &str = "+resumed.";
const REARMED: &str = "+rearmed.";
/// Replaces marks that would make the revision too long. A hash of them follows.
const SHORTENED: &str = "+halted_";
/// As [`SHORTENED`], if nothing is halted or resumed.
const SHORTENED_REARMED: &str = "+rearmed_";

/// The differences of a state from the policy that was applied. True means halted, false resumed.
#[derive(Default)]
struct Marks<'a> {
    everyone: Option<bool>,
    rollouts: BTreeMap<&'a str, bool>,
    rearmed: BTreeMap<&'a str, u64>,
}

/// Returns the revision of a policy in another state. `own` is the revision in its text, and `state` is the state of its
/// text.
pub(crate) fn state_revision(
    own: &str,
    text: &str,
    state: &PolicyState,
    wanted: &PolicyState,
) -> Revision {
    let (stem, mut marks) = split(own, state);
    let names = state.rearmed.keys().chain(wanted.rearmed.keys());
    for rollout in names {
        let count = wanted.rearmed.get(rollout);
        if state.rearmed.get(rollout) != count {
            let count = count.copied().unwrap_or_default();
            marks.rearmed.insert(rollout, count);
        }
    }
    let (halted, wanted) = (&state.halts, &wanted.halts);
    if halted.everyone != wanted.everyone {
        marks.everyone = match marks.everyone {
            Some(_) => None,
            None => Some(wanted.everyone),
        };
    }
    for rollout in halted.rollouts.symmetric_difference(&wanted.rollouts) {
        if marks.rollouts.remove(rollout.as_str()).is_none() {
            let is_halted = wanted.rollouts.contains(rollout);
            marks.rollouts.insert(rollout, is_halted);
        }
    }
    let of_rollouts = marks.of_rollouts();
    let whole = [stem, marks.of_everyone(), &of_rollouts].concat();
    let shortened = || {
        let hash = Revision::of_text(&whole);
        let mark = match marks.everyone.is_none() && marks.rollouts.is_empty() {
            true => SHORTENED_REARMED,
            false => SHORTENED,
        };
        Revision::from_name(&[stem, mark, hash.as_str()].concat())
    };
    Revision::from_name(&whole)
        .or_else(shortened)
        .unwrap_or_else(|| {
            let everyone = wanted.everyone;
            Revision::of_text(&format!("{everyone}{of_rollouts} {text}"))
        })
}

/// Returns the part that the revisions of all states of a policy have in common. Policies with different roots never
/// get the same revision, unless a revision is too long and becomes a hash.
pub(crate) fn root(revision: &str) -> &str {
    let mut root = revision;
    while let Some(shorter) = without_last_mark(root) {
        root = shorter;
    }
    root
}

fn without_last_mark(revision: &str) -> Option<&str> {
    let of_everyone = revision
        .strip_suffix(HALTED)
        .or_else(|| revision.strip_suffix(RESUMED));
    let of_rollouts = || {
        let (before, mark) = revision.split_at(revision.rfind('+')?);
        let marks = [
            HALTED_ROLLOUTS,
            RESUMED_ROLLOUTS,
            REARMED,
            SHORTENED,
            SHORTENED_REARMED,
        ];
        let is_mark = marks.iter().any(|known| mark.starts_with(known));
        is_mark.then_some(before)
    };
    let before = of_everyone.or_else(of_rollouts)?;
    (!before.is_empty()).then_some(before)
}

/// Splits a revision into its stem and its marks. A mark that contradicts the text belongs to the stem: the author of
/// the policy has chosen that name.
fn split<'a>(revision: &'a str, state: &PolicyState) -> (&'a str, Marks<'a>) {
    let mut marks = Marks::default();
    let mut stem = revision;
    let halted = &state.halts;
    if let Some((before, counts)) = stem.rsplit_once(REARMED)
        && !before.is_empty()
        && let Some(counts) = parse_counts(counts)
        && counts
            .iter()
            .all(|(name, count)| state.rearmed.get(*name) == Some(count))
    {
        marks.rearmed = counts;
        stem = before;
    }
    for (mark, is_halted) in [(RESUMED_ROLLOUTS, false), (HALTED_ROLLOUTS, true)] {
        let Some((before, names)) = stem.rsplit_once(mark) else {
            continue;
        };
        let agrees = |name: &str| halted.rollouts.contains(name) == is_halted;
        if !before.is_empty() && !names.contains('+') && names.split('.').all(agrees) {
            let names = names.split('.').map(|name| (name, is_halted));
            marks.rollouts.extend(names);
            stem = before;
        }
    }
    let mark = match halted.everyone {
        true => HALTED,
        false => RESUMED,
    };
    let before = stem.strip_suffix(mark).filter(|before| !before.is_empty());
    if let Some(before) = before {
        marks.everyone = Some(halted.everyone);
        stem = before;
    }
    (stem, marks)
}

/// Parses names and counts, as in `a.1.b.2`. Neither has a `.` or a `+`.
fn parse_counts(text: &str) -> Option<BTreeMap<&str, u64>> {
    let mut counts = BTreeMap::new();
    let mut words = text.split('.');
    while let Some(name) = words.next() {
        let count = words.next().filter(|count| !count.contains('+'))?;
        counts.insert(name, count.parse().ok()?);
    }
    Some(counts)
}

impl Marks<'_> {
    fn of_everyone(&self) -> &'static str {
        match self.everyone {
            None => "",
            Some(true) => HALTED,
            Some(false) => RESUMED,
        }
    }

    fn of_rollouts(&self) -> String {
        let mut text = String::new();
        for (mark, wanted) in [(HALTED_ROLLOUTS, true), (RESUMED_ROLLOUTS, false)] {
            let rollouts = self.rollouts.iter();
            let names = rollouts.filter(|(_, is_halted)| **is_halted == wanted);
            let names: Vec<&str> = names.map(|(name, _)| *name).collect();
            if !names.is_empty() {
                text.push_str(mark);
                text.push_str(&names.join("."));
            }
        }
        let counts = self.rearmed.iter();
        let counts: Vec<String> = counts
            .map(|(name, count)| format!("{name}.{count}"))
            .collect();
        if !counts.is_empty() {
            text.push_str(REARMED);
            text.push_str(&counts.join("."));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::halts::Halts;

    fn halts(everyone: bool, rollouts: &[&str]) -> PolicyState {
        PolicyState {
            halts: Halts {
                everyone,
                rollouts: rollouts.iter().map(|name| (*name).to_owned()).collect(),
            },
            ..PolicyState::default()
        }
    }

    impl PolicyState {
        fn rearmed(mut self, counts: &[(&str, u64)]) -> Self {
            let counts = counts.iter();
            self.rearmed = counts
                .map(|(name, count)| ((*name).into(), *count))
                .collect();
            self
        }
    }

    fn name(own: &str, state: &PolicyState, wanted: &PolicyState) -> String {
        state_revision(own, "{}", state, wanted).to_string()
    }

    #[test]
    fn marks_are_added_and_removed_again() {
        let none = halts(false, &[]);
        for (own, halted, wanted, expected) in [
            ("r", &none, halts(true, &[]), "r-halted"),
            ("r", &none, halts(false, &["a"]), "r+halted.a"),
            ("r", &none, halts(false, &["b", "a"]), "r+halted.a.b"),
            ("r", &none, halts(true, &["a"]), "r-halted+halted.a"),
            (
                "r",
                &halts(true, &["a"]),
                none.clone(),
                "r-resumed+resumed.a",
            ),
            (
                "r",
                &halts(false, &["a"]),
                halts(true, &["b"]),
                "r-halted+halted.b+resumed.a",
            ),
            // The text in the file is all that is left of a policy.
            ("r-halted+halted.a", &halts(true, &["a"]), none.clone(), "r"),
            ("r-halted", &halts(true, &[]), none.clone(), "r"),
            ("r-resumed", &none, halts(true, &[]), "r"),
            (
                "r+halted.a.b",
                &halts(false, &["a", "b"]),
                halts(false, &["b"]),
                "r+halted.b",
            ),
            // An author's own name.
            ("r-halted", &none, halts(true, &[]), "r-halted-halted"),
            (
                "r+halted.a",
                &none,
                halts(false, &["a"]),
                "r+halted.a+halted.a",
            ),
            (
                "-halted",
                &halts(true, &[]),
                none.clone(),
                "-halted-resumed",
            ),
        ] {
            assert_eq!(name(own, halted, &wanted), expected);
        }
    }

    #[test]
    fn each_rearm_has_a_mark_of_its_own() {
        let state = |counts: &[(&str, u64)]| halts(false, &[]).rearmed(counts);
        let none = state(&[]);
        let both = halts(true, &["b"]).rearmed(&[("a", 1)]);
        for (own, before, wanted, expected) in [
            ("r", &none, state(&[("a", 1)]), "r+rearmed.a.1"),
            ("r", &none, state(&[("a", 2)]), "r+rearmed.a.2"),
            (
                "r",
                &none,
                state(&[("2", 1), ("a", 3)]),
                "r+rearmed.2.1.a.3",
            ),
            ("r", &none, both.clone(), "r-halted+halted.b+rearmed.a.1"),
            // The policy has a count itself.
            (
                "r",
                &state(&[("a", 7)]),
                state(&[("a", 8)]),
                "r+rearmed.a.8",
            ),
            // The text in the file is all that is left of a policy.
            (
                "r+rearmed.a.1",
                &state(&[("a", 1)]),
                state(&[("a", 2)]),
                "r+rearmed.a.2",
            ),
            (
                "r+rearmed.a.1",
                &state(&[("a", 1)]),
                both.clone(),
                "r-halted+halted.b+rearmed.a.1",
            ),
            (
                "r-halted+halted.b+rearmed.a.1",
                &both,
                state(&[("a", 1)]),
                "r+rearmed.a.1",
            ),
            // An author's own name.
            (
                "r+rearmed.a.1",
                &none,
                state(&[("a", 1)]),
                "r+rearmed.a.1+rearmed.a.1",
            ),
            (
                "r+rearmed.a",
                &none,
                state(&[("a", 1)]),
                "r+rearmed.a+rearmed.a.1",
            ),
        ] {
            assert_eq!(name(own, before, &wanted), expected);
            assert_eq!(root(expected), root(own));
        }
        let long = "x".repeat(63);
        let short = name("r", &none, &state(&[(&long, 1)]));
        assert!(
            short.starts_with("r+rearmed_") && short.len() == 26,
            "{short}"
        );
        assert_ne!(short, name("r", &none, &state(&[(&long, 2)])));
        assert_eq!(root(&short), "r");
        let own = "r".repeat(60);
        let hashed = [1, 2].map(|count| name(&own, &none, &state(&[("a", count)])));
        assert_eq!(hashed[0].len(), 16);
        assert_ne!(hashed[0], hashed[1]);
    }

    #[test]
    fn a_revision_that_gets_too_long_is_shortened_and_keeps_its_root_if_possible() {
        let none = halts(false, &[]);
        let long = "x".repeat(63);
        let short = name("r1", &none, &halts(true, &[&long]));
        assert!(
            short.starts_with("r1+halted_") && short.len() == 26,
            "{short}"
        );
        assert_ne!(short, name("r1", &none, &halts(false, &[&long])));
        assert_eq!(root(&short), "r1");
        let own = "r".repeat(60);
        assert_eq!(name(&own, &none, &halts(true, &[])).len(), 16);
    }

    const NAMES: [&str; 7] = [
        "a",
        "a-halted",
        "x-resumed",
        "halted",
        "resumed",
        "b",
        "0123456789abcdef",
    ];
    const STEMS: [&str; 13] = [
        "r",
        "r-halted",
        "r-resumed",
        "r+halted.a",
        "r+halted.a-halted",
        "r+resumed.b",
        "-halted",
        "+halted.a",
        "r+halted_0123456789abcdef",
        "r+rearmed.a.1",
        "r+halted.a+rearmed.a.1.b.1",
        "r+rearmed.a.1+halted.a",
        "+rearmed.a.1",
    ];

    fn any_state() -> impl Strategy<Value = PolicyState> {
        (
            any::<bool>(),
            prop::sample::subsequence(NAMES.to_vec(), 0..=3),
            prop::sample::subsequence(vec![("a", 1), ("b", 1), ("b", 2), ("halted", 1)], 0..=3),
        )
            .prop_map(|(everyone, rollouts, counts)| halts(everyone, &rollouts).rearmed(&counts))
    }

    proptest! {
        #[test]
        fn no_two_states_share_a_revision_and_all_share_a_root(
            own in prop::sample::select(STEMS.to_vec()),
            halted in any_state(),
            first in any_state(),
            second in any_state(),
        ) {
            let of = |wanted: &PolicyState| match *wanted == halted {
                true => own.to_owned(),
                false => name(own, &halted, wanted),
            };
            prop_assert_eq!(of(&first) == of(&second), first == second);
            let first = of(&first);
            prop_assert_eq!(root(&first), root(own));
        }
    }
}
