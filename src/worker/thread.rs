//! A thread of this process as a worker: it is asked to end by an exception, and left behind if it does not.

use std::fmt::Debug;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::call::{Call, Said};

/// How long a thread that was told to end is waited for.
const PATIENCE: Duration = Duration::from_millis(200);

/// How often it is told, and after how long each time: code may catch the exception and go on.
pub(super) const TELLS: [u64; 9] = [0, 10, 20, 40, 80, 160, 320, 640, 1_280];

/// Starts threads that take calls; who hosts the user's language knows how.
pub trait Threads: Send + Sync + Debug {
    /// `socket` is the thread's end of it; `ended` is to be set when the thread is over.
    fn start(&self, socket: UnixStream, ended: Arc<AtomicBool>) -> io::Result<Arc<dyn Hosted>>;

    /// The calling thread for a call of its own, unless something speaks against that.
    fn here(&self) -> Option<Arc<dyn Here>> {
        None
    }
}

/// The thread that brings a call, while it runs it itself.
pub trait Here: Hosted {
    /// Runs a call; what it says is passed on when it is over.
    fn call(&self, call: &Call, say: &mut dyn FnMut(Said)) -> Left;
}

/// How a thread came back from a call of its own.
#[derive(Debug)]
pub enum Left {
    Over,
    /// It was told to.
    Stopped,
    /// Somebody wants all that it does to end.
    Interrupted,
    /// It makes no sense.
    Lost(String),
}

/// A thread that takes calls.
pub trait Hosted: Send + Sync + Debug {
    /// Raises an exception in what it runs. May take its time: user code may hold what it takes.
    fn interrupt(&self);
}

#[derive(Debug)]
pub struct Thread {
    pub socket: UnixStream,
    hosted: Arc<dyn Hosted>,
    ended: Arc<AtomicBool>,
}

impl Thread {
    pub fn start(threads: &dyn Threads) -> io::Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        let ended = Arc::new(AtomicBool::new(false));
        let hosted = threads.start(theirs, ended.clone())?;
        Ok(Self { socket, hosted, ended })
    }

    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Ends it; false if it goes on all the same, for its code does not listen.
    pub fn stop(&mut self) -> bool {
        self.stop_within(PATIENCE)
    }

    fn stop_within(&mut self, patience: Duration) -> bool {
        // It cannot send or receive any more; one that does nothing ends by that.
        let _ = self.socket.shutdown(Shutdown::Both);
        let (hosted, ended) = (self.hosted.clone(), self.ended.clone());
        let told = std::thread::Builder::new().name("rlm-interrupt".to_owned()).spawn(move || {
            for wait in TELLS {
                std::thread::sleep(Duration::from_millis(wait));
                if ended.load(Ordering::SeqCst) {
                    break;
                }
                hosted.interrupt();
            }
        });
        let until = Instant::now() + patience;
        while told.is_ok() && !self.has_ended() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.has_ended()
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Read;

    use super::*;

    /// Threads that wait for the end of the socket, or for a number of interrupts.
    #[derive(Debug, Default)]
    struct Deaf {
        interrupts: Arc<std::sync::atomic::AtomicUsize>,
        needs: usize,
    }

    #[derive(Debug)]
    struct Counted(Arc<std::sync::atomic::AtomicUsize>);

    impl Hosted for Counted {
        fn interrupt(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Threads for Deaf {
        fn start(&self, mut socket: UnixStream, ended: Arc<AtomicBool>) -> io::Result<Arc<dyn Hosted>> {
            let (interrupts, needs) = (self.interrupts.clone(), self.needs);
            std::thread::spawn(move || {
                let _ = socket.read(&mut [0]);
                while interrupts.load(Ordering::SeqCst) < needs {
                    std::thread::yield_now();
                }
                ended.store(true, Ordering::SeqCst);
            });
            Ok(Arc::new(Counted(self.interrupts.clone())))
        }
    }

    /// For those that end some time.
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn one_that_listens_ends_and_one_that_does_not_is_left_behind() {
        assert!(Thread::start(&Deaf::default()).unwrap().stop_within(LONG));
        assert!(Thread::start(&Deaf { needs: 3, ..Deaf::default() }).unwrap().stop_within(LONG));
        let deaf = Deaf { needs: usize::MAX, ..Deaf::default() };
        let interrupts = deaf.interrupts.clone();
        let mut thread = Thread::start(&deaf).unwrap();
        assert!(!thread.stop_within(Duration::from_millis(50)));
        interrupts.store(usize::MAX, Ordering::SeqCst);
    }
}
