//! A policy as objects of Kubernetes: for [Istio](istio()) and for
//! [Envoy Gateway](envoy_gateway()).
//!
//! Both load the filter as an OCI image and give it its configuration as JSON. The routes that they
//! get match `x-turnout-treatment`, and `x-turnout-cluster`, which tells the rollouts of one host
//! apart. The filter alone sets these. A request without them, because no rollout has it or because
//! there is no filter, takes the last route of its path: v1.

#![forbid(unsafe_code)]

mod document;
mod envoy_gateway;
mod error;
mod groups;
mod istio;
mod names;
mod object;

pub use document::{Document, to_yaml};
pub use envoy_gateway::{EnvoyGateway, envoy_gateway};
pub use error::{Error, Errors, LARGEST};
pub use istio::{Istio, Phase, istio};
pub use object::Object;
