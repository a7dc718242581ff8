//! A small Prometheus: series in memory, and an HTTP server that evaluates the queries of the source.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

/// What the server has. Times are in milliseconds since 1970.
#[derive(Default)]
pub(super) struct Data {
    pub(super) now: i64,
    pub(super) series: Vec<Stored>,
    pub(super) warnings: Vec<String>,
    /// The largest number of samples in a result.
    pub(super) limit: Option<usize>,
    /// The queries so far.
    pub(super) queries: Vec<String>,
}

/// A series. Prometheus has marked its end if its target was removed.
pub(super) struct Stored {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) samples: Vec<(i64, String)>,
    pub(super) marked_at: Option<i64>,
}

/// A running server.
pub(super) struct FakeServer {
    address: SocketAddr,
    pub(super) data: Arc<Mutex<Data>>,
}

impl FakeServer {
    pub(super) fn start(data: Data) -> Self {
        let data = Arc::new(Mutex::new(data));
        let of_server = Arc::clone(&data);
        let address = serve(move |path, _| {
            let response = of_server.lock().unwrap().respond(path);
            let (status, body) = response;
            format!(
                "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\n{}",
                with_body(&body)
            )
        });
        Self { address, data }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Serves every request by this function, which gets the path and the headers. An empty response closes the connection.
pub(super) fn serve(respond: impl Fn(&str, &str) -> String + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            exchange(&stream, &respond);
        }
    });
    address
}

pub(super) fn with_body(body: &str) -> String {
    format!(
        "connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn exchange(stream: &TcpStream, respond: &impl Fn(&str, &str) -> String) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or_default() == 0 {
            return;
        }
    }
    let path = head.split(' ').nth(1).unwrap_or_default();
    let mut stream = stream;
    let _ = stream.write_all(respond(path, &head).as_bytes());
}

impl Data {
    fn respond(&mut self, path: &str) -> (u16, String) {
        let parameter = |name: &str| {
            let (_, parameters) = path.split_once('?').unwrap_or_default();
            let mut pairs = parameters
                .split('&')
                .filter_map(|pair| pair.split_once('='));
            let value = pairs.find_map(|(known, value)| (known == name).then_some(value))?;
            Some(
                percent_decode_str(value)
                    .decode_utf8()
                    .unwrap()
                    .into_owned(),
            )
        };
        let query = parameter("query").unwrap();
        self.queries.push(query.clone());
        let at = parameter("time").map_or(self.now, |time| {
            time.parse::<f64>()
                .map(|time| (time * 1_000.0).round() as i64)
                .unwrap()
        });
        if query == "time()" {
            let time = seconds(at);
            let data = json!({ "resultType": "scalar", "result": [time, time.to_string()] });
            return (
                200,
                json!({ "status": "success", "data": data }).to_string(),
            );
        }
        let (selector, length) = match query
            .strip_suffix("ms]")
            .and_then(|query| query.rsplit_once('['))
        {
            Some((selector, length)) => (selector, Some(length.parse::<i64>().unwrap())),
            None => (query.as_str(), None),
        };
        let selected = self
            .series
            .iter()
            .filter(|series| series.is_selected(selector));
        let results: Vec<Value> = selected
            .filter_map(|series| series.evaluate(at, length))
            .collect();
        let count = |result: &Value| result["values"].as_array().map_or(1, Vec::len);
        let samples: usize = results.iter().map(count).sum();
        if self.limit.is_some_and(|limit| samples > limit) {
            let error =
                "query processing would load too many samples into memory in query execution";
            let body = json!({ "status": "error", "errorType": "execution", "error": error });
            return (422, body.to_string());
        }
        let kind = if length.is_some() { "matrix" } else { "vector" };
        let data = json!({ "resultType": kind, "result": results });
        let body = json!({ "status": "success", "data": data, "warnings": self.warnings });
        (200, body.to_string())
    }
}

impl Stored {
    fn is_selected(&self, selector: &str) -> bool {
        let name = self.labels["__name__"].as_str();
        if let Some(matchers) = selector.strip_prefix("up{") {
            let instances = matchers.split_once("instance=~\"").map(|(_, rest)| {
                let (instances, _) = rest.split_once('"').unwrap();
                let instances = instances.replace('\\', "");
                instances
                    .split('|')
                    .map(str::to_owned)
                    .collect::<BTreeSet<_>>()
            });
            let is_meant = |all: BTreeSet<String>| all.contains(&self.labels["instance"]);
            return name == "up" && instances.is_none_or(is_meant);
        }
        let is_presence = !selector.contains("decisions");
        name != "up" && (!is_presence || name.contains("uptime") || name.contains("revision"))
    }

    fn evaluate(&self, at: i64, length: Option<i64>) -> Option<Value> {
        let from = at - length.unwrap_or(300_000);
        // Version 2 of Prometheus includes both ends.
        let mut samples = self
            .samples
            .iter()
            .filter(|(time, _)| (from..=at).contains(time));
        if length.is_some() {
            let values: Vec<_> = samples
                .map(|(time, value)| json!([seconds(*time), value]))
                .collect();
            return (!values.is_empty())
                .then(|| json!({ "metric": self.labels, "values": values }));
        }
        let (time, value) = samples.next_back()?;
        let is_marked = self
            .marked_at
            .is_some_and(|marked| marked <= at && *time < marked);
        (!is_marked).then(|| json!({ "metric": self.labels, "value": [seconds(at), value] }))
    }
}

fn seconds(time: i64) -> f64 {
    time as f64 / 1_000.0
}
