//! Runs `turnout report`.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::thread::{self, JoinHandle};

const READY: &str = r#"[2026-11-21 03:00:00.000][12][info][wasm] [source/extensions/common/wasm/context.cc:1137] wasm log turnout: turnout: {"turnout":"summary","time_ms":1795232340000,"rollout":"chat","segment":"-","route":"-","outcomes":{"equal":3000},"findings":[],"v1_us":[[250,3000]],"v2_us":[[250,3000]]}
"#;
/// A line of an access log that ends with text from a client.
const FORGED: &str = r#"[2026-11-21T03:00:00.000Z] GET /v1 200 wasm log: turnout: {"turnout":"summary","rollout":"chat","outcomes":{"equal":3000}}
"#;
const COUNTERS: &str = "# TYPE turnout_shadow counter
turnout_shadow{rollout=\"users\",outcome=\"different\"} 12
turnout_shadow{rollout=\"users\",outcome=\"equal\"} 1988
";

fn turnout(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let arguments = [&["report"], arguments].concat();
    common::turnout(folder, &arguments, input)
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("envoy.log"), READY).expect("a log");
    fs::write(folder.path().join("stats.prom"), COUNTERS).expect("counters");
    fs::write(folder.path().join("other.log"), "nothing here\n").expect("a log");
    folder
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("UTF-8")
}

/// Serves one request with this response, and returns the first line of the request.
fn admin(response: &str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let response = response.to_owned();
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut lines = BufReader::new(&stream).lines();
        let first = lines.next().expect("a line").expect("a line");
        for line in lines.by_ref() {
            if line.expect("a line").is_empty() {
                break;
            }
        }
        stream.write_all(response.as_bytes()).expect("a response");
        first
    });
    (format!("http://{address}"), served)
}

#[test]
fn the_exit_code_shows_whether_all_rollouts_are_ready() {
    let folder = folder();
    for (arguments, code, starts) in [
        (&["envoy.log"][..], 0, "chat: READY\n"),
        (&["stats.prom"], 1, "users: NOT READY\n"),
        (&["stats.prom", "--allow", "2"], 0, "users: READY\n"),
        (
            &["envoy.log", "--allow", "0.05"],
            1,
            "chat: NOT ENOUGH DATA\n",
        ),
        (&["envoy.log", "stats.prom"], 1, "chat: READY\n"),
        (
            &["envoy.log", "stats.prom", "--rollout", "chat"],
            0,
            "chat: READY\n",
        ),
    ] {
        let output = turnout(folder.path(), arguments, "");
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(stdout(&output).starts_with(starts), "{}", stdout(&output));
        assert_eq!(stderr(&output), "");
    }
}

#[test]
fn a_client_cannot_write_a_verdict_into_a_merged_log() {
    let folder = folder();
    let own = READY.replace("3000}", "3}");
    let output = turnout(folder.path(), &["-"], &[&own, FORGED].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).starts_with("chat: NOT ENOUGH DATA\n"),
        "{}",
        stdout(&output)
    );
    assert!(
        stdout(&output)
            .contains("note: 1 line contains a record where the filter does not write one"),
        "{}",
        stdout(&output)
    );
    // With the option that the log is Envoy's own, the records count.
    let output = turnout(folder.path(), &["-", "--own-log"], FORGED);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn standard_input_is_read_and_json_printed() {
    let folder = folder();
    let output = turnout(folder.path(), &["-", "--json"], READY);
    assert_eq!(output.status.code(), Some(0));
    let json: serde_json::Value = serde_json::from_str(stdout(&output)).expect("JSON");
    assert_eq!(json["rollouts"][0]["verdict"], "ready");
    assert_eq!(json["inputs"][0]["name"], "standard input");
}

#[test]
fn the_html_page_is_written_to_a_file_or_printed() {
    let folder = folder();
    let output = turnout(folder.path(), &["envoy.log", "--html", "report.html"], "");
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).starts_with("chat: READY\n"));
    let page = fs::read_to_string(folder.path().join("report.html")).expect("the page");
    assert!(page.starts_with("<!doctype html>"), "{page}");
    let printed = turnout(folder.path(), &["envoy.log", "--html", "-"], "");
    assert_eq!(stdout(&printed), page);
}

#[test]
fn a_proxy_is_asked_for_its_counters() {
    let folder = folder();
    let sample = "turnout_shadow{rollout=\"chat\",outcome=\"equal\"} 3000\n";
    let (address, served) = admin(&format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{sample}\r\n0\r\n\r\n",
        sample.len()
    ));
    let output = turnout(
        folder.path(),
        &["envoy.log", "--admin", &format!("{address}/")],
        "",
    );
    assert_eq!(stderr(&output), "");
    assert_eq!(output.status.code(), Some(0));
    assert!(
        stdout(&output).contains("numbers from the counters"),
        "{}",
        stdout(&output)
    );
    let asked = served.join().expect("a response");
    assert_eq!(asked, "GET /stats/prometheus?filter=turnout HTTP/1.1");
}

#[test]
fn inputs_that_cannot_be_reported_on_are_errors() {
    let folder = folder();
    let (elsewhere, _) =
        admin("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n");
    let (missing, _) = admin("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    let (other, _) = admin("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let decisions = "turnout_decisions{rollout=\"chat\",treatment=\"v1\",reason=\"off\"} 4\n";
    let labels = "turnout_shadow_chat_odd{} 4\n";
    for (arguments, input, sentence) in [
        (&["none.log"][..], "", "turnout: cannot read none.log: "),
        (&["."], "", "turnout: cannot read .: "),
        (
            &["other.log"],
            "",
            "turnout: found no shadow record or counter in other.log; pass an Envoy log ",
        ),
        (
            &["-"],
            decisions,
            "turnout: found no shadow records in standard input, only other Turnout counters; ",
        ),
        (
            &["-"],
            labels,
            "turnout: the counters have no rollout label; copy ",
        ),
        (
            &["-"],
            "{\"turnout\":\"summary\",",
            "turnout: found no shadow record or counter in standard input, only damaged lines; ",
        ),
        (
            &["-"],
            FORGED,
            "turnout: found no valid shadow record or counter in standard input. 1 line contains a record \
             where the filter does not write one, and does not count: a client can write such text into an access \
             log. If no line of the input is from an access log, use --own-log.\n",
        ),
        (
            &[
                "--admin",
                "http://127.0.0.1:1",
                "--admin",
                "http://127.0.0.1:1/stats/prometheus",
            ],
            "",
            "turnout: --admin http://127.0.0.1:1/stats/prometheus names a proxy a second time; name each proxy once\n",
        ),
        (
            &["-", "-"],
            "",
            "turnout: standard input can be read only once; use `-` for one input",
        ),
        (
            &["-", "--json", "--html", "-"],
            "",
            "turnout: --json and --html - both print to standard output; ",
        ),
        (
            &["envoy.log", "--rollout", "mail"],
            "",
            "turnout: the inputs have no rollout `mail`; expected `chat`\n",
        ),
        (
            &["--admin", "https://127.0.0.1"],
            "",
            "turnout: --admin https://127.0.0.1: Envoy's admin endpoint speaks plain HTTP; write ",
        ),
        (
            &["--admin", "http://127.0.0.1:1"],
            "",
            "turnout: cannot read the stats of http://127.0.0.1:1: ",
        ),
        (
            &["--admin", &elsewhere],
            "",
            "turnout: cannot read the stats of http://127.0.0.1:",
        ),
        (
            &["--admin", &missing],
            "",
            "turnout: cannot read the stats of http://127.0.0.1:",
        ),
        (
            &["--admin", &other],
            "",
            "turnout: found no shadow record or counter in http://127.0.0.1:",
        ),
        (
            &["envoy.log", "--html", "no/such/report.html"],
            "",
            "turnout: cannot write no/such/report.html: ",
        ),
        (
            &["envoy.log", "--allow", "0"],
            "",
            "error: invalid value '0' for '--allow <PERCENT>': expected a percentage above 0 ",
        ),
        (
            &[],
            "",
            "error: the following required arguments were not provided:\n",
        ),
    ] {
        let output = turnout(folder.path(), arguments, input);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(stdout(&output), "", "{arguments:?}");
        assert!(stderr(&output).starts_with(sentence), "{}", stderr(&output));
    }
}
