//! The part of WASI that Envoy provides to filters: no files, no arguments, no environment.

use super::guest::{Guest, Outcome, Status, Stop};
use super::state::{Host, Level};
use wasmi::{Caller, Error, Linker};

const MODULE: &str = "wasi_snapshot_preview1";

const BAD_DESCRIPTOR: u32 = 8;
const BAD_ADDRESS: u32 = 21;
pub(super) const NOT_SUPPORTED: u32 = 52;

/// Registers host functions that return an errno and are recorded by name.
macro_rules! wasi {
    ($linker:ident: $($name:ident($($argument:ident: $kind:ty),*))*) => {
        $($linker.func_wrap(
            MODULE,
            stringify!($name),
            |mut caller: Caller<'_, Host>, $($argument: $kind),*| -> Result<u32, Error> {
                caller.data_mut().record(stringify!($name));
                errno($name(&mut Guest::new(caller), $($argument),*))
            },
        ).expect("a linker that allows redefinition");)*
    };
}

pub(super) fn link(linker: &mut Linker<Host>) {
    wasi! { linker:
        args_get(arguments: u32, buffer: u32)
        args_sizes_get(count_at: u32, size_at: u32)
        clock_time_get(clock: u32, precision: u64, time_at: u32)
        environ_get(variables: u32, buffer: u32)
        environ_sizes_get(count_at: u32, size_at: u32)
        fd_write(descriptor: u32, slices: u32, count: u32, written_at: u32)
        random_get(buffer: u32, size: u32)
        sched_yield()
    }
    linker
        .func_wrap(MODULE, "proc_exit", proc_exit)
        .expect("a linker that allows redefinition");
}

fn errno(outcome: Result<u32, Stop>) -> Result<u32, Error> {
    match outcome {
        Ok(errno) => Ok(errno),
        Err(Stop::Status(_)) => Ok(BAD_ADDRESS),
        Err(Stop::Trap(error)) => Err(error),
    }
}

fn args_get(_: &mut Guest, _arguments: u32, _buffer: u32) -> Result<u32, Stop> {
    Ok(0)
}

fn args_sizes_get(guest: &mut Guest, count_at: u32, size_at: u32) -> Result<u32, Stop> {
    write_no_strings(guest, count_at, size_at)?;
    Ok(0)
}

fn environ_get(_: &mut Guest, _variables: u32, _buffer: u32) -> Result<u32, Stop> {
    Ok(0)
}

fn environ_sizes_get(guest: &mut Guest, count_at: u32, size_at: u32) -> Result<u32, Stop> {
    write_no_strings(guest, count_at, size_at)?;
    Ok(0)
}

fn write_no_strings(guest: &mut Guest, count_at: u32, size_at: u32) -> Outcome {
    guest.write_u32(count_at, 0)?;
    guest.write_u32(size_at, 0)
}

/// The clock of the test, for every kind of clock.
fn clock_time_get(guest: &mut Guest, _: u32, _: u64, time_at: u32) -> Result<u32, Stop> {
    let now = guest.host().now_nanoseconds;
    guest.write_u64(time_at, now)?;
    Ok(0)
}

/// Standard output and error become log lines.
fn fd_write(
    guest: &mut Guest,
    descriptor: u32,
    slices: u32,
    count: u32,
    written_at: u32,
) -> Result<u32, Stop> {
    let level = match descriptor {
        1 => Level::Info,
        2 => Level::Error,
        _ => return Ok(BAD_DESCRIPTOR),
    };
    let mut text = Vec::new();
    for index in 0..count {
        let slice = slices
            .checked_add(index * 8)
            .ok_or(Status::InvalidMemoryAccess)?;
        let address = guest.read_u32(slice)?;
        let size = guest.read_u32(slice + 4)?;
        text.extend(guest.read(address, size)?);
    }
    let written = u32::try_from(text.len()).unwrap_or(u32::MAX);
    if !text.is_empty() {
        let line = String::from_utf8_lossy(&text).trim_end().to_owned();
        guest.host().log.push((level, line));
    }
    guest.write_u32(written_at, written)?;
    Ok(0)
}

fn random_get(guest: &mut Guest, buffer: u32, size: u32) -> Result<u32, Stop> {
    let mut bytes = vec![0; size as usize];
    for part in bytes.chunks_mut(8) {
        let random = guest.host().next_random().to_le_bytes();
        part.copy_from_slice(&random[..part.len()]);
    }
    guest.write(buffer, &bytes)?;
    Ok(0)
}

fn sched_yield(_: &mut Guest) -> Result<u32, Stop> {
    Ok(0)
}

fn proc_exit(_: Caller<'_, Host>, code: u32) -> Result<(), Error> {
    Err(Error::new(format!("the guest called proc_exit({code})")))
}
