//! Text for people: escaping for terminals, numbers, lists, tables and suggestions.
//!
//! Every crate of the workspace uses these functions, the filter among them, so that a number or a
//! hostile string looks the same in every output. No function here formats a float: float formatting
//! would add to the size of the filter.

#![forbid(unsafe_code)]

mod dns_label;
mod escape;
mod excerpt;
mod json_string;
mod list;
mod nearest;
mod numbers;
mod plural;
mod table;

pub use dns_label::{DNS_LABEL_MAX_LEN, is_dns_label};
pub use escape::{
    begins_ci_command, escape_bytes_for_terminal, escape_for_terminal, is_visible, push_json_escape,
};
pub use excerpt::{excerpt, excerpt_bytes_for_terminal, excerpt_for_terminal};
pub use json_string::{json_string, push_json_string};
pub use list::{join_first, join_list};
pub use nearest::nearest;
pub use numbers::{format_decimal, format_millionths, percent, thousands, thousandths};
pub use plural::{counted, plural};
pub use table::Table;
