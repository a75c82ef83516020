//! How far values lie from the truth: figures over pairs, which know no tensor and no bound.

/// Elements that one thread looks at: few enough to stay in its caches.
pub const ELEMENTS_AT_ONCE: usize = 1 << 14;

/// How far values lie from the truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deviation {
    /// ‖value − truth‖ / ‖truth‖ over finite pairs; ‖value − truth‖ where the truth is all zeros.
    pub relative: f64,
    /// Largest |value − truth| over finite pairs.
    pub max: f64,
    /// Position of that pair.
    pub worst: usize,
    /// Whether a truth is infinite.
    pub expects_infinity: bool,
    /// Whether a pair is infinite on one side alone, or has two different infinities.
    pub wrong_infinity: bool,
}

/// The sums behind a deviation, over some of the pairs.
#[derive(Default)]
pub struct Sums {
    squares: f64,
    norm: f64,
    max: f64,
    worst: usize,
    expects_infinity: bool,
    wrong_infinity: bool,
}

impl Sums {
    /// Those of pairs of a value and its truth, the first of which has the position `first`.
    pub fn of(pairs: impl Iterator<Item = (f64, f64)>, first: usize) -> Self {
        let mut sums = Sums::default();
        for (at, (value, truth)) in pairs.enumerate() {
            sums.add(value, truth, first + at);
        }
        sums
    }

    /// The deviation over all pairs; parts are in the order of the pairs, so that the sums do not
    /// depend on who was quickest.
    pub fn total(parts: Vec<Sums>) -> Deviation {
        let sums = parts.into_iter().fold(Sums::default(), Sums::with);
        let Sums { squares, norm, max, worst, expects_infinity, wrong_infinity } = sums;
        let relative = if norm > 0.0 { (squares / norm).sqrt() } else { squares.sqrt() };
        Deviation { relative, max, worst, expects_infinity, wrong_infinity }
    }

    fn add(&mut self, value: f64, truth: f64, at: usize) {
        if value.is_finite() && truth.is_finite() {
            let difference = (value - truth).abs();
            self.squares += difference * difference;
            self.norm += truth * truth;
            if difference > self.max {
                (self.max, self.worst) = (difference, at);
            }
        } else {
            self.expects_infinity |= truth.is_infinite();
            self.wrong_infinity |= (value.is_infinite() || truth.is_infinite()) && value != truth;
        }
    }

    fn with(self, later: Sums) -> Sums {
        let first = if later.max > self.max { &later } else { &self };
        Sums {
            squares: self.squares + later.squares,
            norm: self.norm + later.norm,
            max: first.max,
            worst: first.worst,
            expects_infinity: self.expects_infinity || later.expects_infinity,
            wrong_infinity: self.wrong_infinity || later.wrong_infinity,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_give_what_the_whole_gives() {
        let truth: Vec<f64> = (0..1000).map(|i| f64::from(i % 17) - 8.0).collect();
        let values: Vec<f64> = truth.iter().zip(0..).map(|(t, i)| t + f64::from(i % 3)).collect();
        let pairs = || values.iter().copied().zip(truth.iter().copied());
        let whole = Sums::total(vec![Sums::of(pairs(), 0)]);
        let split = [0..1, 1..7, 7..1000].map(|part| {
            let first = part.start;
            Sums::of(pairs().skip(first).take(part.len()), first)
        });
        assert_eq!(Sums::total(split.into()), whole, "the sums are of integers, so they are exact");
        assert_eq!((whole.max, whole.worst), (2.0, 2), "the first of the largest");
    }

    #[test]
    fn the_worst_pair_of_a_later_part_is_found_there() {
        let pairs = |far: f64| [(1.0, 1.0), (1.0 + far, 1.0)].into_iter();
        let found = Sums::total(vec![Sums::of(pairs(0.5), 0), Sums::of(pairs(0.75), 2)]);
        assert_eq!((found.max, found.worst), (0.75, 3));
    }

    #[test]
    fn an_infinity_is_right_only_beside_its_like() {
        let check = |value: f64, truth: f64, expects: bool, wrong: bool| {
            let found = Sums::total(vec![Sums::of([(value, truth)].into_iter(), 0)]);
            assert_eq!((found.expects_infinity, found.wrong_infinity), (expects, wrong));
        };
        let infinity = f64::INFINITY;
        check(-infinity, -infinity, true, false);
        check(-infinity, infinity, true, true);
        check(1.0, infinity, true, true);
        check(f64::NAN, infinity, true, true);
        check(infinity, 1.0, false, true);
        check(f64::NAN, 1.0, false, false);
    }
}
