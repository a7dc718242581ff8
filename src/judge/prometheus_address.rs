//! The address of a Prometheus server, as people write it.

use turnout_text::escape_for_terminal;

/// The API below a server's address.
const API: &str = "/api/v1";

/// The address of a Prometheus server: scheme, host, port, and the path before `/api/v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PrometheusAddress {
    base: String,
    is_loopback: bool,
}

impl PrometheusAddress {
    /// Parses `http://host:port/prefix`. The path may already contain `/api/v1`.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to write instead.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let refuse = |what: &str| {
            Err(format!(
                "--prometheus {}: {what}; write for example http://prometheus:9090",
                escape_for_terminal(url)
            ))
        };
        if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return refuse("the address has a blank");
        }
        let Some((scheme, rest)) = url.split_once("://") else {
            return refuse("expected an address that begins with http:// or https://");
        };
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "http" | "https") {
            return refuse("expected an address that begins with http:// or https://");
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if let Some((_, host)) = authority.rsplit_once('@') {
            // The part before the `@` may be a password, so it is not shown.
            return Err(format!(
                "--prometheus {scheme}://…@{}: passwords in the address are not supported; remove the part before the \
                 `@`, and give a token with --prometheus-token FILE",
                escape_for_terminal(host)
            ));
        }
        if path.contains(['?', '#']) {
            return refuse("expected an address without `?` and `#`");
        }
        let path = path.trim_end_matches('/');
        let path = path.strip_suffix("/query").unwrap_or(path);
        let path = path.strip_suffix(API).unwrap_or(path);
        let base = format!("{scheme}://{authority}{path}");
        let (host, port) = match authority.rsplit_once(':') {
            // The colons of an IPv6 address are in brackets.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
        let is_valid = authority.is_ascii()
            && !host.is_empty()
            && port.is_none_or(is_port)
            && base.parse::<ureq::http::Uri>().is_ok();
        if !is_valid {
            return refuse("the host, the port or the path is invalid");
        }
        let is_loopback = matches!(host, "localhost" | "[::1]") || host.starts_with("127.");
        Ok(Self { base, is_loopback })
    }

    /// The address without the path of the API.
    pub(crate) fn as_str(&self) -> &str {
        &self.base
    }

    /// Whether the server is on this machine.
    pub(crate) const fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// The address of the API for queries.
    pub(crate) fn query_url(&self) -> String {
        format!("{}{API}/query", self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_prefix_and_the_path_of_the_api() {
        for (given, base) in [
            ("http://prometheus:9090", "http://prometheus:9090"),
            ("HTTP://prometheus:9090/", "http://prometheus:9090"),
            ("https://mimir/prometheus/", "https://mimir/prometheus"),
            ("http://thanos/a/b/api/v1", "http://thanos/a/b"),
            ("http://thanos/api/v1/query", "http://thanos"),
            ("http://[::1]:9090", "http://[::1]:9090"),
        ] {
            let address = PrometheusAddress::parse(given).unwrap();
            assert_eq!(address.as_str(), base, "{given}");
            assert_eq!(address.query_url(), format!("{base}/api/v1/query"));
        }
        let is_loopback = |url: &str| PrometheusAddress::parse(url).unwrap().is_loopback();
        assert!(
            ["http://localhost", "http://127.0.0.1:9", "http://[::1]:9"].map(is_loopback)
                == [true; 3]
        );
        assert!(!is_loopback("http://prometheus:9090"));
    }

    #[test]
    fn each_mistake_is_named() {
        for (given, what) in [
            ("", "begins with http://"),
            ("prometheus:9090", "begins with http://"),
            ("unix:///run/prometheus", "begins with http://"),
            ("http://", "the host"),
            ("http://:9090", "the host"),
            ("http://host:port", "the host"),
            ("http://host/ a", "a blank"),
            ("http://host/graph?g0.expr=up", "without `?`"),
            ("http://host\u{1b}[2J", "a blank"),
        ] {
            let error = PrometheusAddress::parse(given).unwrap_err();
            assert!(error.starts_with("--prometheus"), "{error}");
            assert!(error.contains(what), "{given}: {error}");
            assert!(!error.contains('\u{1b}'), "{error}");
        }
        let error = PrometheusAddress::parse("https://me:secret@host/x").unwrap_err();
        assert!(
            !error.contains("secret") && error.contains("…@host"),
            "{error}"
        );
    }
}
