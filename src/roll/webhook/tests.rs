use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver};

use serde_json::Value;

use super::*;

const SECRET: &str = "/services/T000/s3cret?key=s3cret";
/// Far longer than a loaded machine needs.
const PATIENCE: Duration = Duration::from_secs(20);
const NO_CONTENT: &str = "HTTP/1.1 204 x\r\n\r\n";

/// Short pauses, and a timeout that a loaded machine does not reach.
const TIMES: WebhookTimes = WebhookTimes {
    timeout: PATIENCE,
    pauses: [Duration::from_millis(10); 3],
    longest_pause: Duration::from_millis(60),
};

/// A server that responds to its requests in this way, and to further ones like to the last. It sends what it receives.
/// An empty response closes the connection.
fn serve(responses: &[&str]) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let responses: Vec<String> = responses
        .iter()
        .map(|response| (*response).to_owned())
        .collect();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut number = 0;
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(&stream);
            while let Some(request) = read(&mut reader) {
                let _ = sender.send(request);
                let response = responses.get(number).or(responses.last()).unwrap();
                number = number.saturating_add(1);
                if response.is_empty() || (&stream).write_all(response.as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    (address, receiver)
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<String> {
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        if reader.read_line(&mut request).ok()? == 0 {
            return None;
        }
    }
    let length = request
        .to_lowercase()
        .split_once("content-length: ")?
        .1
        .split_once("\r\n")?
        .0
        .parse()
        .ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.push_str(&String::from_utf8(body).ok()?);
    Some(request)
}

fn status(status: u16, headers: &str) -> String {
    format!("HTTP/1.1 {status} x\r\n{headers}content-length: 2\r\n\r\nno")
}

fn start(address: SocketAddr) -> Webhooks {
    Webhooks::start_with(&[format!("http://{address}{SECRET}")], TIMES).unwrap()
}

/// Posts one sentence to this address.
fn post_one(address: SocketAddr) -> Delivery {
    let webhooks = start(address);
    assert!(!format!("{webhooks:?}").contains("s3cret"), "{webhooks:?}");
    webhooks.notify("The step `half` begins.");
    webhooks.finish(PATIENCE.saturating_mul(2)).remove(0)
}

fn assert_undelivered(delivery: &Delivery, why: &str) {
    assert_eq!(
        (delivery.delivered, delivery.undelivered),
        (0, 1),
        "{delivery:?}"
    );
    let error = delivery.last_error.as_deref().unwrap();
    assert_eq!(error, format!("the webhook at 127.0.0.1 {why}"));
    assert_eq!(delivery.host, "127.0.0.1");
}

#[test]
fn slack_and_mattermost_show_the_text_as_it_is() {
    let text = |text: &str| {
        let body: Value = serde_json::from_str(&body(text)).unwrap();
        assert_eq!(body.as_object().unwrap().len(), 1);
        body["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        text("v2 fails 3 times as often"),
        "v2 fails 3 times as often"
    );
    assert_eq!(
        text("<!channel> a & b > c \"d\" &lt;"),
        "&lt;!channel&gt; a &amp; b &gt; c \"d\" &amp;lt;"
    );
    assert_eq!(
        text("@channel <@U024>"),
        "@\u{200b}channel &lt;@\u{200b}U024&gt;"
    );
    assert!(text(&"&".repeat(100_000)).len() < 20_000);
}

#[test]
fn a_sentence_is_posted_as_json() {
    let (address, requests) = serve(&[NO_CONTENT]);
    let webhooks = start(address);
    webhooks.notify("first");
    webhooks.notify("second");
    let delivery = webhooks.finish(PATIENCE).remove(0);
    assert_eq!(
        delivery,
        Delivery {
            host: "127.0.0.1".into(),
            delivered: 2,
            undelivered: 0,
            last_error: None
        }
    );
    let first = requests.recv().unwrap();
    assert!(
        first.starts_with(&format!("POST {SECRET} HTTP/1.1\r\n")),
        "{first}"
    );
    assert!(
        first.contains("content-type: application/json\r\n"),
        "{first}"
    );
    assert!(first.ends_with("\r\n\r\n{\"text\":\"first\"}"), "{first}");
    assert!(requests.recv().unwrap().ends_with("{\"text\":\"second\"}"));
}

#[test]
fn errors_that_pass_are_tried_again() {
    let busy = status(429, "retry-after: 1\r\n");
    let failed = status(500, "");
    for responses in [
        &[failed.as_str(), NO_CONTENT][..],
        &["", NO_CONTENT],
        &[&failed, "", &busy, NO_CONTENT],
    ] {
        let (address, requests) = serve(responses);
        let delivery = post_one(address);
        assert_eq!(
            (delivery.delivered, delivery.undelivered),
            (1, 0),
            "{delivery:?}"
        );
        assert_eq!(requests.try_iter().count(), responses.len());
    }
}

#[test]
fn a_server_may_ask_for_a_longer_pause_up_to_a_limit() {
    let busy = status(429, "retry-after: 3600\r\n");
    let (address, _requests) = serve(&[&busy, NO_CONTENT]);
    let begin = Instant::now();
    let delivery = post_one(address);
    assert_eq!(delivery.delivered, 1);
    assert!(begin.elapsed() >= TIMES.longest_pause);
}

#[test]
fn after_four_tries_a_sentence_is_given_up() {
    let (address, requests) = serve(&[&status(503, "")]);
    assert_undelivered(&post_one(address), "responded with 503");
    assert_eq!(requests.try_iter().count(), 4);
    let refused = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap()
    };
    assert_undelivered(
        &post_one(refused),
        "cannot be reached: the connection was refused",
    );
    let (address, requests) = serve(&[""]);
    let delivery = post_one(address);
    assert_eq!(
        (delivery.undelivered, requests.try_iter().count()),
        (1, 4),
        "{delivery:?}"
    );
}

#[test]
fn other_responses_are_final() {
    let redirect = status(302, "location: http://127.0.0.1:9/\r\n");
    for (response, why) in [
        (status(404, ""), "responded with 404; was it removed?"),
        (status(400, ""), "responded with 400"),
        (
            redirect,
            "responded with 302, and redirects are not followed",
        ),
        (
            "SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned(),
            "did not respond with HTTP",
        ),
    ] {
        let (address, requests) = serve(&[&response]);
        assert_undelivered(&post_one(address), why);
        assert_eq!(requests.try_iter().count(), 1, "{response}");
    }
}

#[test]
fn a_response_that_does_not_end_is_final() {
    // The sentence may have been accepted.
    let (address, requests) = serve(&["HTTP/1.1 200"]);
    let times = WebhookTimes {
        timeout: Duration::from_secs(2),
        ..TIMES
    };
    let webhooks = Webhooks::start_with(&[format!("http://{address}{SECRET}")], times).unwrap();
    webhooks.notify("The step `half` begins.");
    let delivery = webhooks.finish(PATIENCE).remove(0);
    assert_undelivered(&delivery, "did not respond in time");
    assert_eq!(requests.try_iter().count(), 1);
}

#[test]
fn a_webhook_that_does_not_respond_delays_nobody() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (address, _requests) = serve(&[NO_CONTENT]);
    let urls =
        [silent.local_addr().unwrap(), address].map(|address| format!("http://{address}{SECRET}"));
    let begin = Instant::now();
    let webhooks = Webhooks::start_with(&urls, TIMES).unwrap();
    for _ in 0..200 {
        webhooks.notify("The step `half` begins.");
    }
    let deliveries = webhooks.finish(Duration::from_secs(4));
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
    // The queue is bounded, and no sentence is lost without being counted.
    assert_eq!(
        (deliveries[0].delivered, deliveries[0].undelivered),
        (0, 200)
    );
    assert_eq!(
        deliveries[1]
            .delivered
            .saturating_add(deliveries[1].undelivered),
        200
    );
    assert!(deliveries[1].delivered >= 64, "{deliveries:?}");
}

#[test]
fn a_pause_ends_at_the_deadline() {
    let (address, _requests) = serve(&[&status(500, "")]);
    let slow = WebhookTimes {
        pauses: [PATIENCE; 3],
        ..TIMES
    };
    let begin = Instant::now();
    let webhooks = Webhooks::start_with(&[format!("http://{address}{SECRET}")], slow).unwrap();
    webhooks.notify("The step `half` begins.");
    let delivery = webhooks.finish(Duration::from_secs(5)).remove(0);
    assert!(begin.elapsed() < PATIENCE);
    assert_undelivered(&delivery, "responded with 500");
}

#[test]
fn an_invalid_url_is_not_shown() {
    for url in [
        "",
        "s3cret",
        "hooks.slack.com/s3cret",
        "ftp://host/s3cret",
        "https://me:s3cret@host/",
        "https:///s3cret",
        "https://host /s3cret",
    ] {
        let error = Webhooks::start(&[url.to_owned()]).unwrap_err();
        assert!(
            error.starts_with("the URL of a webhook is invalid"),
            "{error}"
        );
        assert!(!error.contains("s3cret"), "{error}");
    }
    // Nothing to notify.
    assert_eq!(Webhooks::start(&[]).unwrap().finish(PATIENCE), []);
}
