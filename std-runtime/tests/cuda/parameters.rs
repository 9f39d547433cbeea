//! Sums of squares and AdamW over many parameters on the GPU against the processor's.

use dfdx::tensor::{Cpu, Gradients, Tensor};
use dfdx::tensor_ops::{AdamConfig, WeightDecay};
use expe::device::cuda;
use expe::ops::bridge::Bridge;
use expe::ops::{AdamWStep, Kernels, reduce, tensor, update};
use expe_core::internals::Random;

fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed);
    (0..count).map(|_| random.normal()).collect()
}

/// More tensors than one launch takes, some shorter than a block and some longer than all its blocks together.
fn counts() -> Vec<usize> {
    (0..100).map(|index| [1, 33, 256, 5000][index % 4] + index).chain([1_100_000]).collect()
}

/// Computes the weights after three steps; half of them decay.
fn adamw<D: Kernels>(device: &D) -> Vec<Vec<f32>> {
    let mut weights: Vec<Tensor<(usize,), f32, D>> = counts()
        .into_iter()
        .zip(1..)
        .map(|(count, seed)| tensor(device, (count,), &numbers(count, seed)).unwrap())
        .collect();
    let (mut first, mut second) = (Gradients::<f32, D>::leaky(), Gradients::<f32, D>::leaky());
    for time in 1..=3 {
        let mut updates = D::Updates::default();
        for (index, weight) in weights.iter_mut().enumerate() {
            let config = AdamConfig {
                lr: 1e-2,
                betas: [0.9, 0.99],
                eps: 1e-8,
                weight_decay: (index % 2 == 0).then_some(WeightDecay::Decoupled(0.1)),
            };
            let values = numbers(weight.as_vec().len(), 1000 * time as u64 + index as u64);
            let mut gradients = Gradients::<f32, D>::leaky();
            let gradient = gradients.get_or_alloc_mut(weight).unwrap();
            device.overwrite(gradient, &values).unwrap();
            let gradient = gradient.clone();
            let moments =
                [first.get_or_alloc_mut(weight).unwrap(), second.get_or_alloc_mut(weight).unwrap()];
            let step = AdamWStep::new(&config, time, 0.25);
            update(&mut updates, step, weight, moments, gradient).unwrap();
        }
        D::finish_updates(updates).unwrap();
    }
    weights.iter().map(|weight| weight.as_vec()).collect()
}

/// A step adds a few roundings of a weight (size 6) and of a change (size rate): `4·(6 + 0.01)·2^-24` each, three
/// steps, on either device.
#[test]
fn adamw_is_that_of_the_processor() {
    let (found, expected) = (adamw(&cuda::open(0).unwrap()), adamw(&Cpu::default()));
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            let off = (found - expected).abs();
            assert!(off < 2.0 * 3.0 * 4.0 * 6.01 * 6e-8, "tensor {index}: {found} {expected}");
        }
    }
}

/// A million additions of `f64` on either side, `2^-53` of the sum each.
#[test]
fn reductions_are_those_of_the_processor() {
    let device = cuda::open(0).unwrap();
    let shard = |seed| {
        let buffer = |count: usize| {
            let mut gradients = Gradients::<f32, cuda::Cuda>::leaky();
            let place = tensor(&device, (count,), &vec![0.0; count]).unwrap();
            let buffer = gradients.get_or_alloc_mut(&place).unwrap();
            device.overwrite(buffer, &numbers(count, seed)).unwrap();
            buffer.clone()
        };
        counts().into_iter().map(buffer).collect::<Vec<_>>()
    };
    let (sums, squares) = reduce::<cuda::Cuda>(vec![shard(1), shard(2)]).unwrap();
    let mut expected = 0.0;
    for (sum, count) in sums.iter().zip(counts()) {
        let sum = device.download(sum).unwrap();
        assert_eq!(sum.len(), count);
        let pairs = numbers(count, 1).into_iter().zip(numbers(count, 2));
        for (sum, (a, b)) in sum.into_iter().zip(pairs) {
            assert_eq!(sum, a + b);
            expected += f64::from(sum) * f64::from(sum);
        }
    }
    assert!((squares / expected - 1.0).abs() < 3e6 * f64::EPSILON, "{squares} {expected}");
}
