//! Reads the plugin's configuration within the byte budget of its worker.

use turnout_core::{ByteBudget, Charge, ConfigStream, Configuration, Diagnostics, MaxHeldBytes};

use crate::host;

/// Of the configuration, as it is fetched.
const PIECE: usize = 64 * 1024;
/// A configuration up to this size fits under any limit, so its limit is read after the text is kept, not before.
const SMALL: usize = 1024 * 1024;
/// What a value in a list may take while the policy is read.
const VALUE: usize = 64;

/// Why a configuration is refused.
pub(crate) enum Refusal {
    /// It is wrong.
    Wrong(Diagnostics),
    /// It does not fit: the bytes that it takes, and the limit.
    TooLarge([usize; 2]),
}

/// Reads a configuration of so many bytes. The charge is for the policy.
///
/// Nothing is fetched that does not fit: a VM never gives back memory, and one that runs out of it ends with
/// all policies in it. Only what the policy takes by itself counts here, whatever else is held: Envoy asks a
/// VM of its main thread, in which nothing is held, and a worker that refused what that one has accepted would
/// be left without the filter.
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
        let piece = host::plugin_configuration(start, PIECE);
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
    let configuration = Configuration::read(intake, &|range| {
        host::plugin_configuration(range.start, range.len())
    });
    let configuration = configuration.map_err(Refusal::Wrong)?;
    let most = configuration.max_held_bytes.bytes();
    charge.set(configuration.plan.held_bytes(text));
    check(&charge, configuration.plan.working_bytes(), most)?;
    Ok((configuration, charge))
}

/// Finds the limit anywhere in a configuration, before any of it is kept.
fn limit(size: usize) -> MaxHeldBytes {
    const OVERLAP: usize = 64;
    let mut start = 0_usize;
    while start < size {
        let piece = host::plugin_configuration(start, PIECE);
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
