//! The measured variants: `envoy/cluster-header.yaml` with other routes, another filter, or none.

use std::path::{Path, PathBuf};

use support::bench::policy::{ACCOUNTS, Policy, Selection};
use support::envoy::file;
use support::wasm::{Build, sdk_nothing_wasm};
use turnout_core::EmittedHeaders;
use turnout_core::render::render;

const TEMPLATE: &str = "cluster-header.yaml";
/// The parts of the file that variants replace: from the first text up to the second.
const FILTER: [&str; 2] = ["          - name: turnout\n", "          - name: router\n"];
const ROUTES: [&str; 2] = ["              - match:\n", "\n          access_log:\n"];
const STRIP: [&str; 2] = [
    "          early_header_mutation_extensions:\n",
    "          http_filters:\n",
];
/// The filter that removes forged trailers, which comes before ours.
const STRIP_TRAILERS: [&str; 2] = [
    "          # Also in the trailers",
    "          - name: turnout\n",
];
const ACCESS_LOG: [&str; 2] = ["          access_log:\n", "\n  clusters:\n"];

const SINGLE: &str = "              - match: { prefix: / }
                route: { cluster: channels-v1 }
";
const WEIGHTED: &str = "              - match: { prefix: / }
                route:
                  weighted_clusters:
                    clusters:
                    - { name: channels-v1, weight: 95 }
                    - { name: channels-v2, weight: 5 }
";
const STICKY: &str = "              - match: { prefix: / }
                route:
                  hash_policy:
                  - header: { header_name: x-account-sid }
                  weighted_clusters:
                    use_hash_policy: true
                    clusters:
                    - { name: channels-v1, weight: 95 }
                    - { name: channels-v2, weight: 5 }
";
/// Five lines as people write them. A SID ends with random hex digits: 3277 of 65536 are 5 %.
const LUA: &str = r#"          - name: lua
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
              default_source_code:
                inline_string: |
                  function envoy_on_request(request)
                    local account = request:headers():get("x-account-sid") or ""
                    local draw = tonumber(account:sub(-4), 16) or 65535
                    request:headers():replace("x-turnout-cluster", draw < 3277 and "channels-v2" or "channels-v1")
                  end
"#;

/// The filter of a variant.
#[derive(Clone, Copy, PartialEq)]
enum Filter {
    None,
    Lua,
    /// A WebAssembly file, with a policy if it is ours.
    Wasm(Code, Option<Policy>),
}

/// A WebAssembly file.
#[derive(Clone, Copy, PartialEq)]
enum Code {
    /// A build of ours.
    Turnout(Build),
    /// A build of ours, from a file on the command line.
    File(&'static str),
    /// Written with the SDK.
    Sdk,
    /// Written by hand.
    Text {
        name: &'static str,
        text: &'static str,
    },
}

const NOTHING: Code = Code::Text {
    name: "nothing",
    text: include_str!("nothing.wat"),
};
/// Envoy does not even call it.
const NO_CALLBACK: Code = Code::Text {
    name: "no-callback",
    text: r#"(module
        (memory (export "memory") 1)
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "proxy_on_memory_allocate") (param i32) (result i32) unreachable))"#,
};

/// The kind of filter, for the report.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Native,
    Script,
    Wasm,
    Turnout,
}

/// Who serves the requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Share {
    /// v1 serves all of them.
    V1,
    /// v2 serves its percentage, selected by request.
    ByRequest,
    /// v2 serves its percentage, selected by account.
    ByAccount,
}

/// A measured variant.
#[derive(Clone, Copy)]
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    /// A description for the table.
    pub(crate) what: &'static str,
    /// Replaces the routes of the file.
    routes: Option<&'static str>,
    filter: Filter,
    pub(crate) share: Share,
    /// Whether the access log of the file is on.
    is_logged: bool,
    /// Whether the file's protection against forged headers is on.
    is_stripped: bool,
    /// Whether it is measured by default.
    is_usual: bool,
}

/// The base of the ratios.
pub(crate) const BASE: &str = "weighted";
/// The base of the memory.
pub(crate) const LEAST: &str = "single";

/// A rollout whose requests are all compared by the guard of the second, which is its only difference.
pub(crate) const UNGUARDED: &str = "split-requests";
pub(crate) const GUARDED: &str = "split-guarded";

/// The headers of the least build: only the route is needed.
const CLUSTER: EmittedHeaders = EmittedHeaders {
    cluster: true,
    treatment: false,
    decision: false,
};

const ALL: [Variant; 21] = [
    native(LEAST, "one cluster", SINGLE, Share::V1),
    native(BASE, "weighted clusters", WEIGHTED, Share::ByRequest),
    native(
        "sticky",
        "the same, use_hash_policy",
        STICKY,
        Share::ByAccount,
    ),
    filtered("lua", "five lines of Lua", Filter::Lua, Share::ByAccount),
    filtered(
        "nothing",
        "Wasm, the least",
        Filter::Wasm(NOTHING, None),
        Share::V1,
    ),
    filtered(
        "sdk-nothing",
        "Wasm, the SDK",
        Filter::Wasm(Code::Sdk, None),
        Share::V1,
    ),
    turnout("off", Policy::of("off"), Share::V1),
    turnout("dark", Policy::of("dark"), Share::V1),
    turnout("shadow-0", Policy::of("shadow"), Share::V1),
    turnout("split", Policy::of("split"), Share::ByRequest),
    Variant {
        what: "selected by request",
        ..turnout(
            UNGUARDED,
            Policy::split(Selection::ByRequest),
            Share::ByRequest,
        )
    },
    Variant {
        what: "the same, guarded",
        ..turnout(
            GUARDED,
            Policy::split(Selection::ByRequestGuarded),
            Share::ByRequest,
        )
    },
    lean("split-lean", Policy::of("split"), Share::ByRequest),
    least("off-least", "off", Share::V1),
    least("split-least", "split", Share::ByRequest),
    unusual(lean("off-lean", Policy::of("off"), Share::V1)),
    unusual(native(
        "weighted-again",
        "what chance does",
        WEIGHTED,
        Share::ByRequest,
    )),
    Variant {
        is_stripped: false,
        ..unusual(native(
            "weighted-bare",
            "x-turnout-* not stripped",
            WEIGHTED,
            Share::ByRequest,
        ))
    },
    Variant {
        is_logged: true,
        ..unusual(native(
            "weighted-log",
            "with the access log",
            WEIGHTED,
            Share::ByRequest,
        ))
    },
    Variant {
        is_logged: true,
        ..unusual(turnout("split-log", Policy::of("split"), Share::ByRequest))
    },
    unusual(filtered(
        "no-callback",
        "Wasm, not even called",
        Filter::Wasm(NO_CALLBACK, None),
        Share::V1,
    )),
];

const fn native(
    name: &'static str,
    what: &'static str,
    routes: &'static str,
    share: Share,
) -> Variant {
    Variant {
        routes: Some(routes),
        ..filtered(name, what, Filter::None, share)
    }
}

const fn turnout(name: &'static str, policy: Policy, share: Share) -> Variant {
    filtered(
        name,
        "Turnout",
        Filter::Wasm(Code::Turnout(Build::Whole), Some(policy)),
        share,
    )
}

const fn lean(name: &'static str, policy: Policy, share: Share) -> Variant {
    let filter = Filter::Wasm(Code::Turnout(Build::Lean), Some(policy));
    filtered(name, "Turnout, the lean build", filter, share)
}

/// The lean build, with as few headers as possible.
const fn least(name: &'static str, mode: &'static str, share: Share) -> Variant {
    let policy = Policy {
        headers: CLUSTER,
        ..Policy::of(mode)
    };
    Variant {
        what: "and one header",
        ..lean(name, policy, share)
    }
}

/// Turnout in mode `split` with a policy of another size.
pub(crate) const fn scaled(name: &'static str, what: &'static str, policy: Policy) -> Variant {
    Variant {
        what,
        ..turnout(name, policy, Share::ByRequest)
    }
}

/// The variants of a build from a file, each with the names of the variants that are compared with it.
pub(crate) const OF_FILE: [(&str, [&str; 2]); 2] = [
    ("split-file", ["split", "split-lean"]),
    ("off-file", ["off", "off-lean"]),
];

/// Turnout in modes `split` and `off`, from this file.
pub(crate) fn of_file(path: &str) -> [Variant; 2] {
    // Leaked once, and used until the end.
    let code = Code::File(path.to_owned().leak());
    OF_FILE.map(|(name, [mode, _])| {
        let share = match mode {
            "split" => Share::ByRequest,
            _ => Share::V1,
        };
        let filter = Filter::Wasm(code, Some(Policy::of(mode)));
        filtered(name, "Turnout, of --wasm", filter, share)
    })
}

const fn filtered(name: &'static str, what: &'static str, filter: Filter, share: Share) -> Variant {
    Variant {
        name,
        what,
        routes: None,
        filter,
        share,
        is_logged: false,
        is_stripped: true,
        is_usual: true,
    }
}

const fn unusual(variant: Variant) -> Variant {
    Variant {
        is_usual: false,
        ..variant
    }
}

/// The variants that are measured by default.
pub(crate) fn usual() -> Vec<Variant> {
    ALL.into_iter().filter(|one| one.is_usual).collect()
}

/// The variant of this name.
pub(crate) fn find(name: &str) -> Result<Variant, String> {
    let found = ALL.into_iter().find(|one| one.name == name);
    found.ok_or_else(|| format!("there is no variant {name:?}"))
}

/// The variants of a comma-separated list of names.
pub(crate) fn named(names: &str) -> Result<Vec<Variant>, String> {
    names.split(',').map(find).collect()
}

impl Variant {
    /// The kind of its filter.
    pub(crate) fn kind(&self) -> Kind {
        match self.filter {
            Filter::None => Kind::Native,
            Filter::Lua => Kind::Script,
            Filter::Wasm(_, None) => Kind::Wasm,
            Filter::Wasm(_, Some(_)) => Kind::Turnout,
        }
    }

    /// The number of accounts of the segment for which the client sends requests.
    pub(crate) fn segment(&self) -> u32 {
        match self.filter {
            Filter::Wasm(_, Some(policy)) => policy.accounts.min(ACCOUNTS),
            _ => ACCOUNTS,
        }
    }

    /// The configuration of its Envoy. Writes the files that it needs into the folder.
    pub(crate) fn configuration(&self, folder: &Path) -> Result<String, String> {
        let mut text = file(TEMPLATE);
        if !self.is_logged {
            text = between(&text, ACCESS_LOG, "")?;
        }
        if !self.is_stripped {
            text = between(&text, STRIP, "")?;
            text = between(&text, STRIP_TRAILERS, "")?;
        }
        if let Some(routes) = self.routes {
            let end = if self.is_logged {
                ROUTES[1]
            } else {
                ACCESS_LOG[1]
            };
            text = between(&text, [ROUTES[0], end], routes)?;
        }
        match self.filter {
            Filter::None => between(&text, FILTER, ""),
            Filter::Lua => between(&text, FILTER, LUA),
            Filter::Wasm(code, policy) => {
                let configuration = match policy {
                    Some(policy) => policy.configuration("bench")?,
                    None => String::new(),
                };
                let path = code.path(folder)?;
                render(&text, &configuration, path.to_str())
                    .map_err(|error| format!("{}: {error}", self.name))
            }
        }
    }
}

impl Code {
    /// The path, after building it if necessary.
    fn path(self, folder: &Path) -> Result<PathBuf, String> {
        match self {
            Self::Turnout(build) => Ok(build.artifact()),
            Self::File(path) => {
                std::fs::canonicalize(path).map_err(|error| format!("cannot find {path}: {error}"))
            }
            Self::Sdk => Ok(sdk_nothing_wasm()),
            Self::Text { name, text } => {
                let code = wat::parse_str(text).map_err(|error| format!("{name}: {error}"))?;
                let path = folder.join(format!("{name}.wasm"));
                std::fs::write(&path, code).map_err(|error| format!("{name}: {error}"))?;
                Ok(path)
            }
        }
    }
}

/// Replaces the part of a text from one marker up to another. The first marker must occur exactly
/// once.
fn between(text: &str, [begin, end]: [&str; 2], new: &str) -> Result<String, String> {
    let wrong = || format!("{begin:?} up to {end:?} is not in {TEMPLATE} exactly once");
    let (before, rest) = text.split_once(begin).ok_or_else(wrong)?;
    let (_, after) = rest.split_once(end).ok_or_else(wrong)?;
    match text.matches(begin).count() {
        1 => Ok(format!("{before}{new}{end}{after}")),
        _ => Err(wrong()),
    }
}
