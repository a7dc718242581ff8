//! `turnout apply`: applies a policy to running proxies.

use std::path::PathBuf;

use clap::Args;
use turnout_core::lint::{self, LintReport};
use turnout_core::{
    EmittedHeaders, Inbound, MaxHeldBytes, Plan, RecordLevel, Severity, WarningCode,
};
use turnout_live::{Intent, PluginOverrides, check_wasm};

use crate::support::account_file_access::RootOptions;
use crate::support::change_options::{Options, Resume, Review};
use crate::support::exit::{Exit, refuse};
use crate::support::headers_arg;
use crate::support::inbound_arg::InboundArg;
use crate::support::lint_code_arg;
use crate::support::policy_file::{Policy, PolicyFile};
use crate::support::safe_output::print_error_line;
use crate::support::{
    max_held_bytes_arg, record_level_arg, render_diagnostics, stale_series, text_io,
};

/// Apply a policy to running proxies.
///
/// Lints the policy, compares it with the active one, prints what changes, replaces FOLDER/filter.json
/// atomically, and records in FOLDER/history who made the change and why. With --admin it first checks that
/// each proxy will receive the change, and then waits until each proxy runs the policy or has refused it. If
/// every proxy refuses the policy, the previous one is restored. While the folder is halted, the new policy
/// is halted too; --resume lifts the halt. A rollout that has a halt of its own stays halted too, and a
/// policy without that rollout is refused; --resume-rollout lifts that halt. A guard keeps the greater `rearmed`
/// of the active policy and of the new one.
#[derive(Args)]
#[command(after_help = "Exit codes:
  0  the policy is written, and every proxy that was asked runs it
  1  a proxy that was asked does not run the policy (if every proxy refused it, the previous one is
     restored); or nothing is written, because the change violates
     --forbid or --max-new, or because of --strict and a warning
  2  nothing is written: the policy or an option has an error, or a proxy would not receive the change

Examples:
  turnout apply policy.json --dir /etc/envoy/turnout --wasm /etc/envoy/turnout_filter.wasm
  turnout apply policy.json --dir /etc/envoy/turnout --admin http://127.0.0.1:9901 \\
    --log /var/log/envoy.log --why \"10 % of the accounts\"")]
pub(crate) struct Arguments {
    /// The policy; `-` reads standard input.
    policy: PathBuf,
    #[command(flatten)]
    account_roots: RootOptions,
    #[command(flatten)]
    options: Options,
    /// The path of the filter on the proxy hosts. Required with the first policy; afterwards the default is the
    /// path in use.
    #[arg(long, value_name = "PATH")]
    wasm: Option<String>,
    /// Skip the local check of --wasm; the path exists only on the proxy hosts.
    #[arg(long, requires = "wasm")]
    wasm_elsewhere: bool,
    /// Whether the proxies trust the x-turnout-* headers of requests. Default: the value in use, or `strip`
    /// with the first policy.
    #[arg(long, value_enum)]
    inbound: Option<InboundArg>,
    /// The headers that the proxies write: a comma-separated list of cluster, treatment and decision. Choose
    /// those that routes or later hops read. Default: the value in use, or all with the first policy.
    #[arg(long, value_name = "HEADERS", value_parser = headers_arg::parse)]
    headers: Option<EmittedHeaders>,
    /// The level at which the proxies write records to Envoy's log. Istio runs Envoy at `warning`, which hides
    /// records below `warn`. Default: the value in use, or `info` with the first policy.
    #[arg(long, value_name = "LEVEL", value_parser = record_level_arg::parser())]
    record_level: Option<RecordLevel>,
    /// The maximum number of bytes that the filter holds in one worker, for the policy and for shadow requests.
    /// Default: the value in use, or 67108864 (64 MiB) with the first policy.
    #[arg(long, value_name = "BYTES", value_parser = max_held_bytes_arg::parser())]
    max_held_bytes: Option<MaxHeldBytes>,
    #[command(flatten)]
    resume: Resume,
    #[command(flatten)]
    review: Review,
    /// Write nothing if the policy has a warning.
    #[arg(long)]
    strict: bool,
    /// Suppress the warnings with this code. May be repeated.
    #[arg(long, value_name = "CODE", value_parser = lint_code_arg::parser(), hide_possible_values = true)]
    allow: Vec<WarningCode>,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let inputs = std::iter::once(&arguments.policy).chain(arguments.review.accounts());
    if let Err(error) = text_io::check_inputs(inputs) {
        return refuse(&error);
    }
    if let Err(error) = arguments.options.check_admins() {
        return refuse(&error);
    }
    let checked = wasm(arguments).and_then(|wasm| Ok((policy(arguments)?, wasm)));
    let (policy, wasm) = match checked {
        Ok(checked) => checked,
        Err(exit) => return exit,
    };
    let given = PluginOverrides {
        wasm: wasm.as_deref(),
        inbound: arguments.inbound.map(Inbound::from),
        headers: arguments.headers,
        record_level: arguments.record_level,
        max_held_bytes: arguments.max_held_bytes,
    };
    let intent = Intent::Apply {
        policy: &policy,
        given,
        lifts: arguments.resume.lifts(),
    };
    arguments.options.carry_out(&intent, &arguments.review)
}

/// The path of the filter, made absolute: a proxy may run in another folder.
fn wasm(arguments: &Arguments) -> Result<Option<String>, Exit> {
    let Some(path) = &arguments.wasm else {
        return Ok(None);
    };
    if arguments.wasm_elsewhere {
        return Ok(Some(path.clone()));
    }
    check_wasm(path).map_err(|error| refuse(&error.to_string()))?;
    let absolute = std::path::absolute(path)
        .ok()
        .and_then(|path| path.to_str().map(str::to_owned));
    Ok(Some(absolute.unwrap_or_else(|| path.clone())))
}

/// The policy's text with its revision, if no check stops the change.
fn policy(arguments: &Arguments) -> Result<String, Exit> {
    let access = arguments.account_roots.access(arguments.review.lines());
    let file = PolicyFile::read(&arguments.policy)?;
    let policy = file.parse(access)?;
    let active = arguments.options.directory().active_policy();
    let active = active.map_err(|error| refuse(&error.to_string()))?;
    let routes = arguments.options.routes();
    let against = active.and_then(|active| Plan::from_json(&active.policy).ok());
    let report = policy.lint(lint::Options {
        against: against.as_ref(),
        routes: &routes,
        allow: &arguments.allow,
        ..lint::Options::default()
    });
    let plan = accepted(arguments, &policy, report)?;
    let (text, plan) = policy.for_proxies(plan)?;
    if let Some(against) = &against {
        let directory = arguments.options.directory();
        stale_series::warn(arguments.options.admins(), Some(&directory), against, &plan);
    }
    Ok(text)
}

/// The plan, if neither an error nor, with `--strict`, a warning forbids it. Prints both.
fn accepted(arguments: &Arguments, policy: &Policy<'_>, report: LintReport) -> Result<Plan, Exit> {
    let LintReport { diagnostics, plan } = report;
    let name = policy.name();
    let Some(plan) = plan else {
        policy.print(&diagnostics);
        return Err(Exit::BadInput);
    };
    render_diagnostics::show(name, policy.text(), &diagnostics);
    let warnings = diagnostics.count(Severity::Warning);
    if warnings > 0 && arguments.strict {
        print_error_line(&format!(
            "turnout: {name} has {warnings} warning(s), and --strict is given; nothing was written"
        ));
        return Err(Exit::No);
    }
    Ok(plan)
}
