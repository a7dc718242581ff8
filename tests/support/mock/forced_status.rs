//! Host functions that return a status instead of doing their work.

use super::Vm;
use super::state::Host;
use std::collections::BTreeSet;

/// The status of some host functions, which then have no effect. With status 0 they succeed without a result: the
/// variables of the guest keep their values.
#[derive(Clone, Copy, Debug)]
pub struct ForcedStatus {
    /// The host function; `None` for all of them. The functions of WASI are none of them.
    pub function: Option<&'static str>,
    /// The callback of the guest in which it is called; `None` for all of them.
    pub callback: Option<&'static str>,
    pub status: u32,
}

impl Vm {
    /// From now on, some host functions return this status and do nothing.
    pub fn force_status(&mut self, forced: ForcedStatus) {
        let host = self.host_mut();
        host.forced_status = Some(forced);
        host.forced_calls = 0;
    }

    /// From now on, all host functions do their work. Returns the number of calls that had a forced status.
    pub fn force_no_status(&mut self) -> usize {
        let host = self.host_mut();
        host.forced_status = None;
        std::mem::take(&mut host.forced_calls)
    }

    /// Returns the callbacks so far, each with the host functions that it called, and forgets them.
    pub fn drain_calls_by_callback(&mut self) -> BTreeSet<(&'static str, &'static str)> {
        std::mem::take(&mut self.host_mut().calls_by_callback)
    }
}

impl Host {
    /// The status that a host function has to return in the running callback, if it is forced.
    pub fn forced_status(&mut self, called: &str) -> Option<u32> {
        let ForcedStatus {
            function,
            callback,
            status,
        } = self.forced_status?;
        let is_forced = function.is_none_or(|function| function == called)
            && callback.is_none_or(|callback| callback == self.callback);
        if is_forced {
            self.forced_calls += 1;
        }
        is_forced.then_some(status)
    }
}
