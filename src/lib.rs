//! RLM Hypervisor: runs partition functions as native plans over Arrow data.

pub mod allocated;
pub mod config;
pub mod engine;
pub mod error;
pub mod io;
mod memory;
pub mod names;
pub mod plan;
#[cfg(feature = "python")]
mod python;
pub mod runtime;
pub mod secrets;
pub mod store;
pub mod task;
pub mod worker;
