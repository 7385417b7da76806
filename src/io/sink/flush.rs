//! Brings files to the disk while more of them is written, so that little is left to do when they are to be shown.

use std::fs::File;
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;

/// Bytes of a file after which it is worth it.
pub const STEP: u64 = 8 << 20;

/// Files that wait; what is written meanwhile is brought along the next time.
const WAITING: usize = 2;

/// A thread of its own, from the first file on.
#[derive(Default)]
pub struct Flusher {
    running: Mutex<Option<Running>>,
}

struct Running {
    send: SyncSender<File>,
    thread: JoinHandle<io::Result<()>>,
}

impl Flusher {
    /// What is written of a file so far is on its way. Whether all of it arrived is for `end`, and for whoever syncs the
    /// file in the end.
    pub fn flush(&self, file: &File) {
        let Ok(file) = file.try_clone() else { return };
        let mut running = self.running.lock();
        if running.is_none() {
            let (send, receive) = sync_channel::<File>(WAITING);
            let work = move || {
                let mut outcome = Ok(());
                for file in receive {
                    // An error is told once: it must not get lost here.
                    outcome = outcome.and(file.sync_data());
                }
                outcome
            };
            let spawned = std::thread::Builder::new().name("rlm-flush".to_owned()).spawn(work);
            *running = spawned.ok().map(|thread| Running { send, thread });
        }
        if let Some(running) = &*running {
            let _ = running.send.try_send(file);
        }
    }

    /// Waits for what is on its way.
    pub fn end(&self) -> io::Result<()> {
        let Some(Running { send, thread }) = self.running.lock().take() else { return Ok(()) };
        drop(send);
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that syncs files panicked")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use super::*;

    #[test]
    fn errors_are_told_at_the_end() {
        let flusher = Flusher::default();
        flusher.end().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        for _ in 0..10 {
            file.write_all(b"rows").unwrap();
            flusher.flush(&file);
        }
        flusher.end().unwrap();
        // A pipe cannot be synced.
        let (_read, write) = std::io::pipe().unwrap();
        flusher.flush(&File::from(std::os::fd::OwnedFd::from(write)));
        assert!(flusher.end().is_err());
        flusher.end().unwrap();
    }
}
