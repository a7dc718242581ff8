//! Rounds: one of each variant, in an order in which drift cancels, and again when others had too much
//! of the machine.

/// How many percent of the machine others may have. A round that had more is sent again.
pub const QUIET: f64 = 5.0;
/// So often at most.
pub const AGAIN: u32 = 3;

/// The order of one round, so that whatever drifts hits all variants alike. It is a Williams design:
/// over as many rounds as there are variants, each stands at every place once, and, where their
/// number is even, right behind every other once. The next rounds go backwards.
#[must_use]
pub fn order(round: usize, count: usize) -> Vec<usize> {
    let zigzag = |place: usize| match place % 2 {
        0 => place / 2,
        _ => count - place.div_ceil(2),
    };
    let mut order: Vec<usize> = (0..count)
        .map(|place| (zigzag(place) + round) % count)
        .collect();
    if (round / count) % 2 == 1 {
        order.reverse();
    }
    order
}

/// What to know before believing any number: of how many rounds, in how many others had too much of
/// the machine, and how many were sent again for it.
#[must_use]
pub fn trust(others: &[f64], repeated: u32) -> String {
    let disturbed = others.iter().filter(|others| **others > QUIET).count();
    let verdict = match disturbed * 10 > others.len() {
        true => "NOT QUIET: these numbers are noise",
        false => "quiet enough",
    };
    format!(
        "rounds with more than {QUIET} %: {disturbed}, and\n{repeated} more that were repeated: {verdict}."
    )
}
