use dfdx::dtypes::Dtype;
use dfdx::shapes::{Axis, HasShape};
use dfdx::tensor::Tape;
use dfdx::tensor_ops::{BroadcastTo, Device, MeanTo, TryAdd, TryMul, TrySub};

use crate::ops::{Matrix, Vector, scalar};

/// Computes `y = g ⊙ x / sqrt(mean(x²) + ε)` over each row of `x`.
pub fn rms_norm<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    weight: &Vector<E, D>,
    epsilon: f64,
) -> Result<Matrix<E, D, T>, D::Err> {
    let shape = *x.shape();
    let mean: Vector<E, D, T> = x.retaped::<T>().try_square()?.try_mean::<_, Axis<1>>()?;
    let inverse = mean.try_add(scalar::<E>(epsilon))?.try_sqrt()?.try_recip()?;
    x.try_mul(inverse.try_broadcast_like::<_, Axis<1>>(&shape)?)?
        .try_mul(weight.retaped::<T>().try_broadcast_like::<_, Axis<0>>(&shape)?)
}

/// Computes `y = g ⊙ (x − mean(x)) / sqrt(var(x) + ε)` over each row of `x`, without a bias; the variance
/// is the mean square, as everywhere in neural networks.
pub fn layer_norm<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    x: Matrix<E, D, T>,
    weight: &Vector<E, D>,
    epsilon: f64,
) -> Result<Matrix<E, D, T>, D::Err> {
    let shape = *x.shape();
    let mean: Vector<E, D, T> = x.retaped::<T>().try_mean::<_, Axis<1>>()?;
    rms_norm(x.try_sub(mean.try_broadcast_like::<_, Axis<1>>(&shape)?)?, weight, epsilon)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, matrix, vector};
    use super::*;

    fn reference(x: &[f64], gain: &[f64], epsilon: f64, center: bool) -> Vec<f64> {
        let width = gain.len();
        x.chunks(width)
            .flat_map(|row| {
                let mean = if center { row.iter().sum::<f64>() / width as f64 } else { 0.0 };
                let square: f64 = row.iter().map(|x| (x - mean) * (x - mean)).sum();
                let root = (square / width as f64 + epsilon).sqrt();
                row.iter().zip(gain).map(move |(x, g)| g * (x - mean) / root)
            })
            .collect()
    }

    #[test]
    fn both_norms_follow_their_formulas() {
        let (x, gain) = (matrix(5, 7, 1), vector(7, 2));
        for epsilon in [1e-5, 0.3] {
            let found = rms_norm(x.clone(), &gain, epsilon).unwrap();
            let expected = reference(&x.as_vec(), &gain.as_vec(), epsilon, false);
            assert_close(&found.as_vec(), &expected);
            let found = layer_norm(x.clone(), &gain, epsilon).unwrap();
            let expected = reference(&x.as_vec(), &gain.as_vec(), epsilon, true);
            assert_close(&found.as_vec(), &expected);
        }
    }
}
