//! `--dry-run`: prints how long each step takes with the present traffic.

use std::thread;

use serde_json::{Value, json};
use turnout_admin::{ClusterStat, Counter, CounterValues};
use turnout_core::{Fraction, Time};
use turnout_judge::{Ledger, Observation, Scrape};
use turnout_roll::{StepSchedule, Traffic, schedule};
use turnout_text::{Table, escape_for_terminal, format_decimal, thousands};

use crate::support::exit::Exit;
use crate::support::safe_output::SafeText;
use crate::support::text_io;
use crate::support::time_arg::now;

use super::Arguments;
use super::plan_of_roll::PlanOfRoll;
use super::proxy_source::ProxySource;

/// Measures the traffic, and prints how long each step takes. The error is a sentence.
pub(super) fn print(arguments: &Arguments, plan: &PlanOfRoll) -> Result<Exit, String> {
    if arguments.admin.is_empty() && arguments.prometheus.is_none() {
        return Err("--dry-run needs the traffic; use --admin or --prometheus".into());
    }
    let traffic = measure(arguments, plan)?;
    let steps = schedule(&plan.plan, &plan.policies, &plan.account_files, traffic);
    let quiet_until = plan.plan.quiet_until(now());
    let text = match arguments.json {
        true => as_json(traffic, &steps, quiet_until),
        false => SafeText::lines(&as_text(plan, traffic, &steps, quiet_until)),
    };
    text_io::write(None, &text)?;
    Ok(Exit::Done)
}

/// Reads the proxies twice, and returns the traffic of the rollout between.
fn measure(arguments: &Arguments, plan: &PlanOfRoll) -> Result<Traffic, String> {
    let mut source = ProxySource::new(arguments, plan)?;
    let mut ledger = Ledger::default();
    ledger.start_over(&source.first()?);
    if source.needs_pause() {
        thread::sleep(arguments.interval);
    }
    let scrapes = source.read();
    ledger.record(&scrapes);
    let missing = scrapes.iter().find_map(|scrape| match scrape {
        Scrape::Missing { proxy, why } => Some(format!("cannot read {proxy}: {why}")),
        Scrape::Read(_) => None,
    });
    if let Some(missing) = missing {
        return Err(missing);
    }
    let Observation {
        counters, rates, ..
    } = ledger.observation();
    let rates = rates.ok_or("the proxies were read at the same time; use a longer --interval")?;
    let rollout = &plan.plan.rollout;
    let of_rollout =
        |counter: &Counter| matches!(counter, Counter::Decision(name, ..) if name == rollout);
    let rate = rates.iter().filter(|(counter, _)| of_rollout(counter));
    Ok(Traffic {
        requests_per_second_thousandths: rate.map(|(_, rate)| rate).fold(0, u64::saturating_add),
        errors: errors(plan, &counters),
    })
}

/// Returns the share of responses of v1's cluster that are 5xx.
fn errors(plan: &PlanOfRoll, counters: &CounterValues) -> Fraction {
    let none = Fraction::NONE;
    let rollouts = plan
        .compiled
        .first()
        .map(|policy| policy.rollout(&plan.plan.rollout));
    let Some(Ok(rollout)) = rollouts else {
        return none;
    };
    let count = |stat| {
        let counter = Counter::Cluster(rollout.v1.clone(), stat);
        counters.get(&counter).unwrap_or_default()
    };
    let (failed, all) = (count(ClusterStat::Failed), count(ClusterStat::Completed));
    let millionths = failed.saturating_mul(100_000_000).checked_div(all);
    let millionths = millionths.and_then(|part| u32::try_from(part).ok());
    millionths
        .and_then(Fraction::from_millionths)
        .unwrap_or(none)
}

fn as_text(
    plan: &PlanOfRoll,
    traffic: Traffic,
    steps: &[StepSchedule],
    quiet_until: Option<Time>,
) -> String {
    let rate = format_decimal(traffic.requests_per_second_thousandths, 3);
    let mut text = format!(
        "rollout {}: {rate} requests per second, {} % of v1's fail\n",
        escape_for_terminal(&plan.plan.rollout),
        traffic.errors
    );
    let mut table = Table::default();
    let heads = [
        "step",
        "v2 per second",
        "bake requests",
        "bake minutes",
        "healthy",
        "takes",
    ];
    table.push_row(heads.map(str::to_owned));
    for (schedule, step) in steps.iter().zip(&plan.plan.steps) {
        let time = |seconds: Option<u64>| match step.bake {
            None => "-".to_owned(),
            Some(_) => seconds.map_or_else(|| "never".to_owned(), duration),
        };
        table.push_row([
            escape_for_terminal(&schedule.name),
            format_decimal(schedule.v2_per_second_thousandths, 3),
            time(schedule.seconds_for_requests),
            time(schedule.seconds_for_minutes),
            time(schedule.seconds_until_healthy),
            time(schedule.seconds),
        ]);
    }
    text.push_str(&table.format());
    let all = steps.iter().map(|step| step.seconds);
    let all = all.reduce(|all, step| Some(all?.saturating_add(step?)));
    let all = match all.flatten() {
        Some(seconds) => duration(seconds),
        None => "never ends with this traffic".to_owned(),
    };
    text.push_str(&format!("all steps: {all}, without quiet times\n"));
    if let Some(until) = quiet_until {
        text.push_str(&format!("now is a quiet time, until {until}\n"));
    }
    text
}

fn as_json(traffic: Traffic, steps: &[StepSchedule], quiet_until: Option<Time>) -> SafeText {
    let steps = steps.iter().map(|step| -> Value {
        json!({
            "name": step.name,
            "v2_per_second_thousandths": step.v2_per_second_thousandths,
            "seconds_for_requests": step.seconds_for_requests,
            "seconds_for_minutes": step.seconds_for_minutes,
            "healthy_requests": step.healthy_requests,
            "seconds_until_healthy": step.seconds_until_healthy,
            "seconds": step.seconds,
        })
    });
    let report = json!({
        "requests_per_second_thousandths": traffic.requests_per_second_thousandths,
        "quiet_until": quiet_until.map(|until| until.to_string()),
        "steps": steps.collect::<Vec<_>>(),
    });
    SafeText::json(&format!("{report:#}\n"))
}

/// Formats a duration.
fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d", thousands(seconds / 86_400)),
    }
}
