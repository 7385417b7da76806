//! What a worker has started, also what left its process group: found in /proc and ended.
//!
//! A worker adopts what its children leave behind (`adopt`), so all that descends from it hangs below it as long as
//! it lives, whatever sessions that moved to. What hung below one that died by itself is known by a mark in its
//! environment.

use std::collections::HashSet;
use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The variable that holds the mark of a worker.
pub const MARK: &str = "RLM_HYPERVISOR_WORKER";

/// How long it is looked for what goes on to start processes.
const PATIENCE: Duration = Duration::from_millis(500);

/// Makes this process the parent of what its descendants leave behind.
pub fn adopt() {
    // A system that cannot has groups alone.
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

/// Ends all that descends from a process that is stopped, or from this one. Afterwards nothing of it runs user code.
pub fn end_below(root: i32) {
    end(&|| below(root));
}

/// Ends all processes that have this mark, but for those that are dead.
pub fn end_marked(mark: &str) {
    let wanted = format!("{MARK}={mark}");
    let own = own();
    end(&|| {
        let has_mark = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            *pid != own && environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
        };
        processes().filter(has_mark).collect()
    });
}

/// Stops whatever is found until nothing new is, then ends it: what is stopped starts nothing, so nothing slips
/// through.
fn end(find: &dyn Fn() -> Vec<i32>) {
    let mut stopped = HashSet::new();
    let began = Instant::now();
    loop {
        let new: Vec<i32> = find().into_iter().filter(|pid| stopped.insert(*pid)).collect();
        new.iter().for_each(|pid| signal(*pid, Signal::SIGSTOP));
        if new.is_empty() || began.elapsed() > PATIENCE {
            break;
        }
    }
    stopped.into_iter().for_each(|pid| signal(pid, Signal::SIGKILL));
}

fn signal(pid: i32, signal: Signal) {
    // It may be gone, or belong to somebody else by now.
    let _ = kill(Pid::from_raw(pid), signal);
}

fn own() -> i32 {
    nix::unistd::getpid().as_raw()
}

/// The living descendants of a process.
fn below(root: i32) -> Vec<i32> {
    let mut found = Vec::new();
    let mut open = vec![root];
    let mut seen = HashSet::from([root]);
    while let Some(parent) = open.pop() {
        for child in children(parent) {
            if seen.insert(child) {
                open.push(child);
                found.push(child);
            }
        }
    }
    found.retain(|pid| parent_of(*pid).is_some());
    found
}

/// The children of a process, the dead that nobody waited for as well.
fn children(pid: i32) -> Vec<i32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let mut found = Vec::new();
    for task in tasks.flatten() {
        match fs::read_to_string(task.path().join("children")) {
            Ok(text) => {
                found.extend(text.split_ascii_whitespace().filter_map(|word| word.parse::<i32>().ok()))
            }
            // A kernel without these lists; or a thread that has just ended, which costs no more than a look.
            Err(_) => return processes().filter(|other| parent_of(*other) == Some(pid)).collect(),
        }
    }
    found
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The parent of a process that lives.
fn parent_of(pid: i32) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Its name is in parentheses, and may have some itself.
    let mut words = text.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = words.next()?;
    if matches!(state, "Z" | "X") { None } else { words.next()?.parse().ok() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::process::{Child, Command};

    use super::*;

    fn gone(child: &mut Child) -> bool {
        use std::os::unix::process::ExitStatusExt;
        child.wait().unwrap().signal() == Some(Signal::SIGKILL as i32)
    }

    #[test]
    fn what_descends_from_a_process_ends_and_the_process_does_not() {
        let mut command = Command::new("sh");
        command.args(["-c", "setsid sleep 3600 & sleep 3600 & read x"]);
        let mut root = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
        let id = i32::try_from(root.id()).unwrap();
        let patience = Instant::now();
        while below(id).len() < 2 && patience.elapsed() < Duration::from_secs(10) {}
        assert_eq!(below(id).len(), 2);
        end_below(id);
        while !below(id).is_empty() && patience.elapsed() < Duration::from_secs(10) {}
        assert!(below(id).is_empty());
        assert!(root.try_wait().unwrap().is_none());
        root.kill().unwrap();
        assert!(gone(&mut root));
    }

    #[test]
    fn what_has_the_mark_ends_and_nothing_else() {
        let started = |mark: &str| Command::new("sleep").arg("3600").env(MARK, mark).spawn().unwrap();
        let (mut one, mut other) = (started("test-1"), started("test-10"));
        end_marked("test-1");
        assert!(gone(&mut one));
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        assert!(gone(&mut other));
    }
}
