//! Formats a view as lines, for a terminal or as plain text.

use ratatui::style::Color;
use ratatui::text::{Line, Span};
use turnout_core::guard::GuardState;
use turnout_core::{Mode, Reason, Time, Treatment};
use turnout_text::{counted, join_first, percent, thousands, thousandths};

use crate::bar::{Fill, bar};
use crate::format::{MANY_FAILED, fraction, rate, span};
use crate::guard_lines::{draw_compared, draw_guard};
use crate::guard_view::GuardReport;
use crate::rollout_status::{RolloutStatus, SegmentStatus};
use crate::view::{ClusterView, ProxyView, RolloutView, Traffic, View};
use crate::wrap::{LineWrapper, bold, dim, loud, text};

/// The reasons to show in addition to the bars.
const WORTH_KNOWING: [Reason; 8] = [
    Reason::Guard,
    Reason::GuardAccount,
    Reason::NoAccount,
    Reason::MalformedAccount,
    Reason::NoRegion,
    Reason::Inbound,
    Reason::Halted,
    Reason::Off,
];
/// The largest number of proxies that get a line each. If there are more, those without warnings share a
/// line.
const MOST_PROXIES: usize = 4;
/// The largest number of rollouts that a warning names.
const MOST_NAMED: usize = 5;

/// Formats a view.
pub(crate) fn lines(view: &View, width: u16) -> Vec<Line<'static>> {
    let mut wrapper = LineWrapper::new(width);
    let title = [bold("turnout watch"), text(time(view.at, view.at))];
    wrapper.pieces(title.into());
    let is_many = view.proxies.len() > MOST_PROXIES;
    let is_brief = |proxy: &&ProxyView| is_many && is_well(proxy);
    for proxy in view.proxies.iter().filter(|proxy| !is_brief(proxy)) {
        wrapper.pieces(proxy_pieces(proxy, view.at));
        for warning in warnings(proxy) {
            wrapper.labelled("!", vec![loud(warning)]);
        }
    }
    for (revision, proxies) in revisions(view.proxies.iter().filter(is_brief)) {
        let proxies = counted(proxies, "proxy", "proxies");
        wrapper.pieces(vec![text(proxies), bold(format!("revision {revision}"))]);
    }
    if let Some(warning) = differing(view) {
        wrapper.labelled("!", vec![loud(warning)]);
    }
    for warning in guards(view) {
        wrapper.labelled("!", vec![loud(warning)]);
    }
    if let Some(change) = &view.last_change {
        wrapper.pieces(vec![dim("last change"), text(change)]);
    }
    for rollout in &view.rollouts {
        wrapper.blank();
        draw_rollout(&mut wrapper, view, rollout);
    }
    if view.no_rollout > 0 {
        wrapper.blank();
        let requests = counted(view.no_rollout, "request", "requests");
        wrapper.pieces(vec![
            text("no rollout"),
            text(format!("{requests} since {}", since(view))),
        ]);
    }
    wrapper.lines
}

fn proxy_pieces(proxy: &ProxyView, now: Time) -> Vec<Span<'static>> {
    let mut pieces = vec![text(&proxy.admin)];
    match proxy.responds {
        None => pieces.push(dim("waiting for a response …")),
        Some(false) if proxy.is_not_envoy => pieces.push(loud("NOT AN ENVOY")),
        Some(false) => pieces.push(loud("NO RESPONSE")),
        Some(true) => {}
    }
    if let Some(error) = &proxy.error {
        pieces.push(text(error));
    }
    let revision = match (&proxy.revision, proxy.number) {
        (Some(revision), _) => Some(bold(format!("revision {revision}"))),
        (None, Some(number)) => Some(text(format!("revision number {number}"))),
        (None, None) => None,
    };
    pieces.extend(revision);
    if let Some(policy_since) = proxy.policy_since {
        let ago = now.seconds().saturating_sub(policy_since.seconds());
        let ago = span(u64::try_from(ago).unwrap_or_default());
        pieces.push(text(format!("since {} ({ago})", time(policy_since, now))));
    }
    if let Some(uptime) = proxy.uptime {
        pieces.push(dim(format!("up {}", span(uptime))));
    }
    pieces
}

/// Returns the warnings about a proxy.
pub(crate) fn warnings(proxy: &ProxyView) -> Vec<String> {
    let mut warnings = Vec::new();
    if proxy.rejected > 0 {
        let rejected = counted(proxy.rejected, "update", "updates");
        let watched = match proxy.rejected_watched {
            0 => String::new(),
            watched => format!(", {} while watched", thousands(watched)),
        };
        warnings.push(format!("{rejected} REJECTED since it started{watched}"));
    }
    if proxy.restarts > 0 {
        let restarts = counted(proxy.restarts, "time", "times");
        warnings.push(format!("restarted {restarts} while watched"));
    }
    warnings.extend(proxy.note.clone());
    warnings
}

/// Whether it responds and has no warnings.
fn is_well(proxy: &ProxyView) -> bool {
    proxy.responds == Some(true) && warnings(proxy).is_empty()
}

/// Returns a warning if the proxies run different policies.
pub(crate) fn differing(view: &View) -> Option<String> {
    let answering = view.proxies.iter();
    let revisions = revisions(answering.filter(|proxy| proxy.responds == Some(true)));
    let each = revisions.iter().map(|(revision, proxies)| {
        format!("{revision} in {}", counted(*proxies, "proxy", "proxies"))
    });
    let each = each.collect::<Vec<_>>().join(", ");
    (revisions.len() > 1).then(|| format!("DIFFERENT REVISIONS: {each}"))
}

/// Returns the active revisions, with the number of proxies that run each.
fn revisions<'a>(proxies: impl Iterator<Item = &'a ProxyView>) -> Vec<(String, u64)> {
    let mut revisions: Vec<(String, u64)> = Vec::new();
    for proxy in proxies {
        let number = proxy.number.map(|number| format!("number {number}"));
        let revision = proxy.revision.clone().or(number);
        let revision = revision.unwrap_or_else(|| "none".to_owned());
        match revisions.iter_mut().find(|(known, _)| *known == revision) {
            Some((_, proxies)) => *proxies = proxies.saturating_add(1),
            None => revisions.push((revision, 1)),
        }
    }
    revisions
}

/// Returns the rollouts whose guards have tripped or are invalid, if there are several rollouts.
fn guards(view: &View) -> Vec<String> {
    let is_one = view.rollouts.len() < 2;
    let states = [GuardState::Tripped, GuardState::Invalid].into_iter();
    let warnings = states.filter_map(|state| {
        let report = GuardReport::State(state);
        let has_state = |rollout: &&RolloutView| {
            let mut guards = rollout.guard.iter();
            guards.any(|guard| guard.with(report).next().is_some())
        };
        let rollouts = view.rollouts.iter().filter(has_state);
        let names: Vec<_> = rollouts.map(|rollout| rollout.name.as_str()).collect();
        let state = state.as_str().to_uppercase();
        let rollouts = counted(u64::try_from(names.len()).ok()?, "rollout", "rollouts");
        (!is_one && !names.is_empty()).then(|| {
            let names = join_first(&names, MOST_NAMED);
            format!("guard {state} in {rollouts}: {names}")
        })
    });
    warnings.collect()
}

fn draw_rollout(wrapper: &mut LineWrapper, view: &View, rollout: &RolloutView) {
    let mut title = vec![bold(&rollout.name)];
    match rollout.statuses.as_slice() {
        [] => title.push(dim("policy unknown")),
        statuses => title.extend(statuses.iter().map(|(_, status)| mode(status))),
    }
    title.push(text(match rollout.recent.rate() {
        0 => "no requests".to_owned(),
        requests => rate(requests).replace("/s", " requests/s"),
    }));
    wrapper.pieces(title);
    for (proxies, status) in &rollout.statuses {
        let of = (rollout.statuses.len() > 1).then(|| counted(*proxies, "proxy", "proxies"));
        accounts(wrapper, status, of);
    }
    requests(wrapper, view, rollout);
    if let Some(guard) = &rollout.guard {
        draw_guard(wrapper, &rollout.name, guard);
    }
    let guard = rollout.guard.as_ref();
    match guard.is_some_and(|guard| draw_compared(wrapper, guard)) {
        true => failures(wrapper, &rollout.clusters),
        false => errors(wrapper, &rollout.clusters),
    }
    if let reasons @ [_, ..] = reasons(rollout).as_slice() {
        wrapper.labelled("reasons", reasons.to_vec());
    }
    if !rollout.shadow.is_empty() {
        let outcomes = rollout.shadow.iter();
        let outcomes =
            outcomes.map(|(outcome, copies)| text(format!("{outcome} {}", thousands(*copies))));
        wrapper.labelled("shadow", outcomes.collect());
    }
}

fn mode(status: &RolloutStatus) -> Span<'static> {
    match (status.is_halted, status.mode) {
        (true, mode) => loud(format!("HALTED ({})", mode.as_str())),
        (false, mode) => bold(mode.as_str()),
    }
}

fn accounts(wrapper: &mut LineWrapper, status: &RolloutStatus, of: Option<String>) {
    let would = status.is_recorded_only() && !status.is_halted;
    let unsegmented = status.unsegmented.accounts;
    let share = u64::from(unsegmented.millionths() / 100_000);
    let mut pieces = vec![bar(wrapper.width(), Some(share), fill(would))];
    pieces.push(bold(format!(
        "{}{}",
        fraction(unsegmented),
        recorded_only(would)
    )));
    pieces.extend(of.map(text));
    if status.unsegmented.needs_region {
        pieces.push(loud("v1: the proxy has no region"));
    }
    if status.unsegmented.depends_on_headers {
        pieces.push(text("depends on headers"));
    }
    pieces.extend(status.segments.iter().map(segment));
    wrapper.labelled("accounts", pieces);
}

fn segment(segment: &SegmentStatus) -> Span<'static> {
    let on_v2 = segment.on_v2.map_or_else(|| "?".to_owned(), thousands);
    text(format!(
        "{} {on_v2} of {}",
        segment.name,
        thousands(segment.accounts)
    ))
}

const fn fill(would: bool) -> Fill {
    match would {
        true => Fill::Shaded,
        false => Fill::Solid(Color::Cyan),
    }
}

const fn recorded_only(would: bool) -> &'static str {
    match would {
        true => " recorded only",
        false => "",
    }
}

fn requests(wrapper: &mut LineWrapper, view: &View, rollout: &RolloutView) {
    let would = is_recorded_only(rollout);
    let of_v2 = |traffic: &Traffic| (traffic.of(Treatment::V2), traffic.requests());
    let (v2, all) = of_v2(&rollout.recent);
    let mut pieces = vec![bar(wrapper.width(), thousandths(v2, all), fill(would))];
    pieces.push(match percent(v2, all) {
        Some(share) => bold(format!("{share}{}", recorded_only(would))),
        None => dim("none now"),
    });
    let (v2, all) = of_v2(&rollout.since);
    if let Some(share) = percent(v2, all) {
        let all = thousands(all);
        pieces.push(text(format!("{share} of {all} since {}", since(view))));
    }
    wrapper.labelled("requests", pieces);
}

/// Whether v1 serves all requests, because the mode is `dark` or `shadow`.
fn is_recorded_only(rollout: &RolloutView) -> bool {
    let mut statuses = rollout.statuses.iter();
    let modes = [Mode::Dark, Mode::Shadow];
    !rollout.statuses.is_empty() && statuses.all(|(_, status)| modes.contains(&status.mode))
}

fn errors(wrapper: &mut LineWrapper, clusters: &[ClusterView]) {
    let mut pieces = Vec::new();
    for cluster in clusters {
        let treatment = cluster.treatment;
        if !cluster.is_known {
            pieces.push(loud(format!("{treatment}: NO CLUSTER {}", cluster.name)));
            continue;
        }
        let [all, failed] = cluster.recent;
        let share = thousandths(failed, all).unwrap_or_default();
        let now = match percent(failed, all) {
            Some(share) => format!("{treatment} {share} of {}", rate(cluster.rate)),
            None => format!("{treatment} none now"),
        };
        let [all, failed] = cluster.since;
        let whole = match percent(failed, all) {
            Some(share) => format!(" ({share} of {} in total)", thousands(all)),
            None => String::new(),
        };
        let causes = causes(cluster).into_iter();
        let causes = causes.map(|cause| format!(", {cause}"));
        let words = format!("{now}{whole}{}", causes.collect::<String>());
        pieces.push(if share >= MANY_FAILED {
            loud(words)
        } else {
            text(words)
        });
    }
    if !pieces.is_empty() {
        wrapper.labelled("errors", pieces);
    }
}

/// Draws why requests to the clusters fail, without their errors.
fn failures(wrapper: &mut LineWrapper, clusters: &[ClusterView]) {
    let pieces = clusters.iter().filter_map(|cluster| {
        let (treatment, name) = (cluster.treatment, &cluster.name);
        match causes(cluster).as_slice() {
            _ if !cluster.is_known => Some(loud(format!("{treatment}: NO CLUSTER {name}"))),
            [] => None,
            causes => Some(text(format!("{name}: {}", causes.join(", ")))),
        }
    });
    let pieces: Vec<_> = pieces.collect();
    if !pieces.is_empty() {
        wrapper.labelled("clusters", pieces);
    }
}

fn causes(cluster: &ClusterView) -> Vec<String> {
    let causes = cluster.causes.iter();
    let causes = causes.map(|(words, count)| format!("{} {words}", thousands(*count)));
    causes.collect()
}

fn reasons(rollout: &RolloutView) -> Vec<Span<'static>> {
    let worth_showing = WORTH_KNOWING.into_iter().filter_map(|reason| {
        let since = rollout.since.because(reason);
        let now = rollout
            .recent
            .rates
            .iter()
            .filter(|((_, known), _)| *known == reason);
        let now = now.fold(0_u64, |sum, (_, rate)| sum.saturating_add(*rate));
        // The mode already shows a current halt, and `off`.
        let is_past = matches!(reason, Reason::Halted | Reason::Off) && now == 0;
        (since > 0 && !is_past)
            .then(|| text(format!("{reason} {} ({})", thousands(since), rate(now))))
    });
    worth_showing.collect()
}

fn since(view: &View) -> String {
    time(view.since, view.at)
}

/// Formats a time, without the date if it is today.
fn time(time: Time, now: Time) -> String {
    let (time, now) = (time.to_string(), now.to_string());
    match (time.split_once('T'), now.split_once('T')) {
        (Some((day, time)), Some((today, _))) if day == today => time.to_owned(),
        _ => time,
    }
}
