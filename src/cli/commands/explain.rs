//! `turnout explain`: explains the decision for one request, step by step.

mod json;
mod suggestions;
mod text;
mod wording;

use std::path::PathBuf;

use clap::Args;
use turnout_core::explain::{AccountPlacementError, BuiltRequest, Explanation, RequestBuilder};
use turnout_core::{Headers, Inbound, Request, Rollout, Time};

use crate::support::account_file_access::AccountFileOptions;
use crate::support::exit::{Exit, refuse};
use crate::support::inbound_arg::InboundArg;
use crate::support::policy_file;
use crate::support::safe_output::SafeText;
use crate::support::text_io::print;
use crate::support::time_arg::{now, parse_time};

/// Explain the decision for one request, step by step.
///
/// Prints the decision that the filter would make in a proxy, and then each step that led to it, in the order
/// of precedence. The options describe the request; nothing is sent.
#[derive(Args)]
#[command(after_help = "Example:
  turnout explain policy.json --rollout chat-users \\
    --account AC7342e9713fa896e4af00c654c444aada --request-id 8f14e45f --at 2026-12-01T09:00:00Z")]
pub(crate) struct Arguments {
    /// The policy; `-` reads standard input.
    policy: PathBuf,
    #[command(flatten)]
    account_files: AccountFileOptions,
    /// The account. It is placed where the policy looks for accounts first. A malformed account is allowed, and
    /// the explanation says so.
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// The method. Default: GET.
    #[arg(long, value_name = "METHOD", value_parser = method)]
    method: Option<String>,
    /// The host. Default: none.
    #[arg(long, value_name = "HOST", value_parser = visible)]
    host: Option<String>,
    /// The path as the filter sees it, with slashes merged and `..` resolved. Default: `/`.
    #[arg(long, value_name = "PATH", value_parser = path)]
    path: Option<String>,
    /// A request header. May be repeated.
    #[arg(long = "header", value_name = "NAME:VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// The x-request-id. It decides whether a request is in the `requests` percentage of a rule.
    #[arg(long, value_name = "ID", value_parser = visible)]
    request_id: Option<String>,
    /// The time of the request, such as 2026-12-01T09:00:00Z. Default: now.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Time>,
    /// The region of the proxy. Default: unknown.
    #[arg(long, value_name = "REGION", value_parser = visible)]
    region: Option<String>,
    /// Whether the proxy trusts the x-turnout-* headers of requests.
    #[arg(long, value_enum, default_value_t = InboundArg::Strip)]
    inbound: InboundArg,
    /// Assume a request for this rollout: fill in what its `match` requires, unless an option sets it.
    #[arg(long, value_name = "NAME")]
    rollout: Option<String>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// Everything that the explanation is printed from.
struct ExplainReport<'a> {
    explanation: Explanation<'a>,
    request: &'a Request<'a>,
    built: &'a BuiltRequest<'a>,
    at: Time,
    region: Option<&'a str>,
    inbound: Inbound,
    /// The rollout of `--rollout`.
    assumed: Option<&'a Rollout>,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    match explained(arguments) {
        Ok(text) => print(&text, Exit::Done),
        Err(exit) => exit,
    }
}

fn explained(arguments: &Arguments) -> Result<SafeText, Exit> {
    let region = arguments.region.as_deref();
    let plan = policy_file::plan(&arguments.policy, region, arguments.account_files.access())?;
    let assumed = match &arguments.rollout {
        None => None,
        Some(name) => Some(policy_file::rollout(&plan, &arguments.policy, name)?),
    };
    let headers = headers(arguments).map_err(|error| refuse(&error))?;
    let given = RequestBuilder {
        method: arguments.method.as_deref(),
        host: arguments.host.as_deref(),
        path: arguments.path.as_deref(),
        headers: &headers,
        account: arguments.account.as_deref(),
        rollout: assumed,
    };
    let built = given
        .build(&plan)
        .map_err(|error| refuse(&why_refused(&error)))?;
    let pairs: Vec<_> = built
        .headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    let inbound = arguments.inbound.into();
    let at = arguments.at.unwrap_or_else(now);
    let request = plan.request(Headers::new(&pairs), inbound, at);
    let report = ExplainReport {
        explanation: plan.explain(&request),
        request: &request,
        built: &built,
        at,
        // As in a proxy, an empty region is unknown.
        region: arguments
            .region
            .as_deref()
            .filter(|region| !region.is_empty()),
        inbound,
        assumed,
    };
    Ok(match arguments.json {
        true => SafeText::json(&format!("{:#}\n", json::of(&report))),
        false => text::of(&report),
    })
}

/// The headers as a proxy sees them: the host is `:authority`, and the request id is a header.
fn headers(arguments: &Arguments) -> Result<Vec<(String, String)>, String> {
    let mut headers = arguments.headers.clone();
    let has = |name: &str| arguments.headers.iter().any(|(known, _)| known == name);
    if has("host") {
        return Err(String::from(
            "--header host:… does not set the host; use --host",
        ));
    }
    if let Some(id) = &arguments.request_id {
        if has("x-request-id") {
            return Err(String::from(
                "--request-id and --header x-request-id:… both set the request id; keep one of them",
            ));
        }
        headers.push((String::from("x-request-id"), id.clone()));
    }
    Ok(headers)
}

fn why_refused(refused: &AccountPlacementError<'_>) -> String {
    match refused {
        AccountPlacementError::AlreadySet { source, account } => {
            let place = wording::source(source);
            let named = match account {
                Some(account) => format!("has the account `{}`", wording::shown(account)),
                None => String::from("has an account that cannot be read"),
            };
            format!(
                "the {place} of the request {named}, and the policy reads it first; remove --account, or \
                 change the request"
            )
        }
        AccountPlacementError::NoSource { sources } => {
            let places: Vec<_> = sources.iter().map(wording::source).collect();
            format!(
                "the account cannot be placed where the policy looks for it ({}); remove --account, and \
                 describe the whole request",
                places.join(", ")
            )
        }
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let Some((name, value)) = text.split_once(':').filter(|(name, _)| is_token(name)) else {
        return Err(String::from("expected NAME:VALUE, for example x-beta:yes"));
    };
    let value = visible(value.trim_matches([' ', '\t']))?;
    Ok((name.to_ascii_lowercase(), value))
}

fn is_token(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

fn method(text: &str) -> Result<String, String> {
    match is_token(text) {
        true => Ok(text.to_owned()),
        false => Err(String::from("expected a method, for example POST")),
    }
}

fn path(text: &str) -> Result<String, String> {
    match text.starts_with('/') || text == "*" {
        true => visible(text),
        false => Err(String::from("expected a path that begins with `/`")),
    }
}

fn visible(text: &str) -> Result<String, String> {
    match text.contains(char::is_control) {
        true => Err(String::from(
            "remove the control characters: no proxy accepts them in a header",
        )),
        false => Ok(text.to_owned()),
    }
}
