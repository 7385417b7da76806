//! DataFusion's operator, running our aggregates in pieces, against a `Reduce` that sees all rows at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
