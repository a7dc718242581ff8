//! Removes the exports of a WebAssembly module that a list does not keep.
//!
//! Envoy calls every callback that a filter exports, for every request, and the SDK of proxy-wasm exports all
//! callbacks. So each build of the filter has an [`ExportList`], and [`trim`] removes the other exports after
//! linking, with the functions, globals and imports that only they reach. The list must name every export of
//! the module: a new one is an error until the list says whether to keep it.

#![forbid(unsafe_code)]

mod export_list;
mod problem;
mod trim;
mod trim_file;

pub use export_list::{ExportList, ListError};
pub use problem::Problem;
pub use trim::{TrimError, Trimmed, trim};
pub use trim_file::{FileError, Summary, trim_file};
