//! Host functions for HTTP: headers, the stream, and calls of the filter.

use super::guest::{Guest, Outcome, Status, Stop};
use super::headers::HeaderMap;
use super::imports::proxy;
use super::state::{Host, HttpCall, LocalResponse, Message};
use std::time::Duration;
use wasmi::{Caller, Error, Linker};

const REQUEST_HEADERS: u32 = 0;
const REQUEST_TRAILERS: u32 = 1;
const RESPONSE_HEADERS: u32 = 2;
const RESPONSE_TRAILERS: u32 = 3;
const CALL_RESPONSE_HEADERS: u32 = 6;
const CALL_RESPONSE_TRAILERS: u32 = 7;

/// The lowest two bits of a token are the kind of call; HTTP is 0.
const TOKEN_STEP: u32 = 4;

pub(super) fn link(linker: &mut Linker<Host>) {
    proxy! { linker:
        proxy_get_header_map_pairs(map: u32, address_at: u32, size_at: u32)
        proxy_set_header_map_pairs(map: u32, pairs: u32, pairs_size: u32)
        proxy_get_header_map_value(
            map: u32, name: u32, name_size: u32, address_at: u32, size_at: u32
        )
        proxy_replace_header_map_value(
            map: u32, name: u32, name_size: u32, value: u32, value_size: u32
        )
        proxy_add_header_map_value(map: u32, name: u32, name_size: u32, value: u32, value_size: u32)
        proxy_remove_header_map_value(map: u32, name: u32, name_size: u32)
        proxy_send_local_response(
            status: u32, details: u32, details_size: u32, body: u32, body_size: u32,
            headers: u32, headers_size: u32, grpc_status: i32
        )
        proxy_continue_stream(kind: u32)
        proxy_close_stream(kind: u32)
        proxy_http_call(
            cluster: u32, cluster_size: u32, headers: u32, headers_size: u32, body: u32,
            body_size: u32, trailers: u32, trailers_size: u32, timeout: u32, token_at: u32
        )
    }
}

/// Reading the pairs of a missing map returns none; reading a value is an error.
fn proxy_get_header_map_pairs(
    guest: &mut Guest,
    map: u32,
    address_at: u32,
    size_at: u32,
) -> Outcome {
    let pairs = match map_to_read(guest.host(), map)? {
        Some(headers) => headers.serialize(),
        None => Vec::new(),
    };
    guest.hand_over(&pairs, address_at, size_at)
}

fn proxy_get_header_map_value(
    guest: &mut Guest,
    map: u32,
    name: u32,
    name_size: u32,
    address_at: u32,
    size_at: u32,
) -> Outcome {
    let name = guest.read(name, name_size)?;
    let host = guest.host();
    let logging = host.active_stream().is_some_and(|stream| stream.logging);
    let value = match map_to_read(host, map)? {
        Some(headers) => headers.get(&name).ok_or(Status::NotFound)?.to_vec(),
        None if logging => return Err(Status::NotFound.into()),
        None => return Err(Status::BadArgument.into()),
    };
    guest.hand_over(&value, address_at, size_at)
}

fn proxy_set_header_map_pairs(guest: &mut Guest, map: u32, pairs: u32, pairs_size: u32) -> Outcome {
    let pairs = read_pairs(guest, pairs, pairs_size)?;
    change(guest.host(), map, |headers| *headers = pairs)
}

fn proxy_replace_header_map_value(
    guest: &mut Guest,
    map: u32,
    name: u32,
    name_size: u32,
    value: u32,
    value_size: u32,
) -> Outcome {
    let name = guest.read(name, name_size)?;
    let value = guest.read(value, value_size)?;
    change(guest.host(), map, |headers| headers.replace(&name, &value))
}

fn proxy_add_header_map_value(
    guest: &mut Guest,
    map: u32,
    name: u32,
    name_size: u32,
    value: u32,
    value_size: u32,
) -> Outcome {
    let name = guest.read(name, name_size)?;
    let value = guest.read(value, value_size)?;
    change(guest.host(), map, |headers| headers.add(&name, &value))
}

fn proxy_remove_header_map_value(
    guest: &mut Guest,
    map: u32,
    name: u32,
    name_size: u32,
) -> Outcome {
    let name = guest.read(name, name_size)?;
    change(guest.host(), map, |headers| headers.remove(&name))
}

/// `None` if there is such a map, but not at this time.
fn map_to_read(host: &mut Host, map: u32) -> Result<Option<&HeaderMap>, Stop> {
    match map {
        REQUEST_HEADERS | RESPONSE_HEADERS => Ok(host.active_stream().and_then(|stream| {
            let readable_in_log = stream.logging;
            let message = match map {
                REQUEST_HEADERS => &stream.request,
                _ => &stream.response,
            };
            let there = message.lent || readable_in_log && !message.headers.entries().is_empty();
            there.then_some(&message.headers)
        })),
        REQUEST_TRAILERS | RESPONSE_TRAILERS => Ok(host.active_stream().and_then(|stream| {
            let Message {
                trailers,
                trailers_lent,
                ..
            } = match map {
                REQUEST_TRAILERS => &stream.request,
                _ => &stream.response,
            };
            trailers_lent.then_some(trailers)
        })),
        CALL_RESPONSE_HEADERS => Ok(host.response.as_ref().map(|response| &response.headers)),
        CALL_RESPONSE_TRAILERS => Ok(host.response.as_ref().map(|response| &response.trailers)),
        4..=5 => Ok(None),
        _ => Err(Status::BadArgument.into()),
    }
}

/// The filter can change only what is lent to the running stream.
fn change(host: &mut Host, map: u32, how: impl FnOnce(&mut HeaderMap)) -> Outcome {
    let stream = host.active_stream().ok_or(Status::BadArgument)?;
    let message = match map {
        REQUEST_HEADERS | REQUEST_TRAILERS => &mut stream.request,
        RESPONSE_HEADERS | RESPONSE_TRAILERS => &mut stream.response,
        _ => return Err(Status::BadArgument.into()),
    };
    let (lent, headers) = match map {
        REQUEST_TRAILERS | RESPONSE_TRAILERS => (message.trailers_lent, &mut message.trailers),
        _ => (message.lent, &mut message.headers),
    };
    if !lent {
        return Err(Status::BadArgument.into());
    }
    how(headers);
    if map == REQUEST_HEADERS {
        stream.header_changes += 1;
    }
    Ok(())
}

/// Malformed pairs count as no pairs, as in Envoy.
fn read_pairs(guest: &Guest, pairs: u32, size: u32) -> Result<HeaderMap, Stop> {
    let bytes = guest.read(pairs, size)?;
    Ok(HeaderMap::deserialize(&bytes).unwrap_or_default())
}

#[expect(clippy::too_many_arguments, reason = "the ABI's signature")]
fn proxy_send_local_response(
    guest: &mut Guest,
    status: u32,
    _details: u32,
    _details_size: u32,
    body: u32,
    body_size: u32,
    headers: u32,
    headers_size: u32,
    _grpc_status: i32,
) -> Outcome {
    let response = LocalResponse {
        status,
        headers: read_pairs(guest, headers, headers_size)?,
        body: guest.read(body, body_size)?,
    };
    // A root context has no request to respond to. This is not an error.
    if let Some(stream) = guest.host().active_stream() {
        stream.local_response.get_or_insert(response);
    }
    Ok(())
}

fn proxy_continue_stream(guest: &mut Guest, kind: u32) -> Outcome {
    match kind {
        0 | 1 => {
            if let Some(stream) = guest.host().active_stream() {
                stream.resumed = true;
                take_back(&mut stream.request);
            }
            Ok(())
        }
        2 => Ok(()),
        3 => Err(Status::Unimplemented.into()),
        _ => Err(Status::BadArgument.into()),
    }
}

fn take_back(message: &mut Message) {
    message.lent = false;
    message.body = None;
}

fn proxy_close_stream(guest: &mut Guest, kind: u32) -> Outcome {
    match kind {
        0 | 1 => {
            if let Some(stream) = guest.host().active_stream() {
                stream.reset = true;
            }
            Ok(())
        }
        2 | 3 => Ok(()),
        _ => Err(Status::BadArgument.into()),
    }
}

/// The call belongs to the root context, whichever context starts it.
#[expect(clippy::too_many_arguments, reason = "the ABI's signature")]
fn proxy_http_call(
    guest: &mut Guest,
    cluster: u32,
    cluster_size: u32,
    headers: u32,
    headers_size: u32,
    body: u32,
    body_size: u32,
    trailers: u32,
    trailers_size: u32,
    timeout: u32,
    token_at: u32,
) -> Outcome {
    let cluster = guest.text(cluster, cluster_size)?;
    let mut headers = read_pairs(guest, headers, headers_size)?;
    let body = guest.read(body, body_size)?;
    let trailers = read_pairs(guest, trailers, trailers_size)?;
    guest.write_u32(token_at, 0)?;
    let required = [":path", ":method", ":authority"];
    let complete = required.iter().all(|name| headers.get(name).is_some());
    let host = guest.host();
    if !complete || timeout.cast_signed() < 0 || host.absent_clusters.contains(&cluster) {
        return Err(Status::BadArgument.into());
    }
    if !body.is_empty() {
        headers.replace("content-length", body.len().to_string().as_bytes());
    }
    host.last_call += TOKEN_STEP;
    let token = host.last_call;
    let root = host.active_root();
    host.calls.push(HttpCall {
        token,
        cluster,
        headers,
        body,
        trailers,
        timeout: (timeout > 0).then(|| Duration::from_millis(timeout.into())),
        root,
    });
    guest.write_u32(token_at, token)
}
