//! What the kernel says about a process and about the machine.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

/// What a clock tick of /proc is on Linux, whatever the kernel's own is.
const TICK: Duration = Duration::from_millis(10);

/// The CPU time of a process so far, all its threads.
pub fn cpu(process: u32) -> Result<Duration, String> {
    let threads = format!("/proc/{process}/task");
    let error = |error| format!("cannot read {threads}: {error}");
    let mut sum = 0;
    for thread in fs::read_dir(&threads).map_err(error)? {
        let file = thread.map_err(error)?.path().join("schedstat");
        let text = fs::read_to_string(&file).map_err(error)?;
        let time = text.split(' ').next().and_then(|time| time.parse().ok());
        sum += time.unwrap_or(0_u64);
    }
    match sum {
        0 => Err(format!("{threads} says nothing about CPU time")),
        sum => Ok(Duration::from_nanos(sum)),
    }
}

/// The CPU time of this process and of its children that have ended. In clock ticks, so it is coarse.
pub fn own_cpu() -> Result<Duration, String> {
    let text = fs::read_to_string("/proc/self/stat").map_err(|error| error.to_string())?;
    // The name of the program, in parentheses, may hold anything.
    let (_, fields) = text.rsplit_once(") ").ok_or("no /proc/self/stat")?;
    Ok(ticks(fields.split(' ').skip(11).take(4)))
}

/// The CPU time of all processes, and what the machine below took.
pub fn busy() -> Result<Duration, String> {
    let text = fs::read_to_string("/proc/stat").map_err(|error| error.to_string())?;
    let mut fields = text.split_ascii_whitespace().skip(1);
    let running = ticks(fields.by_ref().take(3));
    // Between them idle, iowait, irq and softirq.
    Ok(running + ticks(fields.skip(4).take(1)))
}

fn ticks<'text>(fields: impl Iterator<Item = &'text str>) -> Duration {
    let ticks: u64 = fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    TICK * u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// All of the machine's, whether this process may use them or not.
#[must_use]
pub fn cores() -> usize {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let cores = text.lines().filter(|line| line.starts_with("cpu")).count();
    // The first line is the sum of the others.
    cores.saturating_sub(1).max(1)
}

/// The memory of a process that is in RAM, in KiB.
pub fn memory_kib(process: u32) -> Result<u64, String> {
    let file = format!("/proc/{process}/status");
    let text = fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
    value(&text, "VmRSS:")
        .and_then(|value| value.trim_end_matches(" kB").parse().ok())
        .ok_or_else(|| format!("no VmRSS in {file}"))
}

/// The machine and the version of its Envoy, for a file of all numbers.
#[must_use]
pub fn describe(envoy: &str) -> Value {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    json!({
        "cores": cores(),
        "cpu": value(&cpus, "model name").unwrap_or("unknown"),
        "kernel": kernel.trim(),
        "envoy": envoy,
    })
}

/// What stands on the first line that begins with a name.
fn value<'text>(text: &'text str, name: &str) -> Option<&'text str> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_start_matches([':', ' ', '\t']).trim())
}
