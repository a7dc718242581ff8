//! A control plane for the tests: xDS over gRPC, by the server of quilkin-xds. That keeps the protocol
//! (streams, versions, nonces, subscriptions); here is only what it serves, the filter, and what the
//! proxies say of it.
//!
//! `control-plane 127.0.0.1:18000` serves there. A line of standard input is a filter in JSON,
//! `{"version", "wasm", "configuration"}`, which all proxies get from then on; where the input ends, so
//! does the server. Each line of standard output is an event, see [`Event`].

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

/// What becomes known of the server and its proxies.
#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
enum Event<'a> {
    /// Proxies can connect.
    Listening { address: SocketAddr },
    /// A proxy has a stream.
    Connected { node: &'a str },
    /// It has taken a version.
    Accepted { node: &'a str, version: &'a str },
    /// It has refused one, and why.
    Refused {
        node: &'a str,
        version: &'a str,
        reason: &'a str,
    },
    /// Its stream has ended.
    Gone { node: &'a str },
}

impl Event<'_> {
    fn tell(&self) {
        let line = serde_json::to_string(self).expect("an event in JSON");
        // Nobody may be listening any more, and then the input ends too.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let address = address.ok_or("where to listen? write control-plane 127.0.0.1:18000")?;
    let listener = TcpListener::bind(&address).await?;
    let address = listener.local_addr()?;

    // The library counts, and asks where.
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
