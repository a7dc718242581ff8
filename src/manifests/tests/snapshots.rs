//! Snapshots of the manifests of one policy.

use expect_test::expect_file;

use crate::fixtures::{CHANNELS, Mesh, SERVICES, two};

#[test]
fn of_the_mesh() {
    expect_file!["expected/mesh.yaml"].assert_eq(&Mesh::Sidecars.yaml(&two(CHANNELS)));
}

#[test]
fn of_a_gateway() {
    expect_file!["expected/istio.yaml"].assert_eq(&Mesh::Gateway.yaml(&two(CHANNELS)));
}

#[test]
fn of_envoy_gateway() {
    expect_file!["expected/envoy-gateway.yaml"].assert_eq(&Mesh::EnvoyGateway.yaml(&two(SERVICES)));
}
