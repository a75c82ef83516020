//! What the truth of every position of a sequence needs: all of z, u by channels, and the filters in
//! time.
//!
//! An output depends on all of its sequence, whose projection is most of the work, so that what is
//! made once is kept for the problem's other rows. It must not know how anyone computes it fast.

use super::{FEWEST_POINTS, IN, SHORT, SPECTRA, Sizes, TAPS, U};
use crate::fftconv::{Complex, roots, transform};
use pulp::Arch;
use std::sync::{Arc, Mutex};
use std::thread;
use tilemark_core::Problem;
use tilemark_core::family::{Arithmetic, Operand, Query};

/// One sequence by channels, each of its members (D, L).
pub struct Sequence {
    /// As given.
    pub u: Vec<f32>,
    /// In f64.
    exact: Vec<f64>,
    /// With projections and itself rounded as a kernel would store them.
    working: Vec<f32>,
}

impl Sequence {
    /// z of one channel at one position.
    pub fn z(&self, arithmetic: Arithmetic, index: usize) -> f64 {
        match arithmetic {
            Arithmetic::Exact => self.exact[index],
            Arithmetic::Working => f64::from(self.working[index]),
        }
    }
}

/// What is known of the latest problem.
struct Known {
    problem: Problem,
    taps: Option<Arc<Vec<f64>>>,
    sequences: Vec<(usize, Arc<Sequence>)>,
}

/// Threads of the caller's pool may wait for it: what fills it works on threads of its own.
static KNOWN: Mutex<Option<Known>> = Mutex::new(None);

/// Both filters of every channel in time, (2, D, N).
pub fn taps(query: &Query<'_>) -> Arc<Vec<f64>> {
    known(query, |known| known.taps.get_or_insert_with(|| Arc::new(all_taps(query))).clone())
}

/// Sequence number `item` of the batch.
pub fn sequence(query: &Query<'_>, item: usize) -> Arc<Sequence> {
    known(query, |known| {
        if let Some((_, found)) = known.sequences.iter().find(|(number, _)| *number == item) {
            return found.clone();
        }
        let made = Arc::new(projected(query, item));
        known.sequences.push((item, made.clone()));
        made
    })
}

fn known<T>(query: &Query<'_>, ask: impl FnOnce(&mut Known) -> T) -> T {
    let mut latest = KNOWN.lock().expect("whoever filled it did not panic");
    if latest.as_ref().is_none_or(|known| known.problem != *query.problem) {
        let problem = query.problem.clone();
        *latest = Some(Known { problem, taps: None, sequences: Vec::new() });
    }
    ask(latest.as_mut().expect("it has just been filled"))
}

/// Calls for each chunk on as many threads as there are cores, if there is enough to do.
fn in_parallel<T: Send>(chunks: Vec<T>, few: bool, work: impl Fn(T) + Sync) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    if few || cores == 1 {
        return chunks.into_iter().for_each(work);
    }
    let queue = Mutex::new(chunks.into_iter());
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("no thread panics with the queue").next();
                    match next {
                        Some(chunk) => work(chunk),
                        None => break,
                    }
                }
            });
        }
    });
}

/// Channels that are projected together: two vectors of eight f64.
const CHANNELS: usize = 16;

/// Positions that are projected together.
const POSITIONS: usize = 4;

fn projected(query: &Query<'_>, item: usize) -> Sequence {
    let Sizes { l, d, .. } = Sizes::of(query.problem);
    let by_position: Vec<f32> =
        (0..l * d).map(|at| query.operands[U].at(item * l * d + at) as f32).collect();
    let (mut exact, mut working) = (vec![0.0; d * l], vec![0.0; d * l]);
    let parts = exact.chunks_mut(CHANNELS * l).zip(working.chunks_mut(CHANNELS * l)).enumerate();
    in_parallel(parts.collect(), l * d < 4096, |(part, (exact, working))| {
        let [x1, v] = [0, 2].map(|third| Projection::of(query, third * d + part * CHANNELS));
        let [x1, v] = [x1, v].map(|projection| projection.apply(&by_position, d));
        let stored = |value| Arithmetic::Working.stored(query.problem.dtype, value);
        for (at, (exact, working)) in exact.iter_mut().zip(working).enumerate() {
            let (channel, t) = (at / l, at % l);
            let short = |third: usize, from: &[[f64; CHANNELS]], round: &dyn Fn(f64) -> f64| {
                let own = third * d + part * CHANNELS + channel;
                short_sum(&query.operands[SHORT], own, t, |s| round(from[s][channel]))
            };
            *exact = short(0, &x1, &|x| x) * short(2, &v, &|x| x);
            *working = stored(short(0, &x1, &stored) * short(2, &v, &stored)) as f32;
        }
    });
    let u = (0..d * l).map(|at| by_position[at % l * d + at / l]).collect();
    Sequence { u, exact, working }
}

/// The short convolution of row `row` of its taps at position t, of what `from` says is at a position.
pub fn short_sum(taps: &Operand, row: usize, t: usize, from: impl Fn(usize) -> f64) -> f64 {
    let tap = |i: usize| {
        let reached = (t + i).checked_sub(TAPS - 1);
        reached.map_or(0.0, |s| taps.at(row * TAPS + i) * from(s))
    };
    (0..TAPS).map(tap).sum()
}

/// Some neighbouring rows of Win, side by side; beyond the last they are 0.
struct Projection(Vec<[f64; CHANNELS]>);

impl Projection {
    fn of(query: &Query<'_>, first: usize) -> Self {
        let d = Sizes::of(query.problem).d;
        let weight =
            |row: usize, k| if row < 3 * d { query.operands[IN].at(row * d + k) } else { 0.0 };
        let side_by_side = |k| std::array::from_fn(|i| weight(first + i, k));
        Projection((0..d).map(side_by_side).collect())
    }

    /// Of all positions.
    fn apply(&self, u: &[f32], d: usize) -> Vec<[f64; CHANNELS]> {
        let mut results = vec![[0.0; CHANNELS]; u.len() / d];
        Arch::new().dispatch(|| {
            for (sums, u) in results.chunks_mut(POSITIONS).zip(u.chunks(POSITIONS * d)) {
                let mut whole = [[0.0; CHANNELS]; POSITIONS];
                for (k, weights) in self.0.iter().enumerate() {
                    for (i, sums) in whole.iter_mut().enumerate() {
                        let u = f64::from(u.get(i * d + k).copied().unwrap_or(0.0));
                        sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += u * weight);
                    }
                }
                sums.copy_from_slice(&whole[..sums.len()]);
            }
        });
        results
    }
}

fn all_taps(query: &Query<'_>) -> Vec<f64> {
    let sizes = Sizes::of(query.problem);
    let Sizes { d, n, .. } = sizes;
    let roots = roots(n);
    let mut taps = vec![0.0; 2 * d * n];
    let few = n <= FEWEST_POINTS as usize && d < 64;
    in_parallel(taps.chunks_mut(n).enumerate().collect(), few, |(filter, taps)| {
        let spectrum: Vec<Complex> =
            (0..n).map(|k| bin(&query.operands[SPECTRA], sizes, filter, k)).collect();
        let sums = transform(&spectrum, &roots, 1, true, Arithmetic::Exact);
        taps.iter_mut().zip(sums).for_each(|(tap, sum)| *tap = sum[0] / n as f64);
    });
    taps
}

/// Bin k of all N of a filter: the upper half mirrors the lower one.
fn bin(spectra: &Operand, sizes: Sizes, filter: usize, k: usize) -> Complex {
    let stored = k.min(sizes.n - k);
    let at = |part| spectra.at((filter * sizes.bins() + stored) * 2 + part);
    match stored {
        _ if stored.is_multiple_of(sizes.n / 2) => [at(0), 0.0],
        _ if stored == k => [at(0), at(1)],
        _ => [at(0), -at(1)],
    }
}
