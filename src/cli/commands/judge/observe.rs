//! Reads the counts that `turnout judge` judges.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use turnout_core::Plan;
use turnout_judge::{
    AdminSource, InputError, JudgedRollout, Ledger, MetricNames, Observation, Scrape, only_once,
    read_counts, read_metrics,
};
use turnout_text::escape_for_terminal;

use super::{Arguments, state_file};
use crate::support::account_file_access::Access;
use crate::support::exit::{Exit, refuse, refuse_all};
use crate::support::policy_file::PolicyFile;
use crate::support::prometheus_options::PrometheusOptions;
use crate::support::safe_output::print_error_line;
use crate::support::text_io::{self, name_of};

/// The time between two readings of a proxy, from which its rates are computed.
const BETWEEN_READINGS: Duration = Duration::from_secs(2);

/// What is judged.
pub(super) struct Observed {
    pub(super) observation: Observation,
    /// The policy with the guards, if there is one.
    pub(super) policy: Option<Arc<Plan>>,
    /// The revision that all proxies are expected to have, if it is known.
    pub(super) revision_number: Option<u64>,
}

/// A policy that an option names.
pub(super) struct NamedPolicy {
    plan: Arc<Plan>,
    /// The numbers of the revisions that proxies with this policy may have: that of the text as `turnout apply` sends
    /// it, and that of the text as it is written.
    revision_numbers: [u64; 2],
}

/// Reads the policy that an option names. Prints the error if there is one.
pub(super) fn read_policy(path: &Path, access: Access<'_>) -> Result<NamedPolicy, Exit> {
    let file = PolicyFile::read(path)?;
    let policy = file.parse(access)?;
    let plan = policy.plan()?;
    let number = plan.revision().number();
    let (_, plan) = policy.for_proxies(plan)?;
    Ok(NamedPolicy {
        revision_numbers: [plan.revision().number(), number],
        plan: Arc::new(plan),
    })
}

/// Reads the counts. Prints the error if that fails.
pub(super) fn observe(
    arguments: &Arguments,
    policy: Option<NamedPolicy>,
) -> Result<Observed, Exit> {
    if arguments.source.prometheus.is_none() {
        let unused = arguments.prometheus.check_unused();
        unused.map_err(|error| refuse(&error))?;
    }
    if let Some(file) = &arguments.source.counts {
        return of_counts(file, policy);
    }
    let state = arguments.state.as_deref();
    let ledger = state.map(state_file::read).transpose();
    let mut ledger = ledger.map_err(|error| refuse(&error))?.unwrap_or_default();
    let (plan, revision_numbers) = match policy {
        Some(named) => (Some(named.plan), Some(named.revision_numbers)),
        None => (None, None),
    };
    let plan = if let Some(url) = &arguments.source.prometheus {
        of_prometheus(url, &arguments.prometheus, &mut ledger, plan.as_deref())
            .map_err(|error| refuse(&error))?;
        plan
    } else if arguments.source.admin.is_empty() {
        let scrapes = of_metrics(&arguments.source.metrics, plan.as_deref())?;
        keep(&mut ledger, &scrapes, arguments.from_now);
        plan
    } else {
        of_proxies(arguments, &mut ledger, plan)?
    };
    if let Some(plan) = &plan {
        ledger.note_definitions(plan);
    }
    if let Some(path) = state {
        state_file::write(path, &ledger).map_err(|error| refuse(&error))?;
    }
    let observation = ledger.observation();
    let revision_number = revision_numbers.map(|numbers| expected_revision(numbers, &observation));
    Ok(Observed {
        observation,
        policy: plan,
        revision_number,
    })
}

/// Adds the scrapes to the ledger, or makes them its baseline.
fn keep(ledger: &mut Ledger, scrapes: &[Scrape], is_baseline: bool) {
    match is_baseline {
        true => ledger.start_over(scrapes),
        false => ledger.record(scrapes),
    }
}

/// The revision that all proxies are expected to have: the one of these that a proxy has.
fn expected_revision([applied, written]: [u64; 2], observation: &Observation) -> u64 {
    let is_active = |number| {
        let mut proxies = observation.proxies.iter().flatten();
        proxies.any(|proxy| proxy.revision_number == Some(number))
    };
    match is_active(written) && !is_active(applied) {
        true => written,
        false => applied,
    }
}

/// Reads proxies by their admin endpoints, and returns the policy to judge by.
fn of_proxies(
    arguments: &Arguments,
    ledger: &mut Ledger,
    plan: Option<Arc<Plan>>,
) -> Result<Option<Arc<Plan>>, Exit> {
    let mut source = AdminSource::new(&arguments.source.admin).map_err(|error| refuse(&error))?;
    // A rate needs two readings. The earlier one may be of an earlier run.
    let has_earlier_reading = ledger.has_read(source.names());
    let mut scrapes = source.read();
    keep(ledger, &scrapes, arguments.from_now);
    let is_read = |scrape: &Scrape| matches!(scrape, Scrape::Read(_));
    if !has_earlier_reading && !arguments.from_now && scrapes.iter().any(is_read) {
        thread::sleep(BETWEEN_READINGS);
        scrapes = source.read();
        ledger.record(&scrapes);
    }
    for (proxy, note) in source.notes() {
        let (proxy, note) = (escape_for_terminal(proxy), escape_for_terminal(note));
        print_error_line(&format!("turnout: warning: {proxy}: {note}"));
    }
    if let Some(plan) = plan.or_else(|| source.policy().cloned()) {
        return Ok(Some(plan));
    }
    let missing = scrapes.iter().filter_map(|scrape| match scrape {
        Scrape::Missing { why, .. } => Some(why),
        Scrape::Read(_) => None,
    });
    let missing: Vec<String> = missing.map(|why| escape_for_terminal(why)).collect();
    refuse_all(&missing);
    if missing.len() == scrapes.len() {
        refuse("NOT ENOUGH DATA: no proxy could be read, so the policy is unknown");
        return Err(Exit::NotEnoughData);
    }
    Err(refuse(
        "no proxy has a known policy, so the guards are unknown; pass the policy with --policy",
    ))
}

/// Reads a Prometheus server.
fn of_prometheus(
    url: &str,
    options: &PrometheusOptions,
    ledger: &mut Ledger,
    plan: Option<&Plan>,
) -> Result<(), String> {
    let names = plan.map(MetricNames::of).unwrap_or_default();
    let readings = options.read(url, names)?;
    ledger.start_over(&readings.baseline);
    ledger.record(&readings.history);
    ledger.record(&readings.current);
    Ok(())
}

/// Reads files with metrics, one for each proxy.
fn of_metrics(files: &[PathBuf], plan: Option<&Plan>) -> Result<Vec<Scrape>, Exit> {
    text_io::check_inputs(files).map_err(|error| refuse(&error))?;
    for (index, file) in files.iter().enumerate() {
        if files.iter().take(index).any(|other| other == file) {
            let name = name_of(file);
            return Err(refuse(&format!(
                "--metrics {name} is named twice; write one file for each proxy"
            )));
        }
    }
    let names = plan.map(MetricNames::of).unwrap_or_default();
    let scrapes = files.iter().map(|file| {
        let text = text_io::read(file).map_err(|error| refuse(&error))?;
        let proxy = text_io::exact_name_of(file);
        let reading = read_metrics(&text, &proxy, modified_ms(file), &names);
        reading
            .map(Scrape::Read)
            .map_err(|errors| refuse_lines(file, &errors))
    });
    scrapes.collect::<Result<_, _>>().map(only_once)
}

/// When a file was written, in milliseconds since 1970; 0 if that is unknown.
fn modified_ms(path: &Path) -> u64 {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    let since_1970 = modified
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since_1970.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// Reads a file with counts.
fn of_counts(file: &Path, policy: Option<NamedPolicy>) -> Result<Observed, Exit> {
    let text = text_io::read(file).map_err(|error| refuse(&error))?;
    let plan = policy.map(|named| named.plan);
    let guarded = plan.as_ref().map(|plan| {
        let rollouts = plan.rollouts().iter();
        let guarded = rollouts.filter_map(|rollout| JudgedRollout::of_policy(plan, rollout));
        guarded.collect::<Vec<_>>()
    });
    let counters = read_counts(&text, guarded.as_deref());
    let counters = counters.map_err(|errors| refuse_lines(file, &errors))?;
    Ok(Observed {
        observation: Observation {
            counters,
            ..Observation::default()
        },
        policy: plan,
        revision_number: None,
    })
}

/// Prints the errors of a file, each with its line.
fn refuse_lines(file: &Path, errors: &[InputError]) -> Exit {
    let name = name_of(file);
    let errors = errors.iter().map(|error| match error.line {
        Some(line) => format!("{name}:{line}: {}", error.what),
        None => format!("{name}: {}", error.what),
    });
    refuse_all(&errors.collect::<Vec<_>>())
}
