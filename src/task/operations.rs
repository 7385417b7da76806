//! Which operation a task means: named, or found by the task's description.

use serde_json::{Value, json};

use super::spec::OperationRef;
use super::value::shortened;
use crate::error::{Code, Error, Result};
use crate::names::{self, words};

/// An operation known to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    pub name: String,
    pub description: String,
}

/// Refuses names that are not registered.
pub fn check(operation: &OperationRef, path: &str, registered: &[Registered]) -> Result<()> {
    match operation {
        OperationRef::Named(name) if !registered.iter().any(|known| known.name == *name) => {
            if let Some(error) = other_version(name, path, registered) {
                return Err(error);
            }
            let nearest = names::nearest(name, registered.iter().map(|known| known.name.as_str()));
            let message =
                format!("{path} names \"{}\", and no such operation is registered", shortened(name));
            let (advice, error) = match nearest {
                Some(nearest) => (
                    format!("Did you mean \"{nearest}\"? "),
                    not_found(path, message, registered).detail("nearest", nearest),
                ),
                None => (String::new(), not_found(path, message, registered)),
            };
            Err(error.detail("given", shortened(name)).hint(format!("{advice}{}", listing(registered))))
        }
        OperationRef::Steps(steps) => {
            let mut numbered = steps.iter().enumerate();
            numbered.try_for_each(|(at, step)| check(step, &format!("{path}[{at}]"), registered))
        }
        _ => Ok(()),
    }
}

/// What comes between the name of an operation and its version.
const VERSION: char = '@';

/// Why a version of an operation that is there, but not in this version, is refused.
fn other_version(name: &str, path: &str, registered: &[Registered]) -> Option<Error> {
    let (base, version) = name.split_once(VERSION)?;
    registered.iter().find(|known| known.name == base)?;
    let of_base = |known: &Registered| match known.name.split_once(VERSION) {
        Some((other, version)) if other == base => Some(version.to_owned()),
        _ => None,
    };
    let versions: Vec<String> = registered.iter().filter_map(of_base).collect();
    let (base, version) = (shortened(base), shortened(version));
    let message = format!("{path} names version \"{version}\" of \"{base}\", which is not registered");
    let hint = match versions.is_empty() {
        true => format!("It is registered without versions: name \"{base}\""),
        false => {
            format!("Registered versions of it: {}; \"{base}\" alone is the newest", versions.join(", "))
        }
    };
    Some(
        not_found(path, message, registered)
            .detail("given", shortened(name))
            .detail("versions", versions)
            .hint(hint),
    )
}

/// The registered operation that the description means: equal to its name or description, else equal but for
/// case, else one holding the words of the other. The first of these that anything meets decides.
pub fn find(description: Option<&str>, path: &str, registered: &[Registered]) -> Result<OperationRef> {
    let Some(description) = description.filter(|text| !text.trim().is_empty()) else {
        let error = not_found(path, "the task names no operation".into(), registered);
        return Err(error.hint(format!("Give a callable or a name as {path}. {}", listing(registered))));
    };
    let wanted = words(description);
    let tests: [&dyn Fn(&str) -> bool; 3] =
        [&|text| text == description, &|text| text.to_lowercase() == description.to_lowercase(), &|text| {
            let known = words(text);
            holds(&wanted, &known) || holds(&known, &wanted)
        }];
    for test in tests {
        let met = registered.iter().filter(|known| test(&known.name) || test(&known.description));
        // The name alone is the newest of its versions.
        let met: Vec<&Registered> = met.filter(|known| !known.name.contains(VERSION)).collect();
        match met[..] {
            [] => {}
            [one] => return Ok(OperationRef::Named(one.name.clone())),
            _ => {
                let names: Vec<&str> = met.iter().map(|known| known.name.as_str()).collect();
                let message = format!(
                    "the description \"{}\" fits several registered operations: {}",
                    shortened(description),
                    names.join(", ")
                );
                return Err(not_found(path, message, registered)
                    .detail("candidates", names)
                    .hint(format!("Name the one that is meant as {path}")));
            }
        }
    }
    let message =
        format!("the task names no operation, and its description \"{}\" fits none", shortened(description));
    Err(not_found(path, message, registered)
        .hint(format!("Give a callable or a name as {path}. {}", listing(registered))))
}

/// Whether `words` has `part` as a run of neighbours.
fn holds(words: &[String], part: &[String]) -> bool {
    !part.is_empty() && words.windows(part.len()).any(|run| run == part)
}

fn not_found(path: &str, message: String, registered: &[Registered]) -> Error {
    let names: Vec<Value> = registered.iter().map(|known| json!(known.name)).collect();
    Error::new(Code::OperationNotFound, message).detail("path", path).detail("registered", names)
}

fn listing(registered: &[Registered]) -> String {
    if registered.is_empty() {
        return "No operation is registered; `@client.operation` registers one".into();
    }
    let names: Vec<&str> = registered.iter().map(|known| known.name.as_str()).collect();
    format!("Registered: {}", names.join(", "))
}
