//! What outlives the process: the finished chunks of runs with a key, and items that were put aside.
//!
//! `log` is a file of records that only grows; `place` is the directory: which file belongs to which key, what is
//! removed when; `letters` are the items that were put aside.

pub mod letters;
pub mod log;
pub mod place;

pub use log::{Entry, Log};
pub use place::{Place, RunFile};
