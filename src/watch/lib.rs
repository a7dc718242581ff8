//! Running proxies, looked at: how much of each rollout is done, and whether it goes well.
//!
//! Everything comes from Envoy's admin page, again and again: the policy from the dump of the
//! configuration (only when the revision has changed), requests and errors from the counters. Nothing
//! on these pages is believed to be well-formed, and no text of them reaches a terminal as it is.
//!
//! * [`Watch`] looks at proxies, each in a thread of its own, and gives a [`View`] of them.
//! * [`show`] draws the view on a terminal, [`report`] and [`one_line_each`] write it, [`json`] is for
//!   scripts. [`styled`] is the drawing for whoever redraws it by himself.

#![forbid(unsafe_code)]

mod draw;
mod ending;
mod flow;
mod history;
mod json;
mod plain;
mod proxy;
mod screen;
mod share;
mod standings;
#[cfg(test)]
mod tests;
mod view;
mod watch;

pub use ending::reader_leaves_within;
pub use json::json;
pub use plain::{one_line_each, report, styled};
pub use screen::{show, terminal_size};
pub use standings::{Segment, Standing};
pub use view::{ClusterView, ProxyView, RolloutView, Traffic, View};
pub use watch::Watch;
