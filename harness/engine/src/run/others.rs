//! How much of a host other processes use while cases take their turns: what the kernel counts as
//! busy, less what the harness and its workers used. A host that has other work is no slower, but
//! its times are.
//!
//! The runner looks, not a worker, which may live for one turn only; and back over a window, since
//! the kernel counts in ticks, which in a short turn are mostly errors.

use std::collections::VecDeque;
use std::time::Duration;

/// Shortest time over which a load is told: of what the kernel counts, half a dozen ticks of 10 ms
/// can be wrong.
const WINDOW_S: f64 = 0.5;

/// Readings closer to each other than this are one: many short turns need no more.
const APART_S: f64 = 0.02;

/// How often it is looked whether others have left.
pub const LOOK: Duration = Duration::from_millis(50);

/// Ticks a second in /proc, whatever the kernel's own.
const TICKS: f64 = 100.0;

/// What is left of the time that a run waits for others and repeats what they disturbed.
#[derive(Debug)]
pub struct Patience {
    left_s: f64,
}

impl Patience {
    /// So long in all.
    pub fn new(patience: Duration) -> Self {
        Patience { left_s: patience.as_secs_f64() }
    }

    /// Whether there is some left after so many more seconds.
    pub fn lasts(&self, seconds: f64) -> bool {
        seconds < self.left_s
    }

    /// Seconds that are left of it.
    pub fn left_s(&self) -> f64 {
        self.left_s.max(0.0)
    }

    /// Uses it up by so many seconds.
    pub fn spend(&mut self, seconds: f64) {
        self.left_s -= seconds;
    }
}

/// Watches the load of others over the window before each look.
#[derive(Debug, Default)]
pub struct Others {
    /// Oldest first; all but the first are within the window.
    readings: VecDeque<Reading>,
}

/// Seconds of processor time until a moment: of all, and of the harness with its workers.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    at_s: f64,
    busy_s: f64,
    own_s: f64,
}

impl Others {
    /// Takes a reading, where the kernel gave one; without it nothing is known of what was before.
    pub fn look(&mut self, now: Option<Reading>) {
        let Some(now) = now else { return self.readings.clear() };
        if self.readings.len() > 1
            && self.readings.iter().nth_back(1).is_some_and(|last| now.at_s - last.at_s < APART_S)
        {
            self.readings.pop_back();
        }
        self.readings.push_back(now);
        while self.readings.get(1).is_some_and(|second| now.at_s - second.at_s >= WINDOW_S) {
            self.readings.pop_front();
        }
    }

    /// Cores that others kept busy over the window that ends with the last look; none before there
    /// was a whole one, or where the kernel does not tell.
    pub fn load(&self) -> Option<f64> {
        let (then, now) = (self.readings.front()?, self.readings.back()?);
        let passed_s = now.at_s - then.at_s;
        let others_s = (now.busy_s - then.busy_s) - (now.own_s - then.own_s);
        (passed_s >= WINDOW_S).then(|| (others_s / passed_s).max(0.0))
    }
}

impl Reading {
    /// The readings at a moment, beside this process and its workers; none where the kernel does
    /// not tell, or where a worker is gone.
    pub fn beside(workers: impl Iterator<Item = u32>, at_s: f64) -> Option<Self> {
        let of = |path: String| std::fs::read_to_string(path).ok();
        let own_of = |process: u32| own(&of(format!("/proc/{process}/stat"))?);
        let processes = std::iter::once(std::process::id()).chain(workers);
        let own_ticks = processes.map(own_of).sum::<Option<f64>>()?;
        let busy_ticks = busy(&of("/proc/stat".to_owned())?)?;
        Some(Reading { at_s, busy_s: busy_ticks / TICKS, own_s: own_ticks / TICKS })
    }
}

/// Busy ticks of all cores: user, nice, system, both kinds of interrupts, and what the hypervisor
/// took; not idle, and not waiting for a disk.
fn busy(stat: &str) -> Option<f64> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let ticks: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
    Some([0, 1, 2, 5, 6, 7].iter().filter_map(|at| ticks.get(*at)).sum())
}

/// Ticks of a process and of its children that have ended: the 14th to the 17th field, after a name
/// that may hold spaces.
fn own(stat: &str) -> Option<f64> {
    let fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(4);
    let ticks = fields.map(|field| field.parse::<f64>().ok()).collect::<Option<Vec<f64>>>()?;
    (ticks.len() == 4).then(|| ticks.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_read_from_what_the_kernel_writes() {
        let stat = "cpu  10 1 5 900 80 2 1 3 0 0\ncpu0 10 1 5 900 80 2 1 3 0 0\n";
        assert_eq!(busy(stat), Some(22.0));
        assert_eq!(busy("nonsense"), None);
        let mine = "7 (a) name)) S 1 7 7 0 -1 4194304 100 0 0 0 31 11 5 2 20 0 1 0 5 1 1";
        assert_eq!(own(mine), Some(49.0));
        assert_eq!(own("7 (a) S 1 7"), None);
    }

    fn reading(at_s: f64, busy_s: f64, own_s: f64) -> Option<Reading> {
        Some(Reading { at_s, busy_s, own_s })
    }

    #[test]
    fn the_load_is_that_of_others_over_the_window_before() {
        let mut others = Others::default();
        others.look(reading(3.0, 5.0, 1.0));
        assert_eq!(others.load(), None, "nothing has passed");
        others.look(reading(3.2, 5.3, 1.2));
        assert_eq!(others.load(), None, "too little has");
        others.look(reading(3.5, 5.8, 1.6));
        let load = others.load().expect("a window is over");
        assert!((load - 0.2 / 0.5).abs() < 1e-9, "{load}");
        others.look(reading(3.7, 6.2, 2.0));
        let load = others.load().expect("the window moves on");
        assert!((load - 0.1 / 0.5).abs() < 1e-9, "since 3.2, {load}");
        others.look(reading(5.5, 9.7, 5.6));
        assert_eq!(others.load(), Some(0.0), "ticks that are missing are no load");
    }

    #[test]
    fn many_short_turns_are_few_readings() {
        let mut others = Others::default();
        (0..10_000).for_each(|at| others.look(reading(f64::from(at) / 1000.0, 0.0, 0.0)));
        assert!(others.readings.len() < 60, "{}", others.readings.len());
        assert_eq!(others.load(), Some(0.0));
    }

    #[test]
    fn without_a_reading_the_next_window_begins_anew() {
        let mut others = Others::default();
        others.look(reading(1.0, 1.0, 1.0));
        others.look(None);
        others.look(reading(2.0, 9.0, 1.0));
        assert_eq!(others.load(), None, "over what passed nothing is known");
    }

    #[test]
    fn patience_ends_and_stays_ended() {
        let mut patience = Patience::new(Duration::from_secs(9));
        assert!(patience.lasts(8.0) && !patience.lasts(9.0));
        patience.spend(8.0);
        assert!(patience.lasts(0.5) && !patience.lasts(1.5));
        patience.spend(2.0);
        assert!(!patience.lasts(0.0));
    }

    #[test]
    fn this_host_tells() {
        let here = Reading::beside(std::iter::empty(), 0.0).expect("the kernel tells");
        assert!(here.busy_s >= here.own_s && here.busy_s > 0.0, "{here:?}");
        assert!(
            Reading::beside([4_194_305].into_iter(), 0.0).is_none(),
            "no process is so numbered"
        );
    }
}
