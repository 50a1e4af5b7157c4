//! What the host and its functions use of this machine, as Linux tells.

use std::fs::read_to_string;
use std::time::Duration;

/// Processor time of functions in a second in which nothing is asked of them.
const QUIET: Duration = Duration::from_millis(20);
const RESIDENT: &str = "VmRSS:";

/// The host's process and those that it has started.
pub struct Processes {
    host: u32,
    functions: Vec<u32>,
}

#[derive(Clone, Copy)]
pub struct Spent {
    pub host: Duration,
    pub functions: Duration,
    pub host_mb: f64,
    pub functions_mb: f64,
}

impl Spent {
    /// Processor time since then; memory as it is.
    pub fn since(self, before: Spent) -> Spent {
        let (host, functions) =
            (self.host.saturating_sub(before.host), self.functions.saturating_sub(before.functions));
        Spent { host, functions, ..self }
    }
}

impl Processes {
    pub fn of(host: u32) -> Processes {
        let children = |thread: std::fs::DirEntry| read_to_string(thread.path().join("children")).ok();
        let threads = std::fs::read_dir(format!("/proc/{host}/task")).unwrap();
        let children: String = threads.filter_map(|thread| children(thread.ok()?)).collect();
        Processes { host, functions: children.split_whitespace().filter_map(|child| child.parse().ok()).collect() }
    }

    /// The most memory that a function has had so far, by its binary's name.
    pub fn peak_mb(&self, function: &str) -> f64 {
        let is_it = |process: &&u32| {
            let binary = std::fs::read_link(format!("/proc/{process}/exe"));
            binary.is_ok_and(|binary| binary.file_name().is_some_and(|name| name == function))
        };
        self.functions.iter().filter(is_it).map(|&process| memory(process, "VmHWM:")).fold(0.0, f64::max)
    }

    pub fn spent(&self) -> Spent {
        let functions = self.functions.iter();
        Spent {
            host: time(self.host),
            functions: functions.clone().map(|&process| time(process)).sum::<Duration>() + ended(self.host),
            host_mb: memory(self.host, RESIDENT),
            functions_mb: functions.map(|&process| memory(process, RESIDENT)).sum(),
        }
    }
}

/// Waits until the functions have done what they do behind requests.
pub async fn settle(host: u32) {
    let mut before = Processes::of(host).spent();
    let mut quiet = 0;
    while quiet < 2 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = Processes::of(host).spent();
        quiet = if now.since(before).functions < QUIET { quiet + 1 } else { 0 };
        before = now;
    }
}

/// What those have used that it has started and that have ended, in hundredths of a second, as Linux counts them.
fn ended(process: u32) -> Duration {
    let line = read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = line.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
    // proc(5): cutime and cstime, the 16th and 17th, counted from behind the name, which is the second.
    Duration::from_millis((ticks(13) + ticks(14)) * 10)
}

/// Of all its threads.
fn time(process: u32) -> Duration {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { return Duration::ZERO };
    let nanoseconds = |thread: std::fs::DirEntry| -> Option<u64> {
        read_to_string(thread.path().join("schedstat")).ok()?.split(' ').next()?.parse().ok()
    };
    Duration::from_nanos(threads.filter_map(|thread| nanoseconds(thread.ok()?)).sum())
}

fn memory(process: u32, kind: &str) -> f64 {
    let status = read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix(kind)?.trim().strip_suffix(" kB"));
    resident.and_then(|kilobytes| kilobytes.parse::<f64>().ok()).unwrap_or_default() / 1e3
}
