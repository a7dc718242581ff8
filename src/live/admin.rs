//! Envoy's admin page, which speaks plain HTTP.

use std::fmt::Display;
use std::io::Read;
use std::time::Duration;

use turnout_core::visible;

/// How much of a page is read unless said otherwise, in bytes.
const MOST_BYTES: u64 = 64 << 20;

/// The admin address of one proxy.
#[derive(Clone, Debug)]
pub struct Admin {
    base: String,
    agent: ureq::Agent,
    most: u64,
}

impl Admin {
    /// `http://127.0.0.1:9901`, or without `http://`. An answer may take so long.
    ///
    /// # Errors
    /// A sentence: that this is no such address.
    pub fn new(address: &str, timeout: Duration) -> Result<Self, String> {
        let base = match address.contains("://") {
            true => address.to_owned(),
            false => format!("http://{address}"),
        };
        let base = base.trim_end_matches('/');
        let is_host = |rest: &str| !rest.is_empty() && !rest.contains(['/', '?', '#', ' ']);
        if !base.strip_prefix("http://").is_some_and(is_host) {
            return Err(format!(
                "--admin {}: an admin address is plain HTTP; write for example http://127.0.0.1:9901",
                visible(address)
            ));
        }
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            // What the environment says about proxies is not about an admin address.
            .proxy(None)
            .max_redirects(0)
            .build()
            .into();
        Ok(Self {
            base: base.to_owned(),
            agent,
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
        let url = format!("{}{page}", self.base);
        let response = self.agent.get(&url).call();
        let response = response.map_err(|error| self.failed(&error))?;
        if response.status() != 200 {
            return Err(self.failed(&format!("it answered {}", response.status())));
        }
        let body = response.into_body().into_with_config().limit(self.most);
        Ok(body.reader())
    }

    /// Reads a page whole.
    ///
    /// # Errors
    /// A sentence: why there is no such page to be had, or that it is too long or no text.
    pub fn get(&self, page: &str) -> Result<String, String> {
        let mut text = String::new();
        let read = self.open(page)?.read_to_string(&mut text);
        read.map_err(|error| self.failed(&error))?;
        Ok(text)
    }

    /// The sentence for an answer that makes no sense.
    #[must_use]
    pub fn failed(&self, error: &dyn Display) -> String {
        format!(
            "cannot read the counters of {}: {error}; is that the `admin` address of a running Envoy?",
            self.base
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_host_and_port() {
        let second = Duration::from_secs(1);
        for good in ["127.0.0.1:9901", "http://envoy:1", "http://[::1]:9901/"] {
            let name = Admin::new(good, second).map(|admin| admin.name().to_owned());
            assert!(name.is_ok_and(|name| good.contains(name.trim_start_matches("http://"))));
        }
        for bad in [
            "",
            "https://a:1",
            "http://",
            "http://a/stats",
            "unix:///x",
            "a b",
        ] {
            assert!(Admin::new(bad, second).is_err(), "{bad}");
        }
    }
}
