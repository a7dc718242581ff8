//! What happens to the filter outside streams: ticks, queues, answers to its calls, its end.

use super::state::{Context, Host, HttpCall, HttpResponse};
use super::{Trap, Vm};
use std::time::Duration;

impl Vm {
    /// The calls that the filter made and that wait for an answer.
    pub fn http_calls(&self) -> &[HttpCall] {
        &self.host().calls
    }

    /// Answers a call. To the filter a timeout is an answer too, with status 504.
    pub fn answer(&mut self, token: u32, response: HttpResponse) -> Result<(), Trap> {
        let counts = [
            response.headers.entries().len(),
            response.body.len(),
            response.trailers.entries().len(),
        ];
        self.end_call(token, Some(response), counts)
    }

    /// Lets a call fail without a response, as when its connection is reset.
    pub fn reset_call(&mut self, token: u32) -> Result<(), Trap> {
        self.end_call(token, None, [0; 3])
    }

    /// From now on there is no such cluster: calls to it cannot start.
    pub fn remove_cluster(&mut self, cluster: &str) {
        self.host_mut().absent_clusters.insert(cluster.to_owned());
    }

    /// The period of the ticks that the filter asked for.
    pub fn tick_period(&self) -> Option<Duration> {
        self.host().tick_periods.get(&self.root?).copied()
    }

    /// How many timers run. As in Envoy, one goes on when its root context is gone.
    pub fn timers(&self) -> usize {
        self.host().tick_periods.len()
    }

    /// One tick, for each root context that asked for ticks. The clock is the test's to move.
    pub fn tick(&mut self) -> Result<(), Trap> {
        let roots: Vec<u32> = self.host().tick_periods.keys().copied().collect();
        for root in roots {
            if self.host().contexts.contains_key(&root) {
                self.call("proxy_on_tick", root, &[])?;
            }
        }
        self.settle()
    }

    /// Does what waited for the guest to return: tells roots of items in their queues, and
    /// removes roots that have finished.
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

    /// Asks a root context to go once it serves no stream. It may say that it has work left.
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
        let call = calls.remove(index.expect("a call that waits for an answer"));
        let count = |of| u32::try_from(of).expect("a response of less than 4 GiB");
        self.host_mut().answer = response;
        self.call(
            "proxy_on_http_call_response",
            call.root,
            &[token, count(headers), count(body), count(trailers)],
        )?;
        self.host_mut().answer = None;
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
