//! RLM Hypervisor: runs partition functions as native plans over Arrow data.

pub mod error;
