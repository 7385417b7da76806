//! What is secret within a secret: fields of JSON, the password of an address, that of a connection string.

use serde_json::Value;
use url::Url;

use super::super::urls::{decoded, is_secret};
use super::super::value::SHORTEST;

/// Names of connection strings that options do not have.
const OF_CONNECTIONS: &[&str] = &["pwd", "accountkey", "sharedaccesskey"];

/// Deeper JSON is not looked through.
const DEEPEST: usize = 32;

/// The parts of a value that libraries take out of it, and may tell.
pub fn parts(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    let text = value.trim();
    if text.starts_with('{') {
        if let Ok(json) = serde_json::from_str(text) {
            fields(&json, false, DEEPEST, &mut found);
        }
    } else if let Some(password) = Url::parse(text).ok().as_ref().and_then(Url::password) {
        found.push(decoded(password));
        found.push(password.to_owned());
    } else {
        for pair in text.split(';') {
            if let Some((name, value)) = pair.split_once('=')
                && (is_secret(name.trim())
                    || OF_CONNECTIONS.contains(&name.trim().to_ascii_lowercase().as_str()))
            {
                found.push(value.trim().to_owned());
            }
        }
    }
    found.retain(|part| part.chars().count() >= SHORTEST && part != value);
    found
}

fn fields(json: &Value, secret: bool, depth: usize, found: &mut Vec<String>) {
    match json {
        Value::String(text) if secret => found.push(text.clone()),
        Value::Array(values) if depth > 0 => {
            values.iter().for_each(|value| fields(value, secret, depth - 1, found));
        }
        Value::Object(entries) if depth > 0 => {
            entries
                .iter()
                .for_each(|(name, value)| fields(value, secret || is_secret(name), depth - 1, found));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libraries_take_out_of_a_secret_is_secret() {
        let account =
            r#"{"type": "service_account", "private_key_id": "1", "private_key": "-----BEGIN\nabcdefgh\n"}"#;
        assert_eq!(parts(account), ["-----BEGIN\nabcdefgh\n"]);
        assert_eq!(parts(r#"{"user": "me", "credentials": {"a": ["hunter2", "abc"]}}"#), ["hunter2"]);
        assert_eq!(parts("postgres://me:hunter%402@db/x"), ["hunter@2", "hunter%402"]);
        assert_eq!(parts("Server=db;Uid=me;Pwd=hunter2;"), ["hunter2"]);
        assert_eq!(parts("AccountName=me;AccountKey=aHVudGVyMg==;"), ["aHVudGVyMg=="]);
        for plain in ["hunter2", "{hunter2", "a=b;c=d", "https://host/path", ""] {
            assert!(parts(plain).is_empty(), "{plain}");
        }
    }
}
