//! What a person sees of it: lines of a width, for a terminal or for plain text.

use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};
use turnout_core::{Mode, Reason, Time, Treatment};
use turnout_text::{counted, percent, thousands, thousandths};

use crate::flow::{Flow, bold, dim, loud, text};
use crate::share::{fraction, rate, span};
use crate::standings::{Segment, Standing};
use crate::view::{ClusterView, ProxyView, RolloutView, Traffic, View};

/// Reasons that tell something beside the bars.
const WORTH_KNOWING: [Reason; 6] = [
    Reason::NoAccount,
    Reason::MalformedAccount,
    Reason::NoRegion,
    Reason::Inbound,
    Reason::Halted,
    Reason::Off,
];
/// Of more proxies, those of which there is nothing to be told share a line.
const MOST_PROXIES: usize = 4;
/// So much of a bar's line is no bar.
const BESIDE_BAR: usize = 24;
/// From this share of failed requests on it is loud, in thousandths.
const MANY_FAILED: u64 = 10;
const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// Everything, top to bottom.
pub(crate) fn lines(view: &View, width: u16) -> Vec<Line<'static>> {
    let mut flow = Flow::new(width);
    let title = [bold("turnout watch"), text(time(view.at, view.at))];
    flow.pieces(title.into());
    let is_many = view.proxies.len() > MOST_PROXIES;
    let is_brief = |proxy: &&ProxyView| is_many && is_well(proxy);
    for proxy in view.proxies.iter().filter(|proxy| !is_brief(proxy)) {
        flow.pieces(proxy_pieces(proxy, view.at));
        for warning in warnings(proxy) {
            flow.labelled("!", vec![loud(warning)]);
        }
    }
    for (revision, proxies) in revisions(view.proxies.iter().filter(is_brief)) {
        let proxies = counted(proxies, "proxy", "proxies");
        flow.pieces(vec![text(proxies), bold(format!("revision {revision}"))]);
    }
    if let Some(warning) = differing(view) {
        flow.labelled("!", vec![loud(warning)]);
    }
    if let Some(change) = &view.last_change {
        flow.pieces(vec![dim("last change"), text(change)]);
    }
    for rollout in &view.rollouts {
        flow.blank();
        draw_rollout(&mut flow, view, rollout);
    }
    if view.no_rollout > 0 {
        flow.blank();
        let requests = counted(view.no_rollout, "request", "requests");
        flow.pieces(vec![
            text("no rollout"),
            text(format!("{requests} since {}", since(view))),
        ]);
    }
    flow.lines
}

fn proxy_pieces(proxy: &ProxyView, now: Time) -> Vec<Span<'static>> {
    let mut pieces = vec![text(&proxy.admin)];
    match proxy.answers {
        None => pieces.push(dim("is asked …")),
        Some(false) if proxy.is_other => pieces.push(loud("NOT AN ENVOY")),
        Some(false) => pieces.push(loud("DOES NOT ANSWER")),
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
    if let Some(came) = proxy.came {
        let ago = now.seconds().saturating_sub(came.seconds());
        let ago = span(u64::try_from(ago).unwrap_or_default());
        pieces.push(text(format!("since {} ({ago})", time(came, now))));
    }
    if let Some(uptime) = proxy.uptime {
        pieces.push(dim(format!("up {}", span(uptime))));
    }
    pieces
}

/// What must not be overlooked of a proxy.
pub(crate) fn warnings(proxy: &ProxyView) -> Vec<String> {
    let mut warnings = Vec::new();
    if proxy.rejected > 0 {
        let refused = counted(proxy.rejected, "update", "updates");
        let watched = match proxy.rejected_watched {
            0 => String::new(),
            watched => format!(", {} while watched", thousands(watched)),
        };
        warnings.push(format!("{refused} REFUSED since it was started{watched}"));
    }
    if proxy.restarts > 0 {
        let restarts = counted(proxy.restarts, "time", "times");
        warnings.push(format!("started anew {restarts} while watched"));
    }
    warnings.extend(proxy.note.clone());
    warnings
}

/// It answers, and there is nothing to be told of it.
fn is_well(proxy: &ProxyView) -> bool {
    proxy.answers == Some(true) && warnings(proxy).is_empty()
}

/// That not all proxies run one policy.
pub(crate) fn differing(view: &View) -> Option<String> {
    let answering = view.proxies.iter();
    let revisions = revisions(answering.filter(|proxy| proxy.answers == Some(true)));
    let each = revisions.iter().map(|(revision, proxies)| {
        format!("{revision} in {}", counted(*proxies, "proxy", "proxies"))
    });
    let each = each.collect::<Vec<_>>().join(", ");
    (revisions.len() > 1).then(|| format!("DIFFERENT REVISIONS: {each}"))
}

/// The revisions in force, and in how many of these proxies.
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

fn draw_rollout(flow: &mut Flow, view: &View, rollout: &RolloutView) {
    let mut title = vec![bold(&rollout.name)];
    match rollout.standings.as_slice() {
        [] => title.push(dim("its policy is not known")),
        standings => title.extend(standings.iter().map(|(_, standing)| mode(standing))),
    }
    title.push(text(match rollout.recent.rate() {
        0 => "no requests".to_owned(),
        requests => rate(requests).replace("/s", " requests/s"),
    }));
    flow.pieces(title);
    for (proxies, standing) in &rollout.standings {
        let of = (rollout.standings.len() > 1).then(|| counted(*proxies, "proxy", "proxies"));
        accounts(flow, standing, of);
    }
    requests(flow, view, rollout);
    errors(flow, &rollout.clusters);
    if let reasons @ [_, ..] = reasons(rollout).as_slice() {
        flow.labelled("reasons", reasons.to_vec());
    }
    if !rollout.shadow.is_empty() {
        let outcomes = rollout.shadow.iter();
        let outcomes =
            outcomes.map(|(outcome, copies)| text(format!("{outcome} {}", thousands(*copies))));
        flow.labelled("shadow", outcomes.collect());
    }
}

fn mode(standing: &Standing) -> Span<'static> {
    match (standing.is_halted, standing.mode) {
        (true, mode) => loud(format!("HALTED ({})", mode.as_str())),
        (false, mode) => bold(mode.as_str()),
    }
}

fn accounts(flow: &mut Flow, standing: &Standing, of: Option<String>) {
    let would = standing.is_recorded_only() && !standing.is_halted;
    let unlisted = standing.unlisted.accounts;
    let share = u64::from(unlisted.millionths() / 100_000);
    let mut pieces = vec![bar(flow.width(), Some(share), would)];
    pieces.push(bold(format!("{}{}", fraction(unlisted), would_be(would))));
    pieces.extend(of.map(text));
    if standing.unlisted.lacks_region {
        pieces.push(loud("v1, because the proxy has no region"));
    }
    if standing.unlisted.asks_headers {
        pieces.push(text("depends on headers"));
    }
    pieces.extend(standing.segments.iter().map(segment));
    flow.labelled("accounts", pieces);
}

fn segment(segment: &Segment) -> Span<'static> {
    let on_v2 = segment.on_v2.map_or_else(|| "?".to_owned(), thousands);
    text(format!(
        "{} {on_v2} of {}",
        segment.name,
        thousands(segment.accounts)
    ))
}

const fn would_be(would: bool) -> &'static str {
    match would {
        true => " would",
        false => "",
    }
}

fn requests(flow: &mut Flow, view: &View, rollout: &RolloutView) {
    let would = is_recorded_only(rollout);
    let of_v2 = |traffic: &Traffic| (traffic.of(Treatment::V2), traffic.requests());
    let (v2, all) = of_v2(&rollout.recent);
    let mut pieces = vec![bar(flow.width(), thousandths(v2, all), would)];
    pieces.push(match percent(v2, all) {
        Some(share) => bold(format!("{share}{}", would_be(would))),
        None => dim("none now"),
    });
    let (v2, all) = of_v2(&rollout.since);
    if let Some(share) = percent(v2, all) {
        let all = thousands(all);
        pieces.push(text(format!("{share} of {all} since {}", since(view))));
    }
    flow.labelled("requests", pieces);
}

/// Whether v1 answers whatever is decided.
fn is_recorded_only(rollout: &RolloutView) -> bool {
    let mut standings = rollout.standings.iter();
    let modes = [Mode::Dark, Mode::Shadow];
    !rollout.standings.is_empty() && standings.all(|(_, standing)| modes.contains(&standing.mode))
}

fn errors(flow: &mut Flow, clusters: &[ClusterView]) {
    let mut pieces = Vec::new();
    for cluster in clusters {
        let version = cluster.version;
        if !cluster.is_known {
            pieces.push(loud(format!("{version}: NO CLUSTER {}", cluster.name)));
            continue;
        }
        let [all, failed] = cluster.recent;
        let share = thousandths(failed, all).unwrap_or_default();
        let now = match percent(failed, all) {
            Some(share) => format!("{version} {share} of {}", rate(cluster.rate)),
            None => format!("{version} none now"),
        };
        let [all, failed] = cluster.since;
        let whole = match percent(failed, all) {
            Some(share) => format!(" ({share} of {} in all)", thousands(all)),
            None => String::new(),
        };
        let causes = cluster.causes.iter();
        let causes = causes.map(|(words, count)| format!(", {} {words}", thousands(*count)));
        let words = format!("{now}{whole}{}", causes.collect::<String>());
        pieces.push(if share >= MANY_FAILED {
            loud(words)
        } else {
            text(words)
        });
    }
    if !pieces.is_empty() {
        flow.labelled("errors", pieces);
    }
}

fn reasons(rollout: &RolloutView) -> Vec<Span<'static>> {
    let told = WORTH_KNOWING.into_iter().filter_map(|reason| {
        let since = rollout.since.because(reason);
        let now = rollout
            .recent
            .rates
            .iter()
            .filter(|((_, known), _)| *known == reason);
        let now = now.fold(0_u64, |sum, (_, rate)| sum.saturating_add(*rate));
        // How far the rollout has come says as much, while it is so.
        let is_past = matches!(reason, Reason::Halted | Reason::Off) && now == 0;
        (since > 0 && !is_past)
            .then(|| text(format!("{reason} {} ({})", thousands(since), rate(now))))
    });
    told.collect()
}

/// As much of it as a share in thousandths; hollow where nobody gets it.
fn bar(width: usize, share: Option<u64>, would: bool) -> Span<'static> {
    let cells = width.saturating_sub(BESIDE_BAR).clamp(4, 30);
    let eighths = u64::try_from(cells).unwrap_or_default().saturating_mul(8);
    let share = share.unwrap_or_default();
    let filled = share.saturating_mul(eighths) / 1_000;
    // A little is not nothing.
    let filled = filled.max(u64::from(share > 0));
    let full = usize::try_from(filled / 8).unwrap_or_default();
    let block = if would { '▒' } else { '█' };
    let mut bar: String = std::iter::repeat_n(block, full).collect();
    let part = usize::try_from(filled % 8).unwrap_or_default();
    let part = part.checked_sub(1).and_then(|place| EIGHTHS.get(place));
    bar.extend(part.map(|part| if would { '▒' } else { *part }));
    let left = cells.saturating_sub(bar.chars().count());
    bar.extend(std::iter::repeat_n('░', left));
    let colour = if would { Color::DarkGray } else { Color::Cyan };
    Span::styled(bar, Style::new().fg(colour))
}

fn since(view: &View) -> String {
    time(view.since, view.at)
}

/// Without the day, if that is today.
fn time(time: Time, now: Time) -> String {
    let (time, now) = (time.to_string(), now.to_string());
    match (time.split_once('T'), now.split_once('T')) {
        (Some((day, time)), Some((today, _))) if day == today => time.to_owned(),
        _ => time,
    }
}
