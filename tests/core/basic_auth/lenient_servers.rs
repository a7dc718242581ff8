//! A model of how lenient servers read Basic credentials. The tests and the fuzzer use it to show that no client
//! hides credentials from the filter that some server reads.

/// The base64 alphabets; all readers accept both.
fn digit(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

/// What a reader does at a byte that is not base64.
#[derive(Clone, Copy)]
enum Junk {
    /// It rejects the value.
    Refuse,
    /// It skips the byte.
    PassOver,
    /// It stops and takes what it has.
    Stop,
}

fn decode(text: &[u8], junk: Junk) -> Option<Vec<u8>> {
    let mut bits = 0_u32;
    let mut count = 0;
    let mut bytes = Vec::new();
    let text = text.strip_suffix(b"=").unwrap_or(text);
    let text = text.strip_suffix(b"=").unwrap_or(text);
    for byte in text {
        let Some(digit) = digit(*byte) else {
            match junk {
                Junk::Refuse => return None,
                Junk::PassOver => continue,
                Junk::Stop => break,
            }
        };
        bits = (bits << 6 | digit) & 0xff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

fn is_blank(byte: u8) -> bool {
    !matches!(byte, b'!'..=b'~')
}

/// All user names, up to the first colon, that some server reads in the values of `authorization`.
pub(crate) fn users(values: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut texts: Vec<Vec<u8>> = values.iter().map(|value| value.to_vec()).collect();
    texts.push(values.join(&b", "[..]));
    let mut users = Vec::new();
    for text in &texts {
        for member in text.split(|byte| *byte == b',').chain([&text[..]]) {
            // Servers that expect the scheme at the beginning and skip any separator.
            let start = member.iter().position(u8::is_ascii_alphanumeric);
            if let Some(member) = start.map(|start| &member[start..]) {
                of_credentials(member, &mut users);
            }
            // Servers that search for the scheme and require white space after it.
            for at in 0..member.len() {
                if member.get(at + 5).is_some_and(|next| is_blank(*next)) {
                    of_credentials(&member[at..], &mut users);
                }
            }
        }
    }
    users
}

fn of_credentials(text: &[u8], users: &mut Vec<Vec<u8>>) {
    let Some((scheme, rest)) = text.split_at_checked(5) else {
        return;
    };
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return;
    }
    let digits = rest.iter().position(|byte| digit(*byte).is_some());
    let behind = |start: usize| &rest[start..];
    let first_word = |rest: &[u8]| {
        let mut words = rest.split(|byte| is_blank(*byte));
        words
            .find(|word| !word.is_empty())
            .unwrap_or_default()
            .to_vec()
    };
    let second_word = |rest: &[u8]| {
        let mut words = rest.split(|byte| is_blank(*byte));
        words.nth(1).unwrap_or_default().to_vec()
    };
    let rest_of = digits.map(behind).unwrap_or_default();
    for text in [
        rest.to_vec(),
        rest_of.to_vec(),
        first_word(rest),
        first_word(rest_of),
        second_word(rest),
    ] {
        for junk in [Junk::Refuse, Junk::PassOver, Junk::Stop] {
            let decoded = decode(&text, junk).unwrap_or_default();
            if let Some(colon) = decoded.iter().position(|byte| *byte == b':') {
                users.push(decoded[..colon].to_vec());
            }
        }
    }
}
