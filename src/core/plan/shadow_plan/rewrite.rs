//! What a route changes in a request after the filter has seen it, as the policy declares it.

/// The changes of a route. Shadow requests get them before they are sent: a filter cannot see what the
/// router makes of the user's request, and a call of the filter's own passes no route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// How a path begins, and what takes the place of that.
    pub prefix: Option<(String, String)>,
    /// The host.
    pub host: Option<String>,
    /// Headers by their names in lower case: each gets this value, or is removed.
    pub headers: Vec<(String, Option<String>)>,
}

impl Rewrite {
    /// Whether the route changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The path that v1 gets of the user's request; `None` where it is as it came.
    #[must_use]
    pub fn path(&self, path: &[u8]) -> Option<Vec<u8>> {
        let (from, to) = self.prefix.as_ref()?;
        let rest = path.strip_prefix(from.as_bytes())?;
        Some([to.as_bytes(), rest].concat())
    }

    /// Changes the headers of a request as the route does. `path` is the path that v1 gets, where it is
    /// another one.
    ///
    /// Like Envoy, it says in `x-envoy-original-path` what the path was.
    pub fn apply<'a>(&'a self, headers: &mut Vec<(&'a [u8], &'a [u8])>, path: Option<&'a [u8]>) {
        if let Some(path) = path {
            let original = replace(headers, b":path", path);
            set(headers, b"x-envoy-original-path", original);
        }
        if let Some(host) = &self.host {
            replace(headers, b":authority", host.as_bytes());
        }
        for (name, value) in &self.headers {
            set(
                headers,
                name.as_bytes(),
                value.as_deref().map(str::as_bytes),
            );
        }
    }
}

/// Gives a header that is there another value, and returns the one before.
fn replace<'a>(
    headers: &mut [(&'a [u8], &'a [u8])],
    name: &[u8],
    value: &'a [u8],
) -> Option<&'a [u8]> {
    let (_, held) = headers.iter_mut().find(|(known, _)| *known == name)?;
    Some(std::mem::replace(held, value))
}

/// Leaves a header with this one value, or without any.
fn set<'a>(headers: &mut Vec<(&'a [u8], &'a [u8])>, name: &'a [u8], value: Option<&'a [u8]>) {
    headers.retain(|(known, _)| *known != name);
    headers.extend(value.map(|value| (name, value)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(rewrite: &Rewrite, path: &str) -> Vec<(String, String)> {
        let mut headers: Vec<(&[u8], &[u8])> = vec![
            (b":method", b"GET"),
            (b":path", path.as_bytes()),
            (b":authority", b"api.example.com"),
            (b"x-debug", b"1"),
            (b"x-tenant", b"theirs"),
            (b"x-tenant", b"too"),
        ];
        let path = rewrite.path(path.as_bytes());
        rewrite.apply(&mut headers, path.as_deref());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = headers.iter();
        headers
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    }

    #[test]
    fn a_request_changes_as_the_route_changes_it() {
        let rewrite = Rewrite {
            prefix: Some(("/api/".into(), "/".into())),
            host: Some("v1.internal".into()),
            headers: vec![
                ("x-tenant".into(), Some("ours".into())),
                ("x-debug".into(), None),
                ("x-new".into(), Some("yes".into())),
            ],
        };
        let expected = pairs(&[
            (":method", "GET"),
            (":path", "/v1/Users?a=/api/"),
            (":authority", "v1.internal"),
            ("x-envoy-original-path", "/api/v1/Users?a=/api/"),
            ("x-tenant", "ours"),
            ("x-new", "yes"),
        ]);
        assert_eq!(rewritten(&rewrite, "/api/v1/Users?a=/api/"), expected);
    }

    #[test]
    fn a_path_that_begins_otherwise_stays() {
        let rewrite = Rewrite {
            prefix: Some(("/api/".into(), "/".into())),
            ..Rewrite::default()
        };
        for path in ["/", "/API/v1", "/v1/api/", "/ap"] {
            let headers = rewritten(&rewrite, path);
            assert_eq!(headers.get(1), Some(&(":path".into(), path.into())));
            assert_eq!(headers.len(), 6, "{path}");
        }
    }

    #[test]
    fn nothing_declared_is_nothing_changed() {
        assert!(Rewrite::default().is_empty());
        assert_eq!(rewritten(&Rewrite::default(), "/api/v1").len(), 6);
    }
}
