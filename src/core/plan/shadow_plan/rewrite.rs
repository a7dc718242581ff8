//! The changes that a route makes to a request after the filter, as the policy declares them.

/// The changes of a route. The filter applies them to shadow requests itself, because it cannot see the request
/// that the router sends, and its own calls do not pass through a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// A prefix of the path, and its replacement.
    pub prefix: Option<(String, String)>,
    /// The new host.
    pub host: Option<String>,
    /// Header names in lower case, with the value to set, or `None` to remove the header.
    pub headers: Vec<(String, Option<String>)>,
}

impl Rewrite {
    /// Whether the route changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the path that the route sends to v1; `None` if the route does not change it.
    #[must_use]
    pub fn path(&self, path: &[u8]) -> Option<Vec<u8>> {
        let (from, to) = self.prefix.as_ref()?;
        let rest = path.strip_prefix(from.as_bytes())?;
        Some([to.as_bytes(), rest].concat())
    }

    /// Applies the changes to the headers of a request. `path` is the result of [`Rewrite::path`].
    ///
    /// Like Envoy, sets `x-envoy-original-path` to the previous path.
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

/// Replaces the value of a header, if it is present, and returns the previous value.
fn replace<'a>(
    headers: &mut [(&'a [u8], &'a [u8])],
    name: &[u8],
    value: &'a [u8],
) -> Option<&'a [u8]> {
    let (_, current) = headers.iter_mut().find(|(known, _)| *known == name)?;
    Some(std::mem::replace(current, value))
}

/// Sets a header to one value, or removes it.
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
    fn a_rewrite_makes_the_changes_of_the_route() {
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
    fn a_path_with_another_prefix_is_unchanged() {
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
    fn an_empty_rewrite_changes_nothing() {
        assert!(Rewrite::default().is_empty());
        assert_eq!(rewritten(&Rewrite::default(), "/api/v1").len(), 6);
    }
}
