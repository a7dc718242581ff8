//! What to do about comparisons that say nothing about v2.

use turnout_core::shadow::Outcome;
use turnout_text::counted;

use crate::allow::Allow;
use crate::outcomes::Outcomes;
use crate::percent::Share;

/// What to do, a sentence or two for each kind.
pub(crate) fn notes(outcomes: &Outcomes, allow: Allow) -> Vec<String> {
    let mut notes = Vec::new();
    let noise = outcomes.get(Outcome::Noise);
    if Share::of(noise, outcomes.judged()) > allow.share() {
        notes.push(format!(
            "v1 disagrees with itself in {}. Find out where with `turnout diff` on two of its own answers, and \
             list these places in `compare.ignore`: what is compared has to be stable.",
            counted(noise, "comparison", "comparisons")
        ));
    }
    let unrepeatable = outcomes.get(Outcome::Unrepeatable);
    if unrepeatable > 0 {
        notes.push(format!(
            "v1 answered {} otherwise when the filter asked again than it had answered the user. Where the \
             route rewrites the path, the host or headers, declare that in `shadow.rewrite` (`turnout lint \
             --admin` reads the routes). Leave out requests that can be asked once only, such as those with \
             a one-time token.",
            counted(unrepeatable, "request", "requests")
        ));
    }
    let unconfirmed = outcomes.get(Outcome::Unconfirmed);
    if unconfirmed > 0 {
        notes.push(format!(
            "{} not confirmed, because v1 did not answer again, or was not asked often enough: a worker asks \
             v1 again at most 10 times a second.",
            counted(unconfirmed, "difference was", "differences were")
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes_of<const N: usize>(counts: [(Outcome, u64); N]) -> Vec<String> {
        let mut outcomes = Outcomes::default();
        for (outcome, count) in counts {
            outcomes.add(outcome, count);
        }
        notes(&outcomes, Allow::default())
    }

    #[test]
    fn what_stands_in_the_way_of_a_verdict_says_what_to_do() {
        let equal = (Outcome::Equal, 10_000);
        assert!(notes_of([equal, (Outcome::Noise, 10)]).is_empty());
        for (outcome, names) in [
            (Outcome::Noise, "`compare.ignore`"),
            (Outcome::Unrepeatable, "`shadow.rewrite`"),
            (Outcome::Unconfirmed, "10 times a second"),
        ] {
            let notes = notes_of([equal, (outcome, 11)]);
            assert!(
                matches!(&*notes, [note] if note.contains(names)),
                "{notes:?}"
            );
        }
    }
}
