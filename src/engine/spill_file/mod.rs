//! Batches on disk for want of memory: written one after the other, and read so.

mod block;
mod file;
mod numbers;
mod texts;

pub use file::{Reading, Writing, Written};
