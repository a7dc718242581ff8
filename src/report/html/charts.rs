//! Charts as inline SVG.

use std::fmt::Write as _;

use crate::html::class_of;
use crate::latency::{Histogram, Latency};
use crate::report::LatencyComparison;
use crate::share::Share;
use crate::verdict::Judgement;

const WIDTH: u32 = 720;
/// The most buckets in a chart.
const MOST_BUCKETS: usize = 32;

/// A gauge with the confidence interval of the failure rate and the allowed rate.
pub(super) fn gauge(judgement: &Judgement, allow_percent: f64) -> String {
    if judgement.judged == 0 {
        return String::new();
    }
    let allow = Share::from_percent(allow_percent);
    let whole = judgement
        .upper
        .times(1.15)
        .max(allow.times(1.5))
        .min(Share::new(1.0));
    let (low, high, mark) = (
        judgement.lower.position(whole, WIDTH),
        judgement.upper.position(whole, WIDTH),
        allow.position(whole, WIDTH),
    );
    let span = judgement
        .upper
        .minus(judgement.lower)
        .position(whole, WIDTH);
    let class = class_of(judgement.verdict);
    // A label in the right half extends to the left, so that it fits, even in the large type of a narrow page.
    let anchor = |share: Share| {
        if share.times(2.0) > whole {
            "end"
        } else {
            "start"
        }
    };
    let (anchor_mark, anchor_high) = (anchor(allow), anchor(judgement.upper));
    let (down, up) = (judgement.lower.round_down(), judgement.upper.round_up());
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<figure><svg class=\"gauge {class}\" viewBox=\"0 0 {WIDTH} 64\" role=\"img\" \
         aria-label=\"failures: {down} % to {up} % of requests; allowed: {allow_percent} %\">\
         <text class=\"above\" x=\"{mark}\" y=\"11\" text-anchor=\"{anchor_mark}\">allowed {allow_percent} %</text>\
         <rect class=\"track\" x=\"0\" y=\"24\" width=\"{WIDTH}\" height=\"14\" rx=\"3\"/>\
         <rect class=\"span\" x=\"{low}\" y=\"24\" width=\"{span}\" height=\"14\" rx=\"3\"/>\
         <line class=\"mark\" x1=\"{mark}\" x2=\"{mark}\" y1=\"16\" y2=\"46\"/>\
         <text class=\"below\" x=\"{high}\" y=\"58\" text-anchor=\"{anchor_high}\">{down} % to {up} %</text>\
         </svg></figure>"
    );
    svg
}

/// A histogram of response times, with bars for v1 and v2 in each bucket.
pub(super) fn latency_histogram(latencies: &LatencyComparison) -> String {
    const TOP: u32 = 16;
    const HEIGHT: u32 = 160;
    let buckets = common_buckets(&latencies.v1.histogram, &latencies.v2.histogram);
    let Some(slot) = u32::try_from(buckets.len())
        .ok()
        .and_then(|n| WIDTH.checked_div(n))
    else {
        return String::new();
    };
    let slot = slot.min(90);
    let highest = buckets.iter().fold(Share::new(0.0), |most, bucket| {
        most.max(bucket.v1).max(bucket.v2)
    });
    let bottom = TOP.saturating_add(HEIGHT);
    let full = bottom.saturating_add(34);
    let bar = slot.saturating_sub(8).div_ceil(2).max(2);
    let mut svg = format!(
        "<figure><figcaption><span class=\"key v1\"></span>v1 <span class=\"key v2\"></span>v2 &nbsp; \
         share of responses; each bar has the responses up to the time below it</figcaption>\
         <svg class=\"plot\" viewBox=\"0 0 {WIDTH} {full}\" role=\"img\" \
         aria-label=\"latency of v1 and v2\">\n"
    );
    let mut left = 0_u32;
    // Every bar has a label with its time, or every n-th bar if there is no room.
    let labelled = usize::try_from(56_u32.div_ceil(slot.max(1))).unwrap_or(1);
    let labelled = labelled.max(1);
    for (index, bucket) in buckets.iter().enumerate() {
        let mut x = left.saturating_add(3);
        for (class, share) in [("v1", bucket.v1), ("v2", bucket.v2)] {
            let height = share.position(highest, HEIGHT);
            let percent = share.round();
            let within = &bucket.title;
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{x}\" y=\"-{bottom}\" width=\"{bar}\" height=\"{height}\" \
                 transform=\"scale(1,-1)\"><title>{class}: {percent} % {within}</title></rect>"
            );
            x = x.saturating_add(bar);
        }
        if index.is_multiple_of(labelled) {
            // A narrow page has larger type and shows only every second label.
            let is_second = !index.is_multiple_of(labelled.saturating_mul(2));
            let class = if is_second { "below second" } else { "below" };
            let middle = left.saturating_add(slot / 2);
            let label = bottom.saturating_add(16);
            let text = &bucket.label;
            let _ = writeln!(
                svg,
                "<text class=\"{class}\" x=\"{middle}\" y=\"{label}\" text-anchor=\"middle\">{text}</text>"
            );
        }
        left = left.saturating_add(slot);
    }
    let highest = highest.round();
    let _ = writeln!(
        svg,
        "<line class=\"axis\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{bottom}\" y2=\"{bottom}\"/>\
         <text class=\"above\" x=\"{WIDTH}\" y=\"11\" text-anchor=\"end\">highest bar: {highest} %</text>\
         </svg></figure>"
    );
    svg
}

struct Bucket {
    label: String,
    title: String,
    v1: Share,
    v2: Share,
}

/// The buckets of both histograms, from the first to the last one that is not empty in either.
fn common_buckets(v1: &Histogram, v2: &Histogram) -> Vec<Bucket> {
    let count = |histogram: &Histogram, wanted: Option<u64>| {
        let mut found = histogram.buckets().filter(|(_, bound, _)| *bound == wanted);
        found.next().map_or(0, |(_, _, count)| count)
    };
    let mut bounds: Vec<_> = v1
        .buckets()
        .chain(v2.buckets())
        .map(|(_, bound, _)| bound)
        .collect();
    bounds.sort_by_key(|bound| bound.unwrap_or(u64::MAX));
    bounds.dedup();
    let mut lower = 0;
    let mut all = Vec::new();
    for bound in bounds {
        let counts = (count(v1, bound), count(v2, bound));
        let title = match bound {
            Some(upper) => format!(
                "{} to {}",
                Latency::Estimate(lower),
                Latency::Estimate(upper)
            ),
            None => format!("more than {}", Latency::Estimate(lower)),
        };
        let label = match bound {
            Some(upper) => Latency::Estimate(upper).to_string(),
            None => String::from("more"),
        };
        lower = bound.unwrap_or(lower);
        let bucket = Bucket {
            label,
            title,
            v1: Share::of(counts.0, v1.count()),
            v2: Share::of(counts.1, v2.count()),
        };
        all.push((counts != (0, 0), bucket));
    }
    let first = all.iter().position(|(any, _)| *any).unwrap_or(0);
    let last = all.iter().rposition(|(any, _)| *any).unwrap_or(0);
    let drawn = last
        .saturating_sub(first)
        .saturating_add(1)
        .min(MOST_BUCKETS);
    all.into_iter()
        .skip(first)
        .take(drawn)
        .map(|(_, bucket)| bucket)
        .collect()
}
