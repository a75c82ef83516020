//! How much of the processor other processes use: what the kernel counts as busy, less what this
//! process used itself. A host that has other work is no slower, but its times are.

use std::time::Instant;

/// Shortest time over which a load is told: the kernel counts in ticks of 10 ms.
const WINDOW_S: f64 = 0.2;

/// Ticks a second in /proc, whatever the kernel's own.
const TICKS: f64 = 100.0;

/// Watches the load of others.
#[derive(Debug)]
pub struct Others {
    since: Option<Reading>,
    load: Option<f64>,
}

/// Seconds of processor time until a moment.
#[derive(Debug)]
struct Reading {
    at: Instant,
    busy_s: f64,
    own_s: f64,
}

impl Others {
    /// Watches from now on.
    pub fn new() -> Self {
        Others { since: Reading::now(), load: None }
    }

    /// Cores that others kept busy over the last whole window; none before there was one, or where
    /// the kernel does not tell.
    pub fn load(&mut self) -> Option<f64> {
        let (now, then) = (Reading::now()?, self.since.as_ref()?);
        let passed = (now.at - then.at).as_secs_f64();
        if passed >= WINDOW_S {
            let others = (now.busy_s - then.busy_s) - (now.own_s - then.own_s);
            self.load = Some((others / passed).max(0.0));
            self.since = Some(now);
        }
        self.load
    }
}

impl Reading {
    fn now() -> Option<Self> {
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
    fn the_load_is_that_of_others_over_a_window() {
        let mut others = Others::new();
        assert_eq!(others.load(), None, "a moment tells nothing");
        let since = others.since.as_mut().expect("Linux tells");
        since.at -= std::time::Duration::from_secs(10);
        since.busy_s -= 30.0;
        since.own_s -= 25.0;
        let load = others.load().unwrap();
        assert!((0.3..0.8).contains(&load), "{load}");
        assert_eq!(others.load(), Some(load), "until the next window ends");
    }
}
