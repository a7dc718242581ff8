//! A request as a person gives it: in parts, with the account named apart, and with nothing that is
//! not said.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::plan::path_match::{PathMatch, PathTemplate, TemplateUse};
use crate::plan::request_match::HeaderTest;
use crate::plan::{Plan, Rollout};
use crate::policy::time::Time;
use crate::proxy::decision_header::Inbound;
use crate::request::Request;
use crate::request::account_sources::Source;
use crate::request::headers::Headers;

use super::account::{SourceContent, SourceName, held, name};

/// Escapes every byte that RFC 3986, section 2.3, does not call unreserved.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The parts of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestBuilder<'a> {
    /// `GET` unless given.
    pub method: Option<&'a str>,
    /// None unless given.
    pub host: Option<&'a str>,
    /// `/` unless given.
    pub path: Option<&'a str>,
    /// Names in lower case, and values.
    pub headers: &'a [(String, String)],
    /// Put where the policy looks for it first.
    pub account: Option<&'a str>,
    /// What its `match` wants is filled in where it is not given.
    pub rollout: Option<&'a Rollout>,
}

/// A request that is whole.
#[derive(Debug)]
pub struct BuiltRequest<'a> {
    /// Names, pseudo-headers first, and values.
    pub headers: Vec<(String, String)>,
    /// Where the account was put.
    pub account: Option<SourceName<'a>>,
    /// What was filled in for a rollout's `match`: a header, by name and value.
    pub filled: Vec<Filled>,
}

/// A name (`:method`, `:authority`, `:path` or a header's) and a value.
pub type Filled = (String, String);

/// Why an account cannot be put into a request.
#[derive(Debug)]
pub enum AccountPlacementError<'a> {
    /// The request names one already, in a place that is looked at before any that is free.
    Named {
        /// Where.
        place: SourceName<'a>,
        /// Which, where it can be read.
        account: Option<Vec<u8>>,
    },
    /// No place of `account.from` can take it.
    NoPlace {
        /// The places.
        places: Vec<SourceName<'a>>,
    },
}

impl RequestBuilder<'_> {
    /// Puts the request together.
    ///
    /// # Errors
    /// When the account cannot be put where the policy would find it.
    pub fn build<'p>(&self, plan: &'p Plan) -> Result<BuiltRequest<'p>, AccountPlacementError<'p>> {
        let mut path = self.path.map(str::to_owned);
        let mut headers = self.headers.to_vec();
        let account = match self.account {
            None => None,
            Some(account) => Some(self.put(plan, account, &mut path, &mut headers)?),
        };
        let mut filled = Vec::new();
        if let Some(rollout) = self.rollout {
            self.fill(rollout, path.is_none(), &headers, &mut filled);
        }
        let filled_in = |name: &str| {
            let found = filled.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        };
        let method = self.method.map(str::to_owned);
        let host = self.host.map(str::to_owned).or(filled_in(":authority"));
        let method = method.or(filled_in(":method"));
        let path = path.or(filled_in(":path"));
        let mut whole = vec![(
            String::from(":method"),
            method.unwrap_or_else(|| String::from("GET")),
        )];
        whole.extend(host.map(|host| (String::from(":authority"), host)));
        whole.push((
            String::from(":path"),
            path.unwrap_or_else(|| String::from("/")),
        ));
        let more = filled.iter().filter(|(name, _)| !name.starts_with(':'));
        headers.extend(more.cloned());
        whole.extend(headers);
        Ok(BuiltRequest {
            headers: whole,
            account,
            filled,
        })
    }

    /// Puts the account into the first place that can take it. A place before it that is present
    /// would decide, so there must be none.
    fn put<'p>(
        &self,
        plan: &'p Plan,
        account: &str,
        path: &mut Option<String>,
        headers: &mut Vec<(String, String)>,
    ) -> Result<SourceName<'p>, AccountPlacementError<'p>> {
        for (index, source) in plan.account.from.iter().enumerate() {
            match already(plan, index, source, path.as_deref(), headers) {
                SourceContent::Nothing | SourceContent::Credential(_) => {}
                SourceContent::Account(value)
                | SourceContent::NoAccount {
                    value: Some(value), ..
                } if value == account.as_bytes() => {
                    return Ok(name(source));
                }
                SourceContent::Account(value) => {
                    return Err(AccountPlacementError::Named {
                        place: name(source),
                        account: Some(value),
                    });
                }
                SourceContent::NoAccount { value, .. } => {
                    return Err(AccountPlacementError::Named {
                        place: name(source),
                        account: value,
                    });
                }
            }
            let header = |name: &str| headers.iter().any(|(known, _)| known == name);
            match source {
                Source::Header(name) if fits_a_header(account) => {
                    headers.push((name.clone(), account.to_owned()));
                }
                Source::BasicAuthUsername if !account.contains(':') && !header("authorization") => {
                    let credentials = STANDARD.encode(format!("{account}:"));
                    let value = format!("Basic {credentials}");
                    headers.push((String::from("authorization"), value));
                }
                Source::Path(template) if path.is_none() => {
                    let like = self.rollout.and_then(path_of);
                    let encoded = utf8_percent_encode(account, UNRESERVED).to_string();
                    *path = Some(template.build_path(&encoded, like.as_ref()));
                }
                Source::Header(_) | Source::BasicAuthUsername | Source::Path(_) => continue,
            }
            return Ok(name(source));
        }
        Err(AccountPlacementError::NoPlace {
            places: plan.account.from.iter().map(name).collect(),
        })
    }

    /// What the rollout's `match` wants and is not given.
    fn fill(
        &self,
        rollout: &Rollout,
        no_path: bool,
        headers: &[(String, String)],
        filled: &mut Vec<Filled>,
    ) {
        let wanted = &rollout.matches;
        let mut add = |name: &str, value: &str| filled.push((name.to_owned(), value.to_owned()));
        if let (None, Some(first)) = (self.method, wanted.methods.first()) {
            let usual = wanted.methods.iter().find(|method| *method == "GET");
            add(":method", usual.unwrap_or(first));
        }
        if let (None, Some(host)) = (self.host, wanted.hosts.first()) {
            add(":authority", host);
        }
        if let (true, Some(path)) = (no_path, &wanted.path) {
            match path {
                PathMatch::Exact(path) | PathMatch::Prefix(path) => add(":path", path),
                PathMatch::Template(template) => add(":path", &template.build_path("*", None)),
            }
        }
        for header in &wanted.headers {
            if headers.iter().any(|(name, _)| *name == header.name) {
                continue;
            }
            match &header.test {
                HeaderTest::Exact(value) | HeaderTest::Prefix(value) => add(&header.name, value),
                HeaderTest::Present(true) => add(&header.name, "1"),
                HeaderTest::Present(false) => {}
            }
        }
    }
}

/// What a place holds in the request as it is so far.
fn already(
    plan: &Plan,
    index: usize,
    source: &Source,
    path: Option<&str>,
    headers: &[(String, String)],
) -> SourceContent {
    let headers = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let pairs: Vec<_> = headers
        .chain(path.map(|path| (":path", path)))
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
        .collect();
    let request = Request::new(Headers::new(&pairs), Inbound::Strip, Time::default());
    held(plan, index, source, &request)
}

/// The path that a rollout wants, as a template.
fn path_of(rollout: &Rollout) -> Option<PathTemplate> {
    let text = match rollout.matches.path.as_ref()? {
        PathMatch::Exact(path) | PathMatch::Prefix(path) => path.clone(),
        PathMatch::Template(template) => template.to_string(),
    };
    PathTemplate::parse(&text, TemplateUse::Match).ok()
}

/// Proxies take spaces from the ends of a value, and nothing invisible from inside.
fn fits_a_header(account: &str) -> bool {
    account.trim_matches(' ') == account && !account.contains(char::is_control)
}
