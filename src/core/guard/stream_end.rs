//! Finds out how a request ended, from what a proxy knows when its stream ends.
//!
//! Envoy names the cause of each end in the property `response.code_details`, and only a few causes need the code too.
//! Response flags are not needed, and would not be enough: Envoy sets none for the maximum duration of a stream, nor
//! when another filter responds instead of upstream. They are read only if there are no details. Details that are not
//! known here, such as those of another filter or of a later Envoy, mean that the request counts in neither arm.
//!
//! Nothing that a client does to the proxy is an error. What it does to an upstream can be: an upstream that responds 500,
//! or that closes the connection because it waits for a body or for a reader, looks the same whatever the cause. A client
//! that cannot choose its arm causes this equally in both arms.
//!
//! `tests/envoy/stream_ends/ends.txt` has the ends that real Envoys report, each with its result.

use super::compared_request::Response;

/// The status that a gRPC client gets instead of 504.
const UNAVAILABLE: u32 = 14;

/// What a proxy knows about a stream that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamEnd<'d> {
    /// The property `response.code_details`; `None` if it is absent.
    pub details: Option<&'d [u8]>,
    /// The status of the response if the request is of gRPC, else `None`.
    pub grpc: Option<GrpcStatus>,
}

/// The status of a gRPC response.
///
/// A proxy reads it from headers and trailers, because the property `response.grpc_status` has another value when the
/// stream ends. A proxy that cannot read trailers does not know the status, and may not compare requests of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrpcStatus {
    /// `grpc-status` in the headers or the trailers.
    Code(u32),
    /// Neither the headers nor the trailers had a valid status. A gRPC client takes a whole response without a status as
    /// an error.
    Missing,
}

/// A property of a stream with a number, which is read only if it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndProperty {
    /// `response.code`, which is absent if no response had begun.
    Code,
    /// `response.flags`, which is never absent.
    Flags,
}

/// The cause of an end, by its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// Upstream sent a whole response.
    Upstream,
    /// Upstream failed before its response, or there is no upstream.
    NoResponse,
    /// Upstream failed within its response.
    BrokenOff,
    /// A timeout, before or within the response.
    Timeout,
    /// The client left, did not send the whole request in time, or violated the protocol.
    Client,
    /// Anything else, such as a filter that responded instead of upstream.
    Proxy,
}

impl StreamEnd<'_> {
    /// Classifies the end. `read` reads a property, and returns `None` if it is absent or if the host refused it. It is
    /// called at most once.
    ///
    /// What is not known is never an error. If the host refuses all properties, the request counts in neither arm, so
    /// that a guard that cannot see its requests has no counts, instead of counts without errors.
    pub fn response(self, read: impl FnOnce(EndProperty) -> Option<u64>) -> Response {
        let Some(details) = self.details else {
            // Over HTTP/3, Envoy has no details if the client leaves before the response.
            return match read(EndProperty::Flags) {
                Some(_) => Response::ClientLeft,
                None => Response::NotForwarded,
            };
        };
        match Cause::of(details) {
            Cause::Upstream => self.of_whole_response(read(EndProperty::Code)),
            Cause::NoResponse => Response::Error,
            Cause::BrokenOff => match read(EndProperty::Code) {
                // A connection that was upgraded ends when one side closes it.
                Some(101) => Response::Success,
                Some(_) => Response::Error,
                None => Response::NotForwarded,
            },
            Cause::Timeout => self.after_timeout(read(EndProperty::Code)),
            Cause::Client => Response::ClientLeft,
            Cause::Proxy => Response::NotForwarded,
        }
    }

    const fn of_whole_response(self, code: Option<u64>) -> Response {
        match (code, self.grpc) {
            (None, _) => Response::NotForwarded,
            (Some(500..=599), _) | (Some(200), Some(GrpcStatus::Missing)) => Response::Error,
            (Some(200), Some(GrpcStatus::Code(status))) if is_grpc_error(status) => Response::Error,
            (Some(_), _) => Response::Success,
        }
    }

    /// A request that had arrived as a whole gets 504, and one that its client held back gets 408. A request of gRPC
    /// gets the code 200 instead, with the status UNAVAILABLE or another one; after the maximum duration of a stream it
    /// gets DEADLINE_EXCEEDED in both cases. Any other code is that of a response that had begun. Then the client may
    /// have stopped reading. What a client can cause is not an error.
    const fn after_timeout(self, code: Option<u64>) -> Response {
        match (code, self.grpc) {
            (Some(500..=599), _) | (Some(200), Some(GrpcStatus::Code(UNAVAILABLE))) => {
                Response::Error
            }
            _ => Response::ClientLeft,
        }
    }
}

/// UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE and DATA_LOSS.
const fn is_grpc_error(status: u32) -> bool {
    matches!(status, 2 | 4 | 12 | 13 | 14 | 15)
}

impl Cause {
    fn of(details: &[u8]) -> Self {
        // First, because almost all requests end in this way.
        if details == b"via_upstream" {
            return Self::Upstream;
        }
        // Such as `upstream_reset_before_response_started{connection_termination}`.
        let mut parts = details.splitn(2, |byte| *byte == b'{');
        let name = parts.next().unwrap_or_default();
        let reason = parts.next().unwrap_or_default();
        match name {
            b"upstream_reset_before_response_started" | b"upstream_reset_after_response_started"
                // Envoy itself reset it, because its memory ran short.
                if reason.starts_with(b"overload_manager") =>
            {
                Self::Proxy
            }
            b"upstream_reset_before_response_started"
            | b"no_healthy_upstream"
            | b"cluster_not_found"
            | b"maintenance_mode"
            | b"drop_overload"
            | b"unconditional_drop_overload" => Self::NoResponse,
            b"upstream_reset_after_response_started" => Self::BrokenOff,
            b"response_timeout"
            | b"stream_idle_timeout"
            | b"max_duration_timeout"
            | b"upstream_max_stream_duration_reached"
            | b"upstream_per_try_timeout"
            | b"upstream_per_try_idle_timeout" => Self::Timeout,
            b"request_overall_timeout" => Self::Client,
            _ => {
                // Such as `downstream_remote_disconnect` and `http2.remote_reset`. These are codecs of clients;
                // upstream's are a reason in braces.
                let of_client: [&[u8]; 4] = [b"downstream_", b"http1.", b"http2.", b"http3."];
                match of_client.iter().any(|prefix| name.starts_with(prefix)) {
                    true => Self::Client,
                    false => Self::Proxy,
                }
            }
        }
    }
}
