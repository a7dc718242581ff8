//! A proxy computes the evidence of a guard in wasm, and the command computes it natively. Both get the same digits.

use support::instruction_count::Counted;

#[path = "../support/instruction_count_guest/guard_digits.rs"]
mod computed;

#[test]
fn the_evidence_has_the_same_digits_natively_and_in_wasm() {
    let mut guest = Counted::start();
    for tables in [1, 500] {
        assert_eq!(
            guest.guard_digits(tables),
            computed::guard_digits(tables),
            "{tables} tables"
        );
    }
    assert_ne!(computed::guard_digits(1), computed::guard_digits(2));
}
