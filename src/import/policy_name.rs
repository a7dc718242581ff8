//! Derives names of rollouts and segments from texts of the file.

use turnout_text::DNS_LABEL_MAX_LEN;

/// Derives a name from a text: lower case, with `-` for other characters, at most 63 bytes.
pub(crate) fn policy_name(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        let c = c.to_ascii_lowercase();
        match c {
            'a'..='z' | '0'..='9' => name.push(c),
            _ if name.is_empty() || name.ends_with('-') => {}
            _ => name.push('-'),
        }
        if name.len() >= DNS_LABEL_MAX_LEN {
            break;
        }
    }
    let name = name.trim_end_matches('-');
    String::from(if name.is_empty() { "imported" } else { name })
}

/// Appends a number to a name that is taken.
pub(crate) fn unused_name(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    if !is_taken(name) {
        return name.to_owned();
    }
    let numbered = (2_usize..).map(|number| {
        let end = format!("-{number}");
        let room = DNS_LABEL_MAX_LEN.saturating_sub(end.len());
        let start: String = name.chars().take(room).collect();
        [start.trim_end_matches('-'), &end].concat()
    });
    let mut unused = numbered.filter(|name| !is_taken(name));
    unused.next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_resemble_the_text() {
        for (text, expected) in [
            ("chat", "chat"),
            ("Chat.Users_DynamoDB", "chat-users-dynamodb"),
            ("--a--", "a"),
            ("", "imported"),
            ("éé", "imported"),
            (&"a".repeat(100), &"a".repeat(63)),
            (&format!("{}-b", "a".repeat(62)), &"a".repeat(62)),
        ] {
            assert_eq!(policy_name(text), expected, "{text}");
        }
        let long = "a".repeat(63);
        assert_eq!(unused_name(&long, |name| name == long).len(), 63);
        assert_eq!(unused_name("a", |name| name == "a" || name == "a-2"), "a-3");
    }
}
