//! Where no terminal is: one report, or one line for each rollout.

use ratatui::style::{Color, Modifier};
use ratatui::text::{Line, Span};
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

/// As [`report`], line by line, with the marks by which a terminal shows bold and colours.
#[must_use]
pub fn styled(view: &View, width: u16) -> Vec<String> {
    let lines = lines(view, width);
    let line = |line: Line<'_>| line.spans.iter().map(marked).collect();
    lines.into_iter().map(line).collect()
}

fn marked(span: &Span<'_>) -> String {
    let mut marks = Vec::new();
    let modifiers = [(Modifier::BOLD, "1"), (Modifier::DIM, "2")];
    let has = |(modifier, _): &(Modifier, _)| span.style.add_modifier.contains(*modifier);
    marks.extend(modifiers.into_iter().filter(has).map(|(_, mark)| mark));
    marks.extend(match span.style.fg {
        Some(Color::Red) => Some("31"),
        Some(Color::Cyan) => Some("36"),
        Some(Color::DarkGray) => Some("90"),
        _ => None,
    });
    match marks.is_empty() {
        true => span.content.to_string(),
        false => format!("\u{1b}[{}m{}\u{1b}[0m", marks.join(";"), span.content),
    }
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
        say(&line_of(view, rollout));
    }
    text
}

fn line_of(view: &View, rollout: &RolloutView) -> String {
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
