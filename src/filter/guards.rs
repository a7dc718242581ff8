//! The guards of one configuration: what they have found, and the open requests that they compare.

mod metrics;
mod shared_slots;
mod stream_end;
mod worker_guards;

use turnout_core::guard::{self, ComparedRequest};
use turnout_core::{Account, Decision, Reason, Request, Rollout};

pub(crate) use stream_end::NOT_COMPARED;
pub(crate) use worker_guards::WorkerGuards;

use stream_end::Grpc;
use worker_guards::SharedGuard;

/// The guards of one configuration.
#[derive(Default)]
pub(crate) struct Guards {
    /// By the index of the rollout. Empty if no rollout has a guard.
    rollouts: Vec<Option<SharedGuard>>,
    /// The open requests that are compared. A place is used again, so they take as much memory as the most
    /// that were ever open at once.
    open: Vec<Option<OpenRequest>>,
    free: Vec<u32>,
}

/// A request that is compared, until it ends.
struct OpenRequest {
    rollout: usize,
    request: ComparedRequest,
    grpc: Grpc,
}

impl guard::Guards for Guards {
    fn reason(&self, rollout: &Rollout, account: &Account<'_>) -> Option<Reason> {
        let guard = self.rollouts.get(rollout.index)?.as_ref()?;
        guard.try_borrow().ok()?.guard.reason(rollout, account)
    }
}

impl Guards {
    pub(crate) fn new(rollouts: Vec<Option<SharedGuard>>) -> Self {
        Self {
            rollouts,
            ..Self::default()
        }
    }

    /// Notes a decision. If its request is compared, returns the number by which its end is noted.
    pub(crate) fn note_decision(
        &mut self,
        decision: &Decision<'_>,
        request: &Request<'_>,
    ) -> Option<u32> {
        let rollout = decision.rollout?.index;
        let guard = self.rollouts.get(rollout)?.as_ref()?;
        let grpc = Grpc::of(request)?;
        let mut guard = guard.try_borrow_mut().ok()?;
        let request = guard.guard.note_decision(decision, request)?;
        drop(guard);
        Some(self.add(OpenRequest {
            rollout,
            request,
            grpc,
        }))
    }

    fn add(&mut self, request: OpenRequest) -> u32 {
        if let Some(number) = self.free.pop()
            && let Some(place) = self.place(number)
        {
            *place = Some(request);
            return number;
        }
        self.open.push(Some(request));
        u32::try_from(self.open.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    fn place(&mut self, number: u32) -> Option<&mut Option<OpenRequest>> {
        self.open.get_mut(usize::try_from(number).ok()?)
    }

    /// Reads the status of a gRPC response in its headers or trailers.
    #[cfg(feature = "shadowing")]
    pub(crate) fn observe_grpc_status(&mut self, number: u32, map: proxy_wasm::types::MapType) {
        if let Some(Some(request)) = self.place(number) {
            request.grpc.observe(map);
        }
    }

    /// Notes the end of a request. Called while the proxy deletes the stream.
    pub(crate) fn note_end(&mut self, number: u32) {
        let Some(open) = self.place(number).and_then(Option::take) else {
            return;
        };
        self.free.push(number);
        let guard = self.rollouts.get(open.rollout).and_then(Option::as_ref);
        if let Some(guard) = guard
            && let Ok(mut guard) = guard.try_borrow_mut()
        {
            let guard = guard.guard.guard_mut();
            let response = stream_end::response(open.grpc);
            let duration_ms = match guard.settings().slow {
                Some(_) => stream_end::duration_ms(),
                None => 0,
            };
            guard.note_end(open.request, response, duration_ms);
        }
    }
}
