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
}
