//! From text to a query: names are the same whatever their case, and only queries are taken.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::TableReference;
use datafusion::execution::SessionState;
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{ObjectName, Query, Spanned, Statement, Visit, visit_relations};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::depth::{DEEPEST, too_deep};
use super::reads::Reads;
use super::wrong;
use crate::error::{Error, Result};
use crate::names;

/// The place of what has none.
pub const NOWHERE: Location = Location { line: 0, column: 0 };

/// Brackets and subqueries within each other; the parser's own recursion.
const NESTED: usize = 50;

/// Words that begin a query.
const OPENING: &[&str] = &["SELECT", "WITH", "VALUES", "FROM"];

/// Words that begin a statement that is none.
const STATEMENTS: &[&str] = &[
    "ALTER",
    "ANALYZE",
    "ATTACH",
    "BEGIN",
    "CACHE",
    "CALL",
    "COMMENT",
    "COMMIT",
    "COPY",
    "CREATE",
    "DEALLOCATE",
    "DELETE",
    "DESC",
    "DESCRIBE",
    "DETACH",
    "DROP",
    "EXECUTE",
    "EXPLAIN",
    "EXPORT",
    "GRANT",
    "IMPORT",
    "INSERT",
    "INSTALL",
    "KILL",
    "LOAD",
    "MERGE",
    "OPTIMIZE",
    "PRAGMA",
    "PREPARE",
    "REFRESH",
    "REPLACE",
    "RESET",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SET",
    "SHOW",
    "START",
    "TRUNCATE",
    "UNLOAD",
    "UPDATE",
    "USE",
    "VACUUM",
];

/// The one query that a text is, and the words that were spelled otherwise in it.
pub fn parse(text: &str, tables: &[(Arc<str>, SchemaRef)]) -> Result<(Box<Query>, Written)> {
    let dialect = GenericDialect {};
    let tokens = Tokenizer::new(&dialect, text).tokenize_with_location();
    let mut tokens =
        tokens.map_err(|error| at(error.location, &format!("the SQL is wrong: {}", error.message)))?;
    only_queries(&tokens)?;
    if let Some(place) = too_deep(&tokens) {
        let message = format!("the SQL is deeper than {DEEPEST} operators, joins or subqueries");
        return Err(
            at(place, &message).hint("Write IN (...) for many comparisons, and split long queries by WITH")
        );
    }
    let written = fold(&mut tokens, tables);
    let mut parser = Parser::new(&dialect).with_recursion_limit(NESTED).with_tokens_with_locations(tokens);
    let statements = parser.parse_statements().map_err(syntax)?;
    let mut statements = statements.into_iter();
    match (statements.next(), statements.next()) {
        (None, _) => Err(wrong("the SQL is empty").hint("Write a query, such as `select * from partition`")),
        (Some(_), Some(next)) => {
            Err(at(next.span().start, "the SQL is several statements").hint("Write one query"))
        }
        (Some(Statement::Query(query)), None) => match query.visit(&mut Reads::default()) {
            ControlFlow::Continue(()) => Ok((query, written)),
            ControlFlow::Break(error) => Err(*error),
        },
        (Some(other), None) => {
            let shown = other.to_string();
            Err(not_a_query(shown.split_whitespace().next().unwrap_or_default(), NOWHERE))
        }
    }
}

/// Refuses by their first word what no parser needs to look at.
fn only_queries(tokens: &[TokenWithSpan]) -> Result<()> {
    let first = tokens.iter().find(|token| !matches!(token.token, Token::Whitespace(_) | Token::SemiColon));
    let Some(TokenWithSpan { token: Token::Word(word), span }) = first else { return Ok(()) };
    let upper = word.value.to_uppercase();
    if STATEMENTS.contains(&upper.as_str()) {
        return Err(not_a_query(&upper, span.start));
    }
    if !OPENING.contains(&upper.as_str()) {
        let error = at(span.start, &format!("the SQL begins with `{}`", word.value));
        return Err(match names::nearest(&word.value, OPENING.iter().copied()) {
            Some(nearest) => error.hint(format!("Did you mean {nearest}?")).detail("nearest", nearest),
            None => error.hint("Begin with SELECT, WITH or VALUES"),
        });
    }
    Ok(())
}

pub fn not_a_query(kind: &str, location: Location) -> Error {
    at(location, &format!("the SQL is a statement of kind {kind}, and only queries are run"))
        .hint("Write SELECT, WITH or VALUES; tables come from the task's source and from `tables`")
        .detail("statement", kind)
}

/// Words as they were written, by where they stand.
pub type Written = HashMap<(u64, u64), String>;

/// Brings words that are not quoted to the spelling that the tables' names and columns have, else to that of
/// their first occurrence. Names that differ by case only stay as they are written. Returns what it changed.
fn fold(tokens: &mut [TokenWithSpan], tables: &[(Arc<str>, SchemaRef)]) -> Written {
    let mut exact: HashSet<String> = HashSet::new();
    let mut known: HashMap<String, Option<String>> = HashMap::new();
    for (table, schema) in tables {
        for name in std::iter::once(&**table).chain(schema.fields().iter().map(|field| field.name().as_str()))
        {
            if exact.insert(name.to_owned()) {
                known
                    .entry(name.to_lowercase())
                    .and_modify(|other| *other = None)
                    .or_insert_with(|| Some(name.to_owned()));
            }
        }
    }
    let mut written = Written::new();
    let mut named = false;
    for place in 0..tokens.len() {
        let called = matches!(tokens.get(place + 1), Some(TokenWithSpan { token: Token::LParen, .. }));
        let TokenWithSpan { token, span } = &mut tokens[place];
        let Token::Word(word) = token else {
            named &= matches!(token, Token::Whitespace(_));
            continue;
        };
        // What follows AS is a name, also where the word has a meaning elsewhere.
        let name =
            std::mem::replace(&mut named, word.keyword == Keyword::AS) || word.keyword == Keyword::NoKeyword;
        if word.quote_style.is_some() || exact.contains(&word.value) {
            continue;
        }
        match known.get(&word.value.to_lowercase()) {
            Some(Some(spelling)) if *spelling != word.value => {
                let before = std::mem::replace(&mut word.value, spelling.clone());
                written.insert((span.start.line, span.start.column), before);
            }
            Some(_) => {}
            None if name && !called => {
                known.insert(word.value.to_lowercase(), Some(word.value.clone()));
            }
            None => {}
        }
    }
    written
}

/// Refuses tables that are not there.
pub fn check_tables(
    query: &Query,
    statement: &Parsed,
    tables: &[(Arc<str>, SchemaRef)],
    state: &SessionState,
) -> Result<()> {
    let (references, _) = resolve_table_references(statement, false).map_err(super::errors::planning)?;
    let known = |reference: &TableReference| match reference {
        TableReference::Bare { table } => {
            tables.iter().any(|(name, _)| name == table)
                || state.table_functions().contains_key(&table.to_lowercase())
        }
        _ => false,
    };
    let Some(missing) = references.iter().find(|reference| !known(reference)) else { return Ok(()) };
    let name = missing.to_string();
    let mut place = NOWHERE;
    let _ = visit_relations(query, |relation: &ObjectName| {
        if relation
            .0
            .last()
            .is_some_and(|part| part.as_ident().is_some_and(|ident| *ident.value == *missing.table()))
        {
            place = relation.span().start;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    let names: Vec<&str> = tables.iter().map(|(name, _)| &**name).collect();
    let error = at(place, &format!("there is no table `{name}`")).detail("table", name.as_str());
    let all = match names.as_slice() {
        [] => "The query has no tables".to_owned(),
        names => format!("The tables are {}", names.join(", ")),
    };
    Err(match names::nearest(missing.table(), names.iter().copied()) {
        Some(nearest) => error.hint(format!("Did you mean `{nearest}`? {all}")).detail("nearest", nearest),
        None => error.hint(all),
    })
}

fn syntax(error: ParserError) -> Error {
    match error {
        ParserError::RecursionLimitExceeded => {
            wrong(format!("the SQL is nested deeper than {NESTED} levels")).hint("Name the parts in a WITH")
        }
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            let found = message.rsplit_once(" at Line: ");
            let place = found.and_then(|(_, place)| {
                let (line, column) = place.split_once(", Column: ")?;
                Some(Location { line: line.parse().ok()?, column: column.trim().parse().ok()? })
            });
            let said = found.map_or(message.as_str(), |(said, _)| said);
            let said = said.replace("found: EOF", "found: the end of the query");
            at(place.unwrap_or(NOWHERE), &format!("the SQL is wrong: {said}"))
        }
    }
}

/// A mistake of the query, and where it is.
pub fn at(location: Location, message: &str) -> Error {
    if location.line == 0 {
        return wrong(message);
    }
    placed(
        wrong(format!("{message} (line {}, column {})", location.line, location.column)),
        location.line,
        location.column,
    )
}

pub fn placed(error: Error, line: u64, column: u64) -> Error {
    error.detail("line", line).detail("position", column)
}
