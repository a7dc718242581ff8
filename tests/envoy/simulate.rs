//! `turnout simulate` reads the access log of a real Envoy and decides as that Envoy did.

mod agreement;
mod log_formats;
mod replay;
mod rewrites;
