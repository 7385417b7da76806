//! What a client keeps beyond its runs, and how long its workers live.

use std::time::Duration;

use super::calls::Checkpoint;
use super::engine::Engine;
use crate::config::Settings;
use crate::store::Place;
use crate::store::letters::Outbox;
use crate::worker::Wear;

/// What of a run of calls is to outlive it.
#[derive(Debug, Default)]
pub struct Keeping {
    /// The file of its key.
    pub checkpoint: Option<Checkpoint>,
    /// Where items are put aside that failed for good.
    pub outbox: Option<Outbox>,
}

impl Engine {
    /// Where what outlives the process is kept.
    pub fn place(&self) -> Place {
        let Settings { state_dir, state_days, state_limit, .. } = self.settings();
        Place::new(state_dir.clone(), *state_days, *state_limit)
    }

    /// When a worker is replaced.
    pub(super) fn wear(&self) -> Wear {
        let Settings { workers, memory_limit, worker_max_tasks, worker_max_growth, .. } = self.settings();
        let idle = Duration::from_secs(self.settings().worker_idle_seconds);
        let growth = worker_max_growth.unwrap_or(memory_limit / *workers as u64 / 2);
        Wear { items: *worker_max_tasks, growth: Some(growth), idle }
    }

    /// How long a worker is started anew.
    pub(super) fn starts(&self) -> Duration {
        Duration::from_secs(self.settings().worker_start_seconds)
    }
}
