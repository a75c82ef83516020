//! Chance: how likely two series of rounds look this different by accident, over many cases.

/// Two-sided p-value of the Mann–Whitney test that `candidate · e^−shift` and `baseline` come from
/// the same distribution. Exact: it counts the ways in which ranks can fall.
pub fn rank_test(candidate: &[f64], baseline: &[f64], shift: f64) -> f64 {
    let scale = (-shift).exp();
    let mut twice_u = 0usize;
    for now in candidate {
        for then in baseline {
            twice_u += match (now * scale).total_cmp(then) {
                std::cmp::Ordering::Greater => 2,
                std::cmp::Ordering::Equal => 1,
                std::cmp::Ordering::Less => 0,
            };
        }
    }
    let (n, m) = (candidate.len(), baseline.len());
    let extreme = (twice_u / 2).min(n * m - twice_u.div_ceil(2));
    let counts = rank_sums(n, m);
    let all: f64 = counts.iter().sum();
    let tail: f64 = counts[..=extreme.min(counts.len() - 1)].iter().sum();
    (2.0 * tail / all).min(1.0)
}

/// In how many ways U takes each value from 0 to n·m: `ways[i][u]` for i and j values, built up
/// one value at a time by U(i, j) = U(i−1, j) shifted by j, plus U(i, j−1).
fn rank_sums(n: usize, m: usize) -> Vec<f64> {
    let size = n * m + 1;
    let mut row = vec![vec![0.0; size]; n + 1];
    row.iter_mut().for_each(|ways| ways[0] = 1.0);
    for j in 1..=m {
        for i in 1..=n {
            let shorter = row[i - 1].clone();
            for u in (j..size).rev() {
                row[i][u] += shorter[u - j];
            }
        }
    }
    row.swap_remove(n)
}

/// Benjamini and Hochberg (1995): which p-values stand at this false-discovery rate.
pub fn accepted(p_values: &[f64], rate: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let m = p_values.len() as f64;
    let last = order
        .iter()
        .enumerate()
        .filter(|(rank, idx)| p_values[**idx] <= rate * (*rank as f64 + 1.0) / m)
        .map(|(rank, _)| rank)
        .next_back();
    let mut accepted = vec![false; p_values.len()];
    if let Some(last) = last {
        order[..=last].iter().for_each(|idx| accepted[*idx] = true);
    }
    accepted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_add_up_to_the_binomial_coefficient() {
        assert_eq!(rank_sums(7, 7).iter().sum::<f64>(), 3432.0);
        assert_eq!(rank_sums(2, 3), [1.0, 1.0, 2.0, 2.0, 2.0, 1.0, 1.0]);
    }

    #[test]
    fn complete_separation_of_seven_rounds_is_rare_by_chance() {
        let low: Vec<f64> = (1..8).map(f64::from).collect();
        let high: Vec<f64> = low.iter().map(|v| v + 10.0).collect();
        assert!((rank_test(&high, &low, 0.0) - 2.0 / 3432.0).abs() < 1e-12);
        assert_eq!(rank_test(&low, &low, 0.0), 1.0);
    }

    #[test]
    fn the_shift_is_taken_off_the_candidate() {
        let base = [1.0, 1.1, 1.2, 1.3];
        let doubled: Vec<f64> = base.iter().map(|v| 2.0 * v).collect();
        assert!(rank_test(&doubled, &base, 2f64.ln()) > 0.5);
    }

    #[test]
    fn one_finding_among_many_cases_must_be_strong() {
        let mut p_values = vec![0.5; 79];
        p_values.push(0.0156);
        assert!(!accepted(&p_values, 0.05)[79]);
        p_values[79] = 2.0 / 3432.0;
        assert!(accepted(&p_values, 0.05)[79]);
    }
}
