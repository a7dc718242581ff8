//! Parses the policy: JSON with the location of each value, the wire types, and the accounts that a policy lists,
//! packs or keeps in files.

pub(crate) mod account_files;
pub(crate) mod config_stream;
pub(crate) mod decimal;
pub(crate) mod document;
pub(crate) mod edit_places;
pub(crate) mod inline_accounts;
pub(crate) mod json;
pub(crate) mod packed_accounts;
pub(crate) mod parsed_policy;
pub(crate) mod read;
#[cfg(feature = "schema")]
pub(crate) mod schema;
pub(crate) mod time;
