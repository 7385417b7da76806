//! What a worker is: a process, or a thread of this one, at the other end of a socket.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;

use super::process::{Launch, Process, ending};
use super::thread::Thread;
use super::watch::Stream;

#[derive(Debug)]
pub enum Body {
    Process(Process),
    Thread(Thread),
}

impl Body {
    pub fn start(launch: &Launch) -> io::Result<Self> {
        match &launch.threads {
            Some(threads) => Thread::start(&**threads).map(Self::Thread),
            None => Process::start(launch).map(Self::Process),
        }
    }

    pub fn is_thread(&self) -> bool {
        matches!(self, Self::Thread(_))
    }

    /// Of this process, where it is a thread.
    pub fn id(&self) -> u32 {
        match self {
            Self::Process(process) => process.id(),
            Self::Thread(_) => std::process::id(),
        }
    }

    pub fn socket(&mut self) -> &mut UnixStream {
        match self {
            Self::Process(process) => &mut process.socket,
            Self::Thread(thread) => &mut thread.socket,
        }
    }

    pub fn socket_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Process(process) => process.socket.as_fd(),
            Self::Thread(thread) => thread.socket.as_fd(),
        }
    }

    /// The pipe of an output. What a thread writes comes over the socket.
    pub fn output_fd(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        match (self, stream) {
            (Self::Process(process), Stream::Out) => Some(process.stdout.as_fd()),
            (Self::Process(process), Stream::Err) => Some(process.stderr.as_fd()),
            (Self::Thread(_), _) => None,
        }
    }

    pub fn read(&mut self, stream: Stream, into: &mut [u8]) -> io::Result<usize> {
        match (self, stream) {
            (Self::Process(process), Stream::Out) => process.stdout.read(into),
            (Self::Process(process), Stream::Err) => process.stderr.read(into),
            (Self::Thread(_), _) => Ok(0),
        }
    }

    /// How it ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        match self {
            Self::Process(process) => process.exited(),
            Self::Thread(thread) => thread.has_ended().then(ExitStatus::default),
        }
    }

    /// Ends it, and waits until it is gone; false if it is a thread that goes on.
    pub fn kill(&mut self) -> bool {
        match self {
            Self::Process(process) => {
                process.kill();
                true
            }
            Self::Thread(thread) => thread.stop(),
        }
    }

    /// Bytes of memory that it holds itself, where that can be known.
    pub fn memory(&self) -> Option<u64> {
        match self {
            Self::Process(process) => process.memory(),
            Self::Thread(_) => None,
        }
    }

    /// How it ended, in words.
    pub fn ending(&self, status: ExitStatus) -> String {
        match self {
            Self::Process(_) => ending(status),
            Self::Thread(_) => "ended".to_owned(),
        }
    }
}
