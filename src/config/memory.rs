//! How much memory the process may use: the machine's, or the control group's where that is less.

use std::path::Path;

/// Assumed where the system does not say.
const UNKNOWN: u64 = 4 << 30;

/// Bytes the process may use.
pub fn available() -> u64 {
    limit(|path| std::fs::read_to_string(path).ok()).unwrap_or(UNKNOWN)
}

/// The least of the physical memory and the limits of the process's control groups, of either version and at
/// every level; a function of the contents of the files that say so.
fn limit(read: impl Fn(&str) -> Option<String>) -> Option<u64> {
    let physical = read("/proc/meminfo").and_then(|text| meminfo_total(&text));
    let groups = read("/proc/self/cgroup").unwrap_or_default();
    let limits = groups.lines().filter_map(Group::parse).flat_map(|group| group.files());
    limits.filter_map(|file| read(&file)?.trim().parse().ok()).chain(physical).min()
}

fn meminfo_total(meminfo: &str) -> Option<u64> {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// A control group that accounts for memory.
struct Group<'a> {
    root: &'static str,
    path: &'a str,
    file: &'static str,
}

impl<'a> Group<'a> {
    /// A line of `/proc/self/cgroup`: `id:controllers:path`, with no controllers in version 2.
    fn parse(line: &'a str) -> Option<Self> {
        let mut parts = line.splitn(3, ':').skip(1);
        match (parts.next()?, parts.next()?) {
            ("", path) => Some(Self { root: "/sys/fs/cgroup", path, file: "memory.max" }),
            (controllers, path) if controllers.split(',').any(|name| name == "memory") => {
                Some(Self { root: "/sys/fs/cgroup/memory", path, file: "memory.limit_in_bytes" })
            }
            _ => None,
        }
    }

    /// The files with the limits of the group and of those above it. Inside a container the path may be the
    /// host's and lead nowhere; the root then is the container's own group.
    fn files(&self) -> Vec<String> {
        let levels = Path::new(self.path).ancestors().filter_map(Path::to_str);
        levels.map(|level| format!("{}{}/{}", self.root, level.trim_end_matches('/'), self.file)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths and contents.
    type Files = [(&'static str, &'static str)];

    fn limit_of(files: &Files) -> Option<u64> {
        limit(|path| files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned()))
    }

    const MEMINFO: (&str, &str) = ("/proc/meminfo", "MemTotal:       8000000 kB\nMemFree:  12 kB\n");
    const PHYSICAL: u64 = 8_000_000 * 1024;
    const V1_NONE: &str = "9223372036854771712\n";

    #[test]
    fn the_least_limit_holds() {
        let v2 = ("/proc/self/cgroup", "0::/a/b\n");
        let v1 = ("/proc/self/cgroup", "5:cpu,cpuacct:/\n4:memory:/docker/f00\n0::/\n");
        let cases: &[(&Files, Option<u64>)] = &[
            (&[], None),
            (&[MEMINFO], Some(PHYSICAL)),
            (&[MEMINFO, v2], Some(PHYSICAL)),
            (&[MEMINFO, v2, ("/sys/fs/cgroup/a/b/memory.max", "max\n")], Some(PHYSICAL)),
            (&[MEMINFO, v2, ("/sys/fs/cgroup/a/b/memory.max", "1000\n")], Some(1000)),
            (
                &[
                    MEMINFO,
                    v2,
                    ("/sys/fs/cgroup/a/b/memory.max", "max\n"),
                    ("/sys/fs/cgroup/a/memory.max", "900\n"),
                ],
                Some(900),
            ),
            (&[MEMINFO, v2, ("/sys/fs/cgroup/memory.max", "800\n")], Some(800)),
            (&[v2, ("/sys/fs/cgroup/memory.max", "99999999999999\n")], Some(99_999_999_999_999)),
            (&[MEMINFO, v1, ("/sys/fs/cgroup/memory/memory.limit_in_bytes", V1_NONE)], Some(PHYSICAL)),
            (&[MEMINFO, v1, ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "700\n")], Some(700)),
            (&[MEMINFO, v1, ("/sys/fs/cgroup/memory/docker/f00/memory.limit_in_bytes", "600\n")], Some(600)),
            (&[("/proc/meminfo", "nonsense"), ("/proc/self/cgroup", "nonsense\n1:2\n")], None),
        ];
        for (files, expected) in cases {
            assert_eq!(limit_of(files), *expected, "{files:?}");
        }
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(available() > 1 << 20);
    }
}
