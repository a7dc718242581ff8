//! Reads the plugin's configuration within the byte budget of its worker.

use proxy_wasm::hostcalls::get_buffer;
use proxy_wasm::types::BufferType;
use turnout_core::{ByteBudget, Charge, ConfigStream, Configuration, Diagnostics, MaxHeldBytes};

/// The number of bytes to fetch at once.
const PIECE: usize = 64 * 1024;
/// A configuration up to this size fits under any limit, so its limit is read after its text has been
/// stored.
const SMALL: usize = 1024 * 1024;
/// The bytes that a list item may take while the policy is read.
const VALUE: usize = 64;

/// Why a configuration is refused.
pub(crate) enum Refusal {
    /// It has errors.
    Wrong(Diagnostics),
    /// It does not fit: the bytes it needs, and the limit.
    TooLarge([usize; 2]),
}

/// Reads a configuration of this size. The charge is for the policy.
///
/// Bytes that do not fit are never fetched: a VM never returns memory, and a VM that runs out of it
/// ends with all its policies. Only the policy's own bytes count here, whatever else is held. Envoy
/// first configures a VM of its main thread, in which nothing is held; a worker that refused what that
/// VM accepted would have no filter.
pub(crate) fn read(size: usize, budget: &ByteBudget) -> Result<(Configuration, Charge), Refusal> {
    let is_small = size <= SMALL;
    let most = if is_small {
        usize::MAX
    } else {
        limit(size).bytes()
    };
    let mut charge = budget.charge();
    let check = |charge: &Charge, more: usize, most: usize| {
        let needed = charge.bytes().saturating_add(more);
        match needed <= most {
            true => Ok(()),
            false => Err(Refusal::TooLarge([needed, most])),
        }
    };
    check(&charge, size.saturating_add(PIECE), most)?;
    let mut intake = ConfigStream::new(size);
    let mut start = 0_usize;
    loop {
        let piece = fetch(start, PIECE);
        intake.push(&piece);
        charge.set(intake.held_bytes());
        check(&charge, intake.growth_bytes().saturating_add(PIECE), most)?;
        start = start.saturating_add(piece.len());
        if piece.len() < PIECE {
            break;
        }
    }
    let most = if is_small {
        intake.limit().bytes()
    } else {
        most
    };
    let again = if intake.needs_second_read() { size } else { 0 };
    let values = intake.commas().saturating_mul(VALUE);
    let text = intake.len();
    let reading = intake
        .held_bytes()
        .saturating_add(values)
        .saturating_add(again);
    check(&charge, reading, most)?;
    let configuration = Configuration::read(intake, &|range| fetch(range.start, range.len()));
    let configuration = configuration.map_err(Refusal::Wrong)?;
    let most = configuration.max_held_bytes.bytes();
    charge.set(configuration.plan.held_bytes(text));
    check(&charge, configuration.plan.working_bytes(), most)?;
    Ok((configuration, charge))
}

/// Finds the limit anywhere in a configuration before storing any of it.
fn limit(size: usize) -> MaxHeldBytes {
    const OVERLAP: usize = 64;
    let mut start = 0_usize;
    while start < size {
        let piece = fetch(start, PIECE);
        if let Some(found) = MaxHeldBytes::find(&piece) {
            return found;
        }
        if piece.len() < PIECE {
            break;
        }
        start = start.saturating_add(PIECE.saturating_sub(OVERLAP));
    }
    MaxHeldBytes::default()
}

/// Fetches a part of the configuration. It can be fetched only while the plugin is being configured.
fn fetch(start: usize, most: usize) -> Vec<u8> {
    let part = get_buffer(BufferType::PluginConfiguration, start, most);
    part.ok().flatten().unwrap_or_default()
}
