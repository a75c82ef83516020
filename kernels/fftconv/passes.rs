//! Which transforms a filter takes that passes few frequencies, or that has few taps.
//!
//! A filter that passes every f-th frequency only: X[f·k] is the transform of N/f points of
//! Σᵢ u[t + i·N/f], and results repeat after N/f elements, so that one short transform of the folded
//! sequence is all. A filter of so few taps that nothing wraps around in N points: as many points as
//! a sequence has elements, rounded up, give all results but the first, where the last elements come
//! in from the other side; a second pass over the first elements alone, twice as many points as
//! these, makes them anew. It must not know devices.

use super::Sizes;

/// A transform, the product and the way back, of all sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Of the transform.
    pub points: usize,
    /// Parts of a sequence that are added up first.
    pub fold: usize,
    /// Elements of a sequence that are read, and results that are written, from the first on.
    pub length: usize,
    /// Taps that matter to these results, where the filter is given in time.
    pub taps: Option<usize>,
}

/// Fewest points of a transform that is worth a pass of its own.
const FEWEST: usize = 256;

/// Results of a second pass come in multiples of it, as vectors of elements do.
const VECTOR: usize = 8;

impl Sizes {
    /// One pass of N points.
    pub fn whole(self) -> Pass {
        Pass { points: self.n, fold: 1, length: self.l, taps: self.taps }
    }

    /// The passes that the filter needs: later ones write over what earlier ones left.
    pub fn passes(self) -> Vec<Pass> {
        let Sizes { n, l, fold, .. } = self;
        match self.taps {
            None => vec![Pass { points: n / fold, fold, ..self.whole() }],
            Some(taps) => self.of_taps(taps.min(l)).unwrap_or_else(|| vec![self.whole()]),
        }
    }

    /// Of so many taps, unless results wrap around or nothing is gained.
    fn of_taps(self, taps: usize) -> Option<Vec<Pass>> {
        let Sizes { n, l, .. } = self;
        let pass = |length: usize, points: usize| Pass {
            points: points.next_power_of_two().max(FEWEST),
            fold: 1,
            length,
            taps: Some(taps.min(length)),
        };
        let all = pass(l, l);
        // Results that the ends of sequences come into.
        let wrong = (l + taps - 1).saturating_sub(all.points);
        let mut passes = vec![all];
        if wrong > 0 {
            let first = wrong.next_multiple_of(VECTOR).min(l);
            passes.push(pass(first, 2 * first));
        }
        let points: usize = passes.iter().map(|pass| pass.points).sum();
        (l + self.taps? - 1 <= n && points < n).then_some(passes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::FftConv;
    use super::{Pass, Sizes};
    use crate::testing::problem;
    use tilemark_core::Dtype;

    #[test]
    fn passes_are_no_more_than_the_filter_needs() {
        let passes = |shape: &str| -> Vec<[usize; 4]> {
            let sizes = Sizes::of(&problem(&FftConv, shape, Dtype::F32));
            let figures = |p: Pass| [p.points, p.fold, p.length, p.taps.unwrap_or(0)];
            sizes.passes().into_iter().map(figures).collect()
        };
        assert_eq!(passes("b=1,h=1,n=4096"), [[4096, 1, 4096, 0]]);
        assert_eq!(passes("b=1,h=1,n=4096,l=4000,kept=8"), [[2048, 2, 4000, 0]]);
        // A quarter of the taps of a causal filter, and so few that padding holds what wraps around.
        let quarter = [[2048, 1, 2048, 512], [1024, 1, 512, 512]];
        assert_eq!(passes("b=1,h=1,n=4096,l=2048,taps=512"), quarter);
        assert_eq!(passes("b=1,h=1,n=4096,l=1500,taps=512"), [[2048, 1, 1500, 512]]);
        assert_eq!(
            passes("b=1,h=1,n=4096,l=2040,taps=512"),
            [[2048, 1, 2040, 512], [1024, 1, 504, 504]]
        );
        // Results wrap around, or nothing is gained.
        assert_eq!(passes("b=1,h=1,n=4096,taps=2"), [[4096, 1, 4096, 2]]);
        assert_eq!(passes("b=1,h=1,n=4096,l=2048,taps=2048"), [[4096, 1, 2048, 2048]]);
    }
}
