//! Runs of user code in workers: what is called, on what, and what becomes of each item.
//!
//! `feed` brings the items, `ledger` decides what happens to each (pure, the clock is passed in), `pace` how many go
//! together, `retry` which failures are tried again, `rows` brings the chunks of a source, `table` all of its rows, `tree`
//! the inputs of a recursive run, `granted` the secrets that they may read, `gathered` the results that are to be written, `failure`
//! says what went wrong in words. `work` is the shell that the pool of workers sees, `feeding`, `unit` and `last` its
//! steps. `checkpoint` is what of a run with a key outlives it, `keeper` writes that. `overflow` takes results that do
//! not fit in memory. `joint` is what runs share whose inputs go to workers together: `batch` decides which and when,
//! `joined` what becomes of them. `clock` has how long what a
//! call is on may take, `latency` how long items waited and ran, in `histogram`s.

mod batch;
pub mod checkpoint;
mod clock;
mod failure;
pub mod feed;
mod feeding;
pub mod gathered;
mod granted;
mod heard;
mod histogram;
mod joined;
pub mod joint;
pub mod keeper;
mod last;
pub mod latency;
pub mod ledger;
pub mod overflow;
mod pace;
pub mod retry;
pub mod rows;
pub mod table;
pub mod tree;
mod unit;
pub mod values;
pub mod work;

pub use checkpoint::{Checkpoint, Fingerprint};
pub use failure::unwarmed;
pub use feed::{Fed, Feed, Once, Parcel};
pub use gathered::Gathered;
pub use granted::Granted;
pub use joint::{JointSpec, Joints};
pub use latency::Latency;
pub use ledger::Policy;
pub use retry::Retry;
pub use values::Values;
pub use work::{CallRun, CallSpec};
