//! Names: the two spellings of a key, and the nearest right name to a wrong one.

/// `chunkSize` as `chunk_size`.
pub fn snake(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 4);
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// The allowed name that `given` was most likely meant to be, if any is likely.
///
/// Case, underscores and hyphens do not count. A name is likely when a third of its letters or fewer differ
/// (one always may), or, failing that, when one of the two begins with the other.
pub fn nearest<'a>(given: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    let given = folded(given);
    if given.len() > LONGEST {
        return None;
    }
    let rank = |name: &str| {
        let name = folded(name);
        let distance = strsim::damerau_levenshtein(&given, &name);
        let shorter = given.chars().count().min(name.chars().count());
        let starts = shorter >= 3 && (name.starts_with(&given) || given.starts_with(&name));
        if distance <= (shorter / 3).max(1) { Some((0, distance)) } else { starts.then_some((1, distance)) }
    };
    let ranked = allowed.into_iter().filter_map(|name| Some((rank(name)?, name)));
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, name)| name)
}

fn folded(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The words of a name or sentence, in lower case: what a description is matched by.
pub fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}
