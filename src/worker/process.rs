//! One process: started in a group of its own, its output on pipes, ended with everything it started.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How a worker is started.
#[derive(Debug, Clone)]
pub struct Launch {
    pub program: String,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
}

#[derive(Debug)]
pub struct Process {
    child: Child,
    pub socket: UnixStream,
    pub stdout: ChildStdout,
    pub stderr: ChildStderr,
    exited: Option<ExitStatus>,
}

impl Process {
    /// Starts a worker. The calling thread has to live as long as the worker: the kernel ends a worker when the
    /// thread that started it ends.
    pub fn start(launch: &Launch) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut child = Command::new(&launch.program)
            .args(&launch.arguments)
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let missing = || io::Error::other("a pipe of a new process is missing");
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let stderr = child.stderr.take().ok_or_else(missing)?;
        Ok(Self { child, socket: ours, stdout, stderr, exited: None })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        if self.exited.is_none() {
            self.exited = self.child.try_wait().ok().flatten();
        }
        self.exited
    }

    /// Ends it and all of its group at once, and waits until it is gone.
    pub fn kill(&mut self) -> Option<ExitStatus> {
        if let Ok(group) = i32::try_from(self.child.id()) {
            // A group outlives its first process; a number is not given anew while the group is there.
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        if self.exited.is_none() {
            let _ = self.child.kill();
            self.exited = self.child.wait().ok();
        }
        self.exited
    }

    /// Bytes of memory that it holds itself: resident, without what lies in files and shared memory.
    #[cfg(target_os = "linux")]
    pub fn memory(&self) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
    }

    #[cfg(not(target_os = "linux"))]
    pub fn memory(&self) -> Option<u64> {
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// In a worker: ends the process and its group as soon as the supervisor is gone, whatever Python is doing then.
pub fn watch_parent(socket: i32) -> io::Result<()> {
    use std::os::fd::{AsFd, BorrowedFd};

    use nix::errno::Errno;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    // The kernel does it at once; the thread below where there is no such kernel, or where a fork of the
    // supervisor's process made this one's.
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    // SAFETY: the worker keeps its socket open for as long as it lives.
    let socket = unsafe { BorrowedFd::borrow_raw(socket) }.try_clone_to_owned()?;
    std::thread::Builder::new().name("rlm-watch".to_owned()).spawn(move || {
        loop {
            // Only its end is of interest, which is always told.
            let mut fds = [PollFd::new(socket.as_fd(), PollFlags::empty())];
            match poll(&mut fds, PollTimeout::NONE) {
                Err(Errno::EINTR) => {}
                _ => break,
            }
        }
        let _ = killpg(Pid::from_raw(0), Signal::SIGKILL);
    })?;
    Ok(())
}

/// How a process ended, in words.
pub fn ending(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => match Signal::try_from(signal) {
            Ok(known) => format!("was ended by {}", known.as_str()),
            Err(_) => format!("was ended by signal {signal}"),
        },
        (None, Some(code)) => format!("ended itself with exit status {code}"),
        (None, None) => "ended".to_owned(),
    }
}
