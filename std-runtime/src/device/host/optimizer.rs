use rayon::prelude::*;

use super::vector::{add, vectorized};
use crate::ops::AdamWStep;

/// How many numbers a thread takes at a time.
const SHARE: usize = 1 << 14;

/// See [`Kernels::reduce`](crate::ops::Kernels::reduce); reads memory once, divided between threads.
pub fn reduce(sums: Vec<&mut [f32]>, others: &[Vec<&[f32]>]) -> f64 {
    let shares: Vec<_> = sums
        .into_iter()
        .enumerate()
        .flat_map(|(index, sum)| {
            sum.chunks_mut(SHARE).enumerate().map(move |(share, sum)| (index, share * SHARE, sum))
        })
        .collect();
    let squares: Vec<f64> = shares
        .into_par_iter()
        .map(|(index, first, sum)| {
            vectorized(
                #[inline(always)]
                || {
                    for other in others.iter().filter_map(|list| list.get(index)) {
                        add(sum, other.get(first..).unwrap_or_default());
                    }
                    sum_of_squares(sum)
                },
            )
        })
        .collect();
    squares.iter().sum()
}

/// Computes `Σ x²` in `f64`, in sixteen interleaved sums.
#[inline(always)]
fn sum_of_squares(values: &[f32]) -> f64 {
    let mut sums = [0.0_f64; 16];
    for chunk in values.chunks(16) {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(*x) * f64::from(*x);
        }
    }
    sums.iter().sum()
}

/// See [`Kernels::update`](crate::ops::Kernels::update): clipping, both moments, and the weights, reading memory
/// once, divided between threads.
pub fn adamw(
    step: &AdamWStep,
    weights: &mut [f32],
    [first, second]: [&mut [f32]; 2],
    gradient: &[f32],
) {
    let count = weights.len();
    assert_eq!([first.len(), second.len(), gradient.len()], [count; 3], "sizes of a parameter");
    let moments = first.par_chunks_mut(SHARE).zip(second.par_chunks_mut(SHARE));
    let changed = weights.par_chunks_mut(SHARE).zip(moments);
    changed.zip(gradient.par_chunks(SHARE)).for_each(|((weights, (first, second)), gradient)| {
        vectorized(
            #[inline(always)]
            || {
                let moments = first.iter_mut().zip(second);
                for ((w, (m, v)), g) in weights.iter_mut().zip(moments).zip(gradient) {
                    let g = step.factor * *g;
                    *m = step.betas[0] * *m + step.complements[0] * g;
                    *v = step.betas[1] * *v + step.complements[1] * (g * g);
                    let root = (*v * step.corrections[1]).sqrt() + step.epsilon;
                    *w = *w * step.kept - step.rate * (*m * step.corrections[0] / root);
                }
            },
        );
    });
}

#[cfg(test)]
mod tests {
    use dfdx::tensor::{Cpu, Gradients};
    use dfdx::tensor_ops::{AdamConfig, WeightDecay};

    use super::super::testing::normal;
    use super::*;
    use crate::ops::tensor;

    #[test]
    fn sums_do_not_depend_on_the_number_of_threads() {
        let counts = [1, SHARE, 2 * SHARE + 7];
        let shard = |seed| counts.map(|count| normal(count, seed));
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let [mut sums, second, third] = [1, 2, 3].map(shard);
            let others = [&second, &third].map(|shard| shard.iter().map(Vec::as_slice).collect());
            let lists = sums.iter_mut().map(Vec::as_mut_slice).collect();
            let squares = pool.install(|| reduce(lists, &others));
            (sums, squares)
        };
        let (sums, squares) = run(1);
        assert_eq!((sums.clone(), squares), run(3));
        let mut expected = 0.0;
        for (index, sum) in sums.iter().enumerate() {
            let all = [1, 2, 3].map(|seed| shard(seed)[index].clone());
            for (i, sum) in sum.iter().enumerate() {
                assert_eq!(*sum, all[0][i] + all[1][i] + all[2][i]);
                expected += f64::from(*sum) * f64::from(*sum);
            }
        }
        // 50 000 roundings in f64.
        assert!((squares / expected - 1.0).abs() < 5e4 * f64::EPSILON);
    }

    /// Against dfdx's own in f64. A step adds a few roundings of a weight (size 5) and of a change
    /// (size rate): `4·(5 + 0.01)·2^-24` each, five steps.
    #[test]
    fn adamw_is_that_of_dfdx() {
        let device = Cpu::default();
        let config = AdamConfig {
            lr: 1e-2,
            betas: [0.9, 0.99],
            eps: 1e-8,
            weight_decay: Some(WeightDecay::Decoupled(0.1)),
        };
        let factor = 0.25;
        for count in [1, 33, SHARE + 5] {
            let mut weights = normal(count, 4);
            let exact: Vec<f64> = weights.iter().copied().map(f64::from).collect();
            let mut exact = tensor(&device, (count,), &exact).unwrap();
            let [mut first, mut second] = [(); 2].map(|()| vec![0.0; count]);
            let [mut m, mut v, mut g] = [(); 3].map(|()| Gradients::<f64, Cpu>::leaky());
            for time in 1..6 {
                let gradient = normal(count, time as u64 + 9);
                let step = AdamWStep::new(&config, time, factor);
                adamw(&step, &mut weights, [&mut first, &mut second], &gradient);
                let scaled = g.get_or_alloc_mut(&exact).unwrap();
                for (scaled, g) in scaled.iter_mut().zip(&gradient) {
                    *scaled = f64::from(factor) * f64::from(*g);
                }
                let m = m.get_or_alloc_mut(&exact).unwrap();
                let v = v.get_or_alloc_mut(&exact).unwrap();
                config.try_update(time, &mut exact, m, v, scaled).unwrap();
            }
            for (found, exact) in weights.iter().zip(exact.as_vec()) {
                let off = (f64::from(*found) - exact).abs();
                assert!(off < 5.0 * 4.0 * 5.01 * 6e-8, "{found} {exact}");
            }
        }
    }
}
