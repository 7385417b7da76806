//! RLM Hypervisor: runs partition functions as native plans over Arrow data.

pub mod engine;
pub mod error;
pub mod io;
pub mod plan;
