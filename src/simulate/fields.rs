//! Which field of a log says what of a request.

use std::borrow::Cow;
use std::fmt;

use turnout_core::AccessLogEntry;
use turnout_text::nearest;

use crate::words;

/// What is wanted of a line, but for headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
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

impl Part {
    const ALL: [(&'static str, Self); 10] = [
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

/// Headers that can be named.
pub(crate) const MOST_HEADERS: usize = 12;
/// A slot for each part, then one for each header.
const SLOTS: usize = Part::ALL.len().saturating_add(MOST_HEADERS);
/// Behind them: the field that holds what the filter says of a request, which is several parts.
pub(crate) const ENTRY: usize = SLOTS;
/// The path and the host as the filter read them, where a line has them beside what a route made of them.
const ORIGINAL_PATH: usize = SLOTS.saturating_add(1);
const ORIGINAL_HOST: usize = SLOTS.saturating_add(2);
/// A field that an access log has and no logger writes beside a message, and one of a logger's.
const OF_A_PROXY: usize = SLOTS.saturating_add(3);
const OF_A_LOGGER: usize = SLOTS.saturating_add(4);

/// Fields of the access logs of Envoy, Istio and Envoy Gateway that say nothing of what is decided.
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
/// Of fields whose place in a line is remembered.
const MOST_PLACES: usize = 256;

/// Which field of a JSON line says what. By default those of Turnout's own log and of Istio's.
#[derive(Clone, Debug)]
pub struct Fields {
    names: Vec<(Vec<u8>, usize)>,
    /// Lower case.
    headers: Vec<String>,
}

impl Default for Fields {
    fn default() -> Self {
        let names = [
            ("account", Part::Account),
            ("method", Part::Method),
            ("authority", Part::Host),
            ("host", Part::Host),
            ("path", Part::Path),
            ("request_id", Part::RequestId),
            ("start_time", Part::Time),
            ("treatment", Part::Treatment),
            ("reason", Part::Reason),
        ];
        let named = names.map(|(name, part)| (name, part as usize));
        let others = [
            // As Envoy Gateway names them.
            (":authority", Part::Host as usize),
            ("x-request-id", Part::RequestId as usize),
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

/// Why `NAME=FIELD` says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadField {
    /// There is no `=`, or nothing on one side of it.
    Form,
    /// There is no such name.
    Unknown(String),
    /// No header can have this name.
    NoHeader(String),
    /// More headers than can be read.
    TooMany,
}

impl fmt::Display for BadField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str("write NAME=FIELD, for example account=account_sid"),
            Self::Unknown(name) => {
                let names = Part::ALL.map(|(name, _)| name);
                match nearest(name, names) {
                    Some(near) => {
                        write!(f, "no part `{name}` of a request; did you mean `{near}`?")
                    }
                    None => write!(
                        f,
                        "no part `{name}` of a request; write one of {}, or header:NAME",
                        names.join(", ")
                    ),
                }
            }
            Self::NoHeader(name) => write!(
                f,
                "`{name}` is no name of a header; write one as in header:x-beta=FIELD"
            ),
            Self::TooMany => write!(f, "at most {MOST_HEADERS} headers can be read"),
        }
    }
}

impl std::error::Error for BadField {}

impl Fields {
    /// Takes `NAME=FIELD`: a part of a request, or `header:x-beta`, is in that field of a line.
    ///
    /// # Errors
    /// When there is no such part.
    pub fn map(&mut self, text: &str) -> Result<(), BadField> {
        let (name, field) = text.split_once('=').ok_or(BadField::Form)?;
        if name.is_empty() || field.is_empty() {
            return Err(BadField::Form);
        }
        let slot = match name.strip_prefix("header:") {
            Some(header) if is_header(header) => self.header(&header.to_ascii_lowercase())?,
            Some(name) if !name.is_empty() => {
                return Err(BadField::NoHeader(words::excerpt(name.as_bytes())));
            }
            _ => {
                let known = Part::ALL.iter().find(|(known, _)| *known == name);
                let (_, part) =
                    known.ok_or_else(|| BadField::Unknown(words::excerpt(name.as_bytes())))?;
                // What is said replaces what is assumed.
                let assumed = match part {
                    Part::Path => ORIGINAL_PATH,
                    Part::Host => ORIGINAL_HOST,
                    other => *other as usize,
                };
                self.names
                    .retain(|(_, slot)| *slot != *part as usize && *slot != assumed);
                *part as usize
            }
        };
        let field = field.as_bytes();
        // It is a part of a request now, whoever else writes such a field.
        let is_sign = |slot: usize| matches!(slot, OF_A_PROXY | OF_A_LOGGER);
        self.names
            .retain(|(name, slot)| !(name == field && is_sign(*slot)));
        self.names.push((field.to_vec(), slot));
        Ok(())
    }

    fn header(&mut self, name: &str) -> Result<usize, BadField> {
        let known = self.headers.iter().position(|known| known == name);
        let index = match known {
            Some(index) => index,
            None if self.headers.len() >= MOST_HEADERS => return Err(BadField::TooMany),
            None => {
                self.headers.push(name.to_owned());
                self.headers.len().saturating_sub(1)
            }
        };
        Ok(Part::ALL.len().saturating_add(index))
    }

    /// Whether some field has this header.
    pub(crate) fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|known| known == name)
    }

    /// The slots of a field: mostly none or one.
    pub(crate) fn slots<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
        let named = self.names.iter().filter(move |(known, _)| known == name);
        named.map(|(_, slot)| *slot)
    }
}

/// What is no name of a header, such as `:path`, would be asked for and never found.
fn is_header(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

/// What one line says of its request. Envoy writes `-` or `null` for what is not there, and in JSON
/// nothing between quotes for a header that is there and empty.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    values: [Option<&'a [u8]>; SLOTS],
    is_of_a_proxy: bool,
    is_of_a_logger: bool,
}

impl<'a> Entry<'a> {
    pub(crate) const fn new() -> Self {
        Self {
            values: [None; SLOTS],
            is_of_a_proxy: false,
            is_of_a_logger: false,
        }
    }

    /// Whether some field is one that only access logs have.
    pub(crate) const fn is_of_a_proxy(&self) -> bool {
        self.is_of_a_proxy
    }

    /// Whether some field is one that loggers write.
    pub(crate) const fn is_of_a_logger(&self) -> bool {
        self.is_of_a_logger
    }

    /// Marks what a field in this slot says of its line, whatever its value. Whether the value is of
    /// use too.
    pub(crate) const fn mark(&mut self, slot: usize) -> bool {
        match slot {
            OF_A_PROXY => self.is_of_a_proxy = true,
            OF_A_LOGGER => self.is_of_a_logger = true,
            _ => {
                // The time at which a request starts, and what the filter says, are in access logs alone.
                let is_sure = slot == ENTRY || slot == Part::Time as usize;
                self.is_of_a_proxy |= is_sure;
                return true;
            }
        }
        false
    }

    /// The first value that is there stays.
    pub(crate) fn set(&mut self, slot: usize, value: &'a [u8]) {
        let is_there = match value {
            b"-" => false,
            // No other part is ever empty.
            b"" => (Part::ALL.len()..SLOTS).contains(&slot),
            _ => true,
        };
        let (slot, replaces) = match slot {
            ORIGINAL_PATH => (Part::Path as usize, true),
            ORIGINAL_HOST => (Part::Host as usize, true),
            slot => (slot, false),
        };
        if let Some(place) = self.values.get_mut(slot)
            && is_there
            && (place.is_none() || replaces)
        {
            *place = Some(value);
        }
    }

    /// Takes the parts of what the filter says. `None` where they do not stand there as they are.
    pub(crate) fn set_entry(&mut self, entry: &'a [u8]) -> Option<()> {
        let logged = AccessLogEntry::parse(entry)?;
        if let Some(account) = logged.account {
            let Cow::Borrowed(account) = account else {
                return None;
            };
            self.set_part(Part::Account, account);
        }
        self.set_part(Part::Treatment, logged.treatment);
        self.set_part(Part::Reason, logged.reason);
        self.set_part(Part::Rollout, logged.rollout);
        self.set_part(Part::Revision, logged.revision);
        Some(())
    }

    pub(crate) fn set_part(&mut self, part: Part, value: &'a [u8]) {
        self.set(part as usize, value);
    }

    pub(crate) fn get(&self, part: Part) -> Option<&'a [u8]> {
        self.values.get(part as usize).copied().flatten()
    }

    /// As the headers of a request, pseudo-headers included.
    pub(crate) fn pairs<'b>(&self, fields: &'b Fields) -> Pairs<'b>
    where
        'a: 'b,
    {
        let mut pairs = Pairs {
            pairs: [(b"", b""); SLOTS],
            count: 0,
        };
        for (name, part) in [
            (&b":method"[..], Part::Method),
            (b":authority", Part::Host),
            (b":path", Part::Path),
            (b"x-request-id", Part::RequestId),
        ] {
            pairs.extend(name, self.get(part));
        }
        let headers = self.values.get(Part::ALL.len()..).unwrap_or_default();
        for (name, value) in fields.headers.iter().zip(headers) {
            pairs.extend(name.as_bytes(), *value);
        }
        pairs
    }
}

/// A few headers, without an allocation.
pub(crate) struct Pairs<'a> {
    pairs: [(&'a [u8], &'a [u8]); SLOTS],
    count: usize,
}

impl<'a> Pairs<'a> {
    fn extend(&mut self, name: &'a [u8], value: Option<&'a [u8]>) {
        if let (Some(value), Some(place)) = (value, self.pairs.get_mut(self.count)) {
            *place = (name, value);
            self.count = self.count.saturating_add(1);
        }
    }

    pub(crate) fn as_slice(&self) -> &[(&'a [u8], &'a [u8])] {
        self.pairs.get(..self.count).unwrap_or_default()
    }
}

/// Remembers what stood in which place of the last line: the lines of one log are alike.
#[derive(Default)]
pub(crate) struct Layout {
    places: Vec<(Vec<u8>, Option<usize>)>,
}

impl Layout {
    /// The slot of the field with this name, in this place of its line.
    pub(crate) fn slot(&mut self, fields: &Fields, place: usize, name: &[u8]) -> Option<usize> {
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
        let mut fields = Fields::default();
        fields.map("account=customer").unwrap();
        fields.map("header:X-Beta=beta").unwrap();
        assert_eq!(fields.slots(b"account").count(), 0);
        assert_eq!(
            fields.slots(b"customer").next(),
            Some(Part::Account as usize)
        );
        assert!(fields.has_header("x-beta"));
        assert_eq!(fields.map("account"), Err(BadField::Form));
        assert_eq!(
            fields.map("header:=x"),
            Err(BadField::Unknown("header:".into()))
        );
        for name in [":path", "x beta", "x\u{e9}"] {
            let error = fields.map(&format!("header:{name}=f"));
            assert_eq!(error, Err(BadField::NoHeader(name.into())));
        }
        let error = fields.map("acount=x").unwrap_err().to_string();
        assert_eq!(
            error,
            "no part `acount` of a request; did you mean `account`?"
        );
        for index in 1..MOST_HEADERS {
            fields.map(&format!("header:x-{index}=f{index}")).unwrap();
        }
        assert_eq!(fields.map("header:one-more=f"), Err(BadField::TooMany));
    }
}
