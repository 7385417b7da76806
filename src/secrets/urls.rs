//! Credentials that users write into addresses, and names of options that hold some.

use url::Url;

use super::redact;
use super::value::SecretValue;

/// Looks for the password, the token and the signature of an address from now on.
pub fn add_credentials(address: &str) {
    if !address.contains("://") {
        return;
    }
    let Ok(url) = Url::parse(address) else {
        // What is no address may still be meant as one: its password stands before the last @ of its authority.
        let rest = address.split_once("://").map_or("", |(_, rest)| rest);
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let whole = rest.rsplit_once('@').map_or(authority, |(user, _)| user);
        if let Some((_, password)) = whole.split_once(':').filter(|_| rest.contains('@')) {
            redact::add_credential(&SecretValue::new(password));
        }
        return;
    };
    if let Some(password) = url.password() {
        add_decoded(password);
    }
    for (key, value) in url.query_pairs() {
        if is_secret(&key) {
            redact::add_credential(&SecretValue::new(value));
        }
    }
}

/// Looks from now on for the credentials of stores that are in the environment.
pub fn add_environment() {
    let stores = ["AWS_", "AZURE_", "GOOGLE_"];
    for (name, value) in std::env::vars_os() {
        if let (Some(name), Ok(value)) = (name.to_str(), value.into_string())
            && stores.iter().any(|store| name.starts_with(store))
            && is_secret(name)
        {
            redact::add_credential(&SecretValue::new(value));
        }
    }
}

/// A password as it is written in an address, and as it is meant.
fn add_decoded(written: &str) {
    redact::add_credential(&SecretValue::new(written));
    redact::add_credential(&SecretValue::new(decoded(written)));
}

/// A part of an address without its percent signs.
pub fn decoded(written: &str) -> String {
    // In a query a plus sign means a space, in a password it does not.
    let pair = format!("p={}", written.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes()).map(|(_, meant)| meant.into_owned()).collect()
}

/// Whether an option or parameter of this name holds something that nobody may see.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let parts = [
        "secret",
        "token",
        "password",
        "passwd",
        "signature",
        "private_key",
        "account_key",
        "credential",
        "connection_string",
    ];
    let whole = ["sig", "sas_key", "access_key", "api_key", "apikey", "key", "azure_storage_key", "sas"];
    let files = name.ends_with("_file") || name.ends_with("_path") || name.ends_with("_uri");
    let plain = files
        || name.ends_with("_id")
        || name.ends_with("_account") && !name.contains("secret")
        || name.starts_with("imdsv1")
        || name.ends_with("_url")
        || name.ends_with("_endpoint")
        || name.ends_with("_algorithm");
    !plain
        && (parts.iter().any(|part| name.contains(part))
            || whole.iter().any(|key| name == *key || name.ends_with(&format!("_{key}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_with_secrets_are_known_by_their_names() {
        for name in [
            "aws_secret_access_key",
            "AWS_SESSION_TOKEN",
            "secret_access_key",
            "token",
            "azure_storage_account_key",
            "azure_storage_key",
            "access_key",
            "account_key",
            "azure_client_secret",
            "sas_token",
            "sas_key",
            "google_service_account_key",
            "X-Amz-Signature",
            "X-Amz-Security-Token",
            "sig",
            "api_key",
            "password",
            "aws_sse_customer_key_base64_secret",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "aws_region",
            "aws_access_key_id",
            "aws_endpoint_url",
            "allow_http",
            "google_service_account",
            "azure_storage_account_name",
            "aws_web_identity_token_file",
            "client_id",
            "timeout",
            "azure_federated_token_file",
            "X-Amz-Credential-Id",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn passwords_of_addresses_are_taken_out_of_texts() {
        add_credentials("https://user:pa%40ss-of-url@host/path?sig=sig%2Fnature-of-url&x=plain-of-url");
        add_credentials("https://user:pass/word-of-none@host:port/x");
        let text =
            redact::text("pa@ss-of-url pa%40ss-of-url sig/nature-of-url plain-of-url pass/word-of-none");
        assert_eq!(text, "*** *** *** plain-of-url ***");
    }
}
