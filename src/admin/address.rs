//! Admin addresses, as people write them.

use turnout_text::escape_for_terminal;

/// The example that an error message gives if the intended address cannot be guessed.
const EXAMPLE: &str = "http://127.0.0.1:9901";

/// Returns the addresses in the form `http://host:port`, without duplicates. An invalid address is kept
/// unchanged.
#[must_use]
pub fn distinct_admins(addresses: &[String]) -> Vec<String> {
    let mut distinct = Vec::new();
    for address in addresses {
        let address = parse_address(address).unwrap_or_else(|_| address.clone());
        if !distinct.contains(&address) {
            distinct.push(address);
        }
    }
    distinct
}

/// Parses `host:port`, with an optional `http://` before it and `/` after it, and returns
/// `http://host:port`.
///
/// # Errors
/// A sentence that says what is wrong and what to write instead.
pub fn parse_address(address: &str) -> Result<String, String> {
    let refuse = |what: &str, instead: &str| {
        Err(format!(
            "--admin {}: {what}; write {}",
            escape_for_terminal(address),
            escape_for_terminal(instead)
        ))
    };
    if address.trim().is_empty() {
        return refuse("the address is empty", EXAMPLE);
    }
    if address.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let instead: String = address.split_whitespace().collect();
        return refuse("the address has a blank", &instead);
    }
    if address.contains(',') {
        let instead: Vec<&str> = address.split(',').filter(|one| !one.is_empty()).collect();
        let instead = instead.join(" --admin ");
        return refuse("each proxy needs its own --admin", &instead);
    }
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
        None => (None, address),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    if let Some((_, host)) = authority.rsplit_once('@') {
        // The part before the `@` may be a password, so it is not shown.
        return Err(format!(
            "--admin …@{}: an admin address has no user name; write http://{}",
            escape_for_terminal(host),
            escape_for_terminal(host)
        ));
    }
    match scheme.as_deref() {
        None | Some("http") => {}
        Some("https") => {
            let instead = format!("http://{}", with_port(authority));
            return refuse("Envoy's admin endpoint speaks plain HTTP", &instead);
        }
        Some(_) => return refuse("an admin address begins with http://", EXAMPLE),
    }
    if authority.is_empty() {
        return refuse("the host is missing", EXAMPLE);
    }
    if !matches!(path, "" | "/") {
        let what = format!("an admin address has no path, found `{path}`");
        return refuse(&what, &format!("http://{}", with_port(authority)));
    }
    let (host, port) = match split(authority) {
        Ok(split) => split,
        Err(Mistake { what, instead }) => return refuse(what, &instead),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
    if !host.chars().all(is_name) {
        return refuse("the host name is invalid", EXAMPLE);
    }
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    match port
        .parse::<u16>()
        .map(|port| if is_number { port } else { 0 })
    {
        Ok(port) if port > 0 && !host.is_empty() => Ok(format!("http://{host}:{port}")),
        _ if host.is_empty() => refuse(
            "the host before the port is missing",
            &format!("http://127.0.0.1:{port}"),
        ),
        _ => refuse(
            &format!("expected a port from 1 to 65535, found `{port}`"),
            &format!("http://{host}:9901, with the port of Envoy's `admin`"),
        ),
    }
}

struct Mistake {
    what: &'static str,
    instead: String,
}

/// Splits an address into the host, including the brackets of an IPv6 address, and the port.
fn split(authority: &str) -> Result<(&str, &str), Mistake> {
    let no_port = |host: &str| Mistake {
        what: "the port is missing",
        instead: format!("http://{host}:9901, with the port of Envoy's `admin`"),
    };
    if authority.starts_with('[') {
        let Some((host, rest)) = authority.split_once(']') else {
            return Err(Mistake {
                what: "an IPv6 address ends with `]`",
                instead: "for example http://[::1]:9901".into(),
            });
        };
        let inside = host.trim_start_matches('[');
        let host = authority
            .get(..host.len().saturating_add(1))
            .unwrap_or(host);
        if inside.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(Mistake {
                what: "the text between the brackets is not an IPv6 address",
                instead: "for example http://[::1]:9901".into(),
            });
        }
        return match rest.strip_prefix(':') {
            Some(port) if !port.is_empty() => Ok((host, port)),
            _ => Err(no_port(host)),
        };
    }
    match authority.matches(':').count() {
        0 if authority.bytes().all(|byte| byte.is_ascii_digit()) => Err(Mistake {
            what: "the host is missing",
            instead: format!("http://127.0.0.1:{authority}"),
        }),
        0 => Err(no_port(authority)),
        1 => match authority.split_once(':') {
            Some((host, "")) => Err(no_port(host)),
            Some((host, port)) => Ok((host, port)),
            None => Err(no_port(authority)),
        },
        _ => Err(Mistake {
            what: "an IPv6 address has to be in brackets",
            instead: bracketed(authority),
        }),
    }
}

/// Guesses the intended form of an IPv6 address without brackets.
fn bracketed(authority: &str) -> String {
    let is_address = |text: &str| text.parse::<std::net::Ipv6Addr>().is_ok();
    let port = authority.rsplit_once(':');
    match port {
        // The last group may be the port: both readings are IPv6 addresses.
        Some((host, port)) if is_address(host) && port.len() >= 4 => {
            format!("http://[{host}]:{port}")
        }
        _ if is_address(authority) => {
            format!("http://[{authority}]:9901, with the port of Envoy's `admin`")
        }
        Some((host, port)) if is_address(host) => format!("http://[{host}]:{port}"),
        _ => "for example http://[::1]:9901".into(),
    }
}

/// Returns how a message shows an authority that may have no port.
fn with_port(authority: &str) -> String {
    match split(authority) {
        Ok((host, port)) if !host.is_empty() => format!("{host}:{port}"),
        Ok((_, port)) => format!("127.0.0.1:{port}"),
        Err(mistake) => mistake.instead.trim_start_matches("http://").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_host_and_port() {
        for (given, expected) in [
            ("127.0.0.1:9901", "http://127.0.0.1:9901"),
            ("http://envoy:1", "http://envoy:1"),
            ("HTTP://envoy:1/", "http://envoy:1"),
            ("http://[::1]:9901/", "http://[::1]:9901"),
            ("[fe80::1]:65535", "http://[fe80::1]:65535"),
            ("localhost:0080", "http://localhost:80"),
        ] {
            assert_eq!(parse_address(given), Ok(expected.into()), "{given}");
        }
    }

    #[test]
    fn each_mistake_is_named_with_what_to_write_instead() {
        for (given, what, instead) in [
            ("", "is empty", "http://127.0.0.1:9901"),
            ("http://", "host is missing", "http://127.0.0.1:9901"),
            ("host", "port is missing", "http://host:9901, with"),
            ("http://host/", "port is missing", "http://host:9901, with"),
            ("host:", "port is missing", "http://host:9901, with"),
            (
                ":9901",
                "host before the port is missing",
                "http://127.0.0.1:9901",
            ),
            ("9901", "host is missing", "http://127.0.0.1:9901"),
            (
                "host:99999",
                "1 to 65535, found `99999`",
                "http://host:9901, with",
            ),
            ("host:0", "1 to 65535, found `0`", "http://host:9901, with"),
            (
                "host:admin",
                "1 to 65535, found `admin`",
                "http://host:9901, with",
            ),
            (
                "host:-1",
                "1 to 65535, found `-1`",
                "http://host:9901, with",
            ),
            (
                "host:+9901",
                "1 to 65535, found `+9901`",
                "http://host:9901, with",
            ),
            (
                "ho\\st:9901",
                "host name is invalid",
                "http://127.0.0.1:9901",
            ),
            ("höst:9901", "host name is invalid", "http://127.0.0.1:9901"),
            (
                "http://host:9901/stats",
                "no path, found `/stats`",
                "http://host:9901",
            ),
            (
                "host:9901/stats?x=1#y",
                "no path, found `/stats?x=1#y`",
                "http://host:9901",
            ),
            (
                "host/stats",
                "no path, found `/stats`",
                "http://host:9901, with",
            ),
            ("host:9901?x", "no path, found `?x`", "http://host:9901"),
            ("https://host:9901", "plain HTTP", "http://host:9901"),
            ("https://host:9901/stats", "plain HTTP", "http://host:9901"),
            ("https://host", "plain HTTP", "http://host:9901, with"),
            (
                "unix:///run/envoy.sock",
                "begins with http://",
                "http://127.0.0.1:9901",
            ),
            (
                "ftp://host:1",
                "begins with http://",
                "http://127.0.0.1:9901",
            ),
            ("::1", "in brackets", "http://[::1]:9901, with"),
            ("::1:9901", "in brackets", "http://[::1]:9901"),
            ("fe80::1:2:9901", "in brackets", "http://[fe80::1:2]:9901"),
            ("[::1]", "port is missing", "http://[::1]:9901, with"),
            ("[::1]9901", "port is missing", "http://[::1]:9901, with"),
            ("[::1:9901", "ends with `]`", "http://[::1]:9901"),
            ("[host]:9901", "is not an IPv6 address", "http://[::1]:9901"),
            ("a:1,b:2", "its own --admin", "a:1 --admin b:2"),
            (" host:9901", "a blank", "host:9901"),
            ("host: 9901", "a blank", "host:9901"),
        ] {
            let error = parse_address(given).unwrap_err();
            assert!(error.starts_with("--admin"), "{error}");
            let (said, rest) = error.split_once("; write ").expect(&error);
            assert!(said.contains(what), "{given}: {error}");
            let rest = rest.trim_start_matches("for example ");
            assert!(rest.starts_with(instead), "{given}: {error}");
        }
    }

    #[test]
    fn a_password_and_what_a_terminal_obeys_are_not_shown() {
        let error = parse_address("http://me:secret@host:9901").unwrap_err();
        assert!(
            !error.contains("secret") && error.ends_with("write http://host:9901"),
            "{error}"
        );
        let error = parse_address("host\u{1b}[2J:9901/x").unwrap_err();
        assert!(!error.contains('\u{1b}'), "{error}");
    }
}
