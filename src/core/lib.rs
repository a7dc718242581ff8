//! The core of Turnout: a policy goes in, a decision comes out.
//!
//! Everything here is a pure function of its arguments. There is no I/O, no clock, no randomness
//! and no proxy in this crate, so the filter inside Envoy, the command line and the tests all ask
//! the same code and get the same answer.
//!
//! * A policy text becomes a [`Plan`], or [`Diagnostics`] that name every problem in it.
//! * [`decide`] takes a plan and a [`Request`] and gives a [`Decision`]: a treatment and its reason.
//! * [`Plan::explain`] says how a decision came about, step by step.
//! * [`shadow`] says which requests are copied to v2, and [`diff`] compares the two answers.
//! * [`lint`] finds what in a valid policy is hardly what was meant.
//! * [`Configuration`] is what a proxy is given: a policy, and what this proxy is.

#![forbid(unsafe_code)]

mod account;
mod account_fault;
mod basic_auth;
mod bucket;
mod byte_budget;
mod changes;
mod compile;
mod configuration;
mod copying;
mod decide;
mod decimal;
mod diagnostic;
pub mod diff;
mod doubt;
pub mod explain;
mod files;
mod hash;
mod headers;
mod held_bytes;
mod inbound;
mod index;
mod intake;
mod json;
pub mod lint;
mod logged;
mod matching;
mod names;
mod packed;
mod path;
mod percent;
mod place;
mod plan;
mod policy;
mod possible;
mod problem;
mod proxy;
mod ramp;
mod reach;
mod read;
mod record_level;
pub mod render;
mod request;
mod revision;
#[cfg(feature = "schema")]
mod schema;
mod segments;
pub mod shadow;
mod sorted;
mod sources;
mod standing;
mod table;
mod time;
mod treatment;
mod unlisted;
mod visible;
mod wants;
mod wire;
mod word;

pub use account::{Account, AccountId, Format, Sid};
pub use bucket::{Fraction, Position, Salt};
pub use byte_budget::{ByteBudget, Charge};
pub use changes::{ChangedPart, PlanChange};
pub use configuration::Configuration;
pub use decide::{Decision, decide};
pub use diagnostic::{Diagnostic, Diagnostics, Document, Related};
pub use doubt::Doubt;
pub use files::{AccountsFrom, File, FileText, Files, Gathered, accounts_from};
pub use hash::{BetweenParts, Hash, Native};
pub use headers::Headers;
pub use held_bytes::MaxHeldBytes;
pub use inbound::Inbound;
pub use intake::Intake;
pub use logged::Logged;
pub use names::{
    CLUSTER_HEADER, DECISION_HEADER, LOG_PROPERTY, NO_ROLLOUT, REVISION_GAUGES, SHADOW_HEADER,
    TREATMENT_HEADER, is_turnout_header, plugin_label, revision_gauge,
};
pub use plan::{Mode, Plan, Rollout};
pub use problem::{Problem, Severity};
pub use proxy::{Proxy, Written};
pub use ramp::{Ramp, Step};
pub use reach::{PathReach, Reach};
pub use record_level::RecordLevel;
pub use request::Request;
pub use revision::Revision;
#[cfg(feature = "schema")]
pub use schema::schema;
pub use standing::Standing;
pub use table::Table;
pub use time::{BadTime, Time};
pub use treatment::{Reason, Treatment};
pub use unlisted::Unlisted;
pub use visible::{begins_command, is_visible, push_json_escape, visible, visible_bytes};
pub use wants::Wants;
pub use wire::with_accounts;
