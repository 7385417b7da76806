//! Options of an object store in a document: plain data, where a credential is the name of a secret.

use serde_json::{Map, Value, json};

use super::value::{At, invalid};
use crate::error::Result;
use crate::secrets::urls;

pub const WANTED: &str =
    "a dict of option names and values, each text, a number, True or False, or `{\"secret\": name}`";

/// Options as text, or as the name of a secret. A credential in clear would stand in the document, and in all that
/// keeps it.
pub fn check(at: &At<'_>) -> Result<Value> {
    let dict = at.dict().ok_or_else(|| at.wrong_type(WANTED))?;
    let mut options = Map::new();
    for (name, value) in dict {
        let path = at.path_of(name);
        let value = match value {
            Value::Object(named) => match named.get("secret") {
                Some(Value::String(secret)) if named.len() == 1 && !secret.trim().is_empty() => {
                    json!({ "secret": secret })
                }
                _ => return Err(wrong(&path)),
            },
            Value::String(_) | Value::Number(_) | Value::Bool(_) if urls::is_secret(name) => {
                return Err(invalid(&path, format!("{path} holds a credential, and documents hold none"))
                    .hint("Name a secret: `{\"secret\": name}`, or give the option to the client: RLMClient(storage_options=...)"));
            }
            Value::String(_) => value.clone(),
            Value::Number(number) => number.to_string().into(),
            Value::Bool(flag) => flag.to_string().into(),
            Value::Null => continue,
            Value::Array(_) => return Err(wrong(&path)),
        };
        options.insert(name.to_ascii_lowercase(), value);
    }
    Ok(options.into())
}

/// The value is not shown, whatever it is.
fn wrong(path: &str) -> crate::error::Error {
    invalid(path, format!("{path} is no value of an option"))
        .hint("Give text, a number, True or False, or `{\"secret\": name}`")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn credentials_are_names_of_secrets() {
        let read = |value: Value| check(&At::new(&value, "input.storageOptions"));
        let given = json!({ "AWS_Region": "eu", "allow_http": true, "timeout": 3, "none": null,
            "aws_secret_access_key": { "secret": "s3" } });
        let wanted = json!({ "aws_region": "eu", "allow_http": "true", "timeout": "3",
            "aws_secret_access_key": { "secret": "s3" } });
        assert_eq!(read(given).unwrap(), wanted);
        for given in [
            json!("text"),
            json!({ "aws_secret_access_key": "hunter2" }),
            json!({ "SAS_TOKEN": "hunter2" }),
            json!({ "aws_region": ["hunter2"] }),
            json!({ "aws_secret_access_key": { "secret": 1 } }),
            json!({ "aws_secret_access_key": { "secret": "" } }),
            json!({ "aws_secret_access_key": { "value": "hunter2" } }),
            json!({ "aws_secret_access_key": { "secret": "a", "value": "hunter2" } }),
        ] {
            let error = read(given).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
