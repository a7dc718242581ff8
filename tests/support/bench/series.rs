//! The measurements of one variant: a row of figures for each round.

use std::ops::Deref;

use serde::Serialize;
use serde_json::{Value, json};

use super::statistics::Spread;

/// One round of one variant.
#[derive(Serialize)]
pub struct Round<F> {
    /// The figures that the bench is about.
    #[serde(flatten)]
    pub figures: F,
    /// The share of the machine that processes outside of the bench took, in percent.
    pub others: f64,
    /// How often the round was repeated because of them.
    pub repeated: u32,
}

impl<F> Round<F> {
    /// A round that was not repeated.
    pub fn new(figures: F, others: f64) -> Self {
        Self {
            figures,
            others,
            repeated: 0,
        }
    }
}

impl<F> Deref for Round<F> {
    type Target = F;

    fn deref(&self) -> &F {
        &self.figures
    }
}

/// All rounds of one variant.
pub struct Series<V, F> {
    /// What was measured.
    pub variant: V,
    /// The rounds without the warm-up.
    pub rounds: Vec<Round<F>>,
    /// The memory of Envoy after the last round.
    pub memory_kib: u64,
}

impl<V, F> Series<V, F> {
    /// A series without rounds.
    pub fn new(variant: V) -> Self {
        Self {
            variant,
            rounds: Vec::new(),
            memory_kib: 0,
        }
    }

    /// The spread of a figure over all rounds.
    pub fn spread(&self, figure: fn(&Round<F>) -> f64) -> Spread {
        Spread::of(self.rounds.iter().map(figure))
    }

    /// The spread of the ratio of a figure to the one of another series in the same round.
    pub fn ratio(&self, to: &Self, figure: fn(&Round<F>) -> f64) -> Spread {
        let pairs = self.rounds.iter().zip(&to.rounds);
        Spread::of(pairs.map(|(own, other)| figure(own) / figure(other)))
    }
}

impl<V, F: Serialize> Series<V, F> {
    /// The series under a name, for a file of all numbers.
    pub fn to_json(&self, name: &str) -> Value {
        json!({
            "name": name,
            "memory_kib": self.memory_kib,
            "rounds": self.rounds,
        })
    }
}
