//! An Envoy with the probe.

use std::time::{Duration, Instant};

use support::envoy::{Bootstrap, Envoy};
use support::temp_folder::Folder;
use tokio::time::sleep;

use super::client::{Asked, Client, Protocol};
use super::upstreams::Upstreams;

const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);
/// The beginning of a line of the probe.
const LINE: &str = "stream end: ";
/// The filter of `routes.yaml`.
const PROBE: &str = r#"          - name: probe
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: probe
                vm_config:
                  runtime: envoy.wasm.runtime.v8
                  code:
                    local: { filename: "@PROBE@" }
"#;

pub(super) struct Testbed {
    envoy: Envoy,
    upstreams: Upstreams,
    _folder: Folder,
    ends: usize,
}

/// The properties of a stream that has ended; `None` for what Envoy does not have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Properties {
    /// Whether the filter saw the headers of the request.
    pub(super) is_seen: bool,
    pub(super) code: Option<u64>,
    pub(super) flags: Option<u64>,
    pub(super) details: Option<String>,
    pub(super) grpc_status: Option<u64>,
    pub(super) has_duration: bool,
    pub(super) has_upstream: bool,
    /// The status of gRPC in the headers or trailers.
    pub(super) seen_status: Option<u32>,
}

impl Testbed {
    pub(super) async fn start() -> Self {
        let folder = Folder::new();
        let wasm = wat::parse_str(include_str!("probe.wat")).expect("a module");
        let probe = folder.path().join("probe.wasm");
        std::fs::write(&probe, wasm).expect("its file");

        let upstreams = Upstreams::start().await;
        let filter = PROBE.replace("@PROBE@", probe.to_str().expect("a path in UTF-8"));
        let bootstrap = Bootstrap::new(upstreams.routes(&filter), &upstreams, &upstreams);
        Self {
            envoy: Envoy::start(upstreams.add_to(bootstrap)).await,
            upstreams,
            _folder: folder,
            ends: 0,
        }
    }

    /// Sends one request, and returns the properties of its stream after its end.
    pub(super) async fn end_of(
        &mut self,
        client: Client,
        protocol: Protocol,
        asked: &Asked,
    ) -> Properties {
        let before = self.upstreams.requests();
        let arrived = async {
            while self.upstreams.requests() == before {
                sleep(POLL).await;
            }
        };
        let run = client.run(self.envoy.address(), protocol, asked, arrived);
        let ended = async {
            let deadline = Instant::now() + PATIENCE;
            loop {
                let log = self.envoy.log();
                let lines: Vec<&str> = log.split(LINE).skip(1 + self.ends).collect();
                if let [line] = lines[..] {
                    let line = line.lines().next().unwrap_or_default();
                    return Properties::of(line);
                }
                assert!(lines.is_empty(), "{lines:?}");
                assert!(Instant::now() < deadline, "no end of {asked:?}:\n{log}");
                sleep(POLL).await;
            }
        };
        let properties = {
            tokio::pin!(run, ended);
            tokio::select! {
                () = &mut run => ended.await,
                properties = &mut ended => properties,
            }
        };
        self.ends += 1;
        properties
    }
}

impl Properties {
    fn of(line: &str) -> Self {
        let values: Vec<&str> = line.split(' ').collect();
        let [
            seen,
            code,
            flags,
            details,
            grpc_status,
            duration,
            upstream,
            status,
        ] = values[..]
        else {
            panic!("{line}")
        };
        let number = |hex: &str| {
            let bytes = bytes(hex)?;
            let bytes: [u8; 8] = bytes.try_into().expect("eight bytes");
            Some(u64::from_le_bytes(bytes))
        };
        let text = |hex| bytes(hex).map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
        Self {
            is_seen: seen == "+",
            code: number(code),
            flags: number(flags),
            details: text(details),
            grpc_status: number(grpc_status),
            has_duration: number(duration).is_some(),
            has_upstream: bytes(upstream).is_some(),
            seen_status: text(status).map(|status| status.parse().expect("a status")),
        }
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).expect("a digit") as u8;
    let pair = |pair: &[u8]| digit(pair[0]) << 4 | digit(pair[1]);
    (hex != "-").then(|| hex.as_bytes().chunks(2).map(pair).collect())
}
