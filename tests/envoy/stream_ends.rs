//! How a request ended, as a filter sees it when the stream is deleted, for every end that a real Envoy can be brought to.
//! `stream_ends/ends.txt` has what Envoy reports and what core makes of it. `stream_ends/counts.rs` and
//! `tests/core/guard/stream_end.rs` read it too.
//!
//! Clients speak HTTP/1.1 and HTTP/2. HTTP/3 was tried by hand, with an Envoy as the client: the ends are the same, except
//! for a client that resets the stream before the response (no code, no flags and no details), or within it (200 and
//! `via_upstream`, like a whole response).
//!
//! `UPDATE_EXPECT=1 cargo test -p turnout-tests --test envoy stream_ends` rewrites the file. Then read the difference.

mod client;
mod counts;
mod ends;
mod testbed;
pub(crate) mod upstreams;

use std::fmt::Write;

use client::Protocol;
use ends::{End, ends};
use expect_test::expect_file;
use support::envoy::VERSION;
use testbed::{Properties, Testbed};
use turnout_core::guard::{EndProperty, GrpcStatus, StreamEnd};

/// Envoy's names of the bits of the response flags, from the lowest.
const FLAGS: [&str; 30] = [
    "LH", "UH", "UT", "LR", "UR", "UF", "UC", "UO", "NR", "DI", "FI", "RL", "UAEX", "RLSE", "DC",
    "URX", "SI", "IH", "DPE", "UMSDR", "RFCF", "NFCF", "DT", "UPE", "NC", "OM", "DF", "DO", "DR",
    "UDO",
];

/// The ends for which an older Envoy reports other flags: the event, its flags, and those of [`VERSION`].
const OLDER_FLAGS: [(&str, &str, &str); 2] = [
    ("client violates the protocol", "DR", "DPE"),
    (
        "client violates the protocol within the response",
        "DR",
        "DPE",
    ),
];

/// What is the same over several protocols has one row.
struct Row {
    event: &'static str,
    protocols: String,
    cells: [String; 5],
}

#[tokio::test]
async fn a_filter_sees_how_each_stream_ended() {
    // Each has an Envoy, because the probe can only have one stream at a time.
    let (http1, http2) = tokio::join!(rows(Protocol::Http1), rows(Protocol::Http2));
    let mut rows = Vec::new();
    for ((event, cells), (_, other)) in http1.into_iter().zip(http2) {
        let mut add = |protocols: &str, cells| {
            let protocols = protocols.to_owned();
            rows.push(Row {
                event,
                protocols,
                cells,
            });
        };
        if cells == other {
            add("1.1, 2", cells);
        } else {
            add("1.1", cells);
            add("2", other);
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/envoy/stream_ends/ends.txt");
    expect_file![path].assert_eq(&table(&rows));
}

/// The cells of each event.
async fn rows(protocol: Protocol) -> Vec<(&'static str, [String; 5])> {
    let mut testbed = Testbed::start().await;
    let is_older = std::env::var("ENVOY_VERSION").is_ok_and(|version| version != VERSION);
    let mut rows = Vec::new();
    for end in ends() {
        let properties = testbed.end_of(end.client, protocol, &end.asked).await;
        assert!(properties.has_duration, "{}", end.event);
        let mut cells = cells(&end, &properties);
        for (event, older, newer) in OLDER_FLAGS {
            if is_older && event == end.event && cells[1] == older {
                cells[1] = newer.to_owned();
            }
        }
        rows.push((end.event, cells));
    }
    rows
}

/// The code, the flags, the details, the status of gRPC, and the result.
fn cells(end: &End, properties: &Properties) -> [String; 5] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let grpc = end.asked.is_grpc().then_some(match properties.seen_status {
        Some(status) => GrpcStatus::Code(status),
        None => GrpcStatus::Missing,
    });
    let stream = StreamEnd {
        details: properties.details.as_deref().map(str::as_bytes),
        grpc,
    };
    let read = |property| match property {
        EndProperty::Code => properties.code,
        EndProperty::Flags => properties.flags,
    };
    let result = match properties.is_seen {
        true => format!("{:?}", stream.response(read)),
        false => "not seen".to_owned(),
    };
    [
        or_dash(properties.code.map(|code| code.to_string())),
        flags(properties.flags.unwrap_or_default()),
        or_dash(properties.details.clone()),
        or_dash(grpc.map(|status| match status {
            GrpcStatus::Code(status) => status.to_string(),
            GrpcStatus::Missing => "missing".to_owned(),
        })),
        result,
    ]
}

fn flags(bits: u64) -> String {
    let is_set = |(bit, _): &(usize, &&str)| bits >> bit & 1 == 1;
    let names: Vec<&str> = FLAGS
        .iter()
        .enumerate()
        .filter(is_set)
        .map(|(_, name)| *name)
        .collect();
    if names.is_empty() {
        return "-".to_owned();
    }
    names.join(" ")
}

fn table(rows: &[Row]) -> String {
    let title = [
        "event", "HTTP", "code", "flags", "details", "grpc", "result",
    ]
    .map(str::to_owned);
    let lines = rows.iter().map(|row| {
        let [code, flags, details, grpc, result] = row.cells.clone();
        [
            row.event.to_owned(),
            row.protocols.clone(),
            code,
            flags,
            details,
            grpc,
            result,
        ]
    });
    let lines: Vec<[String; 7]> = [title].into_iter().chain(lines).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().enumerate();
        let cells = cells.map(|(column, cell)| format!("{cell:0$}", width(column).unwrap_or(0)));
        let cells: Vec<String> = cells.collect();
        let _ = writeln!(text, "{}", cells.join(" | ").trim_end());
    }
    text
}

/// A guard needs the details and sometimes the code. These properties do not help it.
#[tokio::test]
async fn neither_the_grpc_status_nor_the_upstream_address_shows_the_end() {
    let mut testbed = Testbed::start().await;
    let mut of = async |event: &str| {
        let end = ends()
            .into_iter()
            .find(|end| end.event == event)
            .expect("an event");
        testbed
            .end_of(end.client, Protocol::Http2, &end.asked)
            .await
    };
    // The property is that of the HTTP code, because the trailers are gone.
    for event in [
        "gRPC: OK",
        "gRPC: UNAVAILABLE",
        "gRPC: UNAVAILABLE without a body",
    ] {
        assert_eq!(of(event).await.grpc_status, Some(2), "{event}");
    }
    assert!(of("upstream refuses the connection").await.has_upstream);
    assert!(!of("no host").await.has_upstream);
    assert!(!of("rbac denies").await.has_upstream);
}
