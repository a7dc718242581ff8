//! The body of a response: a page of messages, about 2 KB of JSON.

/// A query that makes v2 write the keys of every object in another order: the same JSON in other bytes, so that
/// a comparison has to parse it.
pub(crate) const OTHER_ORDER: &str = "keys=other";

const MESSAGES: usize = 6;

/// The page, with the keys of its objects in order or in reverse. Both have the same length.
pub(crate) fn page(backwards: bool) -> String {
    let messages: Vec<String> = (0..MESSAGES).map(|n| message(n, backwards)).collect();
    let messages = format!("[{}]", messages.join(","));
    let meta = [
        ("key", "\"messages\"".to_owned()),
        ("next_page_url", "null".to_owned()),
        ("page", "0".to_owned()),
        ("page_size", MESSAGES.to_string()),
    ];
    let meta = object(&meta, backwards);
    object(&[("messages", messages), ("meta", meta)], backwards)
}

fn message(number: usize, backwards: bool) -> String {
    let text = |text: &str| format!("\"{text}\"");
    object(
        &[
            ("attributes", r#"{"locale":"en","score":0.75}"#.to_owned()),
            ("author", format!("\"agent-{number}\"")),
            (
                "body",
                text("Your parcel leaves today and arrives tomorrow before noon. Anything else?"),
            ),
            ("channel_sid", text("CHb7342e9713fa896e4af00c654c444aada")),
            ("date_created", format!("\"2026-11-21T03:0{number}:00Z\"")),
            ("index", number.to_string()),
            (
                "sid",
                format!("\"IM4283fefc63f0cd0e873a0000c6d07e{number}f\""),
            ),
            ("type", text("text")),
            ("was_edited", "false".to_owned()),
        ],
        backwards,
    )
}

fn object(members: &[(&str, String)], backwards: bool) -> String {
    let mut members: Vec<String> = members
        .iter()
        .map(|(key, value)| format!("\"{key}\":{value}"))
        .collect();
    if backwards {
        members.reverse();
    }
    format!("{{{}}}", members.join(","))
}
