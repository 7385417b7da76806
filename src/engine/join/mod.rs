//! Joins: one side is collected into a table by key, the other one streams past it, partition by partition in order.
//!
//! The table ([`table`]) knows the first row of every key and chains the others behind it in their order, so what
//! comes out has the order of the side that streams, and no sort is needed. Keys are compared as words or bytes
//! ([`keys`]); where they are dense integers the table is addressed by them directly. Columns of the collected
//! side are gathered by row number ([`output`]); strings are views, which are gathered without their bytes.
//!
//! Scans below one side leave out rows whose key the other side does not have ([`filter`]). So the side that is
//! collected is read first, unless the streaming one has few rows: then these are, and held meanwhile ([`begin`]).
//! If it does not fit memory, both go to disk in shares ([`parts`], [`spilled`]). Whoever puts what comes out in another
//! order takes it share by share ([`placed`]).

pub mod begin;
pub mod exec;
pub mod filter;
pub mod keys;
pub mod lookup;
pub mod output;
mod pairs_left;
mod parts;
mod placed;
mod runs;
mod spilled;
pub mod table;
pub mod unique;
