//! A client for Prometheus's HTTP API.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::time::Duration;

use turnout_text::excerpt_for_terminal;
use ureq::http::header::LOCATION;

use crate::prometheus_address::PrometheusAddress;
use crate::prometheus_response::{QueryResponse, Series};
use crate::prometheus_token::BearerToken;

/// The timeout of a query: with its body, the whole response has to arrive within this time.
const TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest response, in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// How much of a text of the server an error shows, in characters.
const LONGEST_EXCERPT: usize = 200;
/// How many warnings are kept.
const MOST_WARNINGS: usize = 10;

/// A client for one server.
#[derive(Debug)]
pub(crate) struct PrometheusClient {
    agent: ureq::Agent,
    address: PrometheusAddress,
    token: Option<BearerToken>,
    max_bytes: u64,
    warnings: RefCell<BTreeSet<String>>,
}

/// Why a query has no result. The text is a sentence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum QueryError {
    /// It asks for more than the server returns, or takes too long. A shorter time may work.
    TooMuch(String),
    /// Another reason.
    Other(String),
}

impl QueryError {
    pub(crate) fn into_text(self) -> String {
        match self {
            Self::TooMuch(text) | Self::Other(text) => text,
        }
    }
}

impl PrometheusClient {
    pub(crate) fn new(address: PrometheusAddress, token: Option<BearerToken>) -> Self {
        Self::with_limits(address, token, TIMEOUT, MAX_BYTES)
    }

    pub(crate) fn with_limits(
        address: PrometheusAddress,
        token: Option<BearerToken>,
        timeout: Duration,
        max_bytes: u64,
    ) -> Self {
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .timeout_connect(Some(CONNECT_TIMEOUT.min(timeout)))
            .http_status_as_error(false)
            // Another address must not get the token.
            .max_redirects(0);
        if address.is_loopback() {
            // `http_proxy` in the environment is not meant for this machine.
            config = config.proxy(None);
        }
        Self {
            agent: config.build().into(),
            address,
            token,
            max_bytes,
            warnings: RefCell::default(),
        }
    }

    /// The server's warnings that the responses so far may be incomplete.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warnings.borrow().iter().cloned().collect()
    }

    /// Evaluates a query at a time, in milliseconds since 1970, or else at the current time of the server.
    pub(crate) fn query(&self, query: &str, at: Option<i64>) -> Result<Vec<Series>, QueryError> {
        let mut request = self.agent.get(self.address.query_url());
        request = request.query("query", query);
        if let Some(at) = at {
            request = request.query("time", seconds(at));
        }
        request = request.header("accept", "application/json");
        if let Some(token) = &self.token {
            request = request.header("authorization", token.header());
        }
        let response = request.call().map_err(|error| self.failed(&error))?;
        let status = response.status().as_u16();
        if (300..400).contains(&status) {
            let location = response.headers().get(LOCATION);
            let location = location.and_then(|location| location.to_str().ok());
            return Err(self.redirected(location.unwrap_or_default()));
        }
        let mut text = String::new();
        let mut body = response
            .into_body()
            .into_with_config()
            .limit(self.max_bytes)
            .reader();
        if let Err(error) = body.read_to_string(&mut text) {
            let error = match error
                .get_ref()
                .and_then(|cause| cause.downcast_ref::<ureq::Error>())
            {
                Some(cause) => self.failed(cause),
                None if error.kind() == io::ErrorKind::InvalidData => {
                    self.other("its response is not UTF-8")
                }
                None => self.other(&format!("its response is cut off ({error})")),
            };
            return Err(error);
        }
        self.read(status, &text)
    }

    fn read(&self, status: u16, text: &str) -> Result<Vec<Series>, QueryError> {
        let Some(response) = QueryResponse::parse(text) else {
            return Err(self.not_of_api(status, text));
        };
        if response.status != "success" || !(200..300).contains(&status) {
            return Err(self.refused(status, &response));
        }
        let series = response.series().map_err(|what| self.other(&what))?;
        let mut warnings = self.warnings.borrow_mut();
        for warning in &response.warnings {
            if warnings.len() < MOST_WARNINGS {
                warnings.insert(excerpt_for_terminal(warning, LONGEST_EXCERPT));
            }
        }
        Ok(series)
    }

    /// The error of a response of the API.
    fn refused(&self, status: u16, response: &QueryResponse<'_>) -> QueryError {
        let kind = excerpt_for_terminal(&response.error_type, LONGEST_EXCERPT);
        let error = excerpt_for_terminal(&response.error, LONGEST_EXCERPT);
        let text = self.sentence(&match (kind.as_str(), error.as_str()) {
            ("", "") => format!("it responded with {status}"),
            ("", error) => format!("it responded with {status}: {error}"),
            (kind, error) => format!("it responded with {status}, {kind}: {error}"),
        });
        // 422: too many samples; 503: the query timed out. A wrong query is `bad_data`.
        match (status, response.error_type.as_str()) {
            (_, "bad_data") => QueryError::Other(format!("{text}; check the matchers in --match")),
            (422 | 503, _) | (_, "timeout" | "execution") => QueryError::TooMuch(text),
            (401 | 403, _) => QueryError::Other(format!("{text}; {}", self.token_help())),
            _ => QueryError::Other(text),
        }
    }

    /// The error of a response that is not one of the API.
    fn not_of_api(&self, status: u16, text: &str) -> QueryError {
        let begins = text.trim_start().get(..1).unwrap_or_default();
        let what = match begins {
            "" => "an empty response",
            "<" => "a web page, perhaps a login page",
            _ => "a response that is not one of Prometheus",
        };
        let what = match status {
            401 | 403 => format!("it responded with {status}; {}", self.token_help()),
            404 | 405 => format!(
                "it responded with {status}; is the path before /api/v1 right, such as /prometheus for Mimir?"
            ),
            413 | 414 | 429 => {
                return QueryError::TooMuch(self.sentence(&format!("it responded with {status}")));
            }
            // A proxy before the server had no response in time.
            502..=504 => {
                return QueryError::TooMuch(self.sentence(&format!("it responded with {status}")));
            }
            200 => format!("it sent {what}; expected the address of a Prometheus server"),
            status => format!(
                "it responded with {status} and {what}; expected the address of a Prometheus server"
            ),
        };
        self.other(&what)
    }

    fn token_help(&self) -> &'static str {
        match self.token {
            Some(_) => "it does not accept the token of --prometheus-token",
            None => "give a token with --prometheus-token FILE",
        }
    }

    fn redirected(&self, location: &str) -> QueryError {
        // Its path and query may contain secrets.
        let host = location
            .split_once("://")
            .and_then(|(_, rest)| rest.split(['/', '?', '#']).next())
            .map(|host| host.rsplit_once('@').map_or(host, |(_, host)| host));
        let to = match host {
            Some(host) => excerpt_for_terminal(host, LONGEST_EXCERPT),
            None => "another path".to_owned(),
        };
        self.other(&format!(
            "it redirects to {to}, and redirects are not followed; if it is not a login page, write that address"
        ))
    }

    /// The error of a request without a complete response.
    fn failed(&self, error: &ureq::Error) -> QueryError {
        let what = match error {
            ureq::Error::Timeout(_) => {
                return QueryError::TooMuch(self.sentence("it did not respond in time"));
            }
            ureq::Error::BodyExceedsLimit(_) => {
                return QueryError::TooMuch(self.sentence(&format!(
                    "the response is longer than {} bytes",
                    self.max_bytes
                )));
            }
            ureq::Error::HostNotFound => "no host has this name".to_owned(),
            ureq::Error::Io(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => "the connection was refused".to_owned(),
                io::ErrorKind::TimedOut => {
                    return QueryError::TooMuch(self.sentence("it did not respond in time"));
                }
                _ => error.to_string(),
            },
            ureq::Error::Protocol(error) => format!("the response is not HTTP ({error})"),
            error => error.to_string(),
        };
        self.other(&what)
    }

    pub(crate) fn other(&self, what: &str) -> QueryError {
        QueryError::Other(self.sentence(what))
    }

    pub(crate) fn sentence(&self, what: &str) -> String {
        format!(
            "cannot query Prometheus at {}: {what}",
            self.address.as_str()
        )
    }
}

/// Milliseconds as a number of seconds.
pub(crate) fn seconds(milliseconds: i64) -> String {
    let (whole, rest) = (
        milliseconds.div_euclid(1_000),
        milliseconds.rem_euclid(1_000),
    );
    format!("{whole}.{rest:03}")
}
