//! What several commands share: argument types, input and output, and the steps of a policy change.

pub(crate) mod account_file_access;
pub(crate) mod account_files;
pub(crate) mod bulk_input;
pub(crate) mod change_limits;
pub(crate) mod change_options;
pub(crate) mod current_user;
pub(crate) mod document_kind_arg;
pub(crate) mod exit;
pub(crate) mod headers_arg;
pub(crate) mod inbound_arg;
pub(crate) mod interval_arg;
pub(crate) mod lint_code_arg;
pub(crate) mod max_held_bytes_arg;
pub(crate) mod panic_hook;
pub(crate) mod policy_changes;
pub(crate) mod policy_file;
pub(crate) mod prometheus_options;
pub(crate) mod record_level_arg;
pub(crate) mod render_diagnostics;
pub(crate) mod roll_plan_file;
pub(crate) mod safe_output;
pub(crate) mod stale_series;
pub(crate) mod text_io;
pub(crate) mod time_arg;
pub(crate) mod usage_error;
