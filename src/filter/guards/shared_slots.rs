//! The snapshots of all workers' guards, in the shared data of the proxy process.
//!
//! Each guard of each worker has a slot, a key of its own, which only it writes while it runs. A worker that has
//! ended leaves its last snapshot. Slots are never removed, but used again, so their number is bounded.

use turnout_core::VecMap;
use turnout_core::guard::{OtherWorkers, merge_snapshots};

use crate::host::{self, Written};

/// The number of slots at most: 64 guarded rollouts on 64 workers. Beyond it, a guard counts alone.
const MAX_SLOTS: u32 = 4_096;

/// A version that no value has. Writing it succeeds only for a key that does not exist yet.
const NO_VERSION: u32 = u32::MAX;

/// The number of ticks without a new snapshot after which a worker is taken to have ended, as it does when its VM
/// traps.
const SILENT_TICKS: u32 = 5;

/// The number of ticks without a new snapshot after which the slot may be used for another guard.
const LOST_TICKS: u32 = 300;

/// The number of times that a worker tries to add its last snapshot to an earlier one, while other workers do so too.
const TRIES: u32 = 8;

/// The bytes before the snapshot: the kind, the id of the guard, and the number of snapshots so far.
const HEADER: usize = 17;

const FREE: u8 = 0;
const RUNNING: u8 = 1;
const ENDED: u8 = 2;

/// The slots as one worker sees them.
#[derive(Default)]
pub(crate) struct SharedSlots {
    /// By slot.
    seen: VecMap<u32, Seen>,
    /// The first slot that may be free, so that many guards do not all ask for the same slots.
    first_free: u32,
}

/// The last snapshot of a slot that this worker has seen.
#[derive(Clone, Copy)]
struct Seen {
    written: u64,
    /// The number of ticks since then.
    ticks: u32,
}

/// The slot of a guard of this worker.
#[derive(Debug)]
pub(crate) struct Slot {
    index: u32,
    guard: u64,
    written: u64,
    /// Whether it has no snapshot yet.
    is_new: bool,
}

/// What a slot contains.
pub(crate) struct Content {
    index: u32,
    version: u32,
    kind: u8,
    guard: u64,
    written: u64,
    snapshot: Vec<u8>,
    /// Whether its worker is running.
    is_running: bool,
}

impl SharedSlots {
    /// Reads all slots at a tick, and notes which of them have a new snapshot.
    pub(crate) fn tick(&mut self) -> Vec<Content> {
        let contents = read_slots();
        for content in &contents {
            let ticks = match self.seen.get(&content.index) {
                Some(seen) if seen.written == content.written => seen.ticks.saturating_add(1),
                _ => 0,
            };
            let written = content.written;
            self.seen.insert(content.index, Seen { written, ticks });
        }
        let is_free = |content: &Content| content.kind == FREE;
        let first_free = contents.iter().position(is_free);
        let first_free = u32::try_from(first_free.unwrap_or(contents.len()));
        self.first_free = first_free.unwrap_or_default();
        self.noting_silence(contents)
    }

    /// Reads all slots between two ticks.
    pub(crate) fn read(&self) -> Vec<Content> {
        self.noting_silence(read_slots())
    }

    fn noting_silence(&self, mut contents: Vec<Content>) -> Vec<Content> {
        for content in &mut contents {
            let is_silent = self.silent_ticks(content) >= SILENT_TICKS;
            content.is_running = content.kind == RUNNING && !is_silent;
        }
        contents
    }

    /// The number of ticks without a new snapshot.
    fn silent_ticks(&self, content: &Content) -> u32 {
        let seen = self.seen.get(&content.index);
        let seen = seen.filter(|seen| seen.written == content.written);
        seen.map_or(0, |seen| seen.ticks)
    }

    /// Takes a slot for a guard; `None` if the proxy refuses, or if all slots are in use.
    pub(crate) fn take(&mut self, guard: u64) -> Option<Slot> {
        let mut slot = Slot {
            index: 0,
            guard,
            written: host::now(),
            is_new: true,
        };
        let value = slot.value(RUNNING, &[]);
        let mut write = |index: u32, version: u32| {
            slot.index = index;
            host::set_shared_data(&key(index), &value, version)
        };
        let is_free = |content: &Content| content.kind == FREE;
        for index in self.first_free..MAX_SLOTS {
            self.first_free = index.saturating_add(1);
            let mut written = write(index, NO_VERSION);
            if written == Written::Changed
                && let Some(free) = Content::read(index).filter(is_free)
            {
                written = write(index, free.version);
            }
            match written {
                Written::Yes => return Some(slot),
                Written::Refused => return None,
                Written::Changed => {}
            }
        }
        let mut used = (0..MAX_SLOTS).filter_map(Content::read);
        let is_taken = used.any(|content| {
            let is_left = content.kind == ENDED || self.silent_ticks(&content) >= LOST_TICKS;
            is_left && write(content.index, content.version) == Written::Yes
        });
        is_taken.then_some(slot)
    }

    /// Leaves the last snapshot of a guard. If an earlier worker has left one, the two become one.
    pub(crate) fn end(&mut self, slot: &Slot, snapshot: &[u8], contents: &[Content]) {
        let mut has_slot = slot.version(contents).is_some();
        let mut again;
        let mut contents = contents;
        for _ in 0..TRIES {
            let earlier = contents.iter().find_map(|content| {
                let is_earlier = content.kind == ENDED && content.guard == slot.guard;
                let content = Some(content).filter(|_| is_earlier)?;
                Some((content, merge_snapshots(&content.snapshot, snapshot)?))
            });
            let Some((earlier, sum)) = earlier else {
                break;
            };
            // This slot first, so that nobody counts the same requests twice.
            if has_slot {
                slot.free();
                has_slot = false;
            }
            let value = slot.value(ENDED, &sum);
            if host::set_shared_data(&key(earlier.index), &value, earlier.version) == Written::Yes {
                return;
            }
            again = self.read();
            contents = &again;
        }
        if has_slot {
            slot.set(ENDED, snapshot, 0);
            return;
        }
        self.first_free = 0;
        if let Some(slot) = self.take(slot.guard) {
            slot.set(ENDED, snapshot, 0);
        }
    }
}

/// Frees the slots of a guard that the policy has no more: that of this worker, and those of workers that have ended.
pub(crate) fn forget(guard: u64, slot: Option<&Slot>, contents: &[Content]) {
    for content in contents.iter().filter(|content| content.guard == guard) {
        let is_own = slot.is_some_and(|slot| slot.index == content.index);
        if is_own || !content.is_running {
            content.free();
        }
    }
}

fn read_slots() -> Vec<Content> {
    (0..MAX_SLOTS).map_while(Content::read).collect()
}

impl Slot {
    /// Writes a snapshot. Returns whether this worker still has the slot: another one may have freed it, because it
    /// took this one to have ended.
    pub(crate) fn write(&mut self, snapshot: &[u8], contents: &[Content]) -> bool {
        let Some(version) = self.version(contents) else {
            return false;
        };
        self.is_new = false;
        self.written = self.written.saturating_add(1);
        self.set(RUNNING, snapshot, version) != Written::Changed
    }

    /// The version of its content; `None` if it is another worker's now.
    fn version(&self, contents: &[Content]) -> Option<u32> {
        if self.is_new {
            return Some(0);
        }
        let mut contents = contents.iter();
        let content = contents.find(|content| content.index == self.index)?;
        let is_own = content.guard == self.guard && content.written == self.written;
        is_own.then_some(content.version)
    }

    fn set(&self, kind: u8, snapshot: &[u8], version: u32) -> Written {
        host::set_shared_data(&key(self.index), &self.value(kind, snapshot), version)
    }

    fn free(&self) {
        host::set_shared_data(&key(self.index), &[FREE; HEADER], 0);
    }

    fn value(&self, kind: u8, snapshot: &[u8]) -> Vec<u8> {
        let mut value = Vec::with_capacity(snapshot.len().saturating_add(HEADER));
        value.push(kind);
        value.extend(self.guard.to_le_bytes());
        value.extend(self.written.to_le_bytes());
        value.extend(snapshot);
        value
    }
}

/// What the slots say about one guard.
pub(crate) struct Others {
    pub(crate) counts: OtherWorkers,
    /// The workers that run, and this one.
    pub(crate) workers: u32,
    /// Whether none of them has a lower slot.
    pub(crate) is_first: bool,
}

impl Others {
    /// Adds up what the other workers have counted: all but the one that has this slot.
    pub(crate) fn of(guard: u64, slot: Option<&Slot>, epoch: u64, contents: &[Content]) -> Self {
        let mut others = Self::none(epoch);
        let own = slot.map_or(u32::MAX, |slot| slot.index);
        let is_other = |content: &&Content| content.guard == guard && content.index != own;
        for content in contents.iter().filter(is_other) {
            let is_counted = match content.is_running {
                true => others.counts.add(&content.snapshot),
                false => others.counts.add_ended(&content.snapshot),
            };
            if content.is_running && is_counted {
                others.workers = others.workers.saturating_add(1);
                others.is_first &= content.index > own;
            }
            if !content.is_running && !is_counted {
                content.free();
            }
        }
        others
    }

    pub(crate) fn none(epoch: u64) -> Self {
        Self {
            counts: OtherWorkers::new(epoch),
            workers: 1,
            is_first: true,
        }
    }
}

impl Content {
    fn read(index: u32) -> Option<Self> {
        let (mut value, version) = host::shared_data(&key(index))?;
        let snapshot = value.split_off(HEADER.min(value.len()));
        let header = <[u8; HEADER]>::try_from(value).unwrap_or_default();
        let [kind, rest @ ..] = header;
        let number = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_le_bytes);
        let (guard, written) = rest.split_at(8);
        Some(Self {
            index,
            version,
            kind,
            guard: number(guard),
            written: number(written),
            snapshot,
            is_running: false,
        })
    }

    /// Frees the slot of a worker that has ended, whose rollout has been defined differently since.
    fn free(&self) {
        host::set_shared_data(&key(self.index), &[FREE; HEADER], self.version);
    }
}

fn key(index: u32) -> String {
    format!("turnout.guard.{index}")
}
