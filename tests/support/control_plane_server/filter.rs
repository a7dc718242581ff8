//! The one resource that is served: the filter with its configuration.

use std::collections::HashSet;
use std::future::{Future, ready};
use std::net::IpAddr;
use std::sync::RwLock;

use envoy_types::pb::envoy::config::core::v3::{
    AsyncDataSource, DataSource, TypedExtensionConfig, async_data_source, data_source,
};
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::wasm::v3::{
    FailurePolicy, PluginConfig, VmConfig, plugin_config,
};
use envoy_types::pb::google::protobuf::{Any, StringValue};
use prost::{Message, Name};
use quilkin_xds::config::{ClientState, Configuration, DeltaDiscoveryRes};
use quilkin_xds::discovery::Resource;
use quilkin_xds::server::ControlPlane;
use serde::Deserialize;
use tokio::sync::watch;

/// The type that proxies ask for.
pub(crate) const TYPE_URL: &str = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";

/// The name of the resource and of its plugin.
const NAME: &str = "turnout";

/// A filter, as a line of standard input has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    version: String,
    /// The path of the filter on the proxy host.
    wasm: String,
    configuration: String,
}

impl Filter {
    /// The resource, as in the output of `turnout render --for envoy`.
    fn resource(&self) -> Resource {
        let code = async_data_source::Specifier::Local(DataSource {
            specifier: Some(data_source::Specifier::Filename(self.wasm.clone())),
            ..DataSource::default()
        });
        let vm = VmConfig {
            runtime: "envoy.wasm.runtime.v8".to_owned(),
            code: Some(AsyncDataSource {
                specifier: Some(code),
            }),
            ..VmConfig::default()
        };
        let configuration = StringValue {
            value: self.configuration.clone(),
        };
        let wasm = Wasm {
            config: Some(PluginConfig {
                name: NAME.to_owned(),
                failure_policy: FailurePolicy::FailOpen.into(),
                configuration: Some(packed(&configuration)),
                vm: Some(plugin_config::Vm::VmConfig(vm)),
                ..PluginConfig::default()
            }),
        };
        let filter = TypedExtensionConfig {
            name: NAME.to_owned(),
            typed_config: Some(packed(&wasm)),
        };
        Resource {
            name: NAME.to_owned(),
            version: self.version.clone(),
            resource: Some(prost_types::Any {
                type_url: TYPE_URL.to_owned(),
                value: filter.encode_to_vec(),
            }),
            ..Resource::default()
        }
    }
}

fn packed<M: Message + Name>(message: &M) -> Any {
    Any {
        type_url: format!("type.googleapis.com/{}", M::full_name()),
        value: message.encode_to_vec(),
    }
}

/// The filter that is served, if there is one.
#[derive(Default)]
pub(crate) struct Served {
    resource: RwLock<Option<Resource>>,
}

impl Served {
    /// Serves this filter from now on.
    pub(crate) fn serve(&self, filter: &Filter) {
        *self.resource.write().expect("the filter") = Some(filter.resource());
    }
}

impl Configuration for Served {
    fn identifier(&self) -> String {
        "turnout-tests".to_owned()
    }

    fn is_leader(&self) -> Option<bool> {
        None
    }

    fn allow_request_processing(&self, resource_type: &str) -> bool {
        resource_type == TYPE_URL
    }

    /// The filter, for a proxy that asks for it and has another version.
    fn delta_discovery_request(
        &self,
        client: &ClientState,
    ) -> quilkin_xds::Result<DeltaDiscoveryRes> {
        let resource = self.resource.read().expect("the filter");
        let wanted = |resource: &&Resource| {
            client.subscribed.contains(&resource.name)
                && !client.version_matches(&resource.name, &resource.version)
        };
        Ok(DeltaDiscoveryRes {
            resources: resource.iter().filter(wanted).cloned().collect(),
            removed: HashSet::new(),
        })
    }

    // The rest is for servers that are clients too. This server is not a client.

    fn apply_delta(
        &self,
        _: &str,
        _: Vec<Resource>,
        _: &[String],
        _: Option<IpAddr>,
    ) -> quilkin_xds::Result<()> {
        Ok(())
    }

    fn on_changed(
        &self,
        _: ControlPlane<Self>,
        _: watch::Receiver<()>,
    ) -> impl Future<Output = ()> + Send + 'static {
        ready(())
    }

    fn interested_resources(&self, _: &str) -> impl Iterator<Item = (&'static str, Vec<String>)> {
        std::iter::empty()
    }

    fn client_disconnected(&self, _: IpAddr) {}
}
