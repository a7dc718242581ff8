//! Builds a request from its parts, with the account placed where the policy looks for it.

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

use super::account::{SourceContent, SourceName, read_source, source_name};

/// Escapes every byte that RFC 3986, section 2.3, does not call unreserved.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The parts of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestBuilder<'a> {
    /// The method. Default: `GET`.
    pub method: Option<&'a str>,
    /// The host. Default: none.
    pub host: Option<&'a str>,
    /// The path. Default: `/`.
    pub path: Option<&'a str>,
    /// Headers, with names in lower case.
    pub headers: &'a [(String, String)],
    /// The account, which is placed where the policy looks for it first.
    pub account: Option<&'a str>,
    /// A rollout whose `match` the request should satisfy: missing parts are filled in.
    pub rollout: Option<&'a Rollout>,
}

/// A complete request.
#[derive(Debug)]
pub struct BuiltRequest<'a> {
    /// Headers, with pseudo-headers first.
    pub headers: Vec<(String, String)>,
    /// The source in which the account was placed.
    pub account: Option<SourceName<'a>>,
    /// The headers that were filled in for a rollout's `match`.
    pub filled: Vec<Filled>,
}

/// The name of a header or pseudo-header, and its value.
pub type Filled = (String, String);

/// Why an account cannot be placed in a request.
#[derive(Debug)]
pub enum AccountPlacementError<'a> {
    /// The request already has an account, in a source that has precedence over every free one.
    AlreadySet {
        /// The source.
        source: SourceName<'a>,
        /// Its content, if it can be read.
        account: Option<Vec<u8>>,
    },
    /// No source in `account.from` can contain the account.
    NoSource {
        /// The sources.
        sources: Vec<SourceName<'a>>,
    },
}

impl RequestBuilder<'_> {
    /// Builds the request.
    ///
    /// # Errors
    /// If the account cannot be placed where the policy would find it.
    pub fn build<'p>(&self, plan: &'p Plan) -> Result<BuiltRequest<'p>, AccountPlacementError<'p>> {
        let mut path = self.path.map(str::to_owned);
        let mut headers = self.headers.to_vec();
        let account = match self.account {
            None => None,
            Some(account) => Some(self.place_account(plan, account, &mut path, &mut headers)?),
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

    /// Places the account in the first source that can contain it. An earlier source must not be present, because it
    /// would decide.
    fn place_account<'p>(
        &self,
        plan: &'p Plan,
        account: &str,
        path: &mut Option<String>,
        headers: &mut Vec<(String, String)>,
    ) -> Result<SourceName<'p>, AccountPlacementError<'p>> {
        for (index, source) in plan.account.from.iter().enumerate() {
            match read_so_far(plan, index, source, path.as_deref(), headers) {
                SourceContent::Nothing | SourceContent::Credential(_) => {}
                SourceContent::Account(value)
                | SourceContent::NoAccount {
                    value: Some(value), ..
                } if value == account.as_bytes() => {
                    return Ok(source_name(source));
                }
                SourceContent::Account(value) => {
                    return Err(AccountPlacementError::AlreadySet {
                        source: source_name(source),
                        account: Some(value),
                    });
                }
                SourceContent::NoAccount { value, .. } => {
                    return Err(AccountPlacementError::AlreadySet {
                        source: source_name(source),
                        account: value,
                    });
                }
            }
            let header = |name: &str| headers.iter().any(|(known, _)| known == name);
            match source {
                Source::Header(name) if is_header_value(account) => {
                    headers.push((name.clone(), account.to_owned()));
                }
                Source::BasicAuthUsername if !account.contains(':') && !header("authorization") => {
                    let credentials = STANDARD.encode(format!("{account}:"));
                    let value = format!("Basic {credentials}");
                    headers.push((String::from("authorization"), value));
                }
                Source::Path(template) if path.is_none() => {
                    let like = self.rollout.and_then(path_template);
                    let encoded = utf8_percent_encode(account, UNRESERVED).to_string();
                    *path = Some(template.build_path(&encoded, like.as_ref()));
                }
                Source::Header(_) | Source::BasicAuthUsername | Source::Path(_) => continue,
            }
            return Ok(source_name(source));
        }
        Err(AccountPlacementError::NoSource {
            sources: plan.account.from.iter().map(source_name).collect(),
        })
    }

    /// Fills in the parts of the rollout's `match` that are missing.
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

/// Reads a source in the incomplete request.
fn read_so_far(
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
    read_source(plan, index, source, &request)
}

/// Returns the path of a rollout's `match` as a template.
fn path_template(rollout: &Rollout) -> Option<PathTemplate> {
    let text = match rollout.matches.path.as_ref()? {
        PathMatch::Exact(path) | PathMatch::Prefix(path) => path.clone(),
        PathMatch::Template(template) => template.to_string(),
    };
    PathTemplate::parse(&text, TemplateUse::Match).ok()
}

/// Whether an account can be the value of a header: proxies trim spaces and reject control characters.
fn is_header_value(account: &str) -> bool {
    account.trim_matches(' ') == account && !account.contains(char::is_control)
}
