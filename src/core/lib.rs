//! The core of Turnout: compiles a policy and decides requests by it.
//!
//! Everything here is a pure function of its arguments. This crate has no I/O, no clock, no randomness
//! and no proxy, so the filter inside Envoy, the command line and the tests all run the same code and
//! get the same decisions.
//!
//! * [`Plan::from_json`] compiles a policy text into a [`Plan`], or returns [`Diagnostics`] with every
//!   error in it.
//! * [`decide`] takes a plan and a [`Request`] and returns a [`Decision`]: a treatment and its reason.
//! * [`Plan::explain`] shows how a decision was made, step by step.
//! * [`shadow`] samples the requests that are shadowed to v2; `turnout-diff` compares the two responses.
//! * [`lint`] warns about policies that are valid but probably not what the author intended.
//! * [`Configuration`] is the plugin configuration of one proxy: a policy and the proxy's own settings.

#![forbid(unsafe_code)]

mod bucketing;
mod compile;
mod decide;
mod decision;
mod diagnostics;
pub mod explain;
pub mod guard;
pub mod lint;
mod plan;
mod policy;
mod proxy;
mod request;
pub mod shadow;
mod vec_map;

/// Reads JSON and keeps the location of each value, so that each problem of a document has its place. The policy is
/// read with it, and so can be other documents.
pub mod json {
    pub use crate::diagnostics::location::{JsonPointer, Span};
    pub use crate::diagnostics::problem::{Expected, excerpt};
    pub use crate::policy::json::{
        Field, List, Located, LocatedText, Node, Number, Object, Reader,
    };
    #[cfg(feature = "schema")]
    pub use crate::policy::schema::{RulesSchema, schema_of};
}

pub use bucketing::hash::{Hash, PercentageTooFine, ToolPosition};
pub use bucketing::{Fraction, Position, Salt};
pub use decide::{decide, decide_guarded, decide_guarded_in_rollout};
pub use decision::{Decision, Reason, Treatment};
pub use diagnostics::error_code::ErrorCode;
pub use diagnostics::problem::{Problem, Severity};
pub use diagnostics::warning_code::WarningCode;
pub use diagnostics::{Diagnostic, Diagnostics, Document, Related};
pub use plan::account_outcome::AccountOutcome;
pub use plan::allocation::Allocation;
pub use plan::changes::{ChangedPart, PlanChange};
pub use plan::guard_plan::GuardPlan;
pub use plan::ramp::{Ramp, Step};
pub use plan::required_inputs::RequiredInputs;
pub use plan::route_scope::{PathScope, RouteScope};
pub use plan::unsegmented::Unsegmented;
pub use plan::{Mode, Plan, Rollout};
pub use policy::account_files::{
    AccountFile, AccountFileReference, AccountFiles, AccountListBuilder, FileQuoting,
};
pub use policy::config_stream::ConfigStream;
pub use policy::edit_places::{EditPlaces, RulePlaces};
pub use policy::parsed_policy::{ParsedPolicy, invalid_utf8};
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
pub use request::account_id::{Account, AccountId, Format, Sid};
pub use request::ambiguity::Ambiguity;
pub use request::headers::Headers;
pub use shadow::byte_budget::{ByteBudget, Charge};
pub use vec_map::VecMap;
