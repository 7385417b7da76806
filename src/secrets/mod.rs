//! Secrets: where they come from, how they are kept, and that they are in nothing that is told.

pub mod environment;
pub mod files;
pub mod keeper;
pub mod provider;
pub mod redact;
pub mod urls;
pub mod value;
pub mod vault;

pub use keeper::{Given, Secrets};
pub use provider::{Found, Provider};
pub use value::SecretValue;
