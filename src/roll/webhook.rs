//! Posts sentences to webhooks, without ever delaying the caller.
//!
//! The body is `{"text": …}`, which the incoming webhooks of Slack and Mattermost show as a message. The URL of a webhook
//! is a secret, because everybody who has it can post, so no message contains more of it than the host.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use turnout_text::{escape_for_terminal, excerpt};
use ureq::http::Uri;
use ureq::http::header::RETRY_AFTER;

/// How many sentences may wait. If there are more, the oldest are not delivered.
const QUEUE: usize = 64;
/// The longest text, in characters. Slack truncates longer ones at 40,000, Mattermost at 16,383.
const LONGEST_TEXT: usize = 3_500;
/// How much of a response is read, in bytes.
const MAX_RESPONSE: u64 = 4 << 10;
/// No mention of a user or a channel begins after this character. Mattermost links every `@name`.
const NO_MENTION: &str = "@\u{200b}";

/// How long to wait for a webhook.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WebhookTimes {
    /// The timeout of a try.
    pub(crate) timeout: Duration,
    /// The pauses between the tries.
    pub(crate) pauses: [Duration; 3],
    /// The longest pause that a server may ask for with `retry-after`.
    pub(crate) longest_pause: Duration,
}

impl Default for WebhookTimes {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            pauses: [1, 5, 15].map(Duration::from_secs),
            longest_pause: Duration::from_secs(60),
        }
    }
}

/// Webhooks that receive sentences. Each has a thread of its own, so that one that does not respond does not delay the
/// others.
#[derive(Debug, Default)]
pub struct Webhooks {
    all: Vec<Webhook>,
}

/// What became of the sentences for one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The host of the webhook. The rest of its URL is a secret.
    pub host: String,
    /// How many sentences the webhook has accepted.
    pub delivered: u64,
    /// How many sentences were given up, or had to wait for too long.
    pub undelivered: u64,
    /// Why the last one of them was given up, if it was tried.
    pub last_error: Option<String>,
}

impl Webhooks {
    /// Prepares these webhooks.
    ///
    /// # Errors
    /// A sentence, if a URL is invalid.
    pub fn start(urls: &[String]) -> Result<Self, String> {
        Self::start_with(urls, WebhookTimes::default())
    }

    pub(crate) fn start_with(urls: &[String], times: WebhookTimes) -> Result<Self, String> {
        let mut distinct: Vec<&String> = Vec::new();
        for url in urls {
            if !distinct.contains(&url) {
                distinct.push(url);
            }
        }
        let all = distinct.into_iter().map(|url| Webhook::start(url, times));
        Ok(Self {
            all: all.collect::<Result<_, _>>()?,
        })
    }

    /// Posts a sentence to all webhooks, and returns at once.
    pub fn notify(&self, text: &str) {
        let body: Arc<str> = body(text).into();
        for webhook in &self.all {
            webhook.shared.push(Arc::clone(&body));
        }
    }

    /// Waits until every sentence is delivered or given up, but not longer than this.
    #[must_use]
    pub fn finish(self, within: Duration) -> Vec<Delivery> {
        let deadline = Instant::now().checked_add(within);
        for webhook in &self.all {
            webhook.shared.close(deadline);
        }
        let all = self.all.iter();
        all.map(|webhook| Delivery {
            host: webhook.host.clone(),
            ..webhook.shared.wait_for_end(deadline)
        })
        .collect()
    }
}

/// One webhook, with its thread.
struct Webhook {
    host: String,
    shared: Arc<Shared>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        // Ends the thread.
        self.shared.close(Some(Instant::now()));
    }
}

impl Webhook {
    fn start(url: &str, times: WebhookTimes) -> Result<Self, String> {
        let (uri, host, is_loopback) = parse_url(url)?;
        let shared = Arc::new(Shared::default());
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(times.timeout))
            .http_status_as_error(false)
            // Another address must not get the text.
            .max_redirects(0);
        if is_loopback {
            // `https_proxy` in the environment is not meant for this machine.
            config = config.proxy(None);
        }
        let sender = Sender {
            agent: config.build().into(),
            uri,
            host: host.clone(),
            times,
            shared: Arc::clone(&shared),
        };
        thread::Builder::new()
            .name("webhook".to_owned())
            .spawn(move || sender.run())
            .map_err(|error| format!("cannot start a thread for the webhook at {host}: {error}"))?;
        Ok(Self { host, shared })
    }
}

/// Whether a text is the URL of a webhook.
pub(crate) fn is_url(text: &str) -> bool {
    parse_url(text).is_ok()
}

/// Parses the URL of a webhook. Returns it with its host, and whether that is this machine.
fn parse_url(url: &str) -> Result<(Uri, String, bool), String> {
    let invalid = || {
        "the URL of a webhook is invalid; expected one such as https://hooks.slack.com/services/… (it is a secret, so it \
         is not shown)"
            .to_owned()
    };
    let uri: Uri = url.parse().map_err(|_| invalid())?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let has_password = uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'));
    let host = uri
        .host()
        .filter(|host| is_http && !has_password && !host.is_empty());
    let host = escape_for_terminal(host.ok_or_else(invalid)?);
    let is_loopback = matches!(host.as_str(), "localhost" | "[::1]") || host.starts_with("127.");
    Ok((uri, host, is_loopback))
}

/// The JSON text of a sentence.
fn body(text: &str) -> String {
    let mut escaped = String::new();
    for c in excerpt(text, LONGEST_TEXT).chars() {
        match c {
            // Slack has exactly these three entities.
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '@' => escaped.push_str(NO_MENTION),
            c => escaped.push(c),
        }
    }
    serde_json::json!({ "text": escaped }).to_string()
}

/// What the thread of a webhook shares with its user.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Arc<str>>,
    is_sending: bool,
    /// No more sentences will come. None is tried again after this deadline.
    closed: Option<Option<Instant>>,
    delivered: u64,
    undelivered: u64,
    last_error: Option<String>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, body: Arc<str>) {
        let mut state = self.lock();
        if state.waiting.len() >= QUEUE {
            state.waiting.pop_front();
            state.undelivered = state.undelivered.saturating_add(1);
        }
        state.waiting.push_back(body);
        self.changed.notify_all();
    }

    fn close(&self, deadline: Option<Instant>) {
        self.lock().closed = Some(deadline);
        self.changed.notify_all();
    }

    /// Waits for the next body; `None` if there will be none.
    fn next(&self) -> Option<Arc<str>> {
        let mut state = self.lock();
        loop {
            if is_over(&state) {
                return None;
            }
            if let Some(body) = state.waiting.pop_front() {
                state.is_sending = true;
                return Some(body);
            }
            if state.closed.is_some() {
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits for this long. Returns false if the deadline passes first.
    fn pause(&self, pause: Duration) -> bool {
        let end = Instant::now().checked_add(pause);
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let left = end.map_or(Duration::ZERO, |end| end.saturating_duration_since(now));
            // A pause beyond the deadline is in vain.
            let until_deadline = state
                .closed
                .flatten()
                .map(|deadline| deadline.saturating_duration_since(now));
            if until_deadline.is_some_and(|until| until <= left) {
                return false;
            }
            if left.is_zero() {
                return true;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn note(&self, result: Result<(), String>) {
        let mut state = self.lock();
        state.is_sending = false;
        match result {
            Ok(()) => state.delivered = state.delivered.saturating_add(1),
            Err(error) => {
                state.undelivered = state.undelivered.saturating_add(1);
                state.last_error = Some(error);
            }
        }
        self.changed.notify_all();
    }

    /// Waits until nothing waits, or the time is over.
    fn wait_for_end(&self, deadline: Option<Instant>) -> Delivery {
        let mut state = self.lock();
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let is_idle = state.waiting.is_empty() && !state.is_sending;
            if is_idle || left.is_some_and(|left| left.is_zero()) {
                let waiting = u64::try_from(state.waiting.len()).unwrap_or(u64::MAX);
                let open = waiting.saturating_add(u64::from(state.is_sending));
                return Delivery {
                    host: String::new(),
                    delivered: state.delivered,
                    undelivered: state.undelivered.saturating_add(open),
                    last_error: state.last_error.clone(),
                };
            }
            let waited = self
                .changed
                .wait_timeout(state, left.unwrap_or(Duration::from_secs(1)));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn is_over(state: &State) -> bool {
    let deadline = state.closed.flatten();
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}

/// The thread of a webhook.
struct Sender {
    agent: ureq::Agent,
    uri: Uri,
    host: String,
    times: WebhookTimes,
    shared: Arc<Shared>,
}

/// Why a try has failed.
struct Failure {
    what: String,
    /// Whether another try may succeed, and after which pause if the server has asked for one.
    retry: Option<Option<Duration>>,
}

impl Sender {
    fn run(&self) {
        while let Some(body) = self.shared.next() {
            let result = self.deliver(&body);
            self.shared
                .note(result.map_err(|what| format!("the webhook at {} {what}", self.host)));
        }
    }

    fn deliver(&self, body: &str) -> Result<(), String> {
        let mut pauses = self.times.pauses.into_iter();
        loop {
            let Err(Failure { what, retry }) = self.post(body) else {
                return Ok(());
            };
            let (Some(asked), Some(pause)) = (retry, pauses.next()) else {
                return Err(what);
            };
            let pause = asked.map_or(pause, |asked| {
                asked.min(self.times.longest_pause).max(pause)
            });
            if !self.shared.pause(pause) {
                return Err(what);
            }
        }
    }

    fn post(&self, body: &str) -> Result<(), Failure> {
        let request = self
            .agent
            .post(&self.uri)
            .header("content-type", "application/json");
        let response = request.send(body).map_err(|error| failed(&error))?;
        let status = response.status().as_u16();
        let wait = response.headers().get(RETRY_AFTER);
        let wait = wait.and_then(|wait| wait.to_str().ok()?.trim().parse().ok());
        let wait = wait.map(Duration::from_secs);
        // Reads the rest, so that the next sentence uses the same connection.
        let _ = response
            .into_body()
            .into_with_config()
            .limit(MAX_RESPONSE)
            .read_to_vec();
        let what = match status {
            200..=299 => return Ok(()),
            300..=399 => format!("responded with {status}, and redirects are not followed"),
            403 | 404 | 410 => format!("responded with {status}; was it removed?"),
            _ => format!("responded with {status}"),
        };
        let retry = matches!(status, 429 | 500..=599).then_some(wait);
        Err(Failure { what, retry })
    }
}

/// The failure of a try without a response. The texts of errors may contain the URL, so they are not shown.
fn failed(error: &ureq::Error) -> Failure {
    let may_retry = |what: &str| Failure {
        what: what.to_owned(),
        retry: Some(None),
    };
    let is_final = |what: &str| Failure {
        what: what.to_owned(),
        retry: None,
    };
    match error {
        ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
            may_retry("cannot be reached in time")
        }
        // The webhook may have accepted the sentence, which must not be posted twice.
        ureq::Error::Timeout(_) => is_final("did not respond in time"),
        ureq::Error::HostNotFound => may_retry("cannot be reached: no host has this name"),
        ureq::Error::ConnectionFailed => may_retry("cannot be reached"),
        ureq::Error::Io(error) => match error.kind() {
            io::ErrorKind::TimedOut => is_final("did not respond in time"),
            io::ErrorKind::ConnectionRefused => {
                may_retry("cannot be reached: the connection was refused")
            }
            kind => may_retry(&format!("cannot be reached: {kind}")),
        },
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => is_final("has no valid certificate"),
        ureq::Error::Protocol(_) => is_final("did not respond with HTTP"),
        _ => is_final("cannot be used"),
    }
}

#[cfg(test)]
mod tests;
