//! Which failures are tried again.

/// What the task says of that; a failure goes by the names of its exception's classes, and by its code.
#[derive(Debug, Clone, Default)]
pub struct Retry {
    /// Only these; none for those that may go better another time.
    pub on: Option<Vec<String>>,
    /// Never these.
    pub never: Vec<String>,
}

impl Retry {
    /// Whether a failure with these names is tried again; `passing` is whether it may go better another time.
    pub fn allows<'a, N>(&self, names: N, passing: bool) -> bool
    where
        N: IntoIterator<Item = &'a str> + Clone,
    {
        let named =
            |list: &[String]| names.clone().into_iter().any(|name| list.iter().any(|one| one == name));
        !named(&self.never) && self.on.as_deref().map_or(passing, named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_decide_where_there_are_some() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let retry = Retry::default();
        assert!(retry.allows(["ValueError"], true) && !retry.allows(["ValueError"], false));
        let retry = Retry { on: Some(list(&["OSError", "TIMEOUT"])), never: list(&["FileNotFoundError"]) };
        assert!(retry.allows(["ConnectionError", "OSError"], false));
        assert!(!retry.allows(["FileNotFoundError", "OSError"], true));
        assert!(!retry.allows(["ValueError"], true));
        assert!(retry.allows(["TIMEOUT"], true));
    }
}
