//! How much of a host other processes use while cases take their turns: what the kernel counts as
//! busy, less what the worker of the case used. A host that has other work is no slower, but its
//! times are.
//!
//! The runner looks, not the worker, which may live for one turn only.

/// Shortest time over which a load is told: the kernel counts in ticks of 10 ms.
const WINDOW_S: f64 = 0.3;

/// Ticks a second in /proc, whatever the kernel's own.
const TICKS: f64 = 100.0;

/// Watches the load of others during turns; what happens in between is no load.
#[derive(Debug, Default)]
pub struct Others {
    passed_s: f64,
    others_s: f64,
    load: Option<f64>,
}

/// Seconds of processor time until a moment: of all, and of one process.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    busy_s: f64,
    own_s: f64,
}

impl Others {
    /// Adds a turn of so many seconds between two readings, where the kernel gave both.
    pub fn add(&mut self, passed_s: f64, then: Option<Reading>, now: Option<Reading>) {
        let (Some(then), Some(now)) = (then, now) else { return };
        self.passed_s += passed_s;
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
    /// The readings now, beside this process; none where the kernel does not tell, or where the
    /// process is gone.
    pub fn beside(process: u32) -> Option<Self> {
        let of = |path: &str| std::fs::read_to_string(path).ok();
        let busy_s = busy(&of("/proc/stat")?)? / TICKS;
        let own_s = own(&of(&format!("/proc/{process}/stat"))?)? / TICKS;
        Some(Reading { busy_s, own_s })
    }
}

/// Busy ticks of all cores: user, nice, system, both kinds of interrupts, and what the hypervisor
/// took; not idle, and not waiting for a disk.
fn busy(stat: &str) -> Option<f64> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let ticks: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
    Some([0, 1, 2, 5, 6, 7].iter().filter_map(|at| ticks.get(*at)).sum())
}

/// Ticks of a process: the 14th and 15th field, after a name that may hold spaces.
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
    fn the_load_is_that_of_others_over_windows_of_turns() {
        let mut others = Others::default();
        let mut add = |passed_s, then: (f64, f64), now: (f64, f64)| {
            let reading = |(busy_s, own_s)| Some(Reading { busy_s, own_s });
            others.add(passed_s, reading(then), reading(now));
            others.load()
        };
        assert_eq!(add(0.2, (5.0, 1.0), (5.5, 1.2)), None, "too short to tell");
        // Another worker takes this turn, and what it used before is its own.
        let load = add(0.2, (9.0, 7.2), (9.3, 7.4)).expect("a window is over");
        assert!((load - 0.4 / 0.4).abs() < 1e-9, "{load}");
        assert_eq!(add(0.1, (9.3, 7.4), (9.3, 7.4)), Some(load), "until the next window ends");
    }

    #[test]
    fn a_turn_whose_worker_is_gone_tells_nothing() {
        let mut others = Others::default();
        others.add(1.0, Some(Reading { busy_s: 1.0, own_s: 1.0 }), None);
        assert_eq!(others.load(), None);
    }

    #[test]
    fn this_host_tells() {
        assert!(Reading::beside(std::process::id()).is_some_and(|reading| reading.busy_s > 0.0));
        assert!(Reading::beside(4_194_305).is_none(), "no process has such a number");
    }
}
