//! Products of `f16` factors on the GPU against those of the processor, which rounds the same factors and also sums
//! in `f32`.

use dfdx::tensor::{Cpu, Gradients, OwnedTape, Tensor};
use dfdx::tensor_ops::{Backward, SumTo, TryMul};
use expe::config::{Precision, position};
use expe::device::cuda;
use expe::model::Sites;
use expe::ops::{AttentionWeights, Backend, FeedForward, Heads, Matrix, tensor};
use expe_core::internals::Random;
use expe_core::{Activation, Config, Norm};

type Recorded<D> = Matrix<f32, D, OwnedTape<f32, D>>;

/// Half a unit in the last place of an `f16` number near 1.
const HALF: f64 = 1.0 / 2048.0;
/// The same of `f32`.
const SINGLE: f64 = 1.0 / (1 << 24) as f64;

fn matrix<D: Backend>(
    device: &D,
    rows: usize,
    columns: usize,
    size: f32,
    seed: u64,
) -> Matrix<f32, D> {
    let mut random = Random::new(seed);
    let values: Vec<f32> = (0..rows * columns).map(|_| size * random.normal()).collect();
    tensor(device, (rows, columns), &values).unwrap()
}

/// Returns the result, and the gradients of its weighted sum.
fn lists<D: Backend>(y: Recorded<D>, leaves: &[&Matrix<f32, D>]) -> Vec<Vec<f32>> {
    let mut lists = vec![y.as_vec()];
    let (rows, columns) = *dfdx::shapes::HasShape::shape(&y);
    let factors = matrix(y.device(), rows, columns, 1.0, 99);
    let gradients = y.try_mul(factors).unwrap().try_sum::<(), _>().unwrap().backward();
    let gradient = |leaf: &&Matrix<f32, D>| Gradients::get(&gradients, *leaf).as_vec();
    lists.extend(leaves.iter().map(gradient));
    lists
}

fn project<D: Backend>(device: &D, precision: Precision) -> Vec<Vec<f32>> {
    let (x, w) = (matrix(device, 33, 70, 1.0, 1), matrix(device, 29, 70, 1.0, 2));
    let residual = matrix(device, 33, 29, 1.0, 3);
    let y = D::project(Some(residual.retaped()), x.retaped(), &w, precision).unwrap();
    lists(y, &[&x, &w, &residual])
}

fn feed_forward<D: Backend>(device: &D, precision: Precision) -> Vec<Vec<f32>> {
    let x = matrix(device, 33, 22, 1.0, 1);
    let [w1, w3] = [2, 3].map(|seed| matrix(device, 40, 22, 0.3, seed));
    let w2 = matrix(device, 22, 40, 0.3, 4);
    let activation = Activation::SwiGlu;
    let weights = FeedForward { w1: &w1, w2: &w2, w3: Some(&w3), activation, precision };
    let y = D::feed_forward(None, x.retaped(), &weights).unwrap();
    lists(y, &[&x, &w1, &w2, &w3])
}

fn attend<D: Backend>(device: &D, precision: Precision) -> Vec<Vec<f32>> {
    let (width, length, head_width) = (24, 9, 6);
    let x = matrix(device, 2 * length, width, 1.0, 1);
    let wq = matrix(device, 24, width, 0.15, 2);
    let [wk, wv] = [3, 4].map(|seed| matrix(device, 12, width, 0.15, seed));
    let config = Config {
        vocab: 2,
        width,
        layers: 1,
        heads: 4,
        kv_heads: 2,
        head_width,
        hidden: 1,
        context: length,
        norm: Norm::RmsNorm,
        epsilon: 1e-5,
        activation: Activation::Gelu,
        tied_head: true,
        position: position("expe", width).unwrap(),
    };
    let sites = Sites::new(&config, length, device).unwrap();
    let weights = AttentionWeights { wq: &wq, wk: &wk, wv: &wv, precision };
    let heads = Heads { batch: 2, length, kv_heads: 2, groups: 2, head_width };
    let y = D::attend(x.retaped(), &weights, &sites.attention, &heads).unwrap();
    lists(y, &[&x, &wq, &wk, &wv])
}

fn cross_entropy<D: Backend>(device: &D, precision: Precision) -> Vec<Vec<f32>> {
    let (x, head) = (matrix(device, 40, 22, 1.0, 1), matrix(device, 50, 22, 0.3, 2));
    let targets: Vec<usize> = (0..40).map(|row| row * 7 % 50).collect();
    let targets: Tensor<(usize,), usize, D> = tensor(device, (40,), &targets).unwrap();
    let loss = D::cross_entropy(x.retaped(), &head, &targets, precision).unwrap();
    let value = loss.as_vec();
    let gradients = loss.backward();
    vec![value, gradients.get(&x).as_vec(), gradients.get(&head).as_vec()]
}

fn largest(list: &[f32]) -> f64 {
    list.iter().fold(0.0, |largest: f64, x| largest.max(f64::from(x.abs())))
}

/// Compares both devices; `error` is the largest allowed error relative to the largest number of a list.
fn compare(
    on_gpu: impl Fn(&cuda::Cuda, Precision) -> Vec<Vec<f32>>,
    on_cpu: impl Fn(&Cpu, Precision) -> Vec<Vec<f32>>,
    error: f64,
) {
    let (gpu, cpu) = (cuda::open(0).unwrap(), Cpu::default());
    let (found, expected) = (on_gpu(&gpu, Precision::Mixed), on_cpu(&cpu, Precision::Mixed));
    assert_ne!(found[0], on_gpu(&gpu, Precision::F32)[0], "nothing was rounded");
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(found.len(), expected.len());
        let bound = error * largest(expected);
        for (found, expected) in found.iter().zip(expected) {
            let off = f64::from((found - expected).abs());
            assert!(off <= bound, "list {index}: {found} {expected}, bound {bound:e}");
        }
    }
}

/// The factors have the same bits, and products of two of them are exact in `f32`. Only the order of a sum of up to
/// 70 terms differs, each at most 70/√70 times smaller than the largest sums.
#[test]
fn products_have_the_factors_of_the_processor() {
    compare(project, project, 70.0 * SINGLE);
}

/// Between products, the devices compute in `f32` in different orders. Where that changes the rounding of a factor,
/// it does so by one unit, which enters sums of up to 40 terms with random signs.
#[test]
fn operations_of_several_products_follow_the_processor() {
    compare(feed_forward, feed_forward, 2.0 * HALF);
    compare(attend, attend, 2.0 * HALF);
    compare(cross_entropy, cross_entropy, 2.0 * HALF);
}
