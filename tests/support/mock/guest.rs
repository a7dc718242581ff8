//! The guest from the view of a host function: its memory, its allocator, and how a host function ends.

use super::state::Host;
use wasmi::{Caller, Error, Memory};

/// The status codes of the ABI that the host functions return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Status {
    Ok = 0,
    NotFound = 1,
    BadArgument = 2,
    InvalidMemoryAccess = 6,
    Empty = 7,
    CasMismatch = 8,
    Unimplemented = 12,
}

/// Why a host function failed: a status for the guest, or a trap in the guest's allocator.
pub(super) enum Stop {
    Status(Status),
    Trap(Error),
}

impl From<Status> for Stop {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

pub(super) type Outcome = Result<(), Stop>;

/// One host call, from the view of the guest.
pub(super) struct Guest<'a> {
    caller: Caller<'a, Host>,
}

impl<'a> Guest<'a> {
    pub fn new(caller: Caller<'a, Host>) -> Self {
        Self { caller }
    }

    pub fn host(&mut self) -> &mut Host {
        self.caller.data_mut()
    }

    pub fn read(&self, address: u32, size: u32) -> Result<Vec<u8>, Stop> {
        let range = range(address, size);
        let memory = self.memory().data(&self.caller);
        let bytes = memory.get(range).ok_or(Status::InvalidMemoryAccess)?;
        Ok(bytes.to_vec())
    }

    pub fn read_u32(&self, address: u32) -> Result<u32, Stop> {
        let bytes = self.read(address, 4)?;
        let bytes: [u8; 4] = bytes.try_into().expect("four bytes were read");
        Ok(u32::from_le_bytes(bytes))
    }

    pub fn text(&self, address: u32, size: u32) -> Result<String, Stop> {
        let bytes = self.read(address, size)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub fn write(&mut self, address: u32, bytes: &[u8]) -> Outcome {
        let size = u32::try_from(bytes.len()).expect("the host writes less than 4 GiB");
        let memory = self.memory();
        let target = memory
            .data_mut(&mut self.caller)
            .get_mut(range(address, size))
            .ok_or(Status::InvalidMemoryAccess)?;
        target.copy_from_slice(bytes);
        Ok(())
    }

    pub fn write_u32(&mut self, address: u32, value: u32) -> Outcome {
        self.write(address, &value.to_le_bytes())
    }

    pub fn write_u64(&mut self, address: u32, value: u64) -> Outcome {
        self.write(address, &value.to_le_bytes())
    }

    /// Copies `bytes` to memory that the guest allocates and then owns. No bytes are a null pointer.
    pub fn hand_over(&mut self, bytes: &[u8], address_at: u32, size_at: u32) -> Outcome {
        let size = u32::try_from(bytes.len()).expect("the host hands over less than 4 GiB");
        let address = if size == 0 { 0 } else { self.allocate(size)? };
        self.write(address, bytes)?;
        self.write_u32(address_at, address)?;
        self.write_u32(size_at, size)
    }

    fn allocate(&mut self, size: u32) -> Result<u32, Stop> {
        let allocate = self.caller.data().allocate;
        let allocate = allocate.expect("the module exports an allocator");
        let address = allocate.call(&mut self.caller, size).map_err(Stop::Trap)?;
        if address == 0 {
            return Err(Status::InvalidMemoryAccess.into());
        }
        Ok(address)
    }

    fn memory(&self) -> Memory {
        let memory = self.caller.data().memory;
        memory.expect("the module exports its memory")
    }
}

fn range(address: u32, size: u32) -> std::ops::Range<usize> {
    let start = usize::try_from(address).expect("usize holds 32 bits");
    start..start.saturating_add(usize::try_from(size).expect("usize holds 32 bits"))
}
