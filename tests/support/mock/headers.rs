//! A header map that behaves like Envoy's `HeaderMapImpl`, and its serialized form in the ABI.

/// A name and a value. Neither must be text.
pub type Header = (Vec<u8>, Vec<u8>);

/// Headers in the order in which Envoy would write them, with lower-case names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HeaderMap {
    entries: Vec<Header>,
}

impl std::fmt::Debug for HeaderMap {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let lines = self
            .entries
            .iter()
            .map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii()));
        formatter.debug_list().entries(lines).finish()
    }
}

/// Request headers of which Envoy keeps one entry: another value is appended to the first after a comma. These
/// are the built-in ones and those that filters linked into Envoy register. Envoy has another list for response
/// headers; here they share this one.
const JOINED: &[&str] = &[
    ":authority",
    ":method",
    ":path",
    ":protocol",
    ":scheme",
    "accept",
    "accept-encoding",
    "access-control-request-method",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "grpc-accept-encoding",
    "grpc-timeout",
    "if-match",
    "if-none-match",
    "keep-alive",
    "origin",
    "pragma",
    "proxy-connection",
    "proxy-status",
    "referer",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-client-trace-id",
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-downstream-service-cluster",
    "x-envoy-downstream-service-node",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-force-trace",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-internal",
    "x-envoy-ip-tags",
    "x-envoy-max-retries",
    "x-envoy-original-path",
    "x-envoy-original-url",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-stream-duration-ms",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-request-id",
];

impl HeaderMap {
    /// The headers as received, with one `add` each.
    pub fn received<N: AsRef<[u8]>, V: AsRef<[u8]>>(headers: &[(N, V)]) -> Self {
        let mut map = Self::default();
        for (name, value) in headers {
            map.add(name, value.as_ref());
        }
        map
    }

    /// Names and values, in order.
    pub fn entries(&self) -> &[Header] {
        &self.entries
    }

    /// The first value. Envoy returns no other to a filter that asks for a name.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        let name = stored_name(name.as_ref());
        let (_, value) = self.entries.iter().find(|(known, _)| *known == name)?;
        Some(value)
    }

    /// `HeaderMap::addCopy`: another entry, or another value of a joined header. Names that
    /// start with a colon stay before all others.
    pub fn add(&mut self, name: impl AsRef<[u8]>, value: &[u8]) {
        let name = stored_name(name.as_ref());
        if JOINED.iter().any(|joined| joined.as_bytes() == name)
            && let Some((_, joined)) = self.entries.iter_mut().find(|(known, _)| *known == name)
        {
            join(joined, value);
            return;
        }
        let place = if name.starts_with(b":") {
            self.pseudo_headers()
        } else {
            self.entries.len()
        };
        self.entries.insert(place, (name, value.to_vec()));
    }

    /// `HeaderMap::setCopy`: removes all values of the name and adds the new one at the end.
    pub fn replace(&mut self, name: impl AsRef<[u8]>, value: &[u8]) {
        self.remove(&name);
        self.add(name, value);
    }

    /// `HeaderMap::remove`: removes all values of the name.
    pub fn remove(&mut self, name: impl AsRef<[u8]>) {
        let name = stored_name(name.as_ref());
        self.entries.retain(|(known, _)| *known != name);
    }

    /// The form that a guest reads: the number of pairs, the lengths of each, then each name and each value with a
    /// NUL after it. An empty map has no bytes.
    pub fn serialize(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.entries.is_empty() {
            return bytes;
        }
        bytes.extend(length(self.entries.len()));
        for (name, value) in &self.entries {
            bytes.extend(length(name.len()));
            bytes.extend(length(value.len()));
        }
        for (name, value) in &self.entries {
            for part in [name, value] {
                bytes.extend(part);
                bytes.push(0);
            }
        }
        bytes
    }

    /// The inverse of [`HeaderMap::serialize`]; `None` for invalid bytes.
    pub fn deserialize(bytes: &[u8]) -> Option<Self> {
        let mut map = Self::default();
        if bytes.is_empty() {
            return Some(map);
        }
        let (count, mut lengths) = take_length(bytes)?;
        let mut text = lengths.get(count.checked_mul(8)?..)?;
        for _ in 0..count {
            let (name_length, rest) = take_length(lengths)?;
            let (value_length, rest) = take_length(rest)?;
            lengths = rest;
            let name = text.get(..name_length)?;
            text = text.get(name_length + 1..)?;
            let value = text.get(..value_length)?;
            text = text.get(value_length + 1..)?;
            map.add(name, value);
        }
        Some(map)
    }

    fn pseudo_headers(&self) -> usize {
        let regular = |(name, _): &Header| !name.starts_with(b":");
        self.entries
            .iter()
            .position(regular)
            .unwrap_or(self.entries.len())
    }
}

/// Lower case; `host` is another name for `:authority`.
fn stored_name(name: &[u8]) -> Vec<u8> {
    let name = name.to_ascii_lowercase();
    match name.as_slice() {
        b"host" => b":authority".to_vec(),
        _ => name,
    }
}

fn join(joined: &mut Vec<u8>, value: &[u8]) {
    if value.is_empty() {
        return;
    }
    if !joined.is_empty() {
        joined.push(b',');
    }
    joined.extend(value);
}

fn length(of: usize) -> [u8; 4] {
    u32::try_from(of)
        .expect("a header map fits the guest's memory")
        .to_le_bytes()
}

fn take_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*length)).ok()?, rest))
}
