//! The responses of Prometheus's HTTP API.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use turnout_admin::parse_count;

/// The labels of a series, with its name in `__name__`.
pub(crate) type Labels = BTreeMap<String, String>;

/// The response of the API to a query.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueryResponse<'a> {
    pub(crate) status: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    pub(crate) error_type: String,
    #[serde(default)]
    pub(crate) error: String,
    /// Problems because of which the data may be incomplete. What Prometheus calls `infos` are hints about the query.
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
}

/// One series of a response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    /// Its samples, in the order of their times.
    pub(crate) samples: Vec<Sample>,
}

/// One sample of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// In milliseconds since 1970.
    pub(crate) at: i64,
    /// `None` if the value is no count.
    pub(crate) value: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    result_type: String,
    #[serde(borrow)]
    result: &'a RawValue,
}

#[derive(Deserialize)]
struct RawSeries {
    #[serde(default)]
    metric: Labels,
    value: Option<Sample>,
    // A series of native histograms has `histograms` instead.
    #[serde(default)]
    values: Vec<Sample>,
}

impl<'a> QueryResponse<'a> {
    /// Parses a response, `None` if it is not one of the API.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The series of the result. A scalar is a series without labels.
    ///
    /// # Errors
    /// A sentence that says why the result cannot be read.
    pub(crate) fn series(&self) -> Result<Vec<Series>, String> {
        let data = self.data.ok_or("the response has no data")?;
        let unreadable = |error: serde_json::Error| format!("the result cannot be read: {error}");
        let data: Data<'_> = serde_json::from_str(data.get()).map_err(unreadable)?;
        let result = data.result.get();
        let series = match data.result_type.as_str() {
            "matrix" | "vector" => serde_json::from_str(result).map_err(unreadable)?,
            "scalar" => vec![RawSeries {
                metric: Labels::new(),
                value: Some(serde_json::from_str(result).map_err(unreadable)?),
                values: Vec::new(),
            }],
            _ => return Err("the result has another type than expected".to_owned()),
        };
        let series = series.into_iter().map(|series| Series {
            labels: series.metric,
            samples: series.value.into_iter().chain(series.values).collect(),
        });
        Ok(series.collect())
    }
}

impl<'de> Deserialize<'de> for Sample {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pair;
        impl<'de> Visitor<'de> for Pair {
            type Value = Sample;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time and a value")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<Sample, A::Error> {
                let incomplete = || A::Error::custom("expected a time and a value");
                let seconds: f64 = pair.next_element()?.ok_or_else(incomplete)?;
                let at =
                    milliseconds(seconds).ok_or_else(|| A::Error::custom("expected a time"))?;
                let value: Value = pair.next_element()?.ok_or_else(incomplete)?;
                while pair.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Sample { at, value: value.0 })
            }
        }
        deserializer.deserialize_seq(Pair)
    }
}

/// A time of at most three decimals, in milliseconds. A 64-bit float has an error of less than half a millisecond.
fn milliseconds(seconds: f64) -> Option<i64> {
    let time = Duration::try_from_secs_f64(seconds).ok()?;
    let rounded = time.checked_add(Duration::from_micros(500))?;
    i64::try_from(rounded.as_millis()).ok()
}

/// A value: a text such as `"3"` or `"NaN"`.
struct Value(Option<u64>);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value as text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
                Ok(Value(parse_count(text)))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(of: &[(i64, Option<u64>)]) -> Vec<Sample> {
        let samples = of.iter();
        samples.map(|&(at, value)| Sample { at, value }).collect()
    }

    #[test]
    fn a_matrix_of_prometheus_is_read() {
        let text = r#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"__name__":"turnout_guard_all","instance":"127.0.0.1:9901","job":"envoy","rollout":"chat",
             "stratum":"50","treatment":"v2"},
             "values":[[1795832282.489,"0"],[1795832283.489,"12"],[1795832284,"1.5e+09"],[1795832285.001,"NaN"],
                       [1795832286.999,"-1"],[1795832287,"+Inf"]]},
            {"metric":{"__name__":"h"},"histograms":[[1795832282.489,{"count":"3"}]]}]},
            "infos":["PromQL info: metric might not be a counter"]}"#;
        let response = QueryResponse::parse(text).unwrap();
        assert_eq!(
            (response.status.as_str(), response.warnings.len()),
            ("success", 0)
        );
        let series = response.series().unwrap();
        assert_eq!(series[0].labels["stratum"], "50");
        assert_eq!(
            series[0].samples,
            samples(&[
                (1_795_832_282_489, Some(0)),
                (1_795_832_283_489, Some(12)),
                (1_795_832_284_000, Some(1_500_000_000)),
                (1_795_832_285_001, None),
                (1_795_832_286_999, None),
                (1_795_832_287_000, None),
            ])
        );
        assert_eq!(series[1].samples, []);
    }

    #[test]
    fn vectors_scalars_and_errors_are_read() {
        let text = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"__name__":"up","job":"envoy","instance":"a:1"},"value":[1795832282.489,"1"]}]},
            "warnings":["store b is unreachable"]}"#;
        let response = QueryResponse::parse(text).unwrap();
        assert_eq!(response.warnings, ["store b is unreachable"]);
        assert_eq!(
            response.series().unwrap()[0].samples,
            samples(&[(1_795_832_282_489, Some(1))])
        );
        let text = r#"{"status":"success","data":{"resultType":"scalar","result":[1795832282.489,"1795832282.489"]}}"#;
        let scalar = QueryResponse::parse(text).unwrap().series().unwrap();
        assert_eq!(scalar[0].samples[0].at, 1_795_832_282_489);
        let text = r#"{"status":"error","errorType":"bad_data","error":"invalid parameter"}"#;
        let response = QueryResponse::parse(text).unwrap();
        assert_eq!(response.error_type, "bad_data");
        assert!(response.series().is_err());
    }

    #[test]
    fn what_is_malformed_is_an_error() {
        for text in ["", "<html>", "[]", "{}", r#"{"status":1}"#] {
            assert!(QueryResponse::parse(text).is_none(), "{text}");
        }
        for data in [
            r#"{"resultType":"string","result":[1,"a"]}"#,
            r#"{"resultType":"matrix","result":{}}"#,
            r#"{"resultType":"matrix","result":[{"metric":{},"values":[["1",2]]}]}"#,
            r#"{"resultType":"matrix","result":[{"metric":{},"values":[[1]]}]}"#,
            r#"{"resultType":"matrix","result":[{"metric":{},"values":[[-1,"2"]]}]}"#,
            r#"{"resultType":"vector","result":[{"metric":{},"value":[1e300,"2"]}]}"#,
            r#"{}"#,
        ] {
            let text = format!(r#"{{"status":"success","data":{data}}}"#);
            assert!(
                QueryResponse::parse(&text).unwrap().series().is_err(),
                "{data}"
            );
        }
    }
}
