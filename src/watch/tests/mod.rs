//! Samples that the unit tests share.

pub(crate) mod sample_views;
