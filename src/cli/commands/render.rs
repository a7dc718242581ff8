//! `turnout render`: puts a policy into the configuration of a proxy or a mesh.

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
use crate::support::policy_file::PolicyFile;
use crate::support::safe_output::{SafeText, unprintable};
use crate::support::{max_held_bytes_arg, record_level_arg, text_io};

/// Put a policy into the configuration of a proxy or a mesh.
///
/// With --template, fills in the quoted placeholders "@TURNOUT_CONFIGURATION@" and "@TURNOUT_WASM@" of any
/// file, such as those in the project's `envoy` folder. With --for, generates what Envoy's discovery, Istio or
/// Envoy Gateway load. Accounts from files are included, and long lists are packed. If the policy has an error
/// or does not fit the target, all problems are shown and nothing is written.
#[derive(Args)]
#[command(after_help = "Examples:
  turnout render policy.json --template envoy/cluster-header.yaml \\
    --wasm /etc/envoy/turnout_filter.wasm --output /etc/envoy/envoy.yaml
  turnout render policy.json --for istio --image registry.example.com/turnout:0.1.0 \\
    --namespace istio-ingress --selector istio=ingressgateway --gateway istio-ingress/edge
  turnout render policy.json --for envoy-gateway --image registry.example.com/turnout:0.1.0 \\
    --namespace edge --gateway edge | kubectl apply --server-side --filename -")]
pub(crate) struct Arguments {
    /// The policy; `-` reads standard input.
    policy: PathBuf,
    #[command(flatten)]
    account_files: AccountFileOptions,
    /// The configuration template to fill in.
    #[arg(long, value_name = "FILE", required_unless_present = "target")]
    template: Option<PathBuf>,
    /// Generate the configuration for this target instead of filling in a template.
    #[arg(
        long = "for",
        value_enum,
        value_name = "TARGET",
        conflicts_with = "template"
    )]
    target: Option<Target>,
    /// The path of the filter on the proxy host. Required for `envoy`, and if the template has "@TURNOUT_WASM@".
    #[arg(long, value_name = "PATH", required_if_eq("target", "envoy"))]
    wasm: Option<String>,
    /// Skip the local check of --wasm; the path exists only on the proxy host.
    #[arg(long, requires = "wasm")]
    wasm_elsewhere: bool,
    /// Whether this proxy trusts the x-turnout-* headers of requests.
    #[arg(long, value_enum, default_value_t = InboundArg::Strip)]
    inbound: InboundArg,
    /// The headers that this proxy writes: a comma-separated list of those that its routes or later hops read.
    /// Each header adds about a microsecond to a request.
    #[arg(long, value_name = "HEADERS", value_parser = headers_arg::parse, default_value = headers_arg::ALL)]
    headers: EmittedHeaders,
    /// The level at which this proxy writes records to Envoy's log. Istio runs Envoy at `warning`, which hides
    /// records below `warn`.
    #[arg(long, value_name = "LEVEL", value_parser = record_level_arg::parser(), default_value = RecordLevel::default().as_str())]
    record_level: RecordLevel,
    /// The maximum number of bytes that the filter holds in one worker, for the policy and for shadow requests.
    /// Requests that do not fit are not compared; a policy that does not fit is refused.
    #[arg(long, value_name = "BYTES", value_parser = max_held_bytes_arg::parser(), default_value = "67108864")]
    max_held_bytes: MaxHeldBytes,
    /// For Istio and Envoy Gateway: the filter's image, such as registry.example.com/turnout:0.1.0.
    #[arg(
        long,
        value_name = "IMAGE",
        required_if_eq_any([("target", "istio"), ("target", "envoy-gateway")])
    )]
    image: Option<String>,
    /// For Istio and Envoy Gateway: the name of the plugin, which is also the prefix of its routes' names.
    /// Default: turnout.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// For Istio and Envoy Gateway: the namespace of the objects.
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// For Istio: a label of the workloads that run the filter. May be repeated. Default: all workloads of the
    /// namespace.
    #[arg(long, value_name = "KEY=VALUE")]
    selector: Vec<String>,
    /// For Envoy Gateway: the Gateway that runs the filter. For Istio: a gateway whose traffic is routed; may
    /// be repeated. Default for Istio: the traffic inside the mesh.
    #[arg(
        long,
        value_name = "GATEWAY",
        required_if_eq("target", "envoy-gateway")
    )]
    gateway: Vec<String>,
    /// For Istio: the place in the filter chain. Default: last.
    #[arg(long, value_enum)]
    phase: Option<PhaseWord>,
    /// The output file, which is replaced atomically. Default: standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Target {
    /// An ECDS resource: the file that Envoy watches, or the response of an xDS server.
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
    // All problems are reported at once, so that they can be fixed at once.
    let policy = PolicyFile::read(&arguments.policy).and_then(|file| {
        let policy = file.parse(arguments.account_files.access())?;
        policy.for_proxies(policy.plan()?)
    });
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

/// The problems of the options. An option that does not apply to the target is one: it would have no effect.
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
        .map(|(option, ..)| format!("{option} does not apply to {target}; remove it"))
        .collect();
    if matches!(arguments.target, Some(Envoy)) && !arguments.headers.cluster {
        wrong.push(
            "the routes for --for envoy, such as those in envoy/live-policy.yaml, read x-turnout-cluster, \
             but --headers does not include it; add `cluster`"
                .into(),
        );
    }
    if !proxy(arguments).passes_on() {
        wrong.push(NOT_PASSED_ON.into());
    }
    if matches!(arguments.target, Some(EnvoyGateway)) && arguments.gateway.len() != 1 {
        wrong
            .push("an EnvoyExtensionPolicy targets exactly one Gateway; use --gateway once".into());
    }
    if let Some(wasm) = &arguments.wasm
        && !wasm.chars().all(is_visible)
    {
        wrong.push(format!(
            "--wasm {}: the path has invisible characters, which a proxy may read differently; rename the file",
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
                    "{name}:{line}: the line {what}; escape it in a quoted string, or remove it"
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

/// The configuration, or every problem that the policy has with the target.
fn rendered(
    arguments: &Arguments,
    template: &str,
    policy: &str,
    plan: &Plan,
) -> Result<String, Vec<String>> {
    let configuration = Configuration::to_json(policy, proxy(arguments));
    // It is put into quoted strings, so it is escaped as JSON first.
    let configuration = SafeText::json(&configuration);
    let configuration = configuration.as_str();
    let object = Object {
        name: arguments.name.as_deref().unwrap_or("turnout"),
        namespace: arguments.namespace.as_deref(),
        image: arguments.image.as_deref().unwrap_or_default(),
        configuration,
    };
    let documents = match arguments.target {
        // `misfits` has reported what does not fit the template.
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
