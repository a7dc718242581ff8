//! The speed and the memory of `turnout simulate`, compared with `jq`, which reads one field.
//!
//! `make bench-simulate` runs the release binary in `TURNOUT` with one thread, over logs in Turnout's own JSON
//! format that it generates. No number makes it fail.
#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot go on has failed"
)]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "a benchmark counts and divides small things"
)]

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const POLICY: &str = include_str!("../../envoy/policy.json");
const ACCOUNTS: u64 = 100_000;

fn account(number: u64) -> String {
    let high = xxhash_rust::xxh3::xxh3_64(&number.to_le_bytes());
    let low = xxhash_rust::xxh3::xxh3_64_with_seed(&number.to_le_bytes(), 1);
    format!("AC{high:016x}{low:016x}")
}

/// In the format of `envoy/cluster-header.yaml`, where Envoy sorts the fields.
fn write_log(path: &Path, lines: u64) -> io::Result<()> {
    let mut log = BufWriter::new(File::create(path)?);
    for n in 0..lines {
        let (hour, minute, second, ms) = (
            n / 3_600_000 % 24,
            n / 60_000 % 60,
            n / 1_000 % 60,
            n % 1_000,
        );
        let method = if n % 3 == 0 { "POST" } else { "GET" };
        let treatment = if n % 20 == 0 { "v2" } else { "v1" };
        writeln!(
            log,
            "{{\"account\":\"{}\",\"authority\":\"flex.example.com\",\"duration_ms\":{},\"method\":\"{method}\",\
             \"path\":\"/v1/Channels/CH{:08x}/Messages\",\"reason\":\"outside_requests\",\
             \"request_id\":\"{:08x}-0000-4000-8000-{n:012x}\",\"response_code\":200,\"response_flags\":\"-\",\
             \"rollout\":\"chat-users-dynamodb\",\
             \"start_time\":\"2026-11-21T{hour:02}:{minute:02}:{second:02}.{ms:03}Z\",\
             \"treatment\":\"{treatment}\",\"upstream_cluster\":\"channels-v1\"}}",
            account(n * 7_919 % ACCOUNTS),
            n % 90,
            n % 5_000,
            n.wrapping_mul(2_654_435_761) & 0xffff_ffff,
        )?;
    }
    log.flush()
}

struct Run {
    seconds: f64,
    /// In KiB, from `/proc`, read every few milliseconds.
    memory: u64,
}

fn run(command: &mut Command) -> io::Result<Run> {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut output = child.stdout.take().expect("its output");
    // A process whose output nobody reads would block.
    let reader = thread::spawn(move || io::copy(&mut output, &mut io::sink()));
    let mut memory = 0;
    let exit = loop {
        if let Some(exit) = child.try_wait()? {
            break exit;
        }
        memory = memory.max(peak(&status));
        thread::sleep(Duration::from_millis(5));
    };
    let seconds = start.elapsed().as_secs_f64();
    let _ = reader.join();
    if !exit.success() {
        return Err(io::Error::other(format!("it ended with {exit}")));
    }
    Ok(Run { seconds, memory })
}

fn peak(status: &Path) -> u64 {
    let mut text = String::new();
    let read = File::open(status).and_then(|mut file| file.read_to_string(&mut text));
    let line = text.lines().find(|line| line.starts_with("VmHWM:"));
    let digits = line
        .filter(|_| read.is_ok())
        .and_then(|line| line.split_whitespace().nth(1));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn main() {
    let Some(turnout) = std::env::var_os("TURNOUT") else {
        println!("simulate: skipped, because TURNOUT names no binary; run `make bench-simulate`");
        return;
    };
    let folder = std::env::temp_dir().join(format!("turnout-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let measured = measure(Path::new(&turnout), &folder);
    fs::remove_dir_all(&folder).expect("the folder is removed");
    measured.expect("it is measured");
}

fn measure(turnout: &Path, folder: &Path) -> io::Result<()> {
    let (policy, log) = (folder.join("policy.json"), folder.join("envoy.log"));
    fs::write(&policy, POLICY)?;
    for lines in [1_000_000_u64, 2_000_000, 10_000_000] {
        write_log(&log, lines)?;
        let bytes = fs::metadata(&log)?.len();
        let mut simulate = Command::new(turnout);
        simulate
            .arg("simulate")
            .arg(&policy)
            .arg("--log")
            .arg(&log)
            .args(["--threads", "1"]);
        let ours = run(&mut simulate)?;
        let rate = lines as f64 / ours.seconds;
        println!(
            "{lines:>10} lines of {} bytes: {:.2} s, {:.2} million lines a second on one core, {} KiB at most",
            bytes / lines,
            ours.seconds,
            rate / 1e6,
            ours.memory
        );
        if lines != 2_000_000 {
            continue;
        }
        match run(Command::new("jq").args(["-c", ".account"]).arg(&log)) {
            Ok(jq) => println!(
                "           jq -c .account: {:.2} s; simulate is {:.1} times as fast",
                jq.seconds,
                jq.seconds / ours.seconds
            ),
            Err(error) => println!("           jq -c .account: not measured ({error})"),
        }
    }
    Ok(())
}
