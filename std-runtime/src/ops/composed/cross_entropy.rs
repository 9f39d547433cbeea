use dfdx::dtypes::Dtype;
use dfdx::shapes::{Axis, HasShape, Rank0};
use dfdx::tensor::{Tape, Tensor};
use dfdx::tensor_ops::{Device, MeanTo, SelectTo};

use crate::ops::{Matrix, Vector};

/// Computes `log p(target)` for each row of `logits`, where `p = softmax(logits)`.
pub fn log_probabilities<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    logits: Matrix<E, D, T>,
    targets: Tensor<(usize,), usize, D>,
) -> Result<Vector<E, D, T>, D::Err> {
    logits.try_log_softmax::<Axis<1>>()?.try_select::<(usize,), (usize,)>(targets)
}

/// Computes the mean over rows of `−log p(target)`, in nats.
pub fn cross_entropy<E: Dtype, D: Device<E>, T: Tape<E, D>>(
    logits: Matrix<E, D, T>,
    targets: Tensor<(usize,), usize, D>,
) -> Result<Tensor<Rank0, E, D, T>, D::Err> {
    debug_assert_eq!(logits.shape().0, targets.shape().0);
    log_probabilities(logits, targets)?.try_mean::<Rank0, _>()?.try_negate()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, matrix};
    use super::*;
    use dfdx::tensor::Cpu;

    use crate::ops::tensor;

    #[test]
    fn is_the_mean_negative_log_probability() {
        let logits = matrix(4, 6, 5);
        let targets = [3_usize, 0, 5, 5];
        let expected: Vec<f64> = logits
            .as_vec()
            .chunks(6)
            .zip(targets)
            .map(|(row, target)| row[target] - row.iter().map(|x| x.exp()).sum::<f64>().ln())
            .collect();
        let indices = || tensor(&Cpu::default(), (4,), &targets).unwrap();
        let found = log_probabilities(logits.clone(), indices()).unwrap();
        assert_close(&found.as_vec(), &expected);
        let loss = cross_entropy(logits, indices()).unwrap();
        assert_close(&loss.as_vec(), &[-expected.iter().sum::<f64>() / 4.0]);
    }

    #[test]
    fn large_logits_do_not_overflow() {
        let mut logits = matrix(1, 2, 0);
        logits.copy_from(&[1e4, -1e4]);
        let target = tensor(&Cpu::default(), (1,), &[1_usize]).unwrap();
        assert_eq!(cross_entropy(logits, target).unwrap().as_vec(), [2e4]);
    }
}
