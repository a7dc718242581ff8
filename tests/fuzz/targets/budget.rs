//! The byte budget under any sequence of operations: it is the sum of its charges, a checked charge never exceeds the
//! limit, and dropping all charges returns everything.
//!
//! The input is steps of six bytes: the operation, the charge, and a size.
#![no_main]

use libfuzzer_sys::fuzz_target;
use turnout_core::{ByteBudget, Charge};

fuzz_target!(|bytes: &[u8]| {
    let Some((limit, steps)) = bytes.split_first_chunk::<4>() else {
        return;
    };
    let limit = usize::try_from(u32::from_le_bytes(*limit)).expect("a size");
    let budget = ByteBudget::default();
    let mut charges: Vec<Charge> = Vec::new();
    for step in steps.chunks_exact(6) {
        let [which, at, size @ ..] = step else {
            return;
        };
        let size: [u8; 4] = size.try_into().expect("four bytes");
        // Some sizes overflow.
        let size = match u32::from_le_bytes(size) {
            huge @ 0xffff_ff00.. => usize::MAX - usize::try_from(u32::MAX - huge).expect("a size"),
            size => usize::try_from(size).expect("a size"),
        };
        let before = budget.held();
        let at = usize::from(*at) % (charges.len() + 1);
        match (which % 4, charges.get_mut(at)) {
            (0, _) => charges.push(budget.charge()),
            (1, Some(charge)) => {
                let had = charge.bytes();
                let fits = budget.fits(size, limit);
                assert_eq!(charge.grow(size, limit), fits);
                assert_eq!(charge.bytes(), had + if fits { size } else { 0 });
                assert!(!fits || budget.held() <= limit);
                assert!(fits || budget.held() == before);
            }
            (2, Some(charge)) => {
                charge.set(size);
                assert!(charge.bytes() <= size);
            }
            (3, Some(_)) => drop(charges.swap_remove(at)),
            _ => {}
        }
        let sum = charges.iter().try_fold(0_usize, |sum, charge| sum.checked_add(charge.bytes()));
        assert_eq!(sum, Some(budget.held()));
    }
    drop(charges);
    assert_eq!(budget.held(), 0);
});
