//! A sort of ours: in memory where its rows fit, else in sorted pieces on disk that are merged. It works in whatever
//! memory is left to it.

mod buffer;
mod collect;
pub mod exec;
mod merge;
mod order;
mod passes;
mod pieces;

pub use merge::{Merge, Run};
pub use order::Order;
pub use pieces::{Piece, Writing};
