//! What programs that print records have in common.

use std::io::{self, ErrorKind};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use headwater::log::StoredRecord;
use serde_json::{Map, Value};

/// Whether nobody reads the output any more, as in `replay | head`.
#[must_use]
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// Adds `offset`, `timestamp`, `key` and `value` of a record to an object, and gives its headers; bytes that are no text are under
/// `key_base64`, `value_base64`.
pub fn insert_record(object: &mut Map<String, Value>, record: &StoredRecord) -> Vec<Value> {
    object.insert("offset".to_owned(), record.offset.into());
    object.insert("timestamp".to_owned(), record.timestamp.into());
    insert(object, "key", record.key.as_deref());
    insert(object, "value", record.value.as_deref());
    let headers = record.headers.iter().map(|header| {
        let mut one = Map::new();
        one.insert("key".to_owned(), header.key.into());
        insert(&mut one, "value", header.value);
        Value::Object(one)
    });
    headers.collect()
}

fn insert(object: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    let (name, value) = match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => (name.to_owned(), Value::Null),
        Some((_, Ok(text))) => (name.to_owned(), text.into()),
        Some((bytes, Err(_))) => (format!("{name}_base64"), STANDARD.encode(bytes).into()),
    };
    object.insert(name, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_have_another_name() {
        let mut object = Map::new();
        insert(&mut object, "key", Some(b"a"));
        insert(&mut object, "value", Some(&[0xff]));
        insert(&mut object, "none", None);
        assert_eq!(Value::Object(object).to_string(), r#"{"key":"a","value_base64":"/w==","none":null}"#);
    }
}
