//! A client for Envoy's admin endpoint, which speaks plain HTTP.

use std::fmt::{self, Display};
use std::io::{self, Read};
use std::time::Duration;

use turnout_core::Time;

use crate::address::parse_address;

/// The default limit of a page, in bytes.
const DEFAULT_MAX_BYTES: u64 = 64 << 20;

/// A client for the admin endpoint of one proxy.
#[derive(Clone, Debug)]
pub struct AdminClient {
    base: String,
    agent: ureq::Agent,
    timeout: Duration,
    max_bytes: u64,
}

impl AdminClient {
    /// Creates a client for `http://127.0.0.1:9901` or `127.0.0.1:9901`. The whole response, including its
    /// body, has to arrive within `timeout`.
    ///
    /// # Errors
    /// A sentence that says why the address is invalid and what to write instead.
    pub fn new(address: &str, timeout: Duration) -> Result<Self, String> {
        let base = parse_address(address)?;
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            // `http_proxy` in the environment is not meant for an admin address.
            .proxy(None)
            .max_redirects(0)
            .build()
            .into();
        Ok(Self {
            base,
            agent,
            timeout,
            max_bytes: DEFAULT_MAX_BYTES,
        })
    }

    /// Sets the limit of a page, in bytes (default: 64 MiB).
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Returns the address as messages and JSON show it: `http://host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.base
    }

    /// Opens a page. `page` begins with `/`.
    ///
    /// # Errors
    /// A sentence that says why the page cannot be read.
    pub fn open(&self, page: &str) -> Result<impl Read + 'static, String> {
        let opened = self.request(page);
        opened.map_err(|error| self.describe_stats_error(&error))
    }

    /// Reads a page of stats. `is_of_envoy` returns whether the page has a stat that only Envoy has. Also returns the
    /// date of the response, which is the proxy's clock.
    ///
    /// # Errors
    /// If nothing responds, or something other than Envoy does.
    pub(crate) fn get_stats(
        &self,
        page: &str,
        is_of_envoy: impl FnOnce(&str) -> bool,
    ) -> Result<(String, Option<Time>), StatsError> {
        let (text, date) = self.get_dated(page).map_err(|error| match error {
            RequestError::Unreachable(_) => {
                StatsError::Unreachable(self.describe_stats_error(&error))
            }
            RequestError::Status(403) => {
                let allowed = "if it is one, add /stats to `admin.allow_paths`";
                StatsError::NotEnvoy(self.not_envoy(&format!("{error} ({allowed})")))
            }
            error => StatsError::NotEnvoy(self.not_envoy(&error)),
        })?;
        // A `stats_matcher` may exclude these stats.
        match is_of_envoy(&text) || self.is_envoy() {
            true => Ok((text, date)),
            false => Err(StatsError::NotEnvoy(
                self.not_envoy(&"it has no stats of an Envoy"),
            )),
        }
    }

    /// Opens a part of the configuration dump. `page` begins with `/config_dump`. Returns `None` if this
    /// version of Envoy has no such part.
    ///
    /// # Errors
    /// A sentence that says why it cannot be read.
    pub fn open_config_dump(&self, page: &str) -> Result<Option<impl Read + 'static>, String> {
        match self.request(page) {
            Ok(part) => Ok(Some(part)),
            Err(RequestError::Status(400 | 404)) => Ok(None),
            Err(RequestError::Status(403)) => Err(
                "/config_dump responded with 403; add /config_dump to `admin.allow_paths` in Envoy's configuration"
                    .to_owned(),
            ),
            Err(error) => Err(format!("/config_dump: {error}")),
        }
    }

    /// Whether `/server_info` is that of an Envoy.
    #[must_use]
    pub fn is_envoy(&self) -> bool {
        let info = self.get("/server_info");
        info.is_ok_and(|info| is_server_info(&info))
    }

    /// Reads a page.
    ///
    /// # Errors
    /// If the page cannot be read, is too long or is not UTF-8.
    pub fn get(&self, page: &str) -> Result<String, RequestError> {
        self.get_dated(page).map(|(text, _)| text)
    }

    /// Reads a page, and the date of the response.
    fn get_dated(&self, page: &str) -> Result<(String, Option<Time>), RequestError> {
        let mut text = String::new();
        let mut body = self.request(page)?;
        let read = body.read_to_string(&mut text);
        match read {
            Ok(_) => Ok((text, body.date)),
            Err(error) => match error.kind() {
                io::ErrorKind::InvalidData => Err(RequestError::NotText),
                io::ErrorKind::FileTooLarge => Err(RequestError::TooLong(self.max_bytes)),
                _ => Err(RequestError::Unreachable(error.to_string())),
            },
        }
    }

    /// Opens a page.
    ///
    /// # Errors
    /// If there is no response, or its status is not 200.
    pub(crate) fn request(
        &self,
        page: &str,
    ) -> Result<Body<impl Read + use<> + 'static>, RequestError> {
        let url = format!("{}{page}", self.base);
        let response = self.agent.get(&url).call();
        let response = response.map_err(|error| match error {
            ureq::Error::Timeout(_) => self.timed_out(),
            ureq::Error::StatusCode(status) => RequestError::Status(status),
            ureq::Error::HostNotFound => RequestError::Unreachable("no host has this name".into()),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => self.timed_out(),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                RequestError::Unreachable("the connection was refused".into())
            }
            ureq::Error::Protocol(error) => RequestError::NotHttp(error.to_string()),
            error => RequestError::Unreachable(error.to_string()),
        })?;
        if response.status() != 200 {
            return Err(RequestError::Status(response.status().as_u16()));
        }
        let date = response.headers().get("date");
        let date = date.and_then(|date| parse_http_date(date.to_str().ok()?));
        let body = response
            .into_body()
            .into_with_config()
            .limit(self.max_bytes);
        Ok(Body {
            reader: body.reader(),
            date,
            timeout: self.timeout,
            max_bytes: self.max_bytes,
        })
    }

    fn timed_out(&self) -> RequestError {
        RequestError::Unreachable(format!("no response within {:?}", self.timeout))
    }

    /// Describes an error in a page of stats, in a sentence.
    #[must_use]
    pub fn describe_stats_error(&self, error: &dyn Display) -> String {
        format!(
            "cannot read the stats of {}: {error}; is this the `admin` address of a running Envoy?",
            self.base
        )
    }

    fn not_envoy(&self, why: &dyn Display) -> String {
        let address = self.base.trim_start_matches("http://");
        format!(
            "{address} is not an Envoy admin endpoint: {why}; use the address under `admin` in \
             Envoy's configuration, for example --admin 127.0.0.1:9901 (Istio: port 15000)"
        )
    }
}

fn is_server_info(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Info {
        #[serde(rename = "version")]
        _version: String,
        #[serde(rename = "state")]
        _state: String,
        #[serde(rename = "command_line_options")]
        _options: serde::de::IgnoredAny,
    }
    serde_json::from_str::<Info>(text).is_ok()
}

/// Parses `Sat, 28 Nov 2026 21:12:03 GMT`, the only form of a date that is sent today (RFC 9110).
fn parse_http_date(text: &str) -> Option<Time> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_, rest) = text.split_once(", ")?;
    let mut words = rest.strip_suffix(" GMT")?.split(' ');
    let (day, month, year, clock) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = (1..).zip(MONTHS).find(|(_, name)| *name == month)?.0;
    Time::parse(&format!("{year}-{month:02}-{day}T{clock}Z")).ok()
}

/// Why the stats of a proxy cannot be read. The text is a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatsError {
    /// Nothing responds, or the response is cut off.
    Unreachable(String),
    /// The response is not from the admin endpoint of an Envoy.
    NotEnvoy(String),
}

/// The body of a page, which reports errors as sentences.
pub(crate) struct Body<R> {
    reader: R,
    date: Option<Time>,
    timeout: Duration,
    max_bytes: u64,
}

impl<R: Read> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer);
        read.map_err(|error| {
            let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
            let (kind, failure) = match cause {
                Some(ureq::Error::Timeout(_)) => (
                    io::ErrorKind::TimedOut,
                    RequestError::Unreachable(format!(
                        "no complete response within {:?}",
                        self.timeout
                    )),
                ),
                Some(ureq::Error::BodyExceedsLimit(_)) => (
                    io::ErrorKind::FileTooLarge,
                    RequestError::TooLong(self.max_bytes),
                ),
                _ => return error,
            };
            io::Error::new(kind, failure.to_string())
        })
    }
}

/// Why a page cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// Nothing responds. The text says why.
    Unreachable(String),
    /// The status of the response is not 200.
    Status(u16),
    /// The response is not HTTP. The text says why.
    NotHttp(String),
    /// The response is not UTF-8.
    NotText,
    /// The response is longer than this limit, in bytes.
    TooLong(u64),
}

impl Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => f.write_str(why),
            Self::Status(status) => write!(f, "it responded with {status}"),
            Self::NotHttp(why) => write!(f, "the response is not HTTP ({why})"),
            Self::NotText => f.write_str("the response is not UTF-8"),
            Self::TooLong(max_bytes) => write!(f, "the response is longer than {max_bytes} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_responses_are_parsed() {
        let time = parse_http_date("Sat, 28 Nov 2026 21:12:03 GMT").unwrap();
        assert_eq!(time.to_string(), "2026-11-28T21:12:03Z");
        for text in [
            "",
            "Sat, 28 Nov 2026 21:12:03",
            "Sat, 31 Feb 2026 21:12:03 GMT",
            "Sat, 28 Xyz 2026 21:12:03 GMT",
            "Saturday, 28-Nov-26 21:12:03 GMT",
            ", 1 Jan 99999999 9 GMT",
        ] {
            assert_eq!(parse_http_date(text), None, "{text}");
        }
    }
}
