//! A control plane for the tests: xDS over gRPC, with the server of quilkin-xds. The library implements the
//! protocol (streams, versions, nonces, subscriptions). This program only supplies the filter and reports the
//! responses of the proxies.
//!
//! `control-plane 127.0.0.1:18000` serves at that address. Each line of standard input is a filter in JSON,
//! `{"version", "wasm", "configuration"}`, which all proxies get from then on. The server stops at the end of
//! the input. Each line of standard output is an event, see [`Event`].

#![forbid(unsafe_code)]

mod filter;
mod observed;

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quilkin_xds::discovery::aggregated_discovery_service_server::AggregatedDiscoveryServiceServer;
use quilkin_xds::server::ControlPlane;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;

use filter::{Filter, Served, TYPE_URL};
use observed::Observed;

/// An event of the server or of a proxy.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
enum Event<'a> {
    /// The server accepts connections.
    Listening { address: SocketAddr },
    /// A proxy opened a stream.
    Connected { node: &'a str },
    /// A proxy accepted a version.
    Accepted { node: &'a str, version: &'a str },
    /// A proxy rejected a version, with the reason.
    Refused {
        node: &'a str,
        version: &'a str,
        reason: &'a str,
    },
    /// The stream of a proxy ended.
    Gone { node: &'a str },
}

impl Event<'_> {
    fn tell(&self) {
        let line = serde_json::to_string(self).expect("an event in JSON");
        // The reader may be gone. Then the input ends too.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let address = address.ok_or("where to listen? write control-plane 127.0.0.1:18000")?;
    let listener = TcpListener::bind(&address).await?;
    let address = listener.local_addr()?;

    // The library has metrics and needs a registry for them.
    quilkin_xds::metrics::set_registry(Box::leak(Box::default()));
    let served = Arc::new(Served::default());
    let (_ending, shutdown) = watch::channel(());
    let idle = Duration::from_secs(30);
    let control_plane = ControlPlane::from_arc(Arc::clone(&served), idle, shutdown);
    let service = AggregatedDiscoveryServiceServer::new(Observed::new(control_plane.clone()));
    let server = Server::builder()
        .add_service(service)
        .serve_with_incoming(TcpListenerStream::new(listener));

    Event::Listening { address }.tell();
    tokio::select! {
        ended = server => Ok(ended?),
        read = take_filters(&served, &control_plane) => read,
    }
}

async fn take_filters(
    served: &Served,
    control_plane: &ControlPlane<Served>,
) -> Result<(), Box<dyn Error>> {
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        served.serve(&serde_json::from_str::<Filter>(&line)?);
        control_plane.push_update(TYPE_URL);
    }
    Ok(())
}
