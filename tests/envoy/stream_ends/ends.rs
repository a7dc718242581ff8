//! The events after which a stream ends.

use super::client::Asked;
use super::client::Client::{self, *};

/// A request, and what becomes of it.
pub(super) struct End {
    pub(super) event: &'static str,
    pub(super) client: Client,
    pub(super) asked: Asked,
}

const FAULT: (&str, &str) = ("x-envoy-fault-abort-request", "503");
const DELAY: (&str, &str) = ("x-envoy-fault-delay-request", "50");

/// An event, the route, what the upstream does, and what the client does.
fn end(event: &'static str, path: &'static str, upstream: &'static str, client: Client) -> End {
    let headers = [("x-upstream", upstream.to_owned())]
        .into_iter()
        .filter(|_| !upstream.is_empty())
        .collect();
    let asked = Asked { path, headers };
    End {
        event,
        client,
        asked,
    }
}

impl End {
    /// Adds a header to the request.
    pub(super) fn with(mut self, (name, value): (&'static str, &str)) -> Self {
        self.asked.headers.push((name, value.to_owned()));
        self
    }

    fn grpc(self) -> Self {
        self.with(("content-type", "application/grpc"))
            .with(("te", "trailers"))
    }
}

pub(super) fn ends() -> Vec<End> {
    [
        responses(),
        failures(),
        broken_responses(),
        retries(),
        timeouts(),
        other_filters(),
        clients(),
        grpc(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn responses() -> Vec<End> {
    vec![
        end("upstream responds 200", "/up", "200", Reads),
        end("upstream responds 204", "/up", "204", Reads),
        end("upstream responds 302", "/up", "redirects", Reads),
        end("upstream responds 404", "/up", "404", Reads),
        end("upstream responds 429", "/up", "429", Reads),
        end("upstream responds 500", "/up", "500", Reads),
        end("upstream responds 503", "/up", "503", Reads),
        end("upstream responds 504", "/up", "504", Reads),
        end(
            "upstream responds until it closes",
            "/raw/until-close",
            "",
            Reads,
        ),
        end(
            "upstream responds before the whole request",
            "/up",
            "200",
            Withholds,
        ),
        end(
            "upstream of HTTP/2 responds before the whole request",
            "/up-h2",
            "200",
            Withholds,
        ),
        end("upstream closes a WebSocket", "/raw/upgrade", "", Upgrades),
        end(
            "upstream resets a WebSocket",
            "/raw/upgrade-reset",
            "",
            Upgrades,
        ),
        end(
            "client closes a WebSocket",
            "/raw/upgrade-hold",
            "",
            UpgradesAndLeaves,
        ),
    ]
}

fn failures() -> Vec<End> {
    vec![
        end("upstream closes", "/raw/close", "", Reads),
        end("upstream resets the connection", "/raw/reset", "", Reads),
        end(
            "upstream resets the stream of HTTP/2",
            "/up-h2",
            "fails",
            Reads,
        ),
        end(
            "upstream closes while the client withholds its body",
            "/up",
            "fails",
            Withholds,
        ),
        end("upstream responds with garbage", "/raw/garbage", "", Reads),
        end("upstream refuses the connection", "/refused", "", Reads),
        end("no host", "/no-host", "", Reads),
        end("no cluster named", "/no-cluster", "", Reads),
        end("no such cluster", "/no-cluster", "", Reads).with(("x-cluster", "nowhere")),
        end("too many pending requests", "/pending-overflow", "", Reads),
        end("too many requests", "/requests-overflow", "", Reads),
        end("cluster in maintenance", "/maintenance", "", Reads),
        end("cluster drops requests", "/drop", "", Reads),
    ]
}

fn broken_responses() -> Vec<End> {
    vec![
        end("body is too short", "/raw/short", "", Reads),
        end("body of a 404 is too short", "/raw/short-404", "", Reads),
        end("body of a 500 is too short", "/raw/short-500", "", Reads),
        end(
            "body ends with a reset of the connection",
            "/raw/short-reset",
            "",
            Reads,
        ),
        end(
            "body ends with a reset of the stream of HTTP/2",
            "/up-h2",
            "breaks",
            Reads,
        ),
        end(
            "body has a chunk without a length",
            "/raw/bad-chunk",
            "",
            Reads,
        ),
        end("body in chunks breaks off", "/up", "breaks", Reads),
    ]
}

fn retries() -> Vec<End> {
    vec![
        end("500, and 500 again", "/retry", "500", Reads),
        end("reset, and reset again", "/retry", "fails", Reads),
        end(
            "timeout of a try, and of the next",
            "/retry",
            "hangs",
            Reads,
        ),
        end("500, then 200", "/retry", "once 500", Reads),
        end("reset, then 200", "/retry", "once fails", Reads),
        end("timeout of a try, then 200", "/retry", "once hangs", Reads),
        end(
            "refused, then 200 from another host",
            "/retry-refused",
            "200",
            Reads,
        ),
        end(
            "client withholds its body, with retries",
            "/retry",
            "hangs",
            Withholds,
        ),
    ]
}

/// Each with an upstream that does not respond, one that stops within its response, and clients that cause the timeout.
fn timeouts() -> Vec<End> {
    vec![
        end("route timeout", "/timeout", "hangs", Reads),
        end("route timeout within the body", "/timeout", "part", Reads),
        end(
            "route timeout, client stops reading",
            "/timeout",
            "long",
            StopsReading,
        ),
        end(
            "route timeout, client withholds its body",
            "/timeout",
            "hangs",
            Withholds,
        ),
        end("idle timeout of a try", "/per-try-idle", "hangs", Reads),
        end(
            "idle timeout of a try within the body",
            "/per-try-idle",
            "part",
            Reads,
        ),
        end(
            "idle timeout of a try, client stops reading",
            "/per-try-idle",
            "long",
            StopsReading,
        ),
        end(
            "idle timeout of a try, client withholds its body",
            "/per-try-idle",
            "hangs",
            Withholds,
        ),
        end("idle timeout", "/idle", "hangs", Reads),
        end("idle timeout within the body", "/idle", "part", Reads),
        end(
            "idle timeout, client stops reading",
            "/idle",
            "long",
            StopsReading,
        ),
        end(
            "idle timeout, client withholds its body",
            "/idle",
            "hangs",
            Withholds,
        ),
        end(
            "idle timeout within the body, client withholds its body",
            "/idle",
            "part",
            Withholds,
        ),
        end("maximum duration", "/duration", "hangs", Reads),
        end(
            "maximum duration within the body",
            "/duration",
            "part",
            Reads,
        ),
        end(
            "maximum duration, client stops reading",
            "/duration",
            "long",
            StopsReading,
        ),
        end(
            "maximum duration, client withholds its body",
            "/duration",
            "hangs",
            Withholds,
        ),
        end(
            "maximum duration upstream",
            "/upstream-duration",
            "hangs",
            Reads,
        ),
        end(
            "maximum duration upstream within the body",
            "/upstream-duration",
            "part",
            Reads,
        ),
        end(
            "maximum duration upstream, client stops reading",
            "/upstream-duration",
            "long",
            StopsReading,
        ),
        end(
            "maximum duration upstream, client withholds its body",
            "/upstream-duration",
            "hangs",
            Withholds,
        ),
    ]
}

fn other_filters() -> Vec<End> {
    vec![
        end("fault filter aborts with 503", "/up", "200", Reads).with(FAULT),
        end("fault filter delays a 200", "/up", "200", Reads).with(DELAY),
        end("fault filter delays a 500", "/up", "500", Reads).with(DELAY),
        end("rate limit is not reached", "/limited", "200", Reads),
        end("rate limit is reached", "/limited", "200", Reads),
        end("rbac denies", "/denied", "", Reads),
        end("rbac denies before the filter", "/denied-before", "", Reads),
        end("lua responds 200", "/up", "200", Reads).with(("x-lua-status", "200")),
        end("lua responds 503", "/up", "200", Reads).with(("x-lua-status", "503")),
        end("route responds 200", "/direct-200", "", Reads),
        end("route responds 503", "/direct-503", "", Reads),
        end("route redirects", "/redirect", "", Reads),
        end("no route", "/nothing", "", Reads),
    ]
}

fn clients() -> Vec<End> {
    vec![
        end("client closes the connection", "/up", "hangs", Leaves),
        end("client resets the stream", "/up", "hangs", Cancels),
        end(
            "client closes the connection within the body",
            "/up",
            "part",
            LeavesWithin,
        ),
        end(
            "client resets the stream within the body",
            "/up",
            "part",
            CancelsWithin,
        ),
        end(
            "client closes the connection within the body of a 500",
            "/up",
            "part 500",
            LeavesWithin,
        ),
        end(
            "client withholds its body and leaves",
            "/up",
            "hangs",
            WithholdsAndLeaves,
        ),
        end("client withholds its body", "/up", "hangs", Withholds),
        end("client violates the protocol", "/up", "hangs", Violates),
        end(
            "client violates the protocol within the response",
            "/up",
            "part",
            Violates,
        ),
    ]
}

/// Envoy responds 200 in the place of upstream, with a status in the headers.
fn grpc() -> Vec<End> {
    vec![
        end("gRPC: OK", "/up-h2", "grpc 0", Reads).grpc(),
        end("gRPC: NOT_FOUND", "/up-h2", "grpc 5", Reads).grpc(),
        end("gRPC: UNAVAILABLE", "/up-h2", "grpc 14", Reads).grpc(),
        end(
            "gRPC: UNAVAILABLE without a body",
            "/up-h2",
            "grpc 14 only",
            Reads,
        )
        .grpc(),
        end("gRPC: no status", "/up-h2", "grpc none", Reads).grpc(),
        end("gRPC: upstream responds 503", "/up-h2", "503", Reads).grpc(),
        end("gRPC: upstream resets the stream", "/up-h2", "fails", Reads).grpc(),
        end(
            "gRPC: upstream resets the stream within the body",
            "/up-h2",
            "grpc breaks",
            Reads,
        )
        .grpc(),
        end(
            "gRPC: upstream refuses the connection",
            "/refused",
            "",
            Reads,
        )
        .grpc(),
        end("gRPC: no host", "/no-host", "", Reads).grpc(),
        end("gRPC: no such cluster", "/no-cluster", "", Reads).grpc(),
        end("gRPC: too many requests", "/requests-overflow", "", Reads).grpc(),
        end("gRPC: route timeout", "/timeout-h2", "hangs", Reads).grpc(),
        end(
            "gRPC: route timeout within the body",
            "/timeout-h2",
            "grpc hangs",
            Reads,
        )
        .grpc(),
        end("gRPC: idle timeout", "/idle", "hangs", Reads).grpc(),
        end(
            "gRPC: idle timeout, client withholds its body",
            "/idle",
            "hangs",
            Withholds,
        )
        .grpc(),
        end("gRPC: maximum duration", "/duration", "hangs", Reads).grpc(),
        end(
            "gRPC: maximum duration, client withholds its body",
            "/duration",
            "hangs",
            Withholds,
        )
        .grpc(),
        end(
            "gRPC: maximum duration upstream",
            "/upstream-duration",
            "hangs",
            Reads,
        )
        .grpc(),
        end(
            "gRPC: maximum duration upstream, client withholds its body",
            "/upstream-duration",
            "hangs",
            Withholds,
        )
        .grpc(),
        end("gRPC: client withholds its body", "/up", "hangs", Withholds).grpc(),
        end("gRPC: client resets the stream", "/up-h2", "hangs", Cancels).grpc(),
        end("gRPC: fault filter aborts with 503", "/up", "200", Reads)
            .with(FAULT)
            .grpc(),
        end("gRPC: rate limit is reached", "/limited", "", Reads).grpc(),
        end("gRPC: rbac denies", "/denied", "", Reads).grpc(),
        end("gRPC: route responds 503", "/direct-503", "", Reads).grpc(),
        end("gRPC: no route", "/nothing", "", Reads).grpc(),
    ]
}
