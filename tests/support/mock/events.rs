//! Events outside streams: ticks, queues, responses to calls of the filter, shutdown.

use super::state::{Context, Host, HttpCall, HttpResponse};
use super::{Trap, Vm};
use std::time::Duration;

impl Vm {
    /// The calls of the filter that have no response yet.
    pub fn http_calls(&self) -> &[HttpCall] {
        &self.host().calls
    }

    /// Responds to a call. For the filter a timeout is a response with status 504.
    pub fn respond(&mut self, token: u32, response: HttpResponse) -> Result<(), Trap> {
        let counts = [
            response.headers.entries().len(),
            response.body.len(),
            response.trailers.entries().len(),
        ];
        self.end_call(token, Some(response), counts)
    }

    /// Fails a call without a response, as when its connection is reset.
    pub fn reset_call(&mut self, token: u32) -> Result<(), Trap> {
        self.end_call(token, None, [0; 3])
    }

    /// From now on this cluster does not exist: calls to it cannot start.
    pub fn remove_cluster(&mut self, cluster: &str) {
        self.host_mut().absent_clusters.insert(cluster.to_owned());
    }

    /// The tick period that the filter requested.
    pub fn tick_period(&self) -> Option<Duration> {
        self.host().tick_periods.get(&self.root?).copied()
    }

    /// The number of running timers. As in Envoy, a timer outlives its root context.
    pub fn timers(&self) -> usize {
        self.host().tick_periods.len()
    }

    /// Ticks each root context that requested ticks. The test itself advances the clock.
    pub fn tick(&mut self) -> Result<(), Trap> {
        let roots: Vec<u32> = self.host().tick_periods.keys().copied().collect();
        for root in roots {
            if self.host().contexts.contains_key(&root) {
                self.call("proxy_on_tick", root, &[])?;
            }
        }
        self.settle()
    }

    /// Does the work that waited for the guest to return: notifies roots of items in their queues, and removes
    /// finished roots.
    pub(super) fn settle(&mut self) -> Result<(), Trap> {
        while let Some((root, queue)) = self.host_mut().ready.pop_front() {
            if self.host().contexts.contains_key(&root) {
                self.call("proxy_on_queue_ready", root, &[queue])?;
            }
        }
        while let Some(root) = self.host_mut().finished_roots.pop() {
            self.delete_root(root)?;
        }
        Ok(())
    }

    /// Asks a root context to finish once it serves no stream. It may report that it has work left.
    pub(super) fn retire(&mut self, root: u32) -> Result<(), Trap> {
        if !can_go(self.host(), root) {
            return Ok(());
        }
        if self.call("proxy_on_done", root, &[])? == Some(0) {
            self.host_mut()
                .contexts
                .insert(root, Context::Root { asked_to_go: true });
            return Ok(());
        }
        self.delete_root(root)
    }

    fn delete_root(&mut self, root: u32) -> Result<(), Trap> {
        self.call("proxy_on_delete", root, &[])?;
        let host = self.host_mut();
        host.contexts.remove(&root);
        host.calls.retain(|call| call.root != root);
        Ok(())
    }

    fn end_call(
        &mut self,
        token: u32,
        response: Option<HttpResponse>,
        [headers, body, trailers]: [usize; 3],
    ) -> Result<(), Trap> {
        let calls = &mut self.host_mut().calls;
        let index = calls.iter().position(|call| call.token == token);
        let call = calls.remove(index.expect("a call that waits for a response"));
        let count = |of| u32::try_from(of).expect("a response of less than 4 GiB");
        self.host_mut().response = response;
        self.call(
            "proxy_on_http_call_response",
            call.root,
            &[token, count(headers), count(body), count(trailers)],
        )?;
        self.host_mut().response = None;
        self.settle()
    }
}

fn can_go(host: &Host, root: u32) -> bool {
    let is_there = matches!(
        host.contexts.get(&root),
        Some(Context::Root { asked_to_go: false })
    );
    let serves = host
        .contexts
        .values()
        .any(|context| matches!(context, Context::Stream(stream) if stream.root == root));
    is_there && !serves
}
