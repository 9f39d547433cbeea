/// How later weights of a row compensate for the rounding error of each weight.
///
/// This follows from the upper Cholesky factor `U` of `(H + λI)⁻¹ = Uᵀ·U`, where `H = E[x·xᵀ]` and `λ` is 1 % of
/// the mean of its diagonal.
///
/// Rounding weight `i` with the error `e = w_i − ŵ_i`, the loss `E[((w − ŵ)·x)²]` is smallest when
/// every later weight `j` becomes `w_j − e·U_ij/U_ii` (Frantar et al. 2022, arXiv 2210.17323).
#[derive(Debug, Clone)]
pub struct Compensation {
    /// `U_ij/U_ii`, row-major.
    shares: Vec<f64>,
    width: usize,
}

impl Compensation {
    /// Computes the shares for inputs with the second moments `second`, `[width, width]`.
    pub fn new(second: &[f64], width: usize) -> Self {
        let mean = (0..width).map(|i| second[i * width + i]).sum::<f64>() / width.max(1) as f64;
        // If all inputs are 0, any positive damping works.
        let damping = if mean > 0.0 { 0.01 * mean } else { 1.0 };
        let mut damped = second.to_vec();
        for i in 0..width {
            damped[i * width + i] += damping;
        }
        // H = L·Lᵀ implies H⁻¹ = (L⁻¹)ᵀ·L⁻¹ with L⁻¹ lower triangular. Reversing the order of the columns makes
        // it upper triangular.
        let reversed: Vec<f64> = damped.into_iter().rev().collect();
        let mut inverse = inverted(&cholesky(&reversed, width), width);
        inverse.reverse();
        for i in 0..width {
            let row = &mut inverse[i * width..][..width];
            let diagonal = row[i];
            row.iter_mut().for_each(|x| *x /= diagonal);
        }
        Self { shares: inverse, width }
    }

    /// Returns `U_ij/U_ii` for `j > i`.
    pub fn shares(&self, i: usize) -> &[f64] {
        &self.shares[i * self.width..][..self.width][i + 1..]
    }
}

/// Returns the lower Cholesky factor `L` of the symmetric positive definite matrix `L·Lᵀ`.
fn cholesky(matrix: &[f64], width: usize) -> Vec<f64> {
    let mut lower = vec![0.0; width * width];
    for i in 0..width {
        for j in 0..=i {
            let (a, b) = (&lower[i * width..][..j], &lower[j * width..][..j]);
            let sum: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
            let rest = matrix[i * width + j] - sum;
            lower[i * width + j] = if i == j {
                rest.max(f64::MIN_POSITIVE).sqrt()
            } else {
                rest / lower[j * width + j]
            };
        }
    }
    lower
}

/// Returns the inverse of a lower triangular matrix.
fn inverted(lower: &[f64], width: usize) -> Vec<f64> {
    let mut inverse = vec![0.0; width * width];
    for i in 0..width {
        let diagonal = lower[i * width + i];
        let mut row = vec![0.0; width];
        for (k, l) in lower[i * width..][..i].iter().enumerate() {
            for (x, above) in row.iter_mut().zip(&inverse[k * width..][..=k]) {
                *x -= l * above;
            }
        }
        row[i] = 1.0;
        for (to, x) in inverse[i * width..][..width].iter_mut().zip(row) {
            *to = x / diagonal;
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;
    use expe_core::internals::Random;

    #[test]
    fn shares_minimize_the_loss_of_the_remaining_weights() {
        let width = 7;
        let mut random = Random::new(1);
        let x: Vec<f64> = (0..width * 20).map(|_| f64::from(random.normal())).collect();
        let second: Vec<f64> = (0..width * width)
            .map(|k| x.chunks(width).map(|x| x[k / width] * x[k % width]).sum::<f64>() / 20.0)
            .collect();
        let shares = Compensation::new(&second, width);
        let mean = (0..width).map(|i| second[i * width + i]).sum::<f64>() / width as f64;
        let mut damped = second;
        (0..width).for_each(|i| damped[i * width + i] += 0.01 * mean);
        // After weight `first` changed by 1, the later weights minimize δᵀ·H·δ, so the gradient H·δ is 0 for
        // each of them.
        for first in 0..width - 1 {
            let mut delta = vec![0.0; width];
            delta[first] = 1.0;
            for (to, share) in delta[first + 1..].iter_mut().zip(shares.shares(first)) {
                *to = *share;
            }
            for i in first + 1..width {
                let gradient: f64 = (0..width).map(|j| damped[i * width + j] * delta[j]).sum();
                assert!(gradient.abs() < 1e-12, "{first} {i} {gradient}");
            }
        }
    }

    #[test]
    fn inputs_that_are_always_zero_have_no_shares() {
        let shares = Compensation::new(&[0.0; 9], 3);
        assert_eq!(shares.shares(0), [0.0, 0.0]);
        assert!(shares.shares(2).is_empty());
    }
}
