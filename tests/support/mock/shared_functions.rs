//! Host functions for everything that outlives a stream: metrics, shared data, shared queues.
//!
//! In Envoy they belong to the process. Here metrics and queues belong to one `Vm`, and shared data to the VMs
//! that a test makes share it, so that tests are independent.

use super::guest::{Guest, Outcome, Status, Stop};
use super::imports::proxy;
use super::state::{Host, MetricKind, Metrics, SharedData};
use std::sync::MutexGuard;
use wasmi::{Caller, Error, Linker};

pub(super) fn link(linker: &mut Linker<Host>) {
    proxy! { linker:
        proxy_define_metric(kind: u32, name: u32, name_size: u32, id_at: u32)
        proxy_get_metric(id: u32, value_at: u32)
        proxy_increment_metric(id: u32, offset: i64)
        proxy_record_metric(id: u32, value: u64)
        proxy_get_shared_data(
            key: u32, key_size: u32, address_at: u32, size_at: u32, cas_at: u32
        )
        proxy_set_shared_data(key: u32, key_size: u32, value: u32, value_size: u32, cas: u32)
        proxy_register_shared_queue(name: u32, name_size: u32, id_at: u32)
        proxy_resolve_shared_queue(
            vm: u32, vm_size: u32, name: u32, name_size: u32, id_at: u32
        )
        proxy_enqueue_shared_queue(id: u32, item: u32, item_size: u32)
        proxy_dequeue_shared_queue(id: u32, address_at: u32, size_at: u32)
    }
}

fn proxy_define_metric(
    guest: &mut Guest,
    kind: u32,
    name: u32,
    name_size: u32,
    id_at: u32,
) -> Outcome {
    let name = guest.text(name, name_size)?;
    let kind = match kind {
        0..=2 => Metrics::kind_of(kind).ok_or(Status::BadArgument)?,
        _ => return Err(Status::BadArgument.into()),
    };
    let id = guest.host().metrics.define(kind, &name);
    guest.write_u32(id_at, id)
}

fn proxy_get_metric(guest: &mut Guest, id: u32, value_at: u32) -> Outcome {
    let (kind, name) = metric(guest.host(), id)?;
    if kind == MetricKind::Histogram {
        return Err(Status::BadArgument.into());
    }
    let value = guest.host().metrics.values[&name];
    guest.write_u64(value_at, value)
}

/// A counter only grows, and not by 0.
fn proxy_increment_metric(guest: &mut Guest, id: u32, offset: i64) -> Outcome {
    let (kind, name) = metric(guest.host(), id)?;
    if kind == MetricKind::Histogram || kind == MetricKind::Counter && offset <= 0 {
        return Err(Status::BadArgument.into());
    }
    let value = guest.host().metrics.values.entry(name).or_default();
    *value = value.wrapping_add_signed(offset);
    Ok(())
}

/// A recorded value of a counter is added to it.
fn proxy_record_metric(guest: &mut Guest, id: u32, value: u64) -> Outcome {
    let host = guest.host();
    let (kind, name) = host.metrics.find(id).ok_or(Status::NotFound)?;
    match kind {
        MetricKind::Counter => *host.metrics.values.entry(name).or_default() += value,
        MetricKind::Gauge => _ = host.metrics.values.insert(name, value),
        MetricKind::Histogram => host.metrics.samples.entry(name).or_default().push(value),
    }
    Ok(())
}

fn metric(host: &Host, id: u32) -> Result<(MetricKind, String), Stop> {
    match Metrics::kind_of(id) {
        None => Err(Status::BadArgument.into()),
        Some(_) => Ok(host.metrics.find(id).ok_or(Status::NotFound)?),
    }
}

fn proxy_get_shared_data(
    guest: &mut Guest,
    key: u32,
    key_size: u32,
    address_at: u32,
    size_at: u32,
    cas_at: u32,
) -> Outcome {
    let key = guest.text(key, key_size)?;
    let found = shared(guest.host()).values.get(&key).cloned();
    let (value, cas) = found.ok_or(Status::NotFound)?;
    guest.hand_over(&value, address_at, size_at)?;
    guest.write_u32(cas_at, cas)
}

/// A `cas` of 0 always writes, and so does any `cas` for a missing key.
fn proxy_set_shared_data(
    guest: &mut Guest,
    key: u32,
    key_size: u32,
    value: u32,
    value_size: u32,
    cas: u32,
) -> Outcome {
    let key = guest.text(key, key_size)?;
    let value = guest.read(value, value_size)?;
    let mut shared = shared(guest.host());
    match shared.values.get(&key) {
        Some((_, current)) if cas != 0 && cas != *current => {
            return Err(Status::CasMismatch.into());
        }
        _ => {}
    }
    shared.last_cas += 1;
    let version = shared.last_cas;
    shared.values.insert(key, (value, version));
    Ok(())
}

fn shared(host: &Host) -> MutexGuard<'_, SharedData> {
    host.shared.lock().expect("no panic while it is locked")
}

/// An existing queue keeps its items. From now on the registering root is notified of new ones.
fn proxy_register_shared_queue(
    guest: &mut Guest,
    name: u32,
    name_size: u32,
    id_at: u32,
) -> Outcome {
    let name = guest.text(name, name_size)?;
    let host = guest.host();
    let root = host.active_root();
    let next = u32::try_from(host.queue_ids.len() + 1).expect("few queues");
    let id = *host.queue_ids.entry(name).or_insert(next);
    host.queues.entry(id).or_default().root = root;
    guest.write_u32(id_at, id)
}

/// Only the queues of this VM are known, by its id, which is empty.
fn proxy_resolve_shared_queue(
    guest: &mut Guest,
    vm: u32,
    vm_size: u32,
    name: u32,
    name_size: u32,
    id_at: u32,
) -> Outcome {
    let vm = guest.text(vm, vm_size)?;
    let name = guest.text(name, name_size)?;
    let id = match guest.host().queue_ids.get(&name) {
        Some(id) if vm.is_empty() => *id,
        _ => return Err(Status::NotFound.into()),
    };
    guest.write_u32(id_at, id)
}

fn proxy_enqueue_shared_queue(guest: &mut Guest, id: u32, item: u32, item_size: u32) -> Outcome {
    let item = guest.read(item, item_size)?;
    let host = guest.host();
    let queue = host.queues.get_mut(&id).ok_or(Status::NotFound)?;
    queue.items.push_back(item);
    host.ready.push_back((queue.root, id));
    Ok(())
}

fn proxy_dequeue_shared_queue(
    guest: &mut Guest,
    id: u32,
    address_at: u32,
    size_at: u32,
) -> Outcome {
    let queue = guest.host().queues.get_mut(&id).ok_or(Status::NotFound)?;
    let item = queue.items.pop_front().ok_or(Status::Empty)?;
    guest.hand_over(&item, address_at, size_at)
}
