//! Watches running proxies: the progress of each rollout, and its errors.
//!
//! Everything comes from Envoy's admin endpoint, which is read again at each interval: the policy from the
//! configuration dump (only if the revision has changed), requests and errors from the stats.
//!
//! * [`Watch`] reads each proxy in a thread of its own, and returns a [`View`] of them.
//! * [`show`] draws the view on a terminal. [`report`] and [`one_line_per_rollout`] format it as text, [`json`]
//!   for scripts, and [`styled`] for callers that draw it themselves.

#![forbid(unsafe_code)]

mod bar;
mod format;
mod guard_lines;
mod guard_view;
mod guard_warnings;
mod json;
mod last_change;
mod lines;
mod plain_text;
mod proxy_watcher;
mod rollout_status;
mod screen;
mod termination;
#[cfg(test)]
mod tests;
mod view;
mod watch;
mod wrap;

pub use guard_view::{GuardOfProxy, GuardReport, GuardView};
pub use json::json;
pub use plain_text::{one_line_per_rollout, report, styled};
pub use rollout_status::{RolloutStatus, SegmentStatus};
pub use screen::{show, terminal_size};
pub use termination::reader_leaves_within;
pub use view::{ClusterView, ProxyView, RolloutView, Traffic, View};
pub use watch::Watch;
