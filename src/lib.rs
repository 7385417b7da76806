//! RLM Hypervisor: runs partition functions as native plans over Arrow data.

pub mod config;
pub mod error;
pub mod task;
