//! DNS labels (RFC 1123): the form of names in a policy and of names in Kubernetes.

/// The largest length of a DNS label, in bytes.
pub const DNS_LABEL_MAX_LEN: usize = 63;

/// Whether a name is a DNS label: 1 to 63 lower-case letters, digits and inner hyphens.
#[must_use]
pub fn is_dns_label(name: &str) -> bool {
    let is_alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    bytes.len() <= DNS_LABEL_MAX_LEN
        && bytes
            .iter()
            .all(|byte| is_alphanumeric(byte) || *byte == b'-')
        && bytes.first().is_some_and(is_alphanumeric)
        && bytes.last().is_some_and(is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_lower_case_letters_digits_and_inner_hyphens() {
        for name in ["a", "0", "a-b", "a--b", &"a".repeat(63)] {
            assert!(is_dns_label(name), "{name}");
        }
        for name in ["", "-", "-a", "a-", "A", "a.b", "a_b", "é", &"a".repeat(64)] {
            assert!(!is_dns_label(name), "{name}");
        }
    }
}
