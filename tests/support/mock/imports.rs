//! The `proxy_*` functions that the guest imports, registered in wasmi's linker.

use super::guest::{Guest, Outcome, Status, Stop};
use super::state::{Context, Host, Level};
use super::{http_functions, shared_functions, wasi};
use std::time::Duration;
use wasmi::{Caller, Engine, Error, ExternType, Linker, Module, Val};

/// Registers host functions that return a status and are recorded by name.
macro_rules! proxy {
    ($linker:ident: $($name:ident($($argument:ident: $kind:ty),*))*) => {
        $($linker.func_wrap(
            "env",
            stringify!($name),
            |mut caller: Caller<'_, Host>, $($argument: $kind),*| -> Result<u32, Error> {
                caller.data_mut().record(stringify!($name));
                if let Some(status) = caller.data_mut().forced_status(stringify!($name)) {
                    return Ok(status);
                }
                $crate::mock::imports::status($name(&mut Guest::new(caller), $($argument),*))
            },
        ).expect("a linker that allows redefinition");)*
    };
}
pub(super) use proxy;

/// Everything that the module may import: the functions of Envoy, and a recorded stub for those that are not modelled.
pub(super) fn linker(engine: &Engine, module: &Module) -> Linker<Host> {
    let mut linker = Linker::new(engine);
    linker.allow_shadowing(true);
    for import in module.imports() {
        link_stub(&mut linker, import.module(), import.name(), import.ty());
    }
    proxy! { linker:
        proxy_log(level: u32, text: u32, size: u32)
        proxy_get_log_level(level_at: u32)
        proxy_get_current_time_nanoseconds(time_at: u32)
        proxy_set_tick_period_milliseconds(period: u32)
        proxy_get_buffer_bytes(kind: u32, start: u32, limit: u32, address_at: u32, size_at: u32)
        proxy_get_property(path: u32, path_size: u32, address_at: u32, size_at: u32)
        proxy_set_property(path: u32, path_size: u32, value: u32, value_size: u32)
        proxy_set_effective_context(context: u32)
        proxy_done()
    }
    http_functions::link(&mut linker);
    shared_functions::link(&mut linker);
    wasi::link(&mut linker);
    linker
}

pub(super) fn status(outcome: Outcome) -> Result<u32, Error> {
    match outcome {
        Ok(()) => Ok(Status::Ok as u32),
        Err(Stop::Status(status)) => Ok(status as u32),
        Err(Stop::Trap(error)) => Err(error),
    }
}

fn link_stub(linker: &mut Linker<Host>, module: &str, name: &str, kind: &ExternType) {
    let ExternType::Func(signature) = kind else {
        panic!("the module imports {module}.{name}, which is no function");
    };
    let is_proxy = module == "env" && name.starts_with("proxy_");
    let response = match module {
        _ if is_proxy => Status::Unimplemented as u32,
        "wasi_snapshot_preview1" => wasi::NOT_SUPPORTED,
        _ => panic!("the module imports {module}.{name}, which Envoy does not have"),
    };
    let recorded = name.to_owned();
    let stub = move |mut caller: Caller<'_, Host>, _: &[Val], results: &mut [Val]| {
        let host = caller.data_mut();
        host.unimplemented.insert(recorded.clone());
        let forced = is_proxy.then(|| host.forced_status(&recorded)).flatten();
        if let Some(result) = results.first_mut() {
            *result = Val::I32(forced.unwrap_or(response).cast_signed());
        }
        Ok(())
    };
    linker
        .func_new(module, name, signature.clone(), stub)
        .expect("a linker that allows redefinition");
}

fn proxy_log(guest: &mut Guest, level: u32, text: u32, size: u32) -> Outcome {
    let level = Level::from_abi(level).ok_or(Status::BadArgument)?;
    let line = guest.text(text, size)?;
    guest.host().log.push((level, line));
    Ok(())
}

fn proxy_get_log_level(guest: &mut Guest, level_at: u32) -> Outcome {
    let level = guest.host().log_level as u32;
    guest.write_u32(level_at, level)
}

fn proxy_get_current_time_nanoseconds(guest: &mut Guest, time_at: u32) -> Outcome {
    let now = guest.host().now_nanoseconds;
    guest.write_u64(time_at, now)
}

fn proxy_set_tick_period_milliseconds(guest: &mut Guest, period: u32) -> Outcome {
    let host = guest.host();
    let root = host.active_root();
    match period {
        0 => host.tick_periods.remove(&root),
        _ => host
            .tick_periods
            .insert(root, Duration::from_millis(period.into())),
    };
    Ok(())
}

fn proxy_get_buffer_bytes(
    guest: &mut Guest,
    kind: u32,
    start: u32,
    limit: u32,
    address_at: u32,
    size_at: u32,
) -> Outcome {
    let buffer = buffer(guest.host(), kind)?;
    let start = start as usize;
    if start > buffer.len() {
        return Err(Status::BadArgument.into());
    }
    let end = buffer.len().min(start.saturating_add(limit as usize));
    if start == end {
        // Envoy leaves the variables of the guest unchanged.
        return Ok(());
    }
    guest.hand_over(&buffer[start..end], address_at, size_at)
}

/// A missing buffer is an empty one, except for configurations and responses to calls.
fn buffer(host: &mut Host, kind: u32) -> Result<Vec<u8>, Stop> {
    let message_body = |body: &Option<Vec<u8>>| body.clone().unwrap_or_default();
    match kind {
        0 => Ok(host
            .active_stream()
            .map_or_else(Vec::new, |stream| message_body(&stream.request.body))),
        1 => Ok(host
            .active_stream()
            .map_or_else(Vec::new, |stream| message_body(&stream.response.body))),
        4 => match &host.response {
            Some(response) => Ok(response.body.clone()),
            None => Err(Status::NotFound.into()),
        },
        7 => match &host.configuration {
            Some(configuration) if host.active_root() == host.active() => Ok(configuration.clone()),
            _ => Err(Status::NotFound.into()),
        },
        2 | 3 | 5 | 6 | 8 => Ok(Vec::new()),
        _ => Err(Status::BadArgument.into()),
    }
}

/// Values that a filter of the stream set come after those of the host, as in Envoy. A path of several parts
/// never finds a value that a filter set.
fn proxy_get_property(
    guest: &mut Guest,
    path: u32,
    path_size: u32,
    address_at: u32,
    size_at: u32,
) -> Outcome {
    let path = guest.text(path, path_size)?;
    let host = guest.host();
    let value = match host.properties.get(&path) {
        Some(value) => value.clone(),
        None => host
            .active_stream()
            .filter(|_| !path.contains('\0'))
            .and_then(|stream| stream.properties.get(&path).cloned())
            .ok_or(Status::NotFound)?,
    };
    guest.hand_over(&value, address_at, size_at)
}

/// Properties are filter state, which only a stream has.
fn proxy_set_property(
    guest: &mut Guest,
    path: u32,
    path_size: u32,
    value: u32,
    value_size: u32,
) -> Outcome {
    let path = guest.text(path, path_size)?;
    let value = guest.read(value, value_size)?;
    let stream = guest.host().active_stream().ok_or(Status::NotFound)?;
    stream.properties.insert(path, value);
    Ok(())
}

fn proxy_set_effective_context(guest: &mut Guest, context: u32) -> Outcome {
    let host = guest.host();
    if !host.contexts.contains_key(&context) {
        return Err(Status::BadArgument.into());
    }
    host.effective = Some(context);
    Ok(())
}

fn proxy_done(guest: &mut Guest) -> Outcome {
    let host = guest.host();
    let active = host.active();
    match host.contexts.get(&active) {
        Some(Context::Root { asked_to_go: true }) => {
            host.finished_roots.push(active);
            Ok(())
        }
        _ => Err(Status::NotFound.into()),
    }
}
