//! What user code says and writes while it runs, on its way to its run.

use super::work::CallRun;
use crate::secrets::redact;
use crate::worker::Said;

/// Characters of user output that a run keeps.
const MOST_OUTPUT: usize = 1 << 20;

impl CallRun {
    /// Keeps what user code wrote, as long as there is room.
    pub(super) fn write(&self, stream: &'static str, text: &str) {
        let mut state = self.state.lock();
        let room = MOST_OUTPUT.saturating_sub(state.output);
        state.output += text.len();
        drop(state);
        let kept: String = text.chars().take(room).collect();
        if !kept.is_empty() {
            self.run.wrote(stream, &kept);
        }
    }

    pub(super) fn hear(&self, unit: u64, said: Said) {
        match said {
            Said::Log { level, name, text } => {
                self.write("log", &redact::owned(format!("{level} {name}: {text}\n")))
            }
            Said::Progress { done, note } => {
                let note = note.map(|note| format!(" {note}")).unwrap_or_default();
                self.write("progress", &redact::owned(format!("{done}{note}\n")));
            }
            Said::Abandoned => {
                self.run.latency.lock().abandoned += 1;
                self.state.lock().abandoned.push(unit);
            }
            Said::Ready | Said::Unready { .. } | Said::Part(_) | Said::Wrote { .. } => {}
        }
    }

    /// What is said at the end of the run of what did not fit.
    pub(super) fn note(&self, halved: u64) {
        if halved > 0 {
            let limit = self.spec.memory_limit.div_ceil(1 << 20);
            self.run.control.note(format!(
                "{halved} calls needed more than the {limit} MiB of a worker; what they were on was run in halves"
            ));
        }
        let on_disk = self.spec.overflow.on_disk();
        if on_disk > 0 {
            let mib = on_disk.div_ceil(1 << 20);
            self.run.control.note(format!("{mib} MiB of results did not fit in memory, and lay on disk"));
        }
    }
}
