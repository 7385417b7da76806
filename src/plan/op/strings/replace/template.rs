//! What a match is replaced with: text, and references to groups as Python writes them.

use crate::error::{Error, Result, not_decomposable};

pub struct Template {
    pieces: Vec<Piece>,
    /// The whole of it, where it refers to no group.
    pub plain: Option<String>,
    /// It has a reference of the form `\g<...>`.
    pub named: bool,
}

enum Piece {
    Text(String),
    Group(usize),
}

fn refused(text: &str, what: &str) -> Error {
    not_decomposable(format!("the replacement {text:?} has {what}, which is not native"))
        .hint(r"Refer to groups as `\1` to `\9` or `\g<name>`, and write a backslash as `\\`")
}

impl Template {
    /// `groups`: the names of the pattern's groups.
    pub fn new(text: &str, groups: &[Option<String>]) -> Result<Self> {
        let mut pieces = Vec::new();
        let mut open = String::new();
        let mut named = false;
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if c != '\\' {
                open.push(c);
                continue;
            }
            let group = match rest.next() {
                Some('\\') => {
                    open.push('\\');
                    continue;
                }
                Some(digit @ '1'..='9') => {
                    if rest.as_str().starts_with(|next: char| next.is_ascii_digit()) {
                        return Err(refused(text, "a group number of several digits"));
                    }
                    digit as usize - '0' as usize
                }
                Some('g') => {
                    let inside = rest.as_str().strip_prefix('<').and_then(|inside| inside.split_once('>'));
                    let (name, after) = inside.ok_or_else(|| refused(text, "an unfinished `\\g<...>`"))?;
                    rest = after.chars();
                    named = true;
                    match name.parse() {
                        Ok(number) => number,
                        Err(_) => {
                            let known = groups.iter().position(|group| group.as_deref() == Some(name));
                            known.ok_or_else(|| refused(text, "a reference to an unknown group"))? + 1
                        }
                    }
                }
                Some(other) => return Err(refused(text, &format!("the escape `\\{other}`"))),
                None => return Err(refused(text, "a backslash at its end")),
            };
            if group > groups.len() {
                return Err(refused(text, "a reference to a group that the pattern does not have"));
            }
            if !open.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut open)));
            }
            pieces.push(Piece::Group(group));
        }
        let plain = pieces.is_empty().then(|| open.clone());
        pieces.push(Piece::Text(open));
        Ok(Self { pieces, plain, named })
    }

    pub fn write(&self, text: &str, groups: &[Option<(usize, usize)>], new: &mut String) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(piece) => new.push_str(piece),
                Piece::Group(number) => {
                    if let Some((start, end)) = groups.get(*number).copied().flatten() {
                        new.push_str(text.get(start..end).unwrap_or_default());
                    }
                }
            }
        }
    }
}
