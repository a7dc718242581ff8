//! `turnout render`: a policy and the filter's path go into a proxy's configuration.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use turnout_core::render::render;
use turnout_core::{Configuration, Inbound};

use crate::exit::{Exit, refuse};
use crate::policy::Policy;
use crate::text;

/// Put a policy into a proxy's configuration.
///
/// The template is any file with the quoted placeholders "@TURNOUT_CONFIGURATION@" and
/// "@TURNOUT_WASM@", as those in the folder `envoy` of the project. A policy with a problem is
/// refused: every problem is shown, and nothing is written. The accounts of its files are put in, and
/// long lists packed.
#[derive(Args)]
#[command(after_help = "Example:
  turnout render policy.json --template envoy/cluster-header.yaml \\
    --wasm /etc/envoy/turnout_filter.wasm --output /etc/envoy/envoy.yaml")]
pub(crate) struct Arguments {
    /// The policy; `-` is standard input.
    policy: PathBuf,
    /// The configuration to fill in.
    #[arg(long, value_name = "FILE")]
    template: PathBuf,
    /// Where the proxy finds the filter, if the template asks for it.
    #[arg(long, value_name = "PATH")]
    wasm: Option<String>,
    /// Whether this proxy believes the x-turnout-* headers of requests.
    #[arg(long, value_enum, default_value_t = InboundWord::Strip)]
    inbound: InboundWord,
    /// Where to write; the file is replaced as a whole. Standard output unless given.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
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

pub(crate) fn run(arguments: &Arguments) -> Exit {
    let policy = Policy::read(&arguments.policy).and_then(|policy| policy.for_proxies());
    let policy = match policy {
        Ok(policy) => policy,
        Err(exit) => return exit,
    };
    match rendered(arguments, &policy) {
        Ok(()) => Exit::Done,
        Err(error) => refuse(&error),
    }
}

fn rendered(arguments: &Arguments, policy: &str) -> Result<(), String> {
    let template = text::read(&arguments.template)?;
    let configuration = Configuration::to_json(policy, arguments.inbound.into());
    let rendered = render(&template, &configuration, arguments.wasm.as_deref())
        .map_err(|error| format!("{}: {error}", text::name_of(&arguments.template)))?;
    text::write(arguments.output.as_deref(), &rendered)
}
