//! What a trace records: neutral, typed, serialisable data, and the pandas rules by which it grows.

mod describe;
mod display;
pub mod draw;
mod draw_weighted;
pub mod dtype;
pub mod dummies;
pub mod eval;
pub mod expr;
pub mod frame;
pub mod label;
pub mod lookup;
pub mod node;
pub mod op;
pub mod reduce;
pub mod sql;
pub mod wide;
pub mod window;

pub use dtype::DType;
pub use expr::{Expr, Literal};
pub use label::Label;
pub use node::Node;
