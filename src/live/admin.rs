//! Envoy's admin page, which speaks plain HTTP.

use std::fmt::{self, Display};
use std::io::{self, Read};
use std::time::Duration;

use crate::address;

/// How much of a page is read unless said otherwise, in bytes.
const MOST_BYTES: u64 = 64 << 20;

/// The admin address of one proxy.
#[derive(Clone, Debug)]
pub struct Admin {
    base: String,
    agent: ureq::Agent,
    timeout: Duration,
    most: u64,
}

impl Admin {
    /// `http://127.0.0.1:9901`, or without `http://`. An answer may take so long.
    ///
    /// # Errors
    /// A sentence: that this is no such address, and what to write instead.
    pub fn new(address: &str, timeout: Duration) -> Result<Self, String> {
        let base = address::parse(address)?;
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            // What the environment says about proxies is not about an admin address.
            .proxy(None)
            .max_redirects(0)
            .build()
            .into();
        Ok(Self {
            base,
            agent,
            timeout,
            most: MOST_BYTES,
        })
    }

    /// Reads at most so many bytes of a page.
    #[must_use]
    pub fn at_most(mut self, bytes: u64) -> Self {
        self.most = bytes;
        self
    }

    /// How it is called in a sentence, and in JSON.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.base
    }

    /// Opens a page, from its `/` on.
    ///
    /// # Errors
    /// A sentence: why there is no such page to be had.
    pub fn open(&self, page: &str) -> Result<impl Read + 'static, String> {
        let opened = self.request(page);
        opened.map_err(|failure| self.failed(&failure))
    }

    /// Reads a page whole.
    ///
    /// # Errors
    /// A sentence: why there is no such page to be had, or that it is too long or no text.
    pub fn get(&self, page: &str) -> Result<String, String> {
        let page = self.ask(page);
        page.map_err(|failure| self.failed(&failure))
    }

    /// Reads a page of counters whole. `has_any` says whether there is one on it that only an Envoy has.
    ///
    /// # Errors
    /// That nothing answers, or that what answers is no Envoy.
    pub fn counters(
        &self,
        page: &str,
        has_any: impl FnOnce(&str) -> bool,
    ) -> Result<String, NoCounters> {
        let text = self.ask(page).map_err(|failure| match failure {
            Failure::Silent(_) => NoCounters::Silent(self.failed(&failure)),
            Failure::Status(403) => {
                let allowed = "if this is one, `admin.allow_paths` leaves out /stats";
                NoCounters::NotEnvoy(self.not_envoy(&format!("{failure} ({allowed})")))
            }
            failure => NoCounters::NotEnvoy(self.not_envoy(&failure)),
        })?;
        // An Envoy may be told to leave these counters out.
        match has_any(&text) || self.is_envoy() {
            true => Ok(text),
            false => Err(NoCounters::NotEnvoy(
                self.not_envoy(&"it has no counters of an Envoy"),
            )),
        }
    }

    /// Opens a part of the dump of the configuration, from `/config_dump` on; `None` where this Envoy
    /// has no such part.
    ///
    /// # Errors
    /// A sentence: why it cannot be read.
    pub fn part(&self, page: &str) -> Result<Option<impl Read + 'static>, String> {
        match self.request(page) {
            Ok(part) => Ok(Some(part)),
            Err(Failure::Status(400 | 404)) => Ok(None),
            Err(Failure::Status(403)) => Err(
                "/config_dump answered 403; add /config_dump to `admin.allow_paths` in Envoy's configuration"
                    .to_owned(),
            ),
            Err(failure) => Err(format!("of /config_dump, {failure}")),
        }
    }

    /// Whether it says of itself what every Envoy says.
    pub(crate) fn is_envoy(&self) -> bool {
        let info = self.ask("/server_info");
        info.is_ok_and(|info| is_server_info(&info))
    }

    /// Reads a page whole.
    ///
    /// # Errors
    /// Why there is no such page to be had.
    pub(crate) fn ask(&self, page: &str) -> Result<String, Failure> {
        let mut text = String::new();
        let read = self.request(page)?.read_to_string(&mut text);
        match read {
            Ok(_) => Ok(text),
            Err(error) => match error.kind() {
                io::ErrorKind::InvalidData => Err(Failure::NoText),
                io::ErrorKind::FileTooLarge => Err(Failure::TooLong(self.most)),
                _ => Err(Failure::Silent(error.to_string())),
            },
        }
    }

    /// Opens a page.
    ///
    /// # Errors
    /// Why there is no such page to be had.
    pub(crate) fn request(&self, page: &str) -> Result<impl Read + 'static, Failure> {
        let url = format!("{}{page}", self.base);
        let response = self.agent.get(&url).call();
        let response = response.map_err(|error| match error {
            ureq::Error::Timeout(_) => self.late(),
            ureq::Error::StatusCode(status) => Failure::Status(status),
            ureq::Error::HostNotFound => Failure::Silent("there is no host of this name".into()),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => self.late(),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Failure::Silent("the connection was refused".into())
            }
            ureq::Error::Protocol(error) => Failure::NoHttp(error.to_string()),
            error => Failure::Silent(error.to_string()),
        })?;
        if response.status() != 200 {
            return Err(Failure::Status(response.status().as_u16()));
        }
        let body = response.into_body().into_with_config().limit(self.most);
        Ok(Body {
            reader: body.reader(),
            timeout: self.timeout,
            most: self.most,
        })
    }

    fn late(&self) -> Failure {
        Failure::Silent(format!("no answer came within {:?}", self.timeout))
    }

    /// The sentence for an answer that makes no sense.
    #[must_use]
    pub fn failed(&self, error: &dyn Display) -> String {
        format!(
            "cannot read the counters of {}: {error}; is that the `admin` address of a running Envoy?",
            self.base
        )
    }

    fn not_envoy(&self, why: &dyn Display) -> String {
        let address = self.base.trim_start_matches("http://");
        format!(
            "{address} is not an Envoy admin endpoint: {why}; write the address under `admin` in \
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

/// Why there are no counters of a proxy. Each is a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoCounters {
    /// Nothing answers, or not to the end.
    Silent(String),
    /// What answers is not the admin endpoint of an Envoy.
    NotEnvoy(String),
}

/// The body of a page. Its errors are sentences.
struct Body<R> {
    reader: R,
    timeout: Duration,
    most: u64,
}

impl<R: Read> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer);
        read.map_err(|error| {
            let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
            let (kind, failure) = match cause {
                Some(ureq::Error::Timeout(_)) => (
                    io::ErrorKind::TimedOut,
                    Failure::Silent(format!("no whole answer came within {:?}", self.timeout)),
                ),
                Some(ureq::Error::BodyExceedsLimit(_)) => {
                    (io::ErrorKind::FileTooLarge, Failure::TooLong(self.most))
                }
                _ => return error,
            };
            io::Error::new(kind, failure.to_string())
        })
    }
}

/// Why there is no page to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing answers there, and why.
    Silent(String),
    /// It answered with another status than 200.
    Status(u16),
    /// What it answered is no HTTP.
    NoHttp(String),
    /// What it answered is no text.
    NoText,
    /// Its answer is longer than so many bytes.
    TooLong(u64),
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(why) => f.write_str(why),
            Self::Status(status) => write!(f, "it answered {status}"),
            Self::NoHttp(why) => write!(f, "what it answered is no HTTP ({why})"),
            Self::NoText => f.write_str("what it answered is no text"),
            Self::TooLong(most) => write!(f, "its answer is longer than {most} bytes"),
        }
    }
}
