//! Where no terminal is: one report, or one line for each rollout.

use turnout_core::{Treatment, visible};

use crate::draw::{differing, lines, warnings};
use crate::share::{fraction, percent, rate};
use crate::view::{RolloutView, View};

/// What a terminal shows, as text of a width.
#[must_use]
pub fn report(view: &View, width: u16) -> String {
    let lines = lines(view, width);
    let lines = lines
        .iter()
        .map(|line| format!("{}\n", line.to_string().trim_end()));
    lines.collect()
}

/// A line for each rollout, and before them one for each thing that must not be overlooked.
#[must_use]
pub fn one_line_each(view: &View) -> String {
    let mut text = String::new();
    let mut say = |line: &str| text.push_str(&format!("{} {}\n", view.at, visible(line)));
    for proxy in &view.proxies {
        if let Some(error) = &proxy.error {
            say(&format!("! {}: {error}", proxy.admin));
        }
        for warning in warnings(proxy) {
            say(&format!("! {}: {warning}", proxy.admin));
        }
    }
    if let Some(warning) = differing(view) {
        say(&format!("! {warning}"));
    }
    for rollout in &view.rollouts {
        say(&line(view, rollout));
    }
    text
}

fn line(view: &View, rollout: &RolloutView) -> String {
    let mut words = vec![rollout.name.clone()];
    for (_, standing) in &rollout.standings {
        if standing.is_halted {
            words.push("halted".to_owned());
        }
        words.push(standing.mode.as_str().to_owned());
        words.push(format!("accounts {}", fraction(standing.unlisted.accounts)));
    }
    let recent = &rollout.recent;
    let share = percent(recent.of(Treatment::V2), recent.requests());
    words.push(match share {
        Some(share) => format!("requests {share} of {}", rate(recent.rate())),
        None => "no requests".to_owned(),
    });
    for cluster in &rollout.clusters {
        let [all, failed] = cluster.recent;
        let share = percent(failed, all).unwrap_or_else(|| "-".to_owned());
        words.push(match cluster.is_known {
            true => format!("errors of {} {share}", cluster.version),
            false => format!("no cluster {}", cluster.name),
        });
    }
    let mut revisions = view
        .proxies
        .iter()
        .filter_map(|proxy| proxy.revision.as_deref());
    if let Some(revision) = revisions.next() {
        words.push(format!("revision {revision}"));
    }
    words.join("  ")
}
