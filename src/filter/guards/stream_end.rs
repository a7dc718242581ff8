//! How a request ended, as the proxy reports it while it deletes the stream.

#[cfg(feature = "shadowing")]
use proxy_wasm::types::MapType;
use turnout_core::Request;
use turnout_core::guard::{EndProperty, GrpcStatus, Response, StreamEnd};

use crate::host;

/// What guards do not compare in this build.
pub(crate) const NOT_COMPARED: Option<&str> = if cfg!(feature = "shadowing") {
    None
} else {
    Some(
        "this build of the filter does not see how gRPC requests end, so guards leave them out; load the full build \
         to compare them",
    )
};

/// The gRPC status of a response, until the request ends.
#[derive(Clone, Copy)]
pub(super) struct Grpc(Option<GrpcStatus>);

impl Grpc {
    /// Returns `None` if a request cannot be compared, because this build does not see the status.
    pub(super) fn of(request: &Request<'_>) -> Option<Self> {
        match request.is_grpc() {
            false => Some(Self(None)),
            true => NOT_COMPARED
                .is_none()
                .then_some(Self(Some(GrpcStatus::Missing))),
        }
    }

    /// Reads the status in the headers or the trailers of the response.
    #[cfg(feature = "shadowing")]
    pub(super) fn observe(&mut self, map: MapType) {
        let Self(Some(known)) = self else {
            return;
        };
        let buffer = host::HeaderBuffer::read(map);
        let pairs = buffer.pairs();
        let status = pairs.iter().find(|(name, _)| *name == b"grpc-status");
        let status = status.and_then(|(_, value)| std::str::from_utf8(value).ok());
        if let Some(status) = status.and_then(|status| status.parse().ok()) {
            *known = GrpcStatus::Code(status);
        }
    }
}

/// Reads how the stream ended.
pub(super) fn response(Grpc(grpc): Grpc) -> Response {
    let details = host::property(b"response\0code_details");
    let end = StreamEnd {
        details: Some(&details[..]).filter(|details| !details.is_empty()),
        grpc,
    };
    end.response(|property| {
        host::number(match property {
            EndProperty::Code => b"response\0code",
            EndProperty::Flags => b"response\0flags",
        })
    })
}

/// Reads the duration of the request, in milliseconds.
pub(super) fn duration_ms() -> u64 {
    host::number(b"request\0duration").unwrap_or_default() / 1_000_000
}
