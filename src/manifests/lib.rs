//! Generates Kubernetes manifests from a policy, for [Istio](istio()) and [Envoy Gateway](envoy_gateway()).
//!
//! Both load the filter as an OCI image and pass it its configuration as JSON. The generated routes match
//! `x-turnout-treatment` and `x-turnout-cluster`; the latter distinguishes the rollouts of one host. Only the
//! filter sets these headers. A request without them, because it matches no rollout or because there is no
//! filter, takes the last route of its path: v1.

#![forbid(unsafe_code)]

mod document;
mod envoy_gateway;
mod error;
mod host_groups;
mod istio;
mod names;
mod object;

pub use document::{Document, to_yaml};
pub use envoy_gateway::{EnvoyGateway, envoy_gateway};
pub use error::{Error, Errors, LARGEST};
pub use istio::{Istio, Phase, istio};
pub use object::Object;
