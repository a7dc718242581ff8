//! The context of a request.

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
#[cfg(feature = "shadowing")]
use proxy_wasm::types::MapType;

use crate::plugin::Plugin;
use crate::route::Followers;
use crate::shadowing::Shadowing;

pub(crate) struct RequestContext {
    plugin: Plugin,
    followers: Followers,
}

impl RequestContext {
    pub(crate) fn new(plugin: Plugin) -> Self {
        Self {
            plugin,
            followers: Followers::default(),
        }
    }

    /// Passes an event to the job.
    fn observe(&self, observe: impl FnOnce(&mut Shadowing, u32)) -> Action {
        if let Some(job) = self.followers.job {
            self.plugin
                .with(|active| observe(&mut active.shadowing, job));
        }
        Action::Continue
    }

    #[cfg(feature = "shadowing")]
    fn observe_grpc_status(&self, map: MapType) {
        if let Some(number) = self.followers.compared {
            self.plugin
                .with(|active| active.guards.observe_grpc_status(number, map));
        }
    }
}

impl Context for RequestContext {}

impl HttpContext for RequestContext {
    fn on_http_request_headers(&mut self, _count: usize, end: bool) -> Action {
        self.followers = self
            .plugin
            .with(|active| active.route(end))
            .unwrap_or_default();
        Action::Continue
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        self.observe(Shadowing::request_trailers)
    }

    #[cfg(feature = "shadowing")]
    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        self.observe(|shadowing, job| shadowing.request_body(job, size, end))
    }

    #[cfg(feature = "shadowing")]
    fn on_http_response_headers(&mut self, _count: usize, end: bool) -> Action {
        if end {
            self.observe_grpc_status(MapType::HttpResponseHeaders);
        }
        self.observe(|shadowing, job| shadowing.response_headers(job, end))
    }

    #[cfg(feature = "shadowing")]
    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        self.observe(|shadowing, job| shadowing.response_body(job, size, end))
    }

    #[cfg(feature = "shadowing")]
    fn on_http_response_trailers(&mut self, _count: usize) -> Action {
        self.observe_grpc_status(MapType::HttpResponseTrailers);
        self.observe(|shadowing, job| shadowing.response_body(job, 0, true))
    }
}

/// The proxy deletes the context when the request has ended.
impl Drop for RequestContext {
    fn drop(&mut self) {
        self.observe(Shadowing::stream_ended);
        if let Some(number) = self.followers.compared {
            self.plugin.with(|active| active.guards.note_end(number));
        }
    }
}
