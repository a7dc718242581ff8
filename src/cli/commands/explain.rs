//! `turnout explain`: what is decided for one request, and the way to it, step by step.

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

/// Say what is decided for a request, and why, step by step.
///
/// The request is the one that is given and no other: without --method it is a GET, without --path
/// its path is `/`, without --host it names no host. What the filter would decide in a proxy is
/// printed first, then every step to it, in the order of precedence.
#[derive(Args)]
#[command(after_help = "Example:
  turnout explain policy.json --rollout chat-users \\
    --account AC7342e9713fa896e4af00c654c444aada --request-id 8f14e45f --at 2026-12-01T09:00:00Z")]
pub(crate) struct Arguments {
    /// The policy; `-` is standard input.
    policy: PathBuf,
    #[command(flatten)]
    account_files: AccountFileOptions,
    /// The account. It is put where the policy looks for it first; what is no account is put there
    /// too, and the answer says so.
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// The method; GET unless given.
    #[arg(long, value_name = "METHOD", value_parser = method)]
    method: Option<String>,
    /// The host; none unless given.
    #[arg(long, value_name = "HOST", value_parser = visible)]
    host: Option<String>,
    /// The path, as the filter sees it: slashes merged, `..` resolved; `/` unless given.
    #[arg(long, value_name = "PATH", value_parser = path)]
    path: Option<String>,
    /// A header; may be given more than once.
    #[arg(long = "header", value_name = "NAME:VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// The x-request-id, by which a part of an account's requests is drawn.
    #[arg(long, value_name = "ID", value_parser = visible)]
    request_id: Option<String>,
    /// The moment, as in 2026-12-01T09:00:00Z; now unless given.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Time>,
    /// The region of the proxy; unknown unless given.
    #[arg(long, value_name = "REGION", value_parser = visible)]
    region: Option<String>,
    /// Whether the proxy believes the x-turnout-* headers of requests.
    #[arg(long, value_enum, default_value_t = InboundArg::Strip)]
    inbound: InboundArg,
    /// Suppose that the request is one for this rollout: what its `match` wants and is not given is
    /// filled in.
    #[arg(long, value_name = "NAME")]
    rollout: Option<String>,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// All that is printed.
struct Told<'a> {
    explanation: Explanation<'a>,
    request: &'a Request<'a>,
    built: &'a BuiltRequest<'a>,
    at: Time,
    region: Option<&'a str>,
    inbound: Inbound,
    /// The rollout that the request is supposed to be for.
    supposed: Option<&'a Rollout>,
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    match told(arguments) {
        Ok(text) => print(&text, Exit::Done),
        Err(exit) => exit,
    }
}

fn told(arguments: &Arguments) -> Result<SafeText, Exit> {
    let region = arguments.region.as_deref();
    let plan = policy_file::plan(&arguments.policy, region, arguments.account_files.access())?;
    let supposed = match &arguments.rollout {
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
        rollout: supposed,
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
    let told = Told {
        explanation: plan.explain(&request),
        request: &request,
        built: &built,
        at,
        // As in a proxy: an empty one says nothing.
        region: arguments
            .region
            .as_deref()
            .filter(|region| !region.is_empty()),
        inbound,
        supposed,
    };
    Ok(match arguments.json {
        true => SafeText::json(&format!("{:#}\n", json::of(&told))),
        false => text::of(&told),
    })
}

/// The headers as a proxy has them: `host` is the authority, and an id is a header.
fn headers(arguments: &Arguments) -> Result<Vec<(String, String)>, String> {
    let mut headers = arguments.headers.clone();
    let has = |name: &str| arguments.headers.iter().any(|(known, _)| known == name);
    if has("host") {
        return Err(String::from(
            "--header host:… is what --host says; write --host",
        ));
    }
    if let Some(id) = &arguments.request_id {
        if has("x-request-id") {
            return Err(String::from(
                "--request-id and --header x-request-id:… both name the request; keep one of them",
            ));
        }
        headers.push((String::from("x-request-id"), id.clone()));
    }
    Ok(headers)
}

fn why_refused(refused: &AccountPlacementError<'_>) -> String {
    match refused {
        AccountPlacementError::Named { place, account } => {
            let place = wording::source(place);
            let named = match account {
                Some(account) => format!("names `{}`", wording::shown(account)),
                None => String::from("names an account that cannot be read"),
            };
            format!(
                "the {place} of the request {named}, and is looked at first; leave --account out, or \
                 change the request"
            )
        }
        AccountPlacementError::NoPlace { places } => {
            let places: Vec<_> = places.iter().map(wording::source).collect();
            format!(
                "the account cannot be put where the policy looks for it ({}); leave --account out, \
                 and give the request as it is",
                places.join(", ")
            )
        }
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let Some((name, value)) = text.split_once(':').filter(|(name, _)| is_token(name)) else {
        return Err(String::from(
            "write a name, a colon and a value, for example x-beta:yes",
        ));
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
        false => Err(String::from("write a method, for example POST")),
    }
}

fn path(text: &str) -> Result<String, String> {
    match text.starts_with('/') || text == "*" {
        true => visible(text),
        false => Err(String::from("write it from its first `/`")),
    }
}

fn visible(text: &str) -> Result<String, String> {
    match text.contains(char::is_control) {
        true => Err(String::from(
            "leave out what is not visible: no proxy takes it in a header",
        )),
        false => Ok(text.to_owned()),
    }
}
