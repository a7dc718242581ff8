//! Runs every variant once a round, in an order that cancels drift, and repeats a round when other
//! processes took too much of the machine.

use std::future::Future;

use super::series::{Round, Series};
use super::statistics::Spread;
use crate::terminal::show;

/// The share of the machine, in percent, that other processes may take. A round with more is repeated.
const QUIET: f64 = 5.0;
/// How often a round is repeated at most.
const MAX_REPEATS: u32 = 3;

/// Everything that a bench starts to measure its variants, which have the numbers from 0.
pub trait Testbed {
    /// How to measure.
    type Settings;
    /// What a round measures.
    type Figures;

    /// Measures one variant once.
    ///
    /// # Errors
    /// When a response was wrong or lost.
    fn round(
        &mut self,
        variant: usize,
        settings: &Self::Settings,
    ) -> impl Future<Output = Result<Round<Self::Figures>, String>>;

    /// Checks what can be checked only over all rounds. Called after the warm-up and at the end.
    ///
    /// # Errors
    /// When a share or a counter is wrong.
    fn check(&self) -> impl Future<Output = Result<(), String>> {
        std::future::ready(Ok(()))
    }

    /// The memory of a variant's Envoy.
    ///
    /// # Errors
    /// When the kernel does not report it.
    fn memory_kib(&self, variant: usize) -> Result<u64, String>;
}

/// Runs a warm-up and all rounds, and prints the progress.
///
/// # Errors
/// The first error of the testbed.
pub async fn run<V: Copy, T: Testbed>(
    testbed: &mut T,
    variants: &[V],
    rounds: usize,
    settings: &T::Settings,
) -> Result<Vec<Series<V, T::Figures>>, String> {
    let mut series: Vec<_> = variants.iter().copied().map(Series::new).collect();
    for round in 0..=rounds {
        for variant in order(round, series.len()) {
            let measured = quiet_round(testbed, variant, settings).await?;
            if round > 0 {
                series[variant].rounds.push(measured);
            }
        }
        if round == 0 || round == rounds {
            testbed.check().await?;
        }
        show_progress(round, rounds)?;
    }
    for (variant, series) in series.iter_mut().enumerate() {
        series.memory_kib = testbed.memory_kib(variant)?;
    }
    Ok(series)
}

/// Prints that a round is done; round 0 is the warm-up.
///
/// # Errors
/// When standard output is closed.
pub fn show_progress(round: usize, rounds: usize) -> Result<(), String> {
    show(&match round {
        0 => "warm-up done".to_owned(),
        round => format!("round {round} of {rounds} done"),
    })
}

/// A round on a quiet machine, if one of a few attempts is.
async fn quiet_round<T: Testbed>(
    testbed: &mut T,
    variant: usize,
    settings: &T::Settings,
) -> Result<Round<T::Figures>, String> {
    let mut round = testbed.round(variant, settings).await?;
    while round.others > QUIET && round.repeated < MAX_REPEATS {
        let repeated = round.repeated + 1;
        round = testbed.round(variant, settings).await?;
        round.repeated = repeated;
    }
    Ok(round)
}

/// The order of the variants in one round, in which drift affects all variants alike. It is a Williams
/// design: over as many rounds as there are variants, each variant has every position once, and, if their
/// number is even, follows every other variant once. The next rounds go backwards.
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

/// How far the numbers can be trusted: how late the client was (where it measures latency), how much of
/// the machine other processes took, and how many rounds were disturbed or repeated.
pub fn trust<V, F>(all: &[Series<V, F>], client_late_us: fn(&Round<F>) -> f64) -> String {
    let spread = |figure: fn(&Round<F>) -> f64| {
        Spread::of(all.iter().flat_map(|series| &series.rounds).map(figure))
    };
    let (late, others) = (spread(client_late_us), spread(|round| round.others));
    let late = match late.median.is_nan() {
        true => String::new(),
        false => format!(
            "The client sent {:.0} µs late at its 99th percentile ({:.0}..{:.0}); the latencies include that.\n",
            late.median, late.least, late.greatest,
        ),
    };
    let rounds = || all.iter().flat_map(|series| &series.rounds);
    let disturbed = rounds().filter(|round| round.others > QUIET).count();
    let repeated: u32 = rounds().map(|round| round.repeated).sum();
    let verdict = match disturbed * 10 > rounds().count() {
        true => "NOT QUIET: these numbers are noise",
        false => "quiet enough",
    };
    format!(
        "{late}Other processes took {:.1} % of the machine ({:.1}..{:.1}). Rounds with more than {QUIET} %: {disturbed};\n\
         repeated rounds: {repeated}. {verdict}.",
        others.median, others.least, others.greatest,
    )
}
