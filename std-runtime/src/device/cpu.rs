use std::ops::DerefMut;

use dfdx::shapes::Shape;
use dfdx::tensor::{Cpu, CpuError, Storage, Tensor};
use dfdx::tensor_ops::AdamConfig;
use rayon::prelude::*;

use super::{AdamWStep, Backend, Buffers};
use crate::ops::fused::storage::values_mut;
use crate::ops::fused::vector::{add, vectorised};
use crate::ops::profile::{Operation, Pass, timed_by};

macro_rules! backend {
    ($element:ty, $($faster:tt)*) => {
        impl Backend<$element> for Cpu {
            const PARTS: usize = 4;
            type Changes = ();

            fn overwrite(
                &self,
                buffer: &mut <Self as Storage<$element>>::Vec,
                values: &[$element],
            ) -> Result<(), CpuError> {
                buffer.copy_from_slice(values);
                Ok(())
            }

            fn read(
                &self,
                buffer: &<Self as Storage<$element>>::Vec,
            ) -> Result<Vec<$element>, CpuError> {
                Ok(buffer.to_vec())
            }

            fn sum_of_squares(
                &self,
                buffer: &<Self as Storage<$element>>::Vec,
            ) -> Result<f64, CpuError> {
                Ok(buffer.iter().map(|x| *x as f64 * *x as f64).sum())
            }

            fn add(
                &self,
                buffer: &mut <Self as Storage<$element>>::Vec,
                other: &<Self as Storage<$element>>::Vec,
            ) -> Result<(), CpuError> {
                buffer.iter_mut().zip(other.iter()).for_each(|(x, y)| *x += *y);
                Ok(())
            }

            fn scale(
                &self,
                buffer: &mut <Self as Storage<$element>>::Vec,
                factor: $element,
            ) -> Result<(), CpuError> {
                buffer.iter_mut().for_each(|x| *x *= factor);
                Ok(())
            }

            $($faster)*
        }
    };
}

backend! {
    f32,
    fn reduce(&self, parts: Vec<Buffers<f32, Self>>) -> Result<(Buffers<f32, Self>, f64), CpuError> {
        let threads = rayon::current_num_threads();
        Ok(timed_by(threads, Operation::Reduction, Pass::Backward, || reduce(parts)))
    }

    fn adamw<S: Shape>(
        &self,
        config: &AdamConfig,
        time: i32,
        factor: f32,
        weight: &mut Tensor<S, f32, Self>,
        moments: [&mut <Self as Storage<f32>>::Vec; 2],
        gradient: &mut <Self as Storage<f32>>::Vec,
    ) -> Result<(), CpuError> {
        let [first, second] = moments;
        let step = AdamWStep::new(config, time, factor);
        timed_by(rayon::current_num_threads(), Operation::Optimizer, Pass::Forward, || {
            step.take(values_mut(weight), first, second, gradient);
        });
        Ok(())
    }
}
backend!(f64,);

/// Numbers that a thread takes on at a time.
const SHARE: usize = 1 << 14;

/// [`Backend::reduce`], one pass over memory for all of it, divided between threads.
fn reduce<V: DerefMut<Target = Vec<f32>> + Sync + Send>(parts: Vec<Vec<V>>) -> (Vec<V>, f64) {
    let mut parts = parts.into_iter();
    let mut sums = parts.next().unwrap_or_default();
    let rest: Vec<Vec<V>> = parts.collect();
    let shares: Vec<_> = sums
        .iter_mut()
        .enumerate()
        .flat_map(|(index, sum)| {
            sum.chunks_mut(SHARE).enumerate().map(move |(share, sum)| (index, share * SHARE, sum))
        })
        .collect();
    let squares: Vec<f64> = shares
        .into_par_iter()
        .map(|(index, first, sum)| {
            vectorised(
                #[inline(always)]
                || {
                    for part in rest.iter().filter_map(|part| part.get(index)) {
                        add(sum, part.get(first..).unwrap_or_default());
                    }
                    sum_of_squares(sum)
                },
            )
        })
        .collect();
    (sums, squares.iter().sum())
}

/// `Σ x²` in `f64`, in sixteen interleaved parts.
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

impl AdamWStep {
    /// Clipping, both moments and the weights in one pass over memory, divided between threads.
    fn take(&self, weights: &mut [f32], first: &mut [f32], second: &mut [f32], slopes: &[f32]) {
        let moments = first.par_chunks_mut(SHARE).zip(second.par_chunks_mut(SHARE));
        let changed = weights.par_chunks_mut(SHARE).zip(moments);
        changed.zip(slopes.par_chunks(SHARE)).for_each(|((weights, (first, second)), slopes)| {
            vectorised(
                #[inline(always)]
                || {
                    let moments = first.iter_mut().zip(second);
                    for ((w, (m, v)), g) in weights.iter_mut().zip(moments).zip(slopes) {
                        let g = self.factor * *g;
                        *m = self.betas[0] * *m + self.rests[0] * g;
                        *v = self.betas[1] * *v + self.rests[1] * (g * g);
                        let root = (*v * self.corrections[1]).sqrt() + self.epsilon;
                        *w = *w * self.kept - self.rate * (*m * self.corrections[0] / root);
                    }
                },
            );
        });
    }
}

#[cfg(test)]
mod tests {
    use dfdx::tensor::Gradients;
    use dfdx::tensor_ops::WeightDecay;

    use super::*;
    use crate::device::tensor;

    fn numbers(count: usize, seed: u64) -> Vec<f32> {
        let mut random = expe_core::internals::Random::new(seed);
        (0..count).map(|_| random.normal()).collect()
    }

    #[test]
    fn sums_are_those_of_the_parts_for_any_number_of_threads() {
        let lists = [1, SHARE, 2 * SHARE + 7];
        let part = |seed| -> Vec<Vec<f32>> { lists.map(|count| numbers(count, seed)).into() };
        let boxed = |part: Vec<Vec<f32>>| part.into_iter().map(Box::new).collect::<Vec<_>>();
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| reduce([1, 2, 3].map(|seed| boxed(part(seed))).into()))
        };
        let (sums, squares) = run(1);
        assert_eq!((sums.clone(), squares), run(3));
        let mut expected = 0.0;
        for (index, sum) in sums.iter().enumerate() {
            let all = [1, 2, 3].map(|seed| part(seed).swap_remove(index));
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
        for count in [1, 33, SHARE + 5] {
            let start = numbers(count, 4);
            let wide: Vec<f64> = start.iter().copied().map(f64::from).collect();
            let mut fast = tensor(&device, (count,), &start).unwrap();
            let mut exact = tensor(&device, (count,), &wide).unwrap();
            let mut fast_state = [(); 3].map(|()| Gradients::<f32, Cpu>::leaky());
            let mut exact_state = [(); 3].map(|()| Gradients::<f64, Cpu>::leaky());
            for time in 1..6 {
                let slopes = numbers(count, time as u64 + 9);
                let [m, v, g] = &mut fast_state;
                let g = g.get_or_alloc_mut(&fast).unwrap();
                g.copy_from_slice(&slopes);
                let moments =
                    [m.get_or_alloc_mut(&fast).unwrap(), v.get_or_alloc_mut(&fast).unwrap()];
                device.adamw(&config, time, 0.25_f32, &mut fast, moments, g).unwrap();
                let [m, v, g] = &mut exact_state;
                let g = g.get_or_alloc_mut(&exact).unwrap();
                g.iter_mut().zip(&slopes).for_each(|(g, s)| *g = f64::from(*s));
                let moments =
                    [m.get_or_alloc_mut(&exact).unwrap(), v.get_or_alloc_mut(&exact).unwrap()];
                device.adamw(&config, time, 0.25_f64, &mut exact, moments, g).unwrap();
            }
            for (fast, exact) in fast.as_vec().into_iter().zip(exact.as_vec()) {
                assert!(
                    (f64::from(fast) - exact).abs() < 5.0 * 4.0 * 5.01 * 6e-8,
                    "{fast} {exact}"
                );
            }
        }
    }
}
