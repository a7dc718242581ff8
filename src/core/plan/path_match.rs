//! Matches paths: exactly, by prefix, or by template.

mod covers;

use std::fmt;

/// The path condition of a `match`. The query is not part of a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PathMatch {
    /// The whole path.
    Exact(String),
    /// The first bytes of the path, like Envoy's `prefix`: `/v1/Chan` matches `/v1/Channels`.
    Prefix(String),
    Template(PathTemplate),
}

impl PathMatch {
    pub(crate) fn holds(&self, path: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => path == exact.as_bytes(),
            Self::Prefix(prefix) => path.starts_with(prefix.as_bytes()),
            Self::Template(template) => template.holds(path),
        }
    }
}

/// A path pattern: `*` matches one segment that is not empty, `**` at the end matches the rest (which may
/// be empty), and `{account}` matches the account, with or without text around it in its segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PathTemplate {
    pub(crate) segments: Vec<PathSegment>,
    /// Whether the template ends with `**`.
    pub(crate) rest: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PathSegment {
    Literal(String),
    Any,
    Account { before: String, after: String },
}

/// The use of a template, which decides whether it must contain `{account}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TemplateUse {
    /// In `match`: it selects paths, and has no `{account}`.
    Match,
    /// In `account.from`: it finds the account, and has `{account}` exactly once.
    Account,
}

/// What is wrong with a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TemplateError {
    NoSlash,
    Query,
    RestNotLast,
    StarInText,
    Brace,
    NoAccount,
    ManyAccounts,
    AccountInMatch,
}

const ACCOUNT: &str = "{account}";

impl PathTemplate {
    pub(crate) fn parse(text: &str, purpose: TemplateUse) -> Result<Self, TemplateError> {
        let inner = text.strip_prefix('/').ok_or(TemplateError::NoSlash)?;
        if text.contains(['?', '#']) {
            return Err(TemplateError::Query);
        }
        let accounts = text.matches(ACCOUNT).count();
        match (purpose, accounts) {
            (TemplateUse::Match, 0) | (TemplateUse::Account, 1) => {}
            (TemplateUse::Match, _) => return Err(TemplateError::AccountInMatch),
            (TemplateUse::Account, 0) => return Err(TemplateError::NoAccount),
            (TemplateUse::Account, _) => return Err(TemplateError::ManyAccounts),
        }
        let (inner, rest) = match inner.strip_suffix("**") {
            Some("") => ("", true),
            Some(inner) => match inner.strip_suffix('/') {
                Some(inner) => (inner, true),
                None => return Err(TemplateError::StarInText),
            },
            None => (inner, false),
        };
        let segments = if rest && inner.is_empty() {
            Vec::new()
        } else {
            inner
                .split('/')
                .map(PathSegment::parse)
                .collect::<Result<_, _>>()?
        };
        Ok(Self { segments, rest })
    }

    pub(crate) fn holds(&self, path: &[u8]) -> bool {
        self.match_segments(path).is_some()
    }

    /// Returns the text at `{account}`, undecoded; `None` if the path does not match.
    pub(crate) fn capture<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        self.match_segments(path)?
    }

    /// Matches a path. Returns `None` if it does not match, and otherwise `Some` with the text at `{account}`,
    /// if the template has one.
    fn match_segments<'a>(&self, path: &'a [u8]) -> Option<Option<&'a [u8]>> {
        let mut sent = path.strip_prefix(b"/")?.split(|byte| *byte == b'/');
        let mut account = None;
        for wanted in &self.segments {
            let segment = sent.next()?;
            match wanted {
                PathSegment::Literal(literal) if segment == literal.as_bytes() => {}
                PathSegment::Any if !segment.is_empty() => {}
                PathSegment::Literal(_) | PathSegment::Any => return None,
                PathSegment::Account { before, after } => {
                    let inner = segment.strip_prefix(before.as_bytes())?;
                    account = Some(inner.strip_suffix(after.as_bytes())?);
                }
            }
        }
        (self.rest || sent.next().is_none()).then_some(account)
    }
}

impl PathTemplate {
    /// Builds a path that matches the template and contains an account. Wildcards are filled in from the
    /// template `like`, or with `*`, which is a valid segment itself.
    pub(crate) fn build_path(&self, account: &str, like: Option<&Self>) -> String {
        let mut path = String::new();
        let mut others = like.map_or(&[][..], |like| &like.segments).iter();
        for segment in &self.segments {
            let other = others.next();
            path.push('/');
            match (segment, other) {
                (PathSegment::Literal(text), _)
                | (PathSegment::Any, Some(PathSegment::Literal(text))) => {
                    path.push_str(text);
                }
                (PathSegment::Any, _) => path.push('*'),
                (PathSegment::Account { before, after }, _) => {
                    path.extend([before, account, after]);
                }
            }
        }
        let rest = others.filter(|_| self.rest);
        for other in rest {
            path.push('/');
            path.push_str(match other {
                PathSegment::Literal(text) => text,
                PathSegment::Any | PathSegment::Account { .. } => "*",
            });
        }
        if path.is_empty() {
            path.push('/');
        }
        path
    }
}

/// The template as in the policy.
impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                PathSegment::Literal(literal) => write!(f, "/{literal}")?,
                PathSegment::Any => f.write_str("/*")?,
                PathSegment::Account { before, after } => write!(f, "/{before}{ACCOUNT}{after}")?,
            }
        }
        f.write_str(if self.rest { "/**" } else { "" })
    }
}

impl PathSegment {
    fn parse(text: &str) -> Result<Self, TemplateError> {
        let plain = |text: &str| match text {
            _ if text.contains('*') => Err(TemplateError::StarInText),
            _ if text.contains(['{', '}']) => Err(TemplateError::Brace),
            _ => Ok(text.to_owned()),
        };
        match (text, text.split_once(ACCOUNT)) {
            ("*", _) => Ok(Self::Any),
            ("**", _) => Err(TemplateError::RestNotLast),
            (_, Some((before, after))) => Ok(Self::Account {
                before: plain(before)?,
                after: plain(after)?,
            }),
            (_, None) => plain(text).map(Self::Literal),
        }
    }
}

impl TemplateError {
    /// Says what is wrong, as a clause.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::NoSlash => "expected a path that begins with `/`",
            Self::Query => "expected a path without a query, found `?` or `#`",
            Self::RestNotLast => "`**` matches the rest of the path, so nothing can follow it",
            Self::StarInText => "`*` matches one whole segment, and `**` the rest of the path",
            Self::Brace => "the only named placeholder is `{account}`",
            Self::NoAccount => "the template has no `{account}`",
            Self::ManyAccounts => "the template has more than one `{account}`",
            Self::AccountInMatch => "`{account}` is only allowed under /account/from",
        }
    }

    /// Says what to write instead, as an imperative.
    pub(crate) fn help(self) -> &'static str {
        match self {
            Self::NoSlash => "add the leading `/`",
            Self::Query => "remove the query",
            Self::RestNotLast => "use `**` only at the end, and `*` for one segment",
            Self::StarInText => "write `/*/` or `/**`, or use a prefix instead of a template",
            Self::Brace => "write `*` to match any segment",
            Self::NoAccount => {
                "write `{account}` where the account is, as in `/Accounts/{account}/**`"
            }
            Self::ManyAccounts => "keep one of them and write `*` for the others",
            Self::AccountInMatch => "write `*` instead",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(template: &str, path: &str) -> bool {
        PathTemplate::parse(template, TemplateUse::Match)
            .unwrap()
            .holds(path.as_bytes())
    }

    fn capture<'a>(template: &str, path: &'a str) -> Option<&'a str> {
        PathTemplate::parse(template, TemplateUse::Account)
            .unwrap()
            .capture(path.as_bytes())
            .map(|account| std::str::from_utf8(account).unwrap())
    }

    #[test]
    fn a_star_is_one_segment() {
        assert!(holds("/v1/*/members", "/v1/c1/members"));
        assert!(!holds("/v1/*/members", "/v1//members"));
        assert!(!holds("/v1/*/members", "/v1/c1/c2/members"));
        assert!(!holds("/v1/*", "/v1"));
        assert!(holds("/", "/"));
        assert!(!holds("/", "/v1"));
        assert!(!holds("/v1", "/v1/"));
        assert!(!holds("/v1", "v1"));
        assert!(!holds("/v1", ""));
    }

    #[test]
    fn two_stars_are_the_rest() {
        assert!(holds("/v1/**", "/v1/a/b"));
        assert!(holds("/v1/**", "/v1/"));
        assert!(holds("/v1/**", "/v1"));
        assert!(!holds("/v1/**", "/v10"));
        assert!(holds("/**", "/"));
        assert!(holds("/**", "/a/b"));
    }

    #[test]
    fn the_account_is_captured() {
        let long = "/2010-04-01/Accounts/{account}/**";
        assert_eq!(capture(long, "/2010-04-01/Accounts/AC1/Calls"), Some("AC1"));
        assert_eq!(capture(long, "/2010-04-01/Accounts/AC1"), Some("AC1"));
        assert_eq!(capture(long, "/2010-04-01/Accounts//Calls"), Some(""));
        assert_eq!(capture(long, "/2010-04-01/Accounts"), None);
        assert_eq!(capture("/a/{account}.json", "/a/AC1.json"), Some("AC1"));
        assert_eq!(capture("/a/{account}.json", "/a/AC1.xml"), None);
        assert_eq!(capture("/a/x{account}x", "/a/x"), None);
    }

    #[test]
    fn display_is_the_text_that_was_parsed() {
        for text in [
            "/",
            "/**",
            "/v1",
            "/v1/",
            "/v1/*/**",
            "/a/x{account}.json/b",
        ] {
            let purpose = match text.contains('{') {
                true => TemplateUse::Account,
                false => TemplateUse::Match,
            };
            assert_eq!(
                PathTemplate::parse(text, purpose).unwrap().to_string(),
                text
            );
        }
    }

    #[test]
    fn a_built_path_matches_its_template() {
        let parse = |text: &str, purpose| PathTemplate::parse(text, purpose).unwrap();
        for (template, like, path) in [
            ("/a/{account}.json", None, "/a/AC1.json"),
            ("/a/{account}/**", None, "/a/AC1"),
            ("/a/{account}/**", Some("/a/*/Calls/*"), "/a/AC1/Calls/*"),
            ("/*/{account}", Some("/v1/x/y"), "/v1/AC1"),
            ("/{account}", Some("/**"), "/AC1"),
        ] {
            let template = parse(template, TemplateUse::Account);
            let like = like.map(|like| parse(like, TemplateUse::Match));
            let built = template.build_path("AC1", like.as_ref());
            assert_eq!(built, path);
            assert_eq!(template.capture(built.as_bytes()), Some(&b"AC1"[..]));
        }
        for template in ["/", "/**", "/v1/*/a", "/v1/**"] {
            let template = parse(template, TemplateUse::Match);
            assert!(template.holds(template.build_path("", None).as_bytes()));
        }
    }

    #[test]
    fn each_mistake_in_a_template_has_its_own_error() {
        use TemplateError::*;
        for (text, purpose, expected) in [
            ("v1", TemplateUse::Match, NoSlash),
            ("", TemplateUse::Match, NoSlash),
            ("/v1?x=1", TemplateUse::Match, Query),
            ("/**/v1", TemplateUse::Match, RestNotLast),
            ("/v*", TemplateUse::Match, StarInText),
            ("/v**", TemplateUse::Match, StarInText),
            ("/{id}", TemplateUse::Match, Brace),
            ("/{account}", TemplateUse::Match, AccountInMatch),
            ("/v1", TemplateUse::Account, NoAccount),
            ("/{account}/{account}", TemplateUse::Account, ManyAccounts),
        ] {
            assert_eq!(
                PathTemplate::parse(text, purpose).unwrap_err(),
                expected,
                "{text}"
            );
        }
    }
}
