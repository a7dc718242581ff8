//! The plot: CPU time per request, as a ratio to weighted clusters, with its spread.
//!
//! It writes SVG as text, with a background of its own, so that it is readable on any page.

use std::fmt::Write;

use serde_json::Value;

use crate::report::FIGURES;
use crate::series::{Series, find};
use crate::variants::{BASE, Kind};

const WIDTH: f64 = 860.0;
const ROW: f64 = 30.0;
/// The space above the first row and below the last one.
const HEAD: f64 = 84.0;
const FOOT: f64 = 56.0;
/// The columns: where the names end, where the ratios begin and end, and where the numbers end.
const NAMES: f64 = 262.0;
const LEFT: f64 = 278.0;
const RIGHT: f64 = 690.0;
const NUMBERS: f64 = 838.0;

const STYLE: &str = "
  text { font-family: system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; font-size: 13px; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 } .faint { fill: #59636e } .end { text-anchor: end }
  .middle { text-anchor: middle } .panel { fill: #ffffff; stroke: #d1d9e0 } .grid { stroke: #e4e8ec }
  .base { stroke: #59636e; stroke-dasharray: 4 3 } .range { stroke-width: 1.5 }
  .native { fill: #59636e; stroke: #59636e } .script { fill: #bf5b04; stroke: #bf5b04 }
  .wasm { fill: #8250df; stroke: #8250df } .turnout { fill: #0969da; stroke: #0969da }
  .box { fill-opacity: 0.28; stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .faint { fill: #9198a1 } .panel { fill: #0d1117; stroke: #3d444d }
    .grid { stroke: #262c36 } .base { stroke: #9198a1 } .native { fill: #9198a1; stroke: #9198a1 }
    .script { fill: #f0883e; stroke: #f0883e } .wasm { fill: #ab7df8; stroke: #ab7df8 }
    .turnout { fill: #4493f8; stroke: #4493f8 } .box { stroke: none }
  }";

/// `None` if weighted clusters were not measured.
pub(crate) fn svg(series: &[Series], machine: &Value) -> Option<String> {
    let base = find(series, BASE)?;
    let [(_, cpu), ..] = FIGURES;
    let ratios: Vec<_> = series.iter().map(|one| one.ratio(base, cpu)).collect();
    let least = ratios.iter().map(|ratio| ratio.least).fold(1.0, f64::min);
    let greatest = ratios
        .iter()
        .map(|ratio| ratio.greatest)
        .fold(1.0, f64::max);
    let step = match greatest - least {
        range if range < 0.45 => 0.05,
        range if range < 1.0 => 0.1,
        _ => 0.2,
    };
    let (first, last) = ((least / step).floor(), (greatest / step).ceil());
    let x = |ratio: f64| LEFT + (ratio / step - first) / (last - first) * (RIGHT - LEFT);
    let bottom = HEAD + ROW * series.len() as f64;
    let height = bottom + FOOT;

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\">\n\
         <title>CPU per request in Envoy, as a ratio to weighted clusters</title>\n\
         <style>{STYLE}\n</style>\n\
         <rect class=\"panel\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n\
         <text class=\"title\" x=\"22\" y=\"32\">CPU per request, as a ratio to weighted clusters</text>\n\
         <text class=\"faint\" x=\"22\" y=\"53\">Dot: median of {} paired rounds. Bar: half of them. \
         Line: all of them.</text>\n\
         <text class=\"faint end\" x=\"{NUMBERS}\" y=\"{}\">ratio · µs</text>\n",
        WIDTH - 1.0,
        height - 1.0,
        base.rounds.len(),
        HEAD - 10.0,
    );
    let mut tick = first;
    while tick <= last {
        let (x, ratio) = (x(tick * step), tick * step);
        let class = if (ratio - 1.0).abs() < 1e-6 {
            "base"
        } else {
            "grid"
        };
        let _ = writeln!(
            svg,
            "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{HEAD}\" y2=\"{bottom}\"/>\
             <text class=\"faint middle\" x=\"{x:.1}\" y=\"{}\">{ratio:.2}</text>",
            bottom + 18.0,
        );
        tick += 1.0;
    }
    for (place, (one, ratio)) in series.iter().zip(&ratios).enumerate() {
        let y = HEAD + ROW * (place as f64 + 0.5);
        let kind = match one.variant.kind() {
            Kind::Native => "native",
            Kind::Script => "script",
            Kind::Wasm => "wasm",
            Kind::Turnout => "turnout",
        };
        let (lower, upper) = (x(ratio.lower), x(ratio.upper));
        let _ = writeln!(
            svg,
            "<text class=\"end\" x=\"{NAMES}\" y=\"{text}\">{name} <tspan class=\"faint\">{what}</tspan></text>\
             <line class=\"range {kind}\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{y}\" y2=\"{y}\"/>\
             <rect class=\"{kind} box\" x=\"{lower:.1}\" y=\"{}\" width=\"{:.1}\" height=\"14\" rx=\"2\"/>\
             <circle class=\"{kind}\" cx=\"{:.1}\" cy=\"{y}\" r=\"4\"/>\
             <text class=\"end\" x=\"{NUMBERS}\" y=\"{text}\">{:.2} \
             <tspan class=\"faint\">· {:.1}</tspan></text>",
            x(ratio.least),
            x(ratio.greatest),
            y - 7.0,
            upper - lower,
            x(ratio.median),
            ratio.median,
            one.spread(cpu).median,
            text = y + 4.5,
            name = one.variant.name,
            what = escaped(one.variant.what),
        );
    }
    let text = |name: &str| escaped(machine[name].as_str().unwrap_or_default());
    let _ = writeln!(
        svg,
        "<text class=\"faint\" x=\"22\" y=\"{}\">Envoy {}, one worker each; {} cores of {}, Linux {}</text>\n</svg>",
        bottom + 42.0,
        text("envoy"),
        machine["cores"],
        text("cpu"),
        text("kernel"),
    );
    Some(svg)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
