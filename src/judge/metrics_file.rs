//! Reads the metrics of one proxy from a file: Prometheus text, OpenMetrics, or Envoy's stats page.

use turnout_admin::{ParsedLine, StatsPage, is_metric_line, parse_envoy_sample, parse_sample};

use crate::input_error::{InputError, InputErrors, of_file};
use crate::metric_names::{MetricNames, SampleError};
use crate::reading::Reading;

/// Reads the metrics of one proxy. `proxy` is the name that the reading gets.
///
/// # Errors
/// What is wrong with the file, by line.
pub fn read_metrics(
    text: &str,
    proxy: &str,
    at_ms: u64,
    names: &MetricNames,
) -> Result<Reading, Vec<InputError>> {
    if text.trim().is_empty() {
        return Err(of_file(
            "the file is empty; save the page /stats or /stats/prometheus of a proxy's admin endpoint in it",
        ));
    }
    let mut page = StatsPage::default();
    let mut errors = InputErrors::default();
    let mut has_metrics = false;
    for (number, line) in (1..).zip(text.lines()) {
        has_metrics |= is_metric_line(line.as_bytes());
        if let Err(error) = read_line(&mut page, line, names) {
            errors.push(number, error);
            has_metrics = true;
        }
        if errors.are_enough() {
            break;
        }
    }
    if !has_metrics {
        return Err(of_file(
            "the file has no metrics; save the page /stats or /stats/prometheus of a proxy's admin endpoint in it",
        ));
    }
    // The number at the end of a line that is cut off looks whole.
    let last = text.lines().last().unwrap_or_default();
    if !text.ends_with('\n') && is_relevant(last, names) {
        errors.push(
            text.lines().count(),
            "the file ends inside this line, so its number may be cut off; save the whole page"
                .to_owned(),
        );
    }
    errors.or(Reading::of_page(proxy, at_ms, page))
}

/// Reads one line. The error says what is wrong.
fn read_line(page: &mut StatsPage, line: &str, names: &MetricNames) -> Result<(), String> {
    let describe = |name: &str, error: &SampleError| {
        let name = turnout_text::excerpt_for_terminal(name, 100);
        format!("`{name}`: {error}")
    };
    match parse_sample(line) {
        ParsedLine::Sample(sample) => {
            let read = names.add_turnout_sample(page, &sample);
            return read.map_err(|error| {
                let separator = if sample.is_dotted { '.' } else { '_' };
                describe(&format!("turnout{separator}{}", sample.name), &error)
            });
        }
        ParsedLine::Broken => {
            let line = turnout_text::excerpt_for_terminal(line, 60);
            return Err(format!(
                "expected a sample such as `name{{label=\"value\"}} 7`, found `{line}`"
            ));
        }
        ParsedLine::Foreign => {}
    }
    if let ParsedLine::Sample(sample) = parse_envoy_sample(line) {
        let read = names.add_envoy_sample(page, &sample);
        return read.map_err(|error| describe(&format!("envoy_{}", sample.name), &error));
    }
    let of_envoy = StatsPage::read(line);
    page.uptime = of_envoy.uptime.or(page.uptime);
    for (counter, count) in of_envoy.counters.iter() {
        if page.counters.get(counter).is_some() {
            let error = SampleError::Repeated(counter.clone());
            return Err(error.to_string());
        }
        page.counters.insert(counter.clone(), count);
    }
    Ok(())
}

/// Whether a line has something that is used.
fn is_relevant(line: &str, names: &MetricNames) -> bool {
    let mut page = StatsPage::default();
    read_line(&mut page, line, names).is_err() || page != StatsPage::default()
}

#[cfg(test)]
mod tests;
