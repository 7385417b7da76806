//! One process: started in a group of its own, its output on pipes, ended with everything it started.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

#[cfg(target_os = "linux")]
use super::descent;
use super::thread::Threads;

/// Handles of the worker itself lie from here on; `worker/process.py` has the same number.
const HIGH: i32 = 200;

/// How a worker is started.
#[derive(Debug, Clone)]
pub struct Launch {
    pub program: String,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    /// What variables begin with that a worker does not get of ours.
    pub hidden: Vec<String>,
    /// Threads of this process are the workers, and how they are started.
    pub threads: Option<Arc<dyn Threads>>,
}

#[derive(Debug)]
pub struct Process {
    child: Child,
    pub socket: UnixStream,
    pub stdout: ChildStdout,
    pub stderr: ChildStderr,
    exited: Option<ExitStatus>,
    /// Whether its number may have been given to another process.
    reaped: bool,
    /// Whether what it has started is ended.
    #[cfg(target_os = "linux")]
    ended: bool,
    /// The process that started it: a fork of that one has no worker.
    owner: u32,
    /// What is in the environment of all that descends from it.
    #[cfg(target_os = "linux")]
    mark: String,
}

/// Numbers the workers of this process.
static STARTED: AtomicU64 = AtomicU64::new(0);

impl Process {
    /// Starts a worker.
    pub fn start(launch: &Launch) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new(&launch.program);
        for (name, _) in std::env::vars_os() {
            let hides = |prefix: &String| name.as_encoded_bytes().starts_with(prefix.as_bytes());
            if launch.hidden.iter().any(hides) {
                command.env_remove(name);
            }
        }
        let mark = marked();
        #[cfg(target_os = "linux")]
        command.env(descent::MARK, &mark);
        let mut child = command
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
        let owner = std::process::id();
        Ok(Self {
            child,
            socket: ours,
            stdout,
            stderr,
            exited: None,
            reaped: false,
            #[cfg(target_os = "linux")]
            ended: false,
            owner,
            #[cfg(target_os = "linux")]
            mark,
        })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        if self.exited.is_none() {
            self.exited = self.look();
        }
        self.exited
    }

    /// Looks without taking the process off the system's list: its number is needed to end its group.
    #[cfg(target_os = "linux")]
    fn look(&mut self) -> Option<ExitStatus> {
        use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
        let id = Pid::from_raw(i32::try_from(self.child.id()).ok()?);
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(id), flags) {
            Ok(WaitStatus::Exited(_, code)) => Some(ExitStatus::from_raw((code & 0xff) << 8)),
            Ok(WaitStatus::Signaled(_, signal, _)) => Some(ExitStatus::from_raw(signal as i32)),
            Ok(_) => None,
            // A signal without a name, or somebody else waited for it.
            Err(_) => self.wait_now(),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn look(&mut self) -> Option<ExitStatus> {
        self.wait_now()
    }

    fn wait_now(&mut self) -> Option<ExitStatus> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(status) => {
                self.reaped = true;
                status
            }
            Err(_) => {
                self.reaped = true;
                Some(ExitStatus::default())
            }
        }
    }

    /// Ends it and all that it has started at once, and waits until it is gone.
    pub fn kill(&mut self) -> Option<ExitStatus> {
        if self.reaped {
            // Somebody else waited for it, and its number may be another's. What it left has its mark.
            #[cfg(target_os = "linux")]
            if !std::mem::replace(&mut self.ended, true) {
                descent::end_marked(&self.mark);
            }
            return self.exited;
        }
        #[cfg(target_os = "linux")]
        self.kill_descendants();
        if let Ok(group) = i32::try_from(self.child.id()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = self.child.kill();
        let status = self.child.wait().ok();
        self.reaped = true;
        #[cfg(target_os = "linux")]
        {
            self.ended = true;
        }
        self.exited = self.exited.or(status);
        self.exited
    }

    /// Also those that left its group.
    #[cfg(target_os = "linux")]
    fn kill_descendants(&mut self) {
        if self.exited().is_none()
            && let Ok(id) = i32::try_from(self.child.id())
        {
            let _ = nix::sys::signal::kill(Pid::from_raw(id), Signal::SIGSTOP);
            descent::end_below(id);
        }
        if self.exited().is_some() {
            // They have other parents now.
            descent::end_marked(&self.mark);
        }
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
        if self.owner == std::process::id() {
            self.kill();
        }
    }
}

/// A mark that no other worker has, of this process or of another one.
fn marked() -> String {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    format!("{}-{number}-{}", std::process::id(), time.as_nanos())
}

/// In a worker: ends the process and all that it has started as soon as the supervisor is gone, whatever Python is doing then.
///
/// `parent` is a handle of the supervisor's process, where the system has such handles: the other end of the socket
/// may live on in a fork of the supervisor. The group is ended here and not by the kernel's signal on the death of
/// the parent, which would end the worker alone, and leave what it started.
pub fn watch_parent(socket: i32, parent: Option<i32>) -> io::Result<()> {
    use std::os::fd::{AsFd, BorrowedFd};

    use nix::errno::Errno;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    let double = |fd: i32| {
        // SAFETY: the caller keeps both open during this call.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        // Out of the way of code that closes the low ones.
        rustix::io::fcntl_dupfd_cloexec(fd, HIGH).or_else(|_| fd.try_clone_to_owned())
    };
    let socket = end_of(socket, &double)?;
    let parent = parent.map(double).transpose()?;
    let supervisor = nix::unistd::getppid();
    #[cfg(target_os = "linux")]
    descent::adopt();
    std::thread::Builder::new().name("rlm-watch".to_owned()).spawn(move || {
        let wait = if parent.is_some() { PollTimeout::NONE } else { PollTimeout::from(250_u16) };
        loop {
            let mut fds = vec![PollFd::new(socket.as_fd(), END)];
            if let Some(parent) = &parent {
                fds.push(PollFd::new(parent.as_fd(), PollFlags::POLLIN));
            }
            match poll(&mut fds, wait) {
                Err(Errno::EINTR) => {}
                Ok(0) if nix::unistd::getppid() == supervisor => {}
                _ => break,
            }
        }
        #[cfg(target_os = "linux")]
        descent::end_below(nix::unistd::getpid().as_raw());
        // Its own group is the one it was started in; user code may have moved it to that of others.
        let _ = killpg(nix::unistd::getpid(), Signal::SIGKILL);
        let _ = nix::sys::signal::kill(nix::unistd::getpid(), Signal::SIGKILL);
    })?;
    Ok(())
}

/// What is told of a handle that `end_of` makes.
#[cfg(target_os = "linux")]
const END: nix::poll::PollFlags = nix::poll::PollFlags::POLLIN;
#[cfg(not(target_os = "linux"))]
const END: nix::poll::PollFlags = nix::poll::PollFlags::empty();

/// A handle that tells when the other end of the socket is closed. It does not keep our end open, as a call that waits
/// for the socket itself would: user code may close that, and the supervisor is to notice it at once.
#[cfg(target_os = "linux")]
fn end_of(socket: i32, double: &impl Fn(i32) -> io::Result<OwnedFd>) -> io::Result<OwnedFd> {
    use std::os::fd::{AsRawFd, BorrowedFd};

    use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    // SAFETY: the caller keeps it open during this call.
    let socket = unsafe { BorrowedFd::borrow_raw(socket) };
    // Its end is always told.
    epoll.add(socket, EpollEvent::new(EpollFlags::empty(), 0))?;
    double(epoll.0.as_raw_fd())
}

/// Where there is no such handle, the socket itself, whose end is always told.
#[cfg(not(target_os = "linux"))]
fn end_of(socket: i32, double: &impl Fn(i32) -> io::Result<OwnedFd>) -> io::Result<OwnedFd> {
    double(socket)
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
