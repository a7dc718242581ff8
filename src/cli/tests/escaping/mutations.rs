//! Documents with hostile text in one place at a time.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::HOSTILE;

/// The document with hostile text in the place of each value, at the end of each text and of each name.
pub(crate) fn of(document: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(document).expect("JSON");
    let mut places = Vec::new();
    collect(&value, "", &mut places);
    let mut seen = BTreeSet::new();
    // One item of a list, and one of several fields with the same name, represents the others.
    places.retain(|place| {
        let words = place.split('/').map(|word| match word.parse::<usize>() {
            Ok(_) => "0",
            Err(_) => word,
        });
        seen.insert(words.collect::<Vec<_>>().join("/"))
    });
    let mut mutated = Vec::new();
    for (index, place) in places.iter().enumerate() {
        let [one, other] = match index % 2 {
            0 => [HOSTILE[0], HOSTILE[1]],
            _ => [HOSTILE[1], HOSTILE[0]],
        };
        mutated.push(changed(&value, place, |value| *value = one.into()));
        mutated.push(changed(&value, place, |value| match value {
            Value::String(text) => text.push_str(other),
            Value::Object(fields) => {
                fields.insert(other.to_owned(), Value::Null);
            }
            Value::Array(items) => items.push(other.into()),
            other_value => *other_value = other.into(),
        }));
        let Some((parent, name)) = place.rsplit_once('/') else {
            continue;
        };
        mutated.push(changed(&value, parent, |value| {
            let name = name.replace("~1", "/").replace("~0", "~");
            if let Some(fields) = value.as_object_mut()
                && let Some(field) = fields.remove(&name)
            {
                fields.insert(format!("{name}{one}"), field);
            }
        }));
    }
    mutated
}

fn changed(value: &Value, place: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut value = value.clone();
    change(value.pointer_mut(place).expect("a place of it"));
    value.to_string()
}

fn collect(value: &Value, place: &str, places: &mut Vec<String>) {
    places.push(place.to_owned());
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, &format!("{place}/{index}"), places);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                collect(field, &format!("{place}/{name}"), places);
            }
        }
        _ => {}
    }
}
