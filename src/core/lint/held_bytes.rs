//! Compares the memory that shadowed requests may hold at once with the default limit of a worker.

use crate::diagnostics::location::JsonPointer;
use crate::diagnostics::warning_code::WarningCode;
use crate::plan::Plan;
use crate::proxy::max_held_bytes::MaxHeldBytes;

use super::partial_plan::PartialPlan;
use super::warnings::Warnings;

pub(super) fn check(view: &PartialPlan<'_>, plan: &Plan, warnings: &mut Warnings<'_>) {
    let shadows = plan.rollouts().iter().filter(|it| it.mode.shadows());
    let sizes = shadows.filter_map(|it| it.shadow.as_ref());
    let sizes: Vec<usize> = sizes
        .map(|shadow| shadow.max_in_flight.saturating_mul(shadow.max_body_bytes))
        .collect();
    let sum = sizes
        .iter()
        .fold(0, |sum: usize, size| sum.saturating_add(*size));
    let most = MaxHeldBytes::default().bytes();
    if sum <= most {
        return;
    }
    let over = match sizes.len() {
        1 => "1 rollout".to_owned(),
        count => format!("{count} rollouts"),
    };
    warnings.push(
        WarningCode::HeldBytes,
        (view.rollouts_span, &JsonPointer::Root.field("rollouts")),
        format!(
            "shadow requests can hold {sum} bytes in each worker (max_body_bytes × max_in_flight of {over}), but the \
             default limit (max_held_bytes) is {most} bytes; requests that do not fit are not shadowed (`dropped_busy`), \
             and the responses to users are not affected"
        ),
        "lower max_body_bytes or max_in_flight, or raise max_held_bytes in the plugin's configuration and allow this warning",
    );
}
