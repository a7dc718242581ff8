//! Tests of the live folder as a whole: against a model, under attack, with wrong clocks.

mod attacks;
mod clocks;
mod model;
