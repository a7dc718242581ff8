//! `turnout render`: a policy goes into what a proxy, or a mesh, is configured by.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use turnout_core::render::{discovery, render};
use turnout_core::{Configuration, Inbound, Plan, Proxy, Written};
use turnout_manifests::{EnvoyGateway, Istio, Object, Phase, envoy_gateway, istio, to_yaml};

use crate::exit::{Exit, refuse};
use crate::headers::{self, NOT_PASSED_ON};
use crate::policy::Policy;
use crate::text;

/// Put a policy into the configuration of a proxy or a mesh.
///
/// With --template, into any file with the quoted placeholders "@TURNOUT_CONFIGURATION@" and
/// "@TURNOUT_WASM@", as those in the folder `envoy` of the project. With --for, into what Envoy
/// discovers, or into the objects that Istio or Envoy Gateway load. A policy with a problem is
/// refused: every problem is shown, and nothing is written. The accounts of its files are put in, and
/// long lists packed.
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
    /// Whether this proxy believes the x-turnout-* headers of requests.
    #[arg(long, value_enum, default_value_t = InboundWord::Strip)]
    inbound: InboundWord,
    /// Which headers this proxy writes: those that its routes or later hops read, with commas between.
    /// Each costs a request about a microsecond.
    #[arg(long, value_name = "HEADERS", value_parser = headers::parse, default_value = headers::ALL)]
    headers: Written,
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

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum InboundWord {
    /// No: they come from anyone, and are removed.
    Strip,
    /// Yes: this proxy is behind one that strips them.
    Trust,
}

impl From<InboundWord> for Inbound {
    fn from(word: InboundWord) -> Self {
        match word {
            InboundWord::Strip => Self::Strip,
            InboundWord::Trust => Self::Trust,
        }
    }
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
    let policy = Policy::read(&arguments.policy).and_then(|policy| policy.for_proxies());
    let (policy, plan) = match policy {
        Ok(policy) => policy,
        Err(exit) => return exit,
    };
    let written = check(arguments)
        .and_then(|()| rendered(arguments, &policy, &plan))
        .and_then(|rendered| text::write(arguments.output.as_deref(), &rendered));
    match written {
        Ok(()) => Exit::Done,
        Err(error) => refuse(&error),
    }
}

/// What is given and says nothing of the target would be dropped without a word.
fn check(arguments: &Arguments) -> Result<(), String> {
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
        .find(|(_, is_given, says)| *is_given && !says);
    match idle {
        Some((option, ..)) => Err(format!("{option} says nothing with {target}; leave it out")),
        None if matches!(arguments.target, Some(Envoy)) && !arguments.headers.cluster => Err(
            "the routes that go with --for envoy, as in envoy/live-policy.yaml, take \
             x-turnout-cluster, and `--headers` leaves it out; write `cluster` too"
                .into(),
        ),
        None => Ok(()),
    }
}

fn rendered(arguments: &Arguments, policy: &str, plan: &Plan) -> Result<String, String> {
    let proxy = Proxy {
        inbound: arguments.inbound.into(),
        headers: arguments.headers,
    };
    if !proxy.passes_on() {
        return Err(NOT_PASSED_ON.into());
    }
    let configuration = Configuration::to_json(policy, proxy);
    let object = Object {
        name: arguments.name.as_deref().unwrap_or("turnout"),
        namespace: arguments.namespace.as_deref(),
        image: arguments.image.as_deref().unwrap_or_default(),
        configuration: &configuration,
    };
    let documents = match (arguments.target, &arguments.template) {
        (None, None) => return Err("give --template or --for".into()),
        (None, Some(path)) => {
            let template = text::read(path)?;
            return render(&template, &configuration, arguments.wasm.as_deref())
                .map_err(|error| format!("{}: {error}", text::name_of(path)));
        }
        (Some(Target::Envoy), _) => {
            let wasm = arguments.wasm.as_deref().unwrap_or_default();
            return Ok(discovery(&configuration, plan.revision().as_str(), wasm));
        }
        (Some(Target::Istio), _) => istio(
            plan,
            &Istio {
                object,
                selector: &arguments.selector,
                gateways: &arguments.gateway,
                phase: arguments.phase.map(Phase::from).unwrap_or_default(),
            },
        ),
        (Some(Target::EnvoyGateway), _) => {
            let [gateway] = arguments.gateway.as_slice() else {
                return Err(
                    "an EnvoyExtensionPolicy is for one Gateway; give --gateway once".into(),
                );
            };
            envoy_gateway(plan, &EnvoyGateway { object, gateway })
        }
    };
    documents
        .and_then(|documents| to_yaml(&documents))
        .map_err(|error| format!("{}: {error}", text::name_of(&arguments.policy)))
}
