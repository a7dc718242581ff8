//! The core of Turnout: a policy goes in, a decision comes out.
//!
//! Everything here is a pure function of its arguments. There is no I/O, no clock, no randomness
//! and no proxy in this crate, so the filter inside Envoy, the command line and the tests all ask
//! the same code and get the same answer.
//!
//! * A policy text becomes a [`Plan`], or [`Diagnostics`] that name every problem in it.
//! * [`decide`] takes a plan and a [`Request`] and gives a [`Decision`]: a treatment and its reason.
//! * [`Plan::explain`] says how a decision came about, step by step.
//! * [`shadow`] says which requests are copied to v2, and `turnout-diff` compares the two responses.
//! * [`lint`] finds what in a valid policy is hardly what was meant.
//! * [`Configuration`] is what a proxy is given: a policy, and what this proxy is.

#![forbid(unsafe_code)]

mod bucketing;
mod compile;
mod decide;
mod decision;
mod diagnostics;
pub mod explain;
pub mod lint;
mod plan;
mod policy;
mod proxy;
mod request;
pub mod shadow;
mod vec_map;

pub use bucketing::hash::{Hash, PercentageTooFine, ToolPosition};
pub use bucketing::{Fraction, Position, Salt};
pub use decide::decide;
pub use decision::{Decision, Reason, Treatment};
pub use diagnostics::problem::{Problem, Severity};
pub use diagnostics::{Diagnostic, Diagnostics, Document, Related};
pub use plan::account_outcome::AccountOutcome;
pub use plan::changes::{ChangedPart, PlanChange};
pub use plan::ramp::{Ramp, Step};
pub use plan::required_inputs::RequiredInputs;
pub use plan::route_scope::{PathScope, RouteScope};
pub use plan::unsegmented::Unsegmented;
pub use plan::{Mode, Plan, Rollout};
pub use policy::account_files::{
    AccountFile, AccountFileReference, AccountFiles, AccountListBuilder, FileQuoting,
    referenced_account_files,
};
pub use policy::config_stream::ConfigStream;
pub use policy::inline_accounts::inline_accounts;
#[cfg(feature = "schema")]
pub use policy::schema::schema;
pub use policy::time::{Time, TimeError};
pub use proxy::access_log_entry::AccessLogEntry;
pub use proxy::configuration::Configuration;
pub use proxy::decision_header::Inbound;
pub use proxy::max_held_bytes::MaxHeldBytes;
pub use proxy::record_level::RecordLevel;
pub use proxy::render;
pub use proxy::revision::Revision;
pub use proxy::wire_names::{
    CLUSTER_HEADER, DECISION_HEADER, LOG_PROPERTY, NO_ROLLOUT, REVISION_GAUGES, SHADOW_HEADER,
    TREATMENT_HEADER, is_turnout_header, plugin_label, revision_gauge,
};
pub use proxy::{EmittedHeaders, Proxy};
pub use request::Request;
pub use request::account::{Account, AccountId, Format, Sid};
pub use request::ambiguity::Ambiguity;
pub use request::headers::Headers;
pub use shadow::byte_budget::{ByteBudget, Charge};
pub use vec_map::VecMap;
