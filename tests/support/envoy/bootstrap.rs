//! A configuration of the folder `envoy/`, made ready for a test: other ports, and whatever else
//! the test asks for, by exact replacements. A text that is not there exactly once is a panic, so
//! that the files which people copy and the tests cannot drift apart unseen.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::envoy::VERSION;
use crate::temp_folder::Folder;

const LISTENER: &str = "socket_address: { address: 127.0.0.1, port_value: 10000 }";
const ADMIN: &str = "socket_address: { address: 127.0.0.1, port_value: 9901 }";
const UPSTREAM_V1: &str = "socket_address: { address: 127.0.0.1, port_value: 8001 }";
const UPSTREAM_V2: &str = "socket_address: { address: 127.0.0.1, port_value: 8002 }";
const CONTROL_PLANE: &str = "socket_address: { address: 127.0.0.1, port_value: 18000 }";
const FILTER_FILE: &str = "path: /etc/envoy/turnout/filter.json\n";
const FILTER_FOLDER: &str = "path: /etc/envoy/turnout\n";
const NODE: &str = "node: { id: turnout, cluster: turnout }";
const CLUSTERS: &str = "  clusters:\n";
const LAST_LOGGED: &str = "                  duration_ms: \"%DURATION%\"\n";
const ROUTES: &str = "          route_config:\n            name: http\n";
const LOGGED: &str = r#"            response_headers_to_add:
            - header: { key: x-turnout-logged, value: "%FILTER_STATE(wasm.turnout:PLAIN)%" }
"#;
const HTTP2: &str = r#"    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }
"#;
const NATIVE_STRIP: &str = r#"          early_header_mutation_extensions:
          - name: strip-turnout-headers
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation
              mutations:
              - remove_on_match: { key_matcher: { prefix: x-turnout- } }
              # Some upstreams read an underscore as a hyphen.
              - remove_on_match: { key_matcher: { prefix: x-turnout_ } }
              - remove_on_match: { key_matcher: { prefix: x_turnout- } }
              - remove_on_match: { key_matcher: { prefix: x_turnout_ } }
              # Only this proxy's own rewrites set these, which the access log reads.
              - remove: x-envoy-original-path
              - remove: x-envoy-original-host
"#;
const NATIVE_STRIP_OF_TRAILERS: &str = r#"          # Also in the trailers of a request, which reach upstreams that speak HTTP/2.
          - name: strip-turnout-trailers
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
              mutations:
                request_trailers_mutations:
                - remove_on_match: { key_matcher: { prefix: x-turnout- } }
                - remove_on_match: { key_matcher: { prefix: x-turnout_ } }
                - remove_on_match: { key_matcher: { prefix: x_turnout- } }
                - remove_on_match: { key_matcher: { prefix: x_turnout_ } }
"#;

/// The header of [`Bootstrap::tell_decision`].
pub const LOGGED_HEADER: &str = "x-turnout-logged";

/// What [`Envoy::start`](crate::envoy::Envoy::start) starts.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    text: String,
    pub(super) filter: Option<String>,
    pub(super) concurrency: u32,
    pub(super) version: String,
    pub(super) log_level: &'static str,
    pub(super) hot_restart: Option<HotRestart>,
}

/// The place of an Envoy among those that take each other's place.
#[derive(Clone, Copy, Debug)]
pub(super) struct HotRestart {
    pub(super) base: u32,
    pub(super) epoch: u32,
}

impl Bootstrap {
    /// Takes the rendered text of one of the files. Listener and admin page get free ports, the
    /// clusters go to the two upstreams.
    #[must_use]
    pub fn new(
        text: impl Into<String>,
        v1: impl Into<SocketAddr>,
        v2: impl Into<SocketAddr>,
    ) -> Self {
        let bootstrap = Self {
            text: text.into(),
            filter: None,
            concurrency: 2,
            log_level: "info",
            hot_restart: None,
            version: std::env::var("ENVOY_VERSION").unwrap_or_else(|_| VERSION.to_owned()),
        };
        bootstrap
            .replace(LISTENER, &with_port(0))
            .replace(ADMIN, &with_port(0))
            .replace(UPSTREAM_V1, &with_port(v1.into().port()))
            .replace(UPSTREAM_V2, &with_port(v2.into().port()))
    }

    /// As [`new`](Self::new), for `live-policy.yaml`: `filter` is what it discovers, which
    /// `Envoy::swap_filter` replaces later.
    #[must_use]
    pub fn live(
        text: impl Into<String>,
        filter: impl Into<String>,
        v1: impl Into<SocketAddr>,
        v2: impl Into<SocketAddr>,
    ) -> Self {
        let mut bootstrap = Self::new(text, v1, v2);
        bootstrap.filter = Some(filter.into());
        bootstrap
    }

    /// Replaces a text that has to be there exactly once.
    #[must_use]
    pub fn replace(mut self, old: &str, new: &str) -> Self {
        self.text = replace_once(&self.text, old, new);
        self
    }

    /// Listens on this port instead of a free one, so that it is known before Envoy starts.
    #[must_use]
    pub fn listen_on(self, port: u16) -> Self {
        let listener = |port| format!("      {}\n    filter_chains:\n", with_port(port));
        self.replace(&listener(0), &listener(port))
    }

    /// Takes over from the Envoy of the same base and the epoch before, or waits for a successor. Where it
    /// listens has to be said.
    #[must_use]
    pub fn hot_restart(mut self, base: u32, epoch: u32) -> Self {
        self.hot_restart = Some(HotRestart { base, epoch });
        self
    }

    /// Adds a listener that is as the first one, on a port of its own.
    #[must_use]
    pub fn second_listener(mut self) -> Self {
        let (before, rest) = self
            .text
            .split_once("  - name: http\n")
            .expect("a listener");
        let (listener, behind) = rest.split_once("\n  clusters:\n").expect("clusters");
        self.text = format!(
            "{before}  - name: http\n{listener}\n  - name: http-2\n{listener}\n  clusters:\n{behind}"
        );
        self
    }

    /// Runs Envoy at another level than `info`.
    #[must_use]
    pub fn log_level(mut self, level: &'static str) -> Self {
        self.log_level = level;
        self
    }

    /// Lets clients bring their own `x-request-id`, so that a test knows how each request draws.
    #[must_use]
    pub fn keep_request_ids(self) -> Self {
        self.replace(
            "preserve_external_request_id: false",
            "preserve_external_request_id: true",
        )
    }

    /// Of `live-policy.yaml`: the region of the proxy's locality; none where its name is empty.
    #[must_use]
    pub fn in_region(self, region: &str) -> Self {
        if region.is_empty() {
            return self;
        }
        let locality = format!("locality: {{ region: {region} }}");
        self.replace(NODE, &NODE.replace(" }", &format!(", {locality} }}")))
    }

    /// Of `xds-policy.yaml`: where the control plane is, and as whom the proxy asks it.
    #[must_use]
    pub fn controlled_by(self, control_plane: SocketAddr, node: &str) -> Self {
        self.replace(CONTROL_PLANE, &with_port(control_plane.port()))
            .replace(NODE, &NODE.replace("id: turnout", &format!("id: {node}")))
    }

    /// Leaves the stripping of `x-turnout-*` headers and trailers to our filter alone: what a forgery has
    /// to be tested against, and how a proxy is set up that trusts the hop before it.
    #[must_use]
    pub fn without_native_strip(self) -> Self {
        self.replace(NATIVE_STRIP, "")
            .replace(NATIVE_STRIP_OF_TRAILERS, "")
            .allow_underscores()
    }

    /// Takes requests with underscores in the names of headers, which the files for the edge refuse.
    #[must_use]
    pub fn allow_underscores(self) -> Self {
        self.replace(
            "headers_with_underscores_action: REJECT_REQUEST",
            "headers_with_underscores_action: ALLOW",
        )
    }

    /// Puts another HTTP filter, an item of a YAML list written from column 0, before ours.
    #[must_use]
    pub fn filter_before(self, yaml: &str) -> Self {
        let filters = "          http_filters:\n";
        self.replace(filters, &format!("{filters}{}", indented(yaml)))
    }

    /// Has the JSON access log say these headers too, each in a field of its name.
    #[must_use]
    pub fn log_headers(self, names: &[&str]) -> Self {
        let field = |name: &&str| format!("                  {name}: \"%REQ({name})%\"\n");
        let fields: String = names.iter().map(field).collect();
        self.replace(LAST_LOGGED, &format!("{LAST_LOGGED}{fields}"))
    }

    /// Has each answer say, in `x-turnout-logged`, what the access log is told.
    #[must_use]
    pub fn tell_decision(self) -> Self {
        self.replace(ROUTES, &[ROUTES, LOGGED].concat())
    }

    /// Writes one more access log to standard output, an item of a YAML list written from column 0.
    #[must_use]
    pub fn access_log(self, yaml: &str) -> Self {
        let logs = "          access_log:\n";
        self.replace(logs, &format!("{logs}{}", indented(yaml)))
    }

    /// Adds a cluster: of one more upstream, or of a collector.
    #[must_use]
    pub fn cluster(self, name: &str, upstream: impl Into<SocketAddr>) -> Self {
        let address = with_port(upstream.into().port());
        let cluster = format!(
            "  - name: {name}
    type: STATIC
    connect_timeout: 1s
    load_assignment:
      cluster_name: {name}
      endpoints:
      - lb_endpoints:
        - endpoint:
            address:
              {address}
"
        );
        self.replace(CLUSTERS, &format!("{CLUSTERS}{cluster}"))
    }

    /// Speaks HTTP/2, with prior knowledge, to this cluster of the file.
    #[must_use]
    pub fn http2_to(self, cluster: &str) -> Self {
        let name = format!("  - name: {cluster}\n");
        self.replace(&name, &format!("{name}{HTTP2}"))
    }

    /// How many workers Envoy has; 2 unless said.
    #[must_use]
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// Writes the configuration, and the filter's file beside it where there is one.
    pub(super) fn write(&self, folder: &Folder) -> PathBuf {
        let text = match &self.filter {
            None => self.text.clone(),
            Some(filter) => {
                // In a folder of its own, as people have it: Envoy watches the folder.
                let watched = watched(folder);
                std::fs::create_dir(&watched).expect("a folder for the filter's file");
                let file = write_filter(folder, filter);
                let text = replace_once(&self.text, FILTER_FILE, &as_path(&file));
                replace_once(&text, FILTER_FOLDER, &as_path(&watched))
            }
        };
        folder.replace_file("bootstrap.yaml", &text)
    }
}

/// Where the filter's file is.
pub(super) fn watched(folder: &Folder) -> PathBuf {
    folder.path().join("turnout")
}

/// Puts the filter's file in place by rename.
pub(super) fn write_filter(folder: &Folder, filter: &str) -> PathBuf {
    let written = folder.replace_file("filter.json", filter);
    let file = watched(folder).join("filter.json");
    std::fs::rename(written, &file).expect("the filter's file in place");
    file
}

/// As far as the lists of the connection manager.
fn indented(yaml: &str) -> String {
    let lines = yaml.lines();
    lines.map(|line| format!("          {line}\n")).collect()
}

fn with_port(port: u16) -> String {
    format!("socket_address: {{ address: 127.0.0.1, port_value: {port} }}")
}

fn as_path(path: &Path) -> String {
    format!("path: {}\n", path.display())
}

fn replace_once(text: &str, old: &str, new: &str) -> String {
    let found = text.matches(old).count();
    assert!(
        found == 1,
        "{old:?} has to be in the configuration exactly once, and is {found} times:\n{text}"
    );
    text.replacen(old, new, 1)
}
