//! Runs: how a symbolic frame becomes an answer, under supervision.

pub mod answer;
pub mod calls;
mod cells;
mod collect;
#[cfg(test)]
mod crowd_tests;
mod dummies;
pub mod engine;
mod execute;
pub mod explain;
mod exploring;
pub mod keeping;
mod ladder;
mod learnt;
pub mod opening;
mod output;
mod places;
mod pulled;
pub mod run;
mod spill;
mod supervised;
mod texts;
mod threads;
mod totals;
pub mod wide;
pub mod writes;

pub use answer::Answer;
pub use engine::{Engine, RunOptions};
pub use run::{Finished, Progress, Run, State};
