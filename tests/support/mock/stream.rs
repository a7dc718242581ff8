//! One HTTP request through the filter, with the callbacks in Envoy's order.

use super::headers::HeaderMap;
use super::state::{Context, LocalResponse, Message, StreamState};
use super::{Trap, Vm};
use std::collections::BTreeMap;

/// The result of a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Continue,
    Pause,
}

/// A request in progress; [`Vm::finish`] ends it.
#[must_use = "a stream has to be finished"]
#[derive(Debug)]
pub struct Stream {
    id: u32,
    /// The filter's result for the request headers.
    pub action: Action,
}

/// Everything that a stream left behind.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The request headers, as the upstream or the next filter gets them.
    pub headers: HeaderMap,
    /// The request trailers, as the upstream or the next filter gets them.
    pub trailers: HeaderMap,
    pub response_headers: HeaderMap,
    pub action: Action,
    /// Properties that the filter set. In Envoy they are filter state with the prefix `wasm.`.
    pub properties: BTreeMap<String, Vec<u8>>,
    /// Changes of request headers. At ABI 0.2.1 each of them also makes Envoy discard the route.
    pub header_changes: usize,
    pub local_response: Option<LocalResponse>,
    /// The filter let a paused stream continue.
    pub resumed: bool,
    /// The filter reset the stream.
    pub reset: bool,
    /// The host calls in this stream's callbacks, by name and in order.
    pub host_calls: Vec<&'static str>,
}

impl Exchange {
    /// The first value of a request header. Panics if it is not UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(text)
    }

    /// All values of a request header, in order.
    pub fn header_values(&self, name: &str) -> Vec<&str> {
        self.headers
            .entries()
            .iter()
            .filter(|(known, _)| known == name.as_bytes())
            .map(|(_, value)| text(value))
            .collect()
    }

    /// The access-log entry by its keys: `rollout`, `treatment`, `reason`, `revision`, `account`.
    /// Panics if there is no entry.
    pub fn logged(&self) -> BTreeMap<&'static str, String> {
        let entry = self.properties.get(turnout_core::LOG_PROPERTY);
        crate::envoy::logged(entry.expect("an entry"))
    }

    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(|value| text(value))
    }
}

fn text(value: &[u8]) -> &str {
    std::str::from_utf8(value).expect("a value that is UTF-8")
}

impl Vm {
    /// A whole request without a body. The upstream responds with `200`, unless the filter responds.
    pub fn exchange<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        headers: &[(N, V)],
    ) -> Result<Exchange, Trap> {
        let stream = self.request(headers, true)?;
        match self.state(stream.id).local_response.clone() {
            Some(response) => self.respond_locally(&stream, response)?,
            None if stream.action == Action::Continue => {
                self.response(&stream, &[(":status", "200")], true)?;
            }
            None => {}
        }
        self.finish(stream)
    }

    /// A new stream, up to its request headers.
    ///
    /// Panics if no configuration was accepted: Envoy would not have accepted the request.
    pub fn request<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        headers: &[(N, V)],
        end_of_stream: bool,
    ) -> Result<Stream, Trap> {
        let root = self.root.expect("a configuration that was accepted");
        let id = self.new_context();
        let state = StreamState {
            root,
            ..StreamState::default()
        };
        self.host_mut()
            .contexts
            .insert(id, Context::Stream(Box::new(state)));
        self.call("proxy_on_context_create", id, &[root])?;
        let action = self.lend_headers(
            "proxy_on_request_headers",
            id,
            HeaderMap::received(headers),
            end_of_stream,
        )?;
        Ok(Stream { id, action })
    }

    /// The first value of a header of the request, as the next filter gets it.
    pub fn request_header(&mut self, stream: &Stream, name: &str) -> Option<String> {
        let headers = &self.state(stream.id).request.headers;
        headers.get(name).map(|value| text(value).to_owned())
    }

    /// A piece of the request body.
    pub fn request_body(
        &mut self,
        stream: &Stream,
        piece: &[u8],
        end_of_stream: bool,
    ) -> Result<Action, Trap> {
        self.lend_body("proxy_on_request_body", stream.id, piece, end_of_stream)
    }

    /// The request trailers, which end the request.
    pub fn request_trailers<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        stream: &Stream,
        trailers: &[(N, V)],
    ) -> Result<Action, Trap> {
        self.lend_trailers("proxy_on_request_trailers", stream.id, trailers)
    }

    /// The response headers.
    pub fn response<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        stream: &Stream,
        headers: &[(N, V)],
        end_of_stream: bool,
    ) -> Result<Action, Trap> {
        self.lend_headers(
            "proxy_on_response_headers",
            stream.id,
            HeaderMap::received(headers),
            end_of_stream,
        )
    }

    /// A piece of the response body.
    pub fn response_body(
        &mut self,
        stream: &Stream,
        piece: &[u8],
        end_of_stream: bool,
    ) -> Result<Action, Trap> {
        self.lend_body("proxy_on_response_body", stream.id, piece, end_of_stream)
    }

    /// The response trailers, which end the response.
    pub fn response_trailers<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        stream: &Stream,
        trailers: &[(N, V)],
    ) -> Result<Action, Trap> {
        self.lend_trailers("proxy_on_response_trailers", stream.id, trailers)
    }

    /// The end of a stream, whatever its cause: Envoy writes the access log and destroys
    /// the filters.
    pub fn finish(&mut self, stream: Stream) -> Result<Exchange, Trap> {
        let Stream { id, action } = stream;
        self.state(id).logging = true;
        self.call("proxy_on_log", id, &[])?;
        self.state(id).logging = false;
        self.call("proxy_on_done", id, &[])?;
        self.call("proxy_on_delete", id, &[])?;
        let Some(Context::Stream(state)) = self.host_mut().contexts.remove(&id) else {
            unreachable!("a stream is removed by its end alone");
        };
        self.settle()?;
        if self.root != Some(state.root) {
            self.retire(state.root)?;
        }
        Ok(Exchange {
            headers: state.request.headers,
            trailers: state.request.trailers,
            response_headers: state.response.headers,
            action,
            properties: state.properties,
            header_changes: state.header_changes,
            local_response: state.local_response,
            resumed: state.resumed,
            reset: state.reset,
            host_calls: state.host_calls,
        })
    }

    /// The filter sees its own response like any other.
    fn respond_locally(&mut self, stream: &Stream, response: LocalResponse) -> Result<(), Trap> {
        let mut headers = response.headers;
        headers.replace(":status", response.status.to_string().as_bytes());
        let no_body = response.body.is_empty();
        self.lend_headers("proxy_on_response_headers", stream.id, headers, no_body)?;
        if !no_body {
            self.response_body(stream, &response.body, true)?;
        }
        Ok(())
    }

    fn lend_headers(
        &mut self,
        callback: &'static str,
        id: u32,
        headers: HeaderMap,
        end_of_stream: bool,
    ) -> Result<Action, Trap> {
        let count = u32::try_from(headers.entries().len()).expect("a bounded number of headers");
        let message = self.message(callback, id);
        message.headers = headers;
        message.lent = true;
        let response = self.call(callback, id, &[count, end_of_stream.into()])?;
        let action = self.action(id, response);
        if action == Action::Continue {
            self.message(callback, id).lent = false;
        }
        self.settle()?;
        Ok(action)
    }

    fn lend_body(
        &mut self,
        callback: &'static str,
        id: u32,
        piece: &[u8],
        end_of_stream: bool,
    ) -> Result<Action, Trap> {
        let body = &mut self.message(callback, id).body;
        body.get_or_insert_default().extend(piece);
        let size = u32::try_from(body.as_ref().map_or(0, Vec::len)).expect("a bounded body");
        let response = self.call(callback, id, &[size, end_of_stream.into()])?;
        let action = self.action(id, response);
        if action == Action::Continue {
            self.message(callback, id).body = None;
        }
        self.settle()?;
        Ok(action)
    }

    fn lend_trailers<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        callback: &'static str,
        id: u32,
        trailers: &[(N, V)],
    ) -> Result<Action, Trap> {
        let count = u32::try_from(trailers.len()).expect("a bounded number of trailers");
        let message = self.message(callback, id);
        message.trailers = HeaderMap::received(trailers);
        message.trailers_lent = true;
        let response = self.call(callback, id, &[count])?;
        let action = self.action(id, response);
        self.message(callback, id).trailers_lent = action == Action::Pause;
        self.settle()?;
        Ok(action)
    }

    /// A local response stops the request, whatever the callback returns.
    fn action(&mut self, id: u32, response: Option<u32>) -> Action {
        let answered_locally = self.state(id).local_response.is_some();
        match response {
            None | Some(0) if !answered_locally => Action::Continue,
            _ => Action::Pause,
        }
    }

    fn message(&mut self, callback: &'static str, id: u32) -> &mut Message {
        let state = self.state(id);
        if callback.contains("_request_") {
            &mut state.request
        } else {
            &mut state.response
        }
    }

    fn state(&mut self, id: u32) -> &mut StreamState {
        self.host_mut().stream(id).expect("an open stream")
    }
}
