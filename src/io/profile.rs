//! Profiles of AWS: what `~/.aws/credentials` and `~/.aws/config` say of where a store is and who asks.
//!
//! Keys that stand there are taken. What has to be run or asked for (single sign-on, roles, a process) is refused by its
//! name: it would otherwise be looked for at an address that only machines of Amazon's have.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key};

use crate::error::{Code, Error, Result};
use crate::secrets::{SecretValue, redact, urls};

/// Whether it is this option of a store that names a profile.
pub fn is_named_by(option: &str) -> bool {
    ["aws_profile", "profile"].iter().any(|name| option.eq_ignore_ascii_case(name))
}

/// What is taken of a profile, and what it is for a store.
const SAID: [(&str, Key); 5] = [
    ("aws_access_key_id", Key::AccessKeyId),
    ("aws_secret_access_key", Key::SecretAccessKey),
    ("aws_session_token", Key::Token),
    ("region", Key::Region),
    ("endpoint_url", Key::Endpoint),
];

/// Ways to credentials that are not gone here.
const OTHER_WAYS: [&str; 6] =
    ["credential_process", "sso_session", "sso_start_url", "role_arn", "source_profile", "login_session"];

type Section = BTreeMap<String, String>;

/// Where profiles are: files and the name of the one that is meant.
pub struct Places {
    files: [PathBuf; 2],
    named: Option<String>,
}

impl Places {
    pub fn from_env() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let file = |name: &str, usual: &str| variable(name).map_or_else(|| home.join(usual), PathBuf::from);
        Self {
            files: [
                file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
                file("AWS_CONFIG_FILE", ".aws/config"),
            ],
            named: variable("AWS_PROFILE").or_else(|| variable("AWS_DEFAULT_PROFILE")),
        }
    }

    /// Fills in what neither options nor variables have said. A profile that an option names goes before variables, and
    /// only `own` options before it.
    pub fn fill(
        &self,
        mut builder: AmazonS3Builder,
        option: Option<&str>,
        own: &[Key],
    ) -> Result<AmazonS3Builder> {
        let said = |builder: &AmazonS3Builder, key: &Key| builder.get_config_value(key).is_some();
        let known = [
            Key::AccessKeyId,
            Key::SecretAccessKey,
            Key::WebIdentityTokenFile,
            Key::ContainerCredentialsRelativeUri,
            Key::ContainerCredentialsFullUri,
        ];
        let anonymous = builder.get_config_value(&Key::SkipSignature).is_some_and(|value| value == "true");
        let keys_are_own = own.iter().any(|key| known.contains(key));
        let has_keys =
            anonymous || keys_are_own || option.is_none() && known.iter().any(|key| said(&builder, key));
        let name = option.or(self.named.as_deref());
        let section = match self.section(name.unwrap_or("default")) {
            // Nobody has asked for these files: what is no file of ours to read says nothing.
            Err(_) if option.is_none() && (has_keys || name.is_none()) => None,
            section => section?,
        };
        let Some(section) = section else {
            return match name {
                Some(name) if !has_keys || option.is_some() => Err(self.missing(name)),
                _ => Ok(builder),
            };
        };
        if !has_keys && !section.contains_key("aws_access_key_id") {
            let way = OTHER_WAYS.iter().find(|way| section.contains_key(**way));
            if let Some(way) = way {
                return Err(other_way(name.unwrap_or("default"), way));
            }
        }
        let has_token = !section.contains_key("aws_session_token") && said(&builder, &Key::Token);
        if !has_keys && has_token && !own.contains(&Key::Token) {
            return Err(Error::new(
                Code::InvalidTask,
                "the variable AWS_SESSION_TOKEN belongs to other keys than those of the profile of AWS",
            )
            .hint("Unset it, or give the keys as storage_options"));
        }
        for (text, key) in SAID {
            let Some(value) = section.get(text) else { continue };
            let is_credential = text.starts_with("aws_");
            let skip = match is_credential {
                true => has_keys,
                false => own.contains(&key) || option.is_none() && said(&builder, &key),
            };
            if skip {
                continue;
            }
            if urls::is_secret(text) {
                redact::add_credential(&SecretValue::new(value.as_str()));
            }
            builder = builder.with_config(key, value);
        }
        Ok(builder)
    }

    /// What both files say of a profile.
    fn section(&self, name: &str) -> Result<Option<Section>> {
        let titles =
            [name.to_owned(), if name == "default" { name.to_owned() } else { format!("profile {name}") }];
        let mut found: Option<Section> = None;
        for (file, title) in self.files.iter().zip(titles) {
            for (key, value) in read(file, &title)?.into_iter().flatten() {
                found.get_or_insert_default().entry(key).or_insert(value);
            }
        }
        Ok(found)
    }

    fn missing(&self, name: &str) -> Error {
        let [credentials, config] = self.files.each_ref().map(|file| file.display());
        Error::new(
            Code::InvalidTask,
            format!("the profile `{name}` of AWS is neither in `{credentials}` nor in `{config}`"),
        )
        .hint("Check AWS_PROFILE and `aws_profile` of storage_options, or `aws configure list-profiles`")
        .detail("path", "storage_options.aws_profile")
    }
}

fn other_way(name: &str, way: &str) -> Error {
    Error::new(
        Code::InvalidTask,
        format!("the profile `{name}` of AWS has no keys: it gets them by `{way}`, which is not done here"),
    )
    .hint(format!("Set what `aws configure export-credentials --profile {name} --format env` prints"))
    .detail("path", "storage_options.aws_profile")
}

/// The lines of a section; nothing where there is no such file or section.
fn read(file: &Path, title: &str) -> Result<Option<Section>> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let what = format!("the profiles of AWS in `{}` cannot be read: {error}", file.display());
            return Err(Error::new(Code::InvalidTask, what)
                .hint("Give this process the right to read it, or name another file in its variable"));
        }
    };
    let mut found: Option<Section> = None;
    let mut inside = false;
    for line in text.lines() {
        // What is indented belongs to the line before, and is of no interest here.
        if line.starts_with([' ', '\t', '#', ';']) || line.trim().is_empty() {
            continue;
        }
        if let Some(named) = line.trim().strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            inside = named.split_whitespace().eq(title.split_whitespace());
            if inside {
                found.get_or_insert_default();
            }
        } else if inside && let Some((key, value)) = line.split_once('=') {
            let value = value.split(" #").next().unwrap_or_default().trim();
            found.get_or_insert_default().insert(key.trim().to_ascii_lowercase(), value.to_owned());
        }
    }
    Ok(found)
}
