//! The service that proxies call: it watches the requests and passes them on to the library.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use futures::{Stream, StreamExt};
use quilkin_xds::discovery::aggregated_discovery_service_server::AggregatedDiscoveryService;
use quilkin_xds::discovery::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
};
use quilkin_xds::server::ControlPlane;
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::Event;
use crate::filter::Served;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Reports what each proxy accepts and rejects.
pub(crate) struct Observed {
    inner: ControlPlane<Served>,
}

impl Observed {
    pub(crate) fn new(inner: ControlPlane<Served>) -> Self {
        Self { inner }
    }
}

/// The proxy of a stream, and the versions that it was sent, by nonce.
#[derive(Default)]
struct Proxy {
    node: String,
    sent: HashMap<String, String>,
}

impl Proxy {
    /// Whether the request is passed on to the server. A rejection is not: the server would send the rejected
    /// version again at once, in an endless loop, and the proxy keeps the version before it.
    fn observe(&mut self, request: &DeltaDiscoveryRequest) -> bool {
        if let Some(node) = request.node.as_ref().filter(|_| self.node.is_empty()) {
            self.node.clone_from(&node.id);
            Event::Connected { node: &self.node }.tell();
        }
        let Some(version) = self.sent.remove(&request.response_nonce) else {
            return true;
        };
        let (node, version) = (&*self.node, &*version);
        match &request.error_detail {
            Some(refusal) => Event::Refused {
                node,
                version,
                reason: &refusal.message,
            },
            None => Event::Accepted { node, version },
        }
        .tell();
        request.error_detail.is_none()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        Event::Gone { node: &self.node }.tell();
    }
}

#[async_trait]
impl AggregatedDiscoveryService for Observed {
    type StreamAggregatedResourcesStream = Answers<DiscoveryResponse>;
    type DeltaAggregatedResourcesStream = Answers<DeltaDiscoveryResponse>;

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        self.inner.stream_aggregated_resources(request).await
    }

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        let asking = Arc::new(Mutex::new(Proxy::default()));
        let answered = Arc::clone(&asking);
        let requests = request.into_inner().filter(move |request| {
            let goes_on = match request {
                Ok(request) => asking.lock().expect("a proxy").observe(request),
                // The library ends such a stream.
                Err(_) => true,
            };
            std::future::ready(goes_on)
        });
        let responses = self.inner.delta_aggregated_resources(requests).await?;
        let responses = responses.inspect(move |response| {
            let Ok(response) = response else { return };
            if let Some(resource) = response.resources.first() {
                let sent = (response.nonce.clone(), resource.version.clone());
                answered.lock().expect("a proxy").sent.extend([sent]);
            }
        });
        Ok(Response::new(Box::pin(responses)))
    }
}
