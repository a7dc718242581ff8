//! Maps the fields of a JSON log to the properties of a request.

use std::fmt;

use turnout_text::nearest;

use crate::wording;

/// A property of a request in a log line, other than headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestPart {
    Account,
    Method,
    Host,
    Path,
    RequestId,
    Time,
    Treatment,
    Reason,
    Rollout,
    Revision,
}

impl RequestPart {
    pub(crate) const ALL: [(&'static str, Self); 10] = [
        ("account", Self::Account),
        ("method", Self::Method),
        ("host", Self::Host),
        ("path", Self::Path),
        ("request_id", Self::RequestId),
        ("start_time", Self::Time),
        ("treatment", Self::Treatment),
        ("reason", Self::Reason),
        ("rollout", Self::Rollout),
        ("revision", Self::Revision),
    ];
}

/// The maximum number of headers that can be mapped.
pub(crate) const MOST_HEADERS: usize = 12;
/// The number of slots: one for each property, then one for each header.
pub(crate) const SLOTS: usize = RequestPart::ALL.len().saturating_add(MOST_HEADERS);
/// The slot after those: the filter's own entry, which has several properties.
pub(crate) const ENTRY: usize = SLOTS;
/// The path and the host that the filter read, if a line has them in addition to those that a route rewrote.
pub(crate) const ORIGINAL_PATH: usize = SLOTS.saturating_add(1);
pub(crate) const ORIGINAL_HOST: usize = SLOTS.saturating_add(2);
/// A field that only access logs have, and a field that loggers write.
pub(crate) const OF_A_PROXY: usize = SLOTS.saturating_add(3);
pub(crate) const OF_A_LOGGER: usize = SLOTS.saturating_add(4);

/// Fields of the access logs of Envoy, Istio and Envoy Gateway that do not affect decisions.
const PROXY_FIELDS: [&str; 24] = [
    "bytes_received",
    "bytes_sent",
    "connection_termination_details",
    "downstream_local_address",
    "downstream_remote_address",
    "downstream_remote_address_without_port",
    "duration",
    "duration_ms",
    "protocol",
    "requested_server_name",
    "response_code",
    "response_code_details",
    "response_duration",
    "response_flags",
    "route_name",
    "upstream_cluster",
    "upstream_cluster_raw",
    "upstream_host",
    "upstream_local_address",
    "upstream_service_time",
    "upstream_transport_failure_reason",
    "user_agent",
    "x_forwarded_for",
    "x-forwarded-for",
];

/// Fields that loggers and collectors write.
const LOGGER_FIELDS: [&str; 20] = [
    "@level",
    "@message",
    "@mt",
    "caller",
    "exc_info",
    "level",
    "levelname",
    "log",
    "log.level",
    "logger",
    "logger_name",
    "loglevel",
    "lvl",
    "message",
    "msg",
    "severity",
    "stack",
    "stack_trace",
    "stacktrace",
    "thread",
];
/// The maximum number of fields whose place in a line is remembered.
const MOST_PLACES: usize = 256;

/// Maps fields of JSON lines to properties. The default is for the logs of Turnout, Istio and Envoy Gateway.
#[derive(Clone, Debug)]
pub struct LogFields {
    names: Vec<(Vec<u8>, usize)>,
    /// Lower case.
    pub(crate) headers: Vec<String>,
}

impl Default for LogFields {
    fn default() -> Self {
        let names = [
            ("account", RequestPart::Account),
            ("method", RequestPart::Method),
            ("authority", RequestPart::Host),
            ("host", RequestPart::Host),
            ("path", RequestPart::Path),
            ("request_id", RequestPart::RequestId),
            ("start_time", RequestPart::Time),
            ("treatment", RequestPart::Treatment),
            ("reason", RequestPart::Reason),
        ];
        let named = names.map(|(name, part)| (name, part as usize));
        let others = [
            // The names that Envoy Gateway uses.
            (":authority", RequestPart::Host as usize),
            ("x-request-id", RequestPart::RequestId as usize),
            ("x-envoy-origin-path", ORIGINAL_PATH),
            ("x-envoy-original-path", ORIGINAL_PATH),
            ("original_path", ORIGINAL_PATH),
            ("x-envoy-original-host", ORIGINAL_HOST),
            ("original_host", ORIGINAL_HOST),
            ("turnout", ENTRY),
        ];
        let proxy = PROXY_FIELDS.map(|name| (name, OF_A_PROXY));
        let logger = LOGGER_FIELDS.map(|name| (name, OF_A_LOGGER));
        let all = named.into_iter().chain(others).chain(proxy).chain(logger);
        Self {
            names: all
                .map(|(name, slot)| (name.as_bytes().to_vec(), slot))
                .collect(),
            headers: Vec::new(),
        }
    }
}

/// Why `NAME=FIELD` is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldError {
    /// There is no `=`, or one side of it is empty.
    Form,
    /// There is no property with this name.
    Unknown(String),
    /// The name is not a valid header name.
    NoHeader(String),
    /// There are more than [`MOST_HEADERS`] headers.
    TooMany,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str("expected NAME=FIELD, for example account=account_sid"),
            Self::Unknown(name) => {
                let names = RequestPart::ALL.map(|(name, _)| name);
                match nearest(name, names) {
                    Some(near) => {
                        write!(f, "unknown property `{name}`; did you mean `{near}`?")
                    }
                    None => write!(
                        f,
                        "unknown property `{name}`; expected one of {}, or header:NAME",
                        names.join(", ")
                    ),
                }
            }
            Self::NoHeader(name) => write!(
                f,
                "`{name}` is not a header name; expected header:NAME=FIELD, for example header:x-beta=beta"
            ),
            Self::TooMany => write!(f, "at most {MOST_HEADERS} headers can be mapped"),
        }
    }
}

impl std::error::Error for FieldError {}

impl LogFields {
    /// Parses and adds `NAME=FIELD`, which maps a field to a property or to a header (`header:x-beta`).
    ///
    /// # Errors
    /// If the text is not a valid mapping.
    pub fn map(&mut self, text: &str) -> Result<(), FieldError> {
        let (name, field) = text.split_once('=').ok_or(FieldError::Form)?;
        if name.is_empty() || field.is_empty() {
            return Err(FieldError::Form);
        }
        let slot = match name.strip_prefix("header:") {
            Some(header) if is_header(header) => self.header(&header.to_ascii_lowercase())?,
            Some(name) if !name.is_empty() => {
                return Err(FieldError::NoHeader(wording::excerpt(name.as_bytes())));
            }
            _ => {
                let known = RequestPart::ALL.iter().find(|(known, _)| *known == name);
                let (_, part) =
                    known.ok_or_else(|| FieldError::Unknown(wording::excerpt(name.as_bytes())))?;
                // An explicit mapping replaces the default ones.
                let assumed = match part {
                    RequestPart::Path => ORIGINAL_PATH,
                    RequestPart::Host => ORIGINAL_HOST,
                    other => *other as usize,
                };
                self.names
                    .retain(|(_, slot)| *slot != *part as usize && *slot != assumed);
                *part as usize
            }
        };
        let field = field.as_bytes();
        // A mapped field no longer indicates a proxy or a logger.
        let is_sign = |slot: usize| matches!(slot, OF_A_PROXY | OF_A_LOGGER);
        self.names
            .retain(|(name, slot)| !(name == field && is_sign(*slot)));
        self.names.push((field.to_vec(), slot));
        Ok(())
    }

    fn header(&mut self, name: &str) -> Result<usize, FieldError> {
        let known = self.headers.iter().position(|known| known == name);
        let index = match known {
            Some(index) => index,
            None if self.headers.len() >= MOST_HEADERS => return Err(FieldError::TooMany),
            None => {
                self.headers.push(name.to_owned());
                self.headers.len().saturating_sub(1)
            }
        };
        Ok(RequestPart::ALL.len().saturating_add(index))
    }

    /// Whether a field is mapped to this header.
    pub(crate) fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|known| known == name)
    }

    /// The slots of a field; usually none or one.
    pub(crate) fn slots<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        let named = self.names.iter().filter(move |(known, _)| known == name);
        named.map(|(_, slot)| *slot)
    }
}

/// Whether a name is a valid header name. No line could match others, such as `:path`.
fn is_header(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

/// Remembers the order of fields in the last line, because most lines of a log have the same order.
#[derive(Default)]
pub(crate) struct FieldOrder {
    places: Vec<(Vec<u8>, Option<usize>)>,
}

impl FieldOrder {
    /// The slot of the field with this name, at this index of its line.
    pub(crate) fn slot(&mut self, fields: &LogFields, place: usize, name: &[u8]) -> Option<usize> {
        if let Some((known, slot)) = self.places.get(place)
            && known == name
        {
            return *slot;
        }
        let slot = fields.slots(name).next();
        let remembered = (name.to_vec(), slot);
        let places = self.places.len();
        match self.places.get_mut(place) {
            Some(known) => *known = remembered,
            None if place == places && place < MOST_PLACES => self.places.push(remembered),
            None => {}
        }
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_given_another_name() {
        let mut fields = LogFields::default();
        fields.map("account=customer").unwrap();
        fields.map("header:X-Beta=beta").unwrap();
        assert_eq!(fields.slots(b"account").count(), 0);
        assert_eq!(
            fields.slots(b"customer").next(),
            Some(RequestPart::Account as usize)
        );
        assert!(fields.has_header("x-beta"));
        assert_eq!(fields.map("account"), Err(FieldError::Form));
        assert_eq!(
            fields.map("header:=x"),
            Err(FieldError::Unknown("header:".into()))
        );
        for name in [":path", "x beta", "x\u{e9}"] {
            let error = fields.map(&format!("header:{name}=f"));
            assert_eq!(error, Err(FieldError::NoHeader(name.into())));
        }
        let error = fields.map("acount=x").unwrap_err().to_string();
        assert_eq!(error, "unknown property `acount`; did you mean `account`?");
        for index in 1..MOST_HEADERS {
            fields.map(&format!("header:x-{index}=f{index}")).unwrap();
        }
        assert_eq!(fields.map("header:one-more=f"), Err(FieldError::TooMany));
    }
}
