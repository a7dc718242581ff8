//! The places of a policy's errors, which suppress warnings that only follow from an error.

use std::collections::BTreeSet;

use crate::diagnostics::Diagnostics;
use crate::diagnostics::error_code::ErrorCode;
use crate::diagnostics::location::JsonPointer;

/// The pointers of all errors.
pub(super) struct Errors<'d> {
    pointers: BTreeSet<&'d str>,
    /// The objects with an unknown or repeated field. It may be the misspelt name of a field that seems absent.
    misspelt: BTreeSet<&'d str>,
}

impl<'d> Errors<'d> {
    pub(super) fn new(errors: &'d Diagnostics) -> Self {
        let errors = errors.as_slice();
        let misspelt = errors.iter().filter(|error| {
            let code = error.problem.error_code();
            matches!(
                code,
                Some(ErrorCode::UnknownField | ErrorCode::RepeatedField)
            )
        });
        Self {
            pointers: errors.iter().map(|error| error.pointer.as_str()).collect(),
            misspelt: misspelt
                .filter_map(|error| error.pointer.rsplit_once('/'))
                .map(|(parent, _)| parent)
                .collect(),
        }
    }

    /// Whether neither a value nor anything inside it has an error.
    pub(super) fn none_in(&self, at: &JsonPointer<'_>) -> bool {
        let at = at.to_string();
        let inside = format!("{at}/");
        let next = self.pointers.range(inside.as_str()..).next();
        !self.pointers.contains(at.as_str()) && next.is_none_or(|next| !next.starts_with(&inside))
    }

    /// Whether all fields of an object are known. If so, a field that seems absent is absent.
    pub(super) fn all_fields_known(&self, at: &JsonPointer<'_>) -> bool {
        !self.misspelt.contains(at.to_string().as_str())
    }
}
