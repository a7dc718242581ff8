//! Adapts a configuration of the folder `envoy/` to a test: other ports, and other changes that the test needs,
//! by exact replacements. A text that does not occur exactly once causes a panic, so the files and the tests
//! cannot diverge.

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
              # The access log reads these headers, so only this proxy's own rewrites may set them.
              - remove: x-envoy-original-path
              - remove: x-envoy-original-host
"#;
const NATIVE_STRIP_OF_TRAILERS: &str = r#"          # Removes such names from the trailers of a request too, which reach upstreams that speak HTTP/2.
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

/// The configuration that [`Envoy::start`](crate::envoy::Envoy::start) starts.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    text: String,
    pub(super) filter: Option<String>,
    pub(super) concurrency: u32,
    pub(super) version: String,
    pub(super) log_level: &'static str,
    pub(super) hot_restart: Option<HotRestart>,
}

/// The position of an Envoy in a sequence of hot restarts.
#[derive(Clone, Copy, Debug)]
pub(super) struct HotRestart {
    pub(super) base: u32,
    pub(super) epoch: u32,
}

impl Bootstrap {
    /// Takes the rendered text of one of the files. The listener and the admin endpoint get free ports, and the
    /// clusters get the addresses of the two upstreams.
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

    /// Like [`new`](Self::new), for `live-policy.yaml`. `filter` is the file that Envoy discovers;
    /// `Envoy::swap_filter` replaces it later.
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

    /// Discovers the filter of another Envoy of `live-policy.yaml`, in the folder that it watches.
    #[must_use]
    pub fn discover_in(self, watched: &Path) -> Self {
        self.replace(FILTER_FILE, &as_path(&watched.join("filter.json")))
            .replace(FILTER_FOLDER, &as_path(watched))
    }

    /// Replaces a text that must occur exactly once.
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

    /// Takes over from the Envoy with the same base id and the epoch before, or waits for a successor. Needs a
    /// fixed port.
    #[must_use]
    pub fn hot_restart(mut self, base: u32, epoch: u32) -> Self {
        self.hot_restart = Some(HotRestart { base, epoch });
        self
    }

    /// Adds a second listener, equal to the first, on another port.
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

    /// Sets another log level than `info`.
    #[must_use]
    pub fn log_level(mut self, level: &'static str) -> Self {
        self.log_level = level;
        self
    }

    /// Lets clients send their own `x-request-id`, so that a test knows the bucket of each request.
    #[must_use]
    pub fn keep_request_ids(self) -> Self {
        self.replace(
            "preserve_external_request_id: false",
            "preserve_external_request_id: true",
        )
    }

    /// Sets the region of the proxy's locality in `live-policy.yaml`; an empty name sets none.
    #[must_use]
    pub fn in_region(self, region: &str) -> Self {
        if region.is_empty() {
            return self;
        }
        let locality = format!("locality: {{ region: {region} }}");
        self.replace(NODE, &NODE.replace(" }", &format!(", {locality} }}")))
    }

    /// Sets the address of the control plane and the node id in `xds-policy.yaml`.
    #[must_use]
    pub fn controlled_by(self, control_plane: SocketAddr, node: &str) -> Self {
        self.replace(CONTROL_PLANE, &with_port(control_plane.port()))
            .replace(NODE, &NODE.replace("id: turnout", &format!("id: {node}")))
    }

    /// Leaves the removal of `x-turnout-*` headers and trailers to our filter alone. Tests of forgery need this, and
    /// so does a proxy that trusts the hop before it.
    #[must_use]
    pub fn without_native_strip(self) -> Self {
        self.replace(NATIVE_STRIP, "")
            .replace(NATIVE_STRIP_OF_TRAILERS, "")
            .allow_underscores()
    }

    /// Accepts header names with underscores, which the files for the edge reject.
    #[must_use]
    pub fn allow_underscores(self) -> Self {
        self.replace(
            "headers_with_underscores_action: REJECT_REQUEST",
            "headers_with_underscores_action: ALLOW",
        )
    }

    /// Inserts another HTTP filter before ours: an item of a YAML list, without indentation.
    #[must_use]
    pub fn filter_before(self, yaml: &str) -> Self {
        let filters = "          http_filters:\n";
        self.replace(filters, &format!("{filters}{}", indented(yaml)))
    }

    /// Adds these headers to the JSON access log, each as a field of its name.
    #[must_use]
    pub fn log_headers(self, names: &[&str]) -> Self {
        let field = |name: &&str| format!("                  {name}: \"%REQ({name})%\"\n");
        let fields: String = names.iter().map(field).collect();
        self.replace(LAST_LOGGED, &format!("{LAST_LOGGED}{fields}"))
    }

    /// Adds the filter's access-log entry to each response, in `x-turnout-logged`.
    #[must_use]
    pub fn expose_decision(self) -> Self {
        self.replace(ROUTES, &[ROUTES, LOGGED].concat())
    }

    /// Adds an access log on standard output: an item of a YAML list, without indentation.
    #[must_use]
    pub fn access_log(self, yaml: &str) -> Self {
        let logs = "          access_log:\n";
        self.replace(logs, &format!("{logs}{}", indented(yaml)))
    }

    /// Adds a cluster for another upstream or a collector.
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

    /// Uses HTTP/2 with prior knowledge for this cluster of the file.
    #[must_use]
    pub fn http2_to(self, cluster: &str) -> Self {
        let name = format!("  - name: {cluster}\n");
        self.replace(&name, &format!("{name}{HTTP2}"))
    }

    /// Sets the number of workers; the default is 2.
    #[must_use]
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// Writes the configuration, and the filter's file if there is one.
    pub(super) fn write(&self, folder: &Folder) -> PathBuf {
        let text = match &self.filter {
            None => self.text.clone(),
            Some(filter) => {
                // Envoy watches the folder, so the file has a folder of its own, as in production.
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

/// The path of the filter's file.
pub(super) fn watched(folder: &Folder) -> PathBuf {
    folder.path().join("turnout")
}

/// Replaces the filter's file by a rename.
pub(super) fn write_filter(folder: &Folder, filter: &str) -> PathBuf {
    let written = folder.replace_file("filter.json", filter);
    let file = watched(folder).join("filter.json");
    std::fs::rename(written, &file).expect("the filter's file in place");
    file
}

/// Looks no deeper than the lists of the connection manager.
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
