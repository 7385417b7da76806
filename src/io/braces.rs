//! Alternatives in braces, `{2023,2024}`, as Hadoop's and the shell's globs have them: each is a source of its own.

use std::path::Path;

use super::location::{FileRef, resolve};
use super::source::footers::Footers;
use super::store::Stores;
use crate::error::{Code, Result};

/// What has more alternatives is taken by its letters.
const MOST: usize = 1_000;

/// The files that a source stands for. Of alternatives some may have none, but not all; their files are in the order of
/// their names, as those of every glob, and each is there once.
pub async fn found(source: &str, stores: &Stores, footers: &Footers) -> Result<Vec<FileRef>> {
    let alternatives = expanded(source);
    if alternatives.len() == 1 || Path::new(source).exists() {
        return resolve(source, stores, footers).await;
    }
    let mut files = Vec::new();
    for alternative in &alternatives {
        match resolve(alternative, stores, footers).await {
            Ok(some) => files.extend(some),
            Err(error) if error.code() == Code::SourceNotFound => {}
            Err(error) => return Err(error),
        }
    }
    if files.is_empty() {
        // It may be a name with braces in it.
        return resolve(source, stores, footers).await;
    }
    files.sort_by(|a: &FileRef, b: &FileRef| a.name.cmp(&b.name));
    files.dedup_by(|a, b| a.name == b.name);
    Ok(files)
}

/// Every text that a pattern stands for, in order; the pattern itself where it has no alternatives.
fn expanded(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut left = vec![pattern.to_owned()];
    while let Some(next) = left.pop() {
        match first(&next) {
            Some((before, inner, after)) => {
                let some = inner.into_iter().rev().map(|one| format!("{before}{one}{after}"));
                left.extend(some);
            }
            None => done.push(next),
        }
        if done.len() + left.len() > MOST {
            return vec![pattern.to_owned()];
        }
    }
    done
}

/// The first braces that have a comma in them: what is before, the alternatives, and what is after.
fn first(pattern: &str) -> Option<(&str, Vec<&str>, &str)> {
    for (open, _) in pattern.match_indices('{') {
        let (mut depth, mut begin, mut inner) = (0_usize, open + 1, Vec::new());
        for (at, letter) in pattern.char_indices().skip_while(|(at, _)| *at < open) {
            match letter {
                '{' => depth += 1,
                ',' if depth == 1 => {
                    inner.push(&pattern[begin..at]);
                    begin = at + 1;
                }
                '}' if depth == 1 => {
                    if inner.is_empty() {
                        break;
                    }
                    inner.push(&pattern[begin..at]);
                    return Some((&pattern[..open], inner, &pattern[at + 1..]));
                }
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives() {
        let cases: [(&str, &[&str]); 10] = [
            ("a", &["a"]),
            ("a{b,c}d", &["abd", "acd"]),
            ("{a,b}/{c,d}", &["a/c", "a/d", "b/c", "b/d"]),
            ("x{a,{b,c}d,}y", &["xay", "xbdy", "xcdy", "xy"]),
            ("a{b}c", &["a{b}c"]),
            ("a{b}{c,d}", &["a{b}c", "a{b}d"]),
            ("a{b,c", &["a{b,c"]),
            ("a}b,{c", &["a}b,{c"]),
            ("{é,ü}", &["é", "ü"]),
            ("{{a,b}}", &["{a}", "{b}"]),
        ];
        for (pattern, texts) in cases {
            assert_eq!(expanded(pattern), texts, "{pattern}");
        }
        let many = "{a,b}".repeat(11);
        assert_eq!(expanded(&many), std::slice::from_ref(&many));
        assert_eq!(expanded(&"{a,b}".repeat(9)).len(), 512);
    }
}
