//! Hostile servers at an admin address. No command hangs, prints terminal control characters, follows a redirect,
//! or accepts the response as a confirmation; and the halt is written.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{filter, folder, is_printable, policy, run, stderr};

/// What the server writes to a connection after a request.
type Attack = fn(&mut TcpStream) -> std::io::Result<()>;

/// Serves this response to every request until the test ends.
fn server(attack: Attack) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            thread::spawn(move || {
                let mut question = [0; 4_096];
                if matches!(stream.read(&mut question), Ok(1..)) {
                    // The command may have ended.
                    let _ = attack(&mut stream);
                }
            });
        }
    });
    (address, asked)
}

/// Writes a part repeatedly until the connection closes.
fn without_end(stream: &mut TcpStream, part: &[u8], pause: Duration) -> std::io::Result<()> {
    loop {
        stream.write_all(part)?;
        thread::sleep(pause);
    }
}

const DRIP: Duration = Duration::from_millis(50);

const ATTACKS: &[(&str, Attack)] = &[
    ("a black hole", |stream| {
        stream.read_to_end(&mut Vec::new()).map(drop)
    }),
    ("nothing", |_| Ok(())),
    ("a reset", |stream| {
        // The connection closes with unread bytes.
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nab")
    }),
    ("headers without end", |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
        without_end(
            stream,
            b"x-a: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
            Duration::ZERO,
        )
    }),
    ("one header without end", |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nx-a: ")?;
        without_end(stream, &[b'a'; 4_096], Duration::ZERO)
    }),
    ("a status line without end", |stream| {
        stream.write_all(b"HTTP/1.1 200 ")?;
        without_end(stream, &[b'a'; 4_096], Duration::ZERO)
    }),
    ("headers byte by byte", |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nx-a: ")?;
        without_end(stream, b"a", DRIP)
    }),
    ("a body byte by byte", |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")?;
        without_end(stream, b"a", DRIP)
    }),
    ("a body without end", |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        without_end(stream, &[b'a'; 1 << 16], Duration::ZERO)
    }),
    ("chunks without end", |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
        without_end(stream, b"1\r\na\r\n", Duration::ZERO)
    }),
    ("promises without end", |stream| {
        without_end(stream, b"HTTP/1.1 100 Continue\r\n\r\n", Duration::ZERO)
    }),
    ("a length beyond all", |stream| {
        stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\nserver.live: 1\n",
        )
    }),
    ("a length below nothing", |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nserver.live: 1\n")
    }),
    ("two lengths", |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab")
    }),
    ("a bad chunk", |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nab\r\n")
    }),
    ("a chunk beyond all", |stream| {
        stream.write_all(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nab",
        )
    }),
    ("a redirect to itself", |stream| {
        stream.write_all(b"HTTP/1.1 302 Found\r\nlocation: /stats\r\ncontent-length: 0\r\n\r\n")
    }),
    ("a redirect to a file", |stream| {
        stream.write_all(
            b"HTTP/1.1 301 x\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\n\r\n",
        )
    }),
    ("an unauthorised", |stream| {
        stream.write_all(
            b"HTTP/1.1 401 \x1b[2J\r\nwww-authenticate: Basic\r\ncontent-length: 0\r\n\r\n",
        )
    }),
    ("escapes in the status line", |stream| {
        stream.write_all(b"HTTP/1.1 200 \x1b[2J\x07\r\ncontent-length: 5\r\n\r\n\x1b[2J\n")
    }),
    ("escapes instead of HTTP", |stream| {
        stream.write_all(b"\x1b]0;owned\x07\x1b[2J\r\n\r\n")
    }),
    ("escapes in counters", |stream| {
        stream.write_all(
            b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nserver.live: 1\nwasmcustom.turnout.revision: \x1b[2J\n\
              extension_config_discovery.http_filter.turnout.version_text: \"\x1b[2J\xc2\x9b\"\n\
              extension_config_discovery.http_filter.turnout.config_reload: 1\n",
        )
    }),
    ("numbers that are none", |stream| {
        stream.write_all(
            b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nserver.live: 1\n\
              wasmcustom.turnout.revision: 99999999999999999999999999\n\
              extension_config_discovery.http_filter.turnout.update_success: -1\n\
              extension_config_discovery.http_filter.turnout.update_attempt: NaN\n",
        )
    }),
    ("bytes that are no text", |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n\xff\xfe\x80\x00")
    }),
    ("a body that claims to be compressed", |stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc")
    }),
    ("HTTP/0.9", |stream| stream.write_all(b"server.live: 1\n")),
    ("HTTP/1.0", |stream| {
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nserver.live: 1\n")
    }),
    ("HTTP/2", |stream| {
        stream.write_all(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
    }),
    ("TLS", |stream| {
        stream.write_all(b"\x15\x03\x03\x00\x02\x02\x46")
    }),
    ("another protocol's switch", |stream| {
        stream.write_all(
            b"HTTP/1.1 101 x\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nserver.live: 1\n",
        )
    }),
    ("no content", |stream| {
        stream.write_all(b"HTTP/1.1 204 x\r\n\r\n")
    }),
    ("a status that is none", |stream| {
        stream.write_all(b"HTTP/1.1 999 x\r\ncontent-length: 0\r\n\r\n")
    }),
];

#[test]
fn a_halt_is_written_and_not_called_confirmed_whatever_the_response() {
    let folder = folder();
    let path = folder.path();
    for line in ["apply a.json --dir d --wasm f.wasm", "halt --dir d"] {
        assert_eq!(run(path, line).status.code(), Some(0), "{line}");
    }
    thread::scope(|scope| {
        for part in ATTACKS.chunks(ATTACKS.len().div_ceil(4)) {
            scope.spawn(move || {
                for (what, attack) in part {
                    let (address, asked) = server(*attack);
                    let line = format!("halt --dir d --admin {address} --timeout 0.3 --json");
                    let began = Instant::now();
                    let output = run(path, &line);
                    let took = began.elapsed();
                    assert_eq!(output.status.code(), Some(1), "{what}: {}", stderr(&output));
                    is_printable(&output);
                    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
                    assert_eq!(
                        json.get("confirmed"),
                        Some(&Value::Array(Vec::new())),
                        "{what}"
                    );
                    let state = json.pointer("/proxies/0/state").and_then(Value::as_str);
                    let states = ["unreachable", "not_envoy", "not_discovered", "unconfirmed"];
                    assert!(
                        states.contains(&state.unwrap_or_default()),
                        "{what}: {json}"
                    );
                    // A few pages, each with a timeout of two seconds.
                    assert!(took < Duration::from_secs(20), "{what}: {took:?}");
                    assert!((1..200).contains(&asked.load(Ordering::SeqCst)), "{what}");
                }
            });
        }
    });
    assert_eq!(filter(path).1, "a-halted");
}

#[test]
fn no_hostile_response_becomes_a_report_and_each_causes_a_warning() {
    let folder = folder();
    let path = folder.path();
    let guarded = policy("a").replace(
        r#""on""#,
        r#""split", "rules": [{"requests": 10}], "guard": {}"#,
    );
    std::fs::write(path.join("guarded.json"), guarded).expect("a policy");
    let plan = r#"{"version": 1, "policy": "guarded.json", "rollout": "r", "steps": [
        {"name": "one", "requests": 20, "bake": {"requests": 9000}}, {"name": "all", "requests": 100}]}"#;
    std::fs::write(path.join("plan.json"), plan).expect("a plan");
    run(path, "apply guarded.json --dir d --wasm f.wasm");
    for (what, attack) in ATTACKS {
        // Only a timeout that the test cannot set would end these.
        if what.contains("byte by byte")
            || what.contains("black hole")
            || what.contains("without end")
        {
            continue;
        }
        let (address, _) = server(*attack);
        let report = run(path, &format!("report --admin {address}"));
        assert_eq!(report.status.code(), Some(2), "{what}: {report:?}");
        is_printable(&report);
        // A page without stats may be of an Envoy without a filter, and has no policy to judge by.
        let judge = run(
            path,
            &format!("judge --admin {address} --policy guarded.json"),
        );
        assert_eq!(judge.status.code(), Some(3), "{what}: {judge:?}");
        is_printable(&judge);
        let line = format!("roll plan.json --dir d --admin {address} --once --from one");
        let roll = run(path, &line);
        assert_eq!(roll.status.code(), Some(3), "{what}: {roll:?}");
        is_printable(&roll);
        assert_eq!(filter(path).1, "a", "{what}");
        let lint = run(path, &format!("lint a.json --admin {address}"));
        is_printable(&lint);
        assert!(!stderr(&lint).ends_with(": clean\n"), "{what}: {lint:?}");
    }
}
