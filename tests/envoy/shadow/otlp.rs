//! The exports to the collector: valid OTLP messages, with the lines of the log.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use support::scripted_upstream::Collector;
use support::temp_folder::Folder;

use super::personal_data::{self, KINDS};
use super::records_testbed::{RecordsTestbed, of_kind, shadow, until};

const MESSAGES: &str = "opentelemetry-proto==1.45.2";
const PROTOBUF: &str = "protobuf==7.36.2";

pub(super) fn policy(changes: &Value) -> Value {
    let mut policy = shadow(changes);
    policy["collector"] = json!("otel-collector");
    policy
}

#[tokio::test]
async fn exports_are_otlp_with_the_lines_of_the_log() {
    let collector = Collector::start();
    let policy = policy(&json!({
        "routes": ["/v1/Channels/json/*/*", "/v1/Channels/*/*/*"],
        // The policy's names appear in the lines, whatever they are.
        "compare": {
            "headers": ["content-type", "x-user"],
            "ignore": ["/number", "/\"\\é\u{1}\u{2028}\u{1F600}"],
        },
    }));
    let testbed = RecordsTestbed::of(
        &policy,
        |request| personal_data::respond(request, "v1"),
        |request| personal_data::respond(request, "v2"),
        |bootstrap| {
            bootstrap
                .cluster("otel-collector", &collector)
                .concurrency(2)
        },
    )
    .await;
    let requests = KINDS.map(|kind| personal_data::request("GET", kind));
    testbed.send([&requests[..], &requests[..]].concat()).await;
    let sent = 2 * KINDS.len() as u64;
    testbed.settled(sent).await;
    testbed.summarised(sent).await;
    until("all lines are exported", async || {
        testbed.stat("records.exported").await == testbed.stat("records.logged").await
    })
    .await;

    let mut lines = testbed.lines().await;
    let mut texts = collector.texts();
    lines.sort();
    texts.sort();
    assert_eq!(texts, lines);
    assert_eq!(testbed.stat("records.lost").await, 0);
    assert_eq!(testbed.stat("records.logged").await, lines.len() as u64);
    for export in collector.received() {
        assert_eq!((&*export.method, &*export.path), ("POST", "/v1/logs"));
        assert_eq!(export.header("content-type"), Some("application/json"));
        assert_eq!(export.header("host"), Some("otel-collector"));
    }

    let records = collector.records();
    let counted = |kind: &str| (kind.to_owned(), of_kind(&records, kind).len() as u64);
    let mut expected = BTreeMap::from(["difference", "summary", "options"].map(counted));
    assert!(expected.values().all(|count| *count > 0), "{expected:?}");
    expected.insert("exports".to_owned(), collector.requests());
    assert_eq!(read_officially(&collector), expected);
}

/// The numbers that `check_otlp.py` prints.
fn read_officially(collector: &Collector) -> BTreeMap<String, u64> {
    let folder = Folder::new();
    let files: Vec<PathBuf> = collector
        .received()
        .iter()
        .enumerate()
        .map(|(number, export)| {
            let file = folder.path().join(format!("{number}.json"));
            fs::write(&file, &export.body).expect("a file in a folder of our own");
            file
        })
        .collect();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/tools/check_otlp.py");
    let printed = run(Command::new(python()).arg(script).args(files));
    serde_json::from_str(&printed).expect("counts in JSON")
}

/// A Python with the OTLP messages, in a folder below `target`.
fn python() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let ready = target.join(MESSAGES).join("bin/python");
    if !ready.is_file() {
        // Other processes may do the same at this time. The first one wins.
        let own = target.join(format!("{MESSAGES}-{}", std::process::id()));
        run(Command::new("python3").args(["-m", "venv"]).arg(&own));
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ];
        run(Command::new(own.join("bin/python"))
            .args(pip)
            .args([MESSAGES, PROTOBUF]));
        let placed = fs::rename(&own, target.join(MESSAGES));
        let _ = fs::remove_dir_all(&own);
        assert!(ready.is_file(), "{}: {placed:?}", ready.display());
    }
    ready
}

/// Its output. A missing Python, package or network is a failure.
fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (printed, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}:\n{printed}{errors}");
    printed
}
