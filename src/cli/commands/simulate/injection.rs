//! `turnout simulate --inject`: simulates the guard of a rollout while v2 fails.

use clap::Args;
use clap::builder::RangedU64ValueParser;
use turnout_core::{Plan, Rollout};
use turnout_simulate::{
    AccountRequests, AccountTraffic, InjectedRates, Injection, InjectionError, InjectionReport,
    MOST_ERROR_MS, MOST_PER_SECOND,
};

use super::Arguments;
use crate::support::bulk_input;
use crate::support::exit::{Exit, refuse};
use crate::support::policy_file;
use crate::support::safe_output::{SafeText, print_error_line};
use crate::support::text_io;
use crate::support::time_arg::now;

const MOST_TRIALS: u32 = 1_000;

#[derive(Args)]
#[command(next_help_heading = "Options of --inject")]
pub(crate) struct InjectionArguments {
    /// Simulate the guard of a rollout while an arm (v1 or v2) has this percentage of `errors` or `slow` requests, such
    /// as `v2:errors=5%`. May be repeated. Default: 0 % for v1, and the same as v1 for v2.
    #[arg(long, value_name = "ARM:KIND=PERCENT", conflicts_with = "threads")]
    inject: Vec<String>,
    /// The request of the rollout since which v2 fails. Before it, v2 fails as often as v1. Default: 1.
    #[arg(
        long, value_name = "NUMBER", requires = "inject",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    at_request: Option<u64>,
    /// How many milliseconds an error takes, such as the timeout of the route. Default: 0.
    #[arg(
        long, value_name = "NUMBER", requires = "inject",
        value_parser = clap::value_parser!(u64).range(..=MOST_ERROR_MS)
    )]
    error_ms: Option<u64>,
    /// With --accounts: how many requests the accounts send per second. Each is of a random account. Default: 100.
    #[arg(
        long, value_name = "NUMBER", requires = "inject", conflicts_with = "log",
        value_parser = per_second()
    )]
    rate: Option<u32>,
    /// With --accounts: the number of requests at which a trial ends if the guard does not trip. Default: 1,000,000.
    #[arg(
        long, value_name = "NUMBER", requires = "inject", conflicts_with = "log",
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    requests: Option<u64>,
    /// The number of trials, in each of which other requests fail. Default: 20.
    #[arg(
        long, value_name = "NUMBER", requires = "inject",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_TRIALS))
    )]
    trials: Option<u32>,
    /// The seed of the first trial; the next ones have the next numbers. The same seed gives the same output.
    /// Default: 1.
    #[arg(long, value_name = "NUMBER", requires = "inject")]
    seed: Option<u64>,
}

fn per_second() -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(1..=u64::from(MOST_PER_SECOND))
}

impl InjectionArguments {
    /// Whether a guard is to be simulated.
    pub(super) const fn is_given(&self) -> bool {
        !self.inject.is_empty()
    }

    fn rates(&self) -> Result<InjectedRates, Exit> {
        let mut rates = InjectedRates::default();
        for text in &self.inject {
            let added = rates.add(text);
            added.map_err(|error| refuse(&format!("--inject {text}: {error}")))?;
        }
        Ok(rates)
    }
}

/// Simulates the guard, and formats the report.
pub(super) fn report(arguments: &Arguments, plan: &Plan) -> Result<SafeText, Exit> {
    let given = &arguments.injection;
    let injection = Injection {
        plan,
        rollout: guarded_rollout(arguments, plan)?,
        at: arguments.at.unwrap_or_else(now),
        rates: given.rates()?,
        at_request: given.at_request.unwrap_or(1),
        error_ms: given.error_ms.unwrap_or(0),
        trials: given.trials.unwrap_or(20),
        seed: given.seed.unwrap_or(1),
    };
    let refused = |error: InjectionError| {
        let file = text_io::name_of(&arguments.policy);
        refuse(&format!("{file}: {error}"))
    };
    injection.check().map_err(refused)?;
    let report = match (&arguments.accounts, &arguments.log) {
        (Some(_), _) => with_accounts(arguments, &injection)?,
        (None, _) => with_log(arguments, &injection)?,
    };
    let report = report.map_err(|error| refuse(&error.to_string()))?;
    Ok(match arguments.json {
        true => SafeText::json_of(&report),
        false => SafeText::lines(&report.to_text()),
    })
}

fn guarded_rollout<'p>(arguments: &Arguments, plan: &'p Plan) -> Result<&'p Rollout, Exit> {
    match &arguments.rollout {
        Some(name) => policy_file::rollout(plan, &arguments.policy, name),
        None => Injection::only_guarded_rollout(plan).map_err(|error| {
            let file = text_io::name_of(&arguments.policy);
            refuse(&format!("{file}: {error}"))
        }),
    }
}

type Simulated = Result<InjectionReport, InjectionError>;

fn with_accounts(arguments: &Arguments, injection: &Injection<'_>) -> Result<Simulated, Exit> {
    let Some(path) = &arguments.accounts else {
        return Err(refuse("give --accounts or --log"));
    };
    let list = bulk_input::list_options(
        arguments.column.as_ref(),
        arguments.account_files.access().text,
    );
    let traffic = AccountTraffic::read(injection.plan, &list, bulk_input::open(path)?);
    let traffic = traffic.map_err(|error| refuse(&bulk_input::cannot_read(path, &error)))?;
    bulk_input::report_account_lines(path, &traffic.summary, &list)?;
    let given = &arguments.injection;
    let requests = AccountRequests {
        per_second: given.rate.unwrap_or(100),
        requests: given.requests.unwrap_or(1_000_000),
    };
    Ok(injection.with_accounts(traffic, requests))
}

fn with_log(arguments: &Arguments, injection: &Injection<'_>) -> Result<Simulated, Exit> {
    let Some(path) = &arguments.log else {
        return Err(refuse("give --accounts or --log"));
    };
    let replay = arguments.reading.replay()?;
    let simulated = injection.with_log(&replay, bulk_input::open(path)?);
    let (read, report) =
        simulated.map_err(|error| refuse(&bulk_input::cannot_read(path, &error)))?;
    bulk_input::report_log_lines(path, &read.log)?;
    let missing = read.missing_fields.iter().map(|missing| &missing.warning);
    let contradictions = read.contradictions.iter().map(|found| &found.warning);
    for warning in missing.chain(contradictions) {
        print_error_line(&format!("turnout: warning: {warning}"));
    }
    if let Some(warning) = read.out_of_order.warning() {
        print_error_line(&format!("turnout: warning: {warning}"));
    }
    Ok(report)
}
