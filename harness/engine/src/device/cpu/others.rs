//! How much of the processor other processes use: what the kernel counts as busy, less what this
//! process used itself. A host that has other work is no slower, but its times are.

use std::time::Instant;

/// Shortest time over which a load is told: the kernel counts in ticks of 10 ms.
const WINDOW_S: f64 = 0.3;

/// Ticks a second in /proc, whatever the kernel's own.
const TICKS: f64 = 100.0;

/// Watches the load of others while work is timed; what happens in between, such as the turns of
/// other workers of the same run, is no load.
#[derive(Debug, Default)]
pub struct Others {
    passed_s: f64,
    others_s: f64,
    load: Option<f64>,
}

/// Seconds of processor time until a moment.
#[derive(Debug)]
pub struct Reading {
    at: Instant,
    busy_s: f64,
    own_s: f64,
}

impl Others {
    /// Adds what others did since a reading.
    pub fn add(&mut self, since: Option<Reading>) {
        if let (Some(then), Some(now)) = (since, Reading::now()) {
            self.add_between(&then, &now);
        }
    }

    fn add_between(&mut self, then: &Reading, now: &Reading) {
        self.passed_s += (now.at - then.at).as_secs_f64();
        self.others_s += (now.busy_s - then.busy_s) - (now.own_s - then.own_s);
        if self.passed_s >= WINDOW_S {
            let load = (self.others_s / self.passed_s).max(0.0);
            *self = Others { load: Some(load), ..Others::default() };
        }
    }

    /// Cores that others kept busy over the last whole window; none before there was one, or where
    /// the kernel does not tell.
    pub fn load(&self) -> Option<f64> {
        self.load
    }
}

impl Reading {
    /// The readings now; none where the kernel does not tell.
    pub fn now() -> Option<Self> {
        let of = |path| std::fs::read_to_string(path).ok();
        let busy_s = busy(&of("/proc/stat")?)? / TICKS;
        let own_s = own(&of("/proc/self/stat")?)? / TICKS;
        Some(Reading { at: Instant::now(), busy_s, own_s })
    }
}

/// Busy ticks of all cores: user, nice, system, both kinds of interrupts, and what the hypervisor
/// took; not idle, and not waiting for a disk.
fn busy(stat: &str) -> Option<f64> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let ticks: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
    Some([0, 1, 2, 5, 6, 7].iter().filter_map(|at| ticks.get(*at)).sum())
}

/// Ticks of this process: the 14th and 15th field, after a name that may hold spaces.
fn own(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some(ticks()? + ticks()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_read_from_what_the_kernel_writes() {
        let stat = "cpu  10 1 5 900 80 2 1 3 0 0\ncpu0 10 1 5 900 80 2 1 3 0 0\n";
        assert_eq!(busy(stat), Some(22.0));
        assert_eq!(busy("nonsense"), None);
        let mine = "7 (a) name)) S 1 7 7 0 -1 4194304 100 0 0 0 31 11 0 0 20 0 1 0 5 1 1";
        assert_eq!(own(mine), Some(42.0));
    }

    #[test]
    fn the_load_is_that_of_others_over_windows_of_timed_work() {
        let start = Instant::now();
        let reading = |milliseconds: u64, busy_s, own_s| Reading {
            at: start + std::time::Duration::from_millis(milliseconds),
            busy_s,
            own_s,
        };
        let mut others = Others::default();
        others.add_between(&reading(0, 5.0, 1.0), &reading(200, 5.5, 1.2));
        assert_eq!(others.load(), None, "too short to tell");
        // In between a neighbour took its turn, which counts for nothing.
        others.add_between(&reading(700, 9.0, 1.2), &reading(900, 9.3, 1.4));
        let load = others.load().expect("a window is over");
        assert!((load - 0.4 / 0.4).abs() < 1e-9, "{load}");
        others.add_between(&reading(900, 9.3, 1.4), &reading(1000, 9.3, 1.4));
        assert_eq!(others.load(), Some(load), "until the next window ends");
    }

    #[test]
    fn this_host_tells() {
        let mut others = Others::default();
        let since = Reading::now().expect("Linux tells");
        others.add(Some(Reading { at: since.at - std::time::Duration::from_secs(1), ..since }));
        assert!(others.load().is_some_and(|load| load < 1.0), "{others:?}");
    }
}
