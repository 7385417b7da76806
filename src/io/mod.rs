//! Where data is: locations and stores, and the sources and sinks that read and write them.

pub mod braces;
mod fetch;
pub mod location;
pub mod look;
pub mod memory_store;
mod profile;
pub mod ranged;
mod rotating;
pub mod sink;
pub mod source;
pub mod store;
