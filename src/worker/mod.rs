//! Worker processes: what hosts the user's Python, and what watches over it.
//!
//! `wire` and `shared` carry bytes, `process` starts and ends a process, `thread` a thread that serves in its place,
//! `body` is either, `host` runs one call in it under `watch`,
//! `starting` whether one that did not come to be ready is started again, `pool` decides which run's call a free worker takes. Nothing here knows what a call means.

pub mod body;
pub mod call;
#[cfg(target_os = "linux")]
mod descent;
pub mod host;
mod nobody;
mod output;
pub mod pool;
pub mod process;
pub mod queue;
pub mod setup;
pub mod shared;
mod starting;
pub mod thread;
pub mod watch;
pub mod wire;

pub use call::{Call, Failure, Function, Head, Part, Said};
pub use pool::{Brought, Pool, Ready, Unit, Unwarmed, Wanted, Wear, Work};
pub use process::Launch;
pub use shared::Blob;
pub use starting::Setback;
pub use thread::{Here, Hosted, Left, Threads};
pub use watch::{Crash, Crashed, End, StopCause, Stream, Watch};
