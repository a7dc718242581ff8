//! CPU time and memory of processes and of the machine, from the kernel.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The length of a tick in /proc on Linux, whatever the kernel's own tick is.
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
        0 => Err(format!("{threads} has no CPU time")),
        sum => Ok(Duration::from_nanos(sum)),
    }
}

/// The CPU time of this process and of its ended children, in ticks.
fn own_cpu() -> Result<Duration, String> {
    let text = fs::read_to_string("/proc/self/stat").map_err(|error| error.to_string())?;
    // The name of the program, in parentheses, may hold anything.
    let (_, fields) = text.rsplit_once(") ").ok_or("no /proc/self/stat")?;
    Ok(ticks(fields.split(' ').skip(11).take(4)))
}

/// The CPU time of all processes, including what the hypervisor took.
fn busy() -> Result<Duration, String> {
    let text = fs::read_to_string("/proc/stat").map_err(|error| error.to_string())?;
    let mut fields = text.split_ascii_whitespace().skip(1);
    let running = ticks(fields.by_ref().take(3));
    // Between them idle, iowait, irq and softirq.
    Ok(running + ticks(fields.skip(4).take(1)))
}

/// Measures which share of the machine processes outside of the bench take.
pub struct Observer {
    processes: Vec<u32>,
    started: Instant,
    busy: Duration,
    own: Duration,
}

impl Observer {
    /// Starts measuring. These processes, this one and its children belong to the bench.
    pub fn start(processes: &[u32]) -> Result<Self, String> {
        Ok(Self {
            processes: processes.to_vec(),
            started: Instant::now(),
            busy: busy()?,
            own: own(processes)?,
        })
    }

    /// The share of all cores that other processes have taken since the start, from 0 to 1.
    pub fn others(&self) -> Result<f64, String> {
        let busy = busy()?.saturating_sub(self.busy);
        let own = own(&self.processes)?.saturating_sub(self.own);
        Ok(self.share(busy.saturating_sub(own)))
    }

    /// This CPU time as a share of all cores since the start.
    #[must_use]
    pub fn share(&self, time: Duration) -> f64 {
        time.as_secs_f64() / (self.started.elapsed().as_secs_f64() * cores() as f64)
    }
}

fn own(processes: &[u32]) -> Result<Duration, String> {
    let processes = processes.iter().copied().map(cpu);
    Ok(processes.sum::<Result<Duration, String>>()? + own_cpu()?)
}

fn ticks<'text>(fields: impl Iterator<Item = &'text str>) -> Duration {
    let ticks: u64 = fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    TICK * u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// The cores of the machine, including those that this process may not use.
#[must_use]
pub fn cores() -> usize {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let cores = text.lines().filter(|line| line.starts_with("cpu")).count();
    // The first line is the sum of the others.
    cores.saturating_sub(1).max(1)
}

/// The resident memory of a process, in KiB.
pub fn memory_kib(process: u32) -> Result<u64, String> {
    let file = format!("/proc/{process}/status");
    let text = fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
    value(&text, "VmRSS:")
        .and_then(|value| value.trim_end_matches(" kB").parse().ok())
        .ok_or_else(|| format!("no VmRSS in {file}"))
}

/// The machine and the version of Envoy, for a file of all numbers.
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

/// The value on the first line that begins with a name.
fn value<'text>(text: &'text str, name: &str) -> Option<&'text str> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_start_matches([':', ' ', '\t']).trim())
}
