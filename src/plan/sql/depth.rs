//! How deep a query may be: plans are walked and dropped by recursion, and a stack that overflows ends the process.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan};

/// Operators that may follow each other in one expression, those around it included; and set operations, joins
/// and subqueries in a query.
pub const DEEPEST: usize = 400;

/// The stack on which queries are planned: a level takes some kilobytes there.
pub const STACK: usize = 256 << 20;

/// Operators that are words.
const OPERATORS: &[Keyword] = &[
    Keyword::AND,
    Keyword::ANY,
    Keyword::ALL,
    Keyword::AT,
    Keyword::BETWEEN,
    Keyword::COLLATE,
    Keyword::DIV,
    Keyword::EXISTS,
    Keyword::ILIKE,
    Keyword::IN,
    Keyword::INTERVAL,
    Keyword::IS,
    Keyword::LIKE,
    Keyword::NOT,
    Keyword::OR,
    Keyword::OVER,
    Keyword::REGEXP,
    Keyword::RLIKE,
    Keyword::SIMILAR,
    Keyword::XOR,
];

/// Where a query gets deeper than it may. Counted in tokens, before a tree is made of them.
pub fn too_deep(tokens: &[TokenWithSpan]) -> Option<Location> {
    // For each bracket or CASE that is open: the operators around it, and whether it is a CASE.
    let mut around: Vec<(usize, bool)> = Vec::new();
    let (mut here, mut outside) = (0, 0);
    let mut parts = 0;
    for TokenWithSpan { token, span } in tokens {
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => {
                around.push((here, false));
                outside += here + 1;
                here = 0;
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                // Calls and indexes may follow each other: a bracket counts like an operator once it is closed.
                while let Some((before, is_case)) = around.pop() {
                    outside -= before + 1;
                    here = before;
                    if !is_case {
                        break;
                    }
                }
                here += 1;
            }
            Token::Comma | Token::SemiColon => here = 0,
            Token::Word(word) if word.quote_style.is_none() => match word.keyword {
                Keyword::CASE => {
                    around.push((here, true));
                    outside += here + 1;
                    here = 0;
                }
                Keyword::END => {
                    if let Some((before, true)) = around.last().copied() {
                        around.pop();
                        outside -= before + 1;
                        here = before;
                    }
                    here += 1;
                }
                Keyword::WHEN | Keyword::THEN | Keyword::ELSE if matches!(around.last(), Some((_, true))) => {
                    here = 0;
                }
                Keyword::SELECT => {
                    here = 0;
                    parts += 1;
                }
                Keyword::WHERE | Keyword::HAVING | Keyword::ON => here = 0,
                Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::JOIN => parts += 1,
                keyword if OPERATORS.contains(&keyword) => here += 1,
                _ => {}
            },
            Token::Word(_)
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::Period
            | Token::Whitespace(_)
            | Token::EOF => {}
            _ => here += 1,
        }
        if here + outside > DEEPEST || parts > DEEPEST {
            return Some(span.start);
        }
    }
    None
}
