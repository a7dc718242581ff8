//! `turnout render`: a policy goes into what a proxy, or a mesh, is configured by.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use turnout_core::render::{discovery, placeholder_errors, render};
use turnout_core::{Configuration, EmittedHeaders, MaxHeldBytes, Plan, Proxy, RecordLevel};
use turnout_live::check_wasm;
use turnout_manifests::{EnvoyGateway, Istio, Object, Phase, envoy_gateway, istio, to_yaml};
use turnout_text::{escape_for_terminal, is_visible};

use crate::support::account_file_access::AccountFileOptions;
use crate::support::exit::{Exit, refuse};
use crate::support::headers_arg::{self, NOT_PASSED_ON};
use crate::support::inbound_arg::InboundArg;
use crate::support::policy_file::Policy;
use crate::support::safe_output::{SafeText, unprintable};
use crate::support::{max_held_bytes_arg, record_level_arg, text_io};

/// Put a policy into the configuration of a proxy or a mesh.
///
/// With --template, into any file with the quoted placeholders "@TURNOUT_CONFIGURATION@" and
/// "@TURNOUT_WASM@", as those in the folder `envoy` of the project. With --for, into what Envoy
/// discovers, or into the objects that Istio or Envoy Gateway load. A policy with a problem is
/// refused, and so is what does not fit the target: every problem is shown at once, and nothing is
/// written. The accounts of its files are put in, and long lists packed.
#[derive(Args)]
#[command(after_help = "Examples:
  turnout render policy.json --template envoy/cluster-header.yaml \\
    --wasm /etc/envoy/turnout_filter.wasm --output /etc/envoy/envoy.yaml
  turnout render policy.json --for istio --image registry.example.com/turnout:0.1.0 \\
    --namespace istio-ingress --selector istio=ingressgateway --gateway istio-ingress/edge
  turnout render policy.json --for envoy-gateway --image registry.example.com/turnout:0.1.0 \\
    --namespace edge --gateway edge | kubectl apply --server-side --filename -")]
pub(crate) struct Arguments {
    /// The policy; `-` is standard input.
    policy: PathBuf,
    #[command(flatten)]
    account_files: AccountFileOptions,
    /// The configuration to fill in.
    #[arg(long, value_name = "FILE", required_unless_present = "target")]
    template: Option<PathBuf>,
    /// What to make instead.
    #[arg(
        long = "for",
        value_enum,
        value_name = "TARGET",
        conflicts_with = "template"
    )]
    target: Option<Target>,
    /// Where the proxy finds the filter: for `envoy`, and if the template asks for it.
    #[arg(long, value_name = "PATH", required_if_eq("target", "envoy"))]
    wasm: Option<String>,
    /// The proxy sees that path, and this machine does not: it is not looked at.
    #[arg(long, requires = "wasm")]
    wasm_elsewhere: bool,
    /// Whether this proxy believes the x-turnout-* headers of requests.
    #[arg(long, value_enum, default_value_t = InboundArg::Strip)]
    inbound: InboundArg,
    /// Which headers this proxy writes: those that its routes or later hops read, with commas between.
    /// Each costs a request about a microsecond.
    #[arg(long, value_name = "HEADERS", value_parser = headers_arg::parse, default_value = headers_arg::ALL)]
    headers: EmittedHeaders,
    /// The level at which this proxy writes records to Envoy's log. Istio runs Envoy at `warning`, which hides
    /// records below `warn`.
    #[arg(long, value_name = "LEVEL", value_parser = record_level_arg::parser(), default_value = RecordLevel::default().as_str())]
    record_level: RecordLevel,
    /// The most bytes that the filter holds in one worker, for the policy and for shadow requests. Requests
    /// that do not fit are not compared; a policy that does not fit is refused.
    #[arg(long, value_name = "BYTES", value_parser = max_held_bytes_arg::parser(), default_value = "67108864")]
    max_held_bytes: MaxHeldBytes,
    /// For Istio and Envoy Gateway: the filter's image, such as registry.example.com/turnout:0.1.0.
    #[arg(
        long,
        value_name = "IMAGE",
        required_if_eq_any([("target", "istio"), ("target", "envoy-gateway")])
    )]
    image: Option<String>,
    /// For Istio and Envoy Gateway: what the plugin is called, and what the names of its routes begin
    /// with; `turnout` unless given.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// For Istio and Envoy Gateway: the namespace of the objects.
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// For Istio: which workloads have the filter; may be given more than once.
    #[arg(long, value_name = "KEY=VALUE")]
    selector: Vec<String>,
    /// For Envoy Gateway: the Gateway that has the filter. For Istio: the gateways whose traffic is
    /// routed; the mesh's own traffic unless given.
    #[arg(
        long,
        value_name = "GATEWAY",
        required_if_eq("target", "envoy-gateway")
    )]
    gateway: Vec<String>,
    /// For Istio: where in the chain of filters; `last` unless given.
    #[arg(long, value_enum)]
    phase: Option<PhaseWord>,
    /// Where to write; the file is replaced as a whole. Standard output unless given.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Target {
    /// What Envoy discovers (ECDS): the file that it watches, or the answer of an xDS server.
    Envoy,
    /// A WasmPlugin, VirtualServices and DestinationRules.
    Istio,
    /// An EnvoyExtensionPolicy and HTTPRoutes.
    EnvoyGateway,
}

#[derive(Clone, Copy, ValueEnum)]
enum PhaseWord {
    /// Right before the router.
    Last,
    /// Before Istio's authentication.
    Authn,
    /// Before Istio's authorization.
    Authz,
    /// Before Istio's statistics.
    Stats,
}

impl From<PhaseWord> for Phase {
    fn from(word: PhaseWord) -> Self {
        match word {
            PhaseWord::Last => Self::Last,
            PhaseWord::Authn => Self::Authn,
            PhaseWord::Authz => Self::Authz,
            PhaseWord::Stats => Self::Stats,
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Exit {
    // Whatever is wrong is said at once, so that it can be mended at once.
    let policy = Policy::read(&arguments.policy, arguments.account_files.access())
        .and_then(|policy| policy.for_proxies());
    let mut wrong = check(arguments);
    let template = template(arguments, &mut wrong);
    let rendered = policy.as_ref().ok().map(|(policy, plan)| {
        let template = template.as_deref().unwrap_or_default();
        rendered(arguments, template, policy, plan)
    });
    match (rendered, wrong.is_empty()) {
        (Some(Ok(rendered)), true) => {
            let rendered = SafeText::document(&rendered);
            match text_io::write(arguments.output.as_deref(), &rendered) {
                Ok(()) => Exit::Done,
                Err(error) => refuse(&error),
            }
        }
        (rendered, _) => {
            wrong.extend(rendered.and_then(Result::err).unwrap_or_default());
            wrong.iter().for_each(|error| {
                refuse(error);
            });
            Exit::BadInput
        }
    }
}

/// What of the options is wrong. What is given and says nothing of the target would be dropped without
/// a word.
fn check(arguments: &Arguments) -> Vec<String> {
    use Target::{Envoy, EnvoyGateway, Istio};
    let (target, is_mesh) = match arguments.target {
        None => ("--template", false),
        Some(Envoy) => ("--for envoy", false),
        Some(Istio) => ("--for istio", true),
        Some(EnvoyGateway) => ("--for envoy-gateway", true),
    };
    let is_istio = matches!(arguments.target, Some(Istio));
    let options = [
        ("--wasm", arguments.wasm.is_some(), !is_mesh),
        ("--image", arguments.image.is_some(), is_mesh),
        ("--name", arguments.name.is_some(), is_mesh),
        ("--namespace", arguments.namespace.is_some(), is_mesh),
        ("--gateway", !arguments.gateway.is_empty(), is_mesh),
        ("--selector", !arguments.selector.is_empty(), is_istio),
        ("--phase", arguments.phase.is_some(), is_istio),
    ];
    let idle = options
        .iter()
        .filter(|(_, is_given, says)| *is_given && !says);
    let mut wrong: Vec<String> = idle
        .map(|(option, ..)| format!("{option} says nothing with {target}; leave it out"))
        .collect();
    if matches!(arguments.target, Some(Envoy)) && !arguments.headers.cluster {
        wrong.push(
            "the routes that go with --for envoy, as in envoy/live-policy.yaml, take \
             x-turnout-cluster, and `--headers` leaves it out; write `cluster` too"
                .into(),
        );
    }
    if !proxy(arguments).passes_on() {
        wrong.push(NOT_PASSED_ON.into());
    }
    if matches!(arguments.target, Some(EnvoyGateway)) && arguments.gateway.len() != 1 {
        wrong.push("an EnvoyExtensionPolicy is for one Gateway; give --gateway once".into());
    }
    if let Some(wasm) = &arguments.wasm
        && !wasm.chars().all(is_visible)
    {
        wrong.push(format!(
            "--wasm {}: a proxy may read the path otherwise; name a file without invisible characters",
            escape_for_terminal(wasm)
        ));
    }
    if let Some(wasm) = &arguments.wasm
        && !is_mesh
        && !arguments.wasm_elsewhere
        && let Err(error) = check_wasm(wasm)
    {
        wrong.push(error.to_string());
    }
    wrong
}

/// The text of the template, if there is one.
fn template(arguments: &Arguments, wrong: &mut Vec<String>) -> Option<String> {
    let path = arguments.template.as_deref()?;
    match text_io::read(path) {
        Ok(template) => {
            let name = text_io::name_of(path);
            let placeholder_errors = placeholder_errors(&template, arguments.wasm.is_some());
            wrong.extend(
                placeholder_errors
                    .iter()
                    .map(|error| format!("{name}: {error}")),
            );
            wrong.extend(unprintable(&template).map(|(line, what)| {
                format!(
                    "{name}:{line}: the line {what}; write it as an escape in a quoted text, or leave it out"
                )
            }));
            Some(template)
        }
        Err(error) => {
            wrong.push(error);
            None
        }
    }
}

fn proxy(arguments: &Arguments) -> Proxy {
    Proxy {
        inbound: arguments.inbound.into(),
        headers: arguments.headers,
        record_level: arguments.record_level,
        max_held_bytes: arguments.max_held_bytes,
    }
}

/// What is to be written, or everything of the policy that stands against it.
fn rendered(
    arguments: &Arguments,
    template: &str,
    policy: &str,
    plan: &Plan,
) -> Result<String, Vec<String>> {
    let configuration = Configuration::to_json(policy, proxy(arguments));
    // It goes into quoted texts, so it is escaped by JSON's own means before.
    let configuration = SafeText::json(&configuration);
    let configuration = configuration.as_str();
    let object = Object {
        name: arguments.name.as_deref().unwrap_or("turnout"),
        namespace: arguments.namespace.as_deref(),
        image: arguments.image.as_deref().unwrap_or_default(),
        configuration,
    };
    let documents = match arguments.target {
        // What does not fit the template has been said.
        None => {
            let rendered = render(template, configuration, arguments.wasm.as_deref());
            return rendered.map_err(|_| Vec::new());
        }
        Some(Target::Envoy) => {
            let wasm = arguments.wasm.as_deref().unwrap_or_default();
            return Ok(discovery(configuration, plan.revision().as_str(), wasm));
        }
        Some(Target::Istio) => istio(
            plan,
            &Istio {
                object,
                selector: &arguments.selector,
                gateways: &arguments.gateway,
                phase: arguments.phase.map(Phase::from).unwrap_or_default(),
            },
        ),
        Some(Target::EnvoyGateway) => {
            let gateway = arguments.gateway.first().map_or("", String::as_str);
            envoy_gateway(plan, &EnvoyGateway { object, gateway })
        }
    };
    documents
        .and_then(|documents| to_yaml(&documents))
        .map_err(|errors| {
            let name = text_io::name_of(&arguments.policy);
            let errors = errors.to_string();
            errors
                .lines()
                .map(|error| format!("{name}: {error}"))
                .collect()
        })
}
