//! Training with products in half precision: what is rounded, what happens to gradients outside of its
//! range, and that the loss goes where that of single precision goes.

use dfdx::shapes::Rank0;
use dfdx::tensor::{Cpu, OwnedTape};
use dfdx::tensor_ops::{Backward, SumTo, TryMul};
use expe_core::model::{Activation, Config};
use expe_core::num::Random;
use expe_runtime::config::{DataConfig, RunConfig, TokenizerKind, TrainConfig, position};
use expe_runtime::data::{Corpus, Dataset, Source, Tokenizer};
use expe_runtime::device::tensor;
use expe_runtime::ops::{Matrix, Operations, Precision};
use expe_runtime::train::{LossScale, Progress, State, Stepper, TrainError};
use half::f16;

/// Half a unit in the last place of `f16`, relative to the number.
const HALF: f64 = 1.0 / (1 << 11) as f64;

fn normal(count: usize, seed: u64) -> Vec<f32> {
    let mut random = Random::new(seed);
    (0..count).map(|_| random.normal()).collect()
}

fn matrix(rows: usize, columns: usize, values: &[f32]) -> Matrix<f32, Cpu> {
    tensor(&Cpu::default(), (rows, columns), values).unwrap()
}

fn rounded(values: &[f32]) -> Vec<f64> {
    values.iter().map(|x| f16::from_f32(*x).to_f64()).collect()
}

/// `a·bᵀ` for rows of `inner` numbers.
fn product(a: &[f64], b: &[f64], inner: usize) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum();
    a.chunks(inner).flat_map(|a| b.chunks(inner).map(move |b| dot(a, b))).collect()
}

fn transposed(values: &[f64], columns: usize) -> Vec<f64> {
    (0..columns).flat_map(|c| values.iter().skip(c).step_by(columns).copied()).collect()
}

/// Products of rounded numbers are exact, so the sums' roundings in `f32` are the only difference: up to
/// `inner·2^-24` of a sum of sizes of at most `25·inner` (5 being the largest normal number here).
fn close(found: &[f32], expected: &[f64], inner: usize) {
    assert_eq!(found.len(), expected.len());
    let bound = 25.0 * (inner * inner) as f64 / (1 << 24) as f64;
    for (found, expected) in found.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() <= bound, "{found} {expected} {bound}");
    }
}

#[test]
fn all_factors_of_a_projection_are_rounded_and_nothing_else_is() {
    for (rows, inputs, outputs) in [(1, 1, 1), (5, 22, 7), (33, 17, 40)] {
        let (x, w) = (normal(rows * inputs, 1), normal(outputs * inputs, 2));
        let residual = normal(rows * outputs, 3);
        let slopes = normal(rows * outputs, 4);
        let leaves = [
            matrix(rows, inputs, &x),
            matrix(outputs, inputs, &w),
            matrix(rows, outputs, &residual),
        ];
        let [xs, ws, residuals] = &leaves;
        let before = Some(residuals.retaped::<OwnedTape<f32, Cpu>>());
        let y = Cpu::project(before, xs.retaped(), ws, Precision::Mixed).unwrap();
        let (x, w) = (rounded(&x), rounded(&w));
        let sums = product(&x, &w, inputs);
        let expected: Vec<f64> =
            sums.iter().zip(&residual).map(|(sum, r)| sum + f64::from(*r)).collect();
        close(&y.as_vec(), &expected, inputs);
        let factors = matrix(rows, outputs, &slopes);
        let loss = y.try_mul(factors).unwrap().try_sum::<Rank0, _>().unwrap();
        let gradients = loss.backward();
        let dy = rounded(&slopes);
        let dx = product(&dy, &transposed(&w, inputs), outputs);
        close(&gradients.get(xs).as_vec(), &dx, outputs);
        let dw = product(&transposed(&dy, outputs), &transposed(&x, inputs), rows);
        close(&gradients.get(ws).as_vec(), &dw, rows);
        assert_eq!(gradients.get(residuals).as_vec(), slopes);
    }
}

/// The loss of both precisions and all gradients by the head: a logit is a sum of `width` products, each
/// with two factors rounded, so it is off by `2·HALF·Σ|x·w|` at most and the loss by twice that;
/// a derivative is `Σ (p − t)·x` over rows, with p as far off relatively as its logit, and two roundings
/// more. Sums have the sizes of at most 5 times their number here.
#[test]
fn the_loss_of_the_head_follows_that_of_single_precision() {
    let (rows, width, vocab) = (300, 22, 300);
    let small: Vec<f32> = normal(vocab * width, 6).iter().map(|x| 0.3 * x).collect();
    let (x, head) = (matrix(rows, width, &normal(rows * width, 5)), matrix(vocab, width, &small));
    let targets: Vec<usize> = (0..rows).map(|row| row * 7 % vocab).collect();
    let targets = tensor(&Cpu::default(), (rows,), &targets).unwrap();
    let run = |precision| {
        let loss =
            Cpu::cross_entropy(x.retaped::<OwnedTape<f32, Cpu>>(), &head, &targets, precision)
                .unwrap();
        let value = f64::from(loss.as_vec()[0]);
        let gradients = loss.backward();
        (value, gradients.get(&x).as_vec(), gradients.get(&head).as_vec())
    };
    let ((loss, dx, dw), (exact, exact_dx, exact_dw)) =
        (run(Precision::Mixed), run(Precision::F32));
    let logit = 2.0 * HALF * (width as f64) * 0.3 * 5.0;
    assert!(loss != exact && (loss - exact).abs() < 2.0 * logit, "{loss} {exact}");
    for (found, exact) in [(dx, exact_dx), (dw, exact_dw)] {
        let largest = exact.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let bound = (logit + 2.0 * HALF) * f64::from(largest) * 5.0;
        for (found, exact) in found.iter().zip(&exact) {
            assert!(f64::from((found - exact).abs()) < bound, "{found} {exact} {bound}");
        }
    }
}

fn config(precision: Precision, steps: u64) -> RunConfig {
    let (width, context) = (32, 16);
    RunConfig {
        data: DataConfig { tokenizer: TokenizerKind::Byte },
        train: TrainConfig { precision, ..TrainConfig::new(steps, 8, 1e-2) },
        model: Config {
            vocab: 256,
            width,
            layers: 2,
            heads: 4,
            kv_heads: 2,
            head_width: 8,
            hidden: 64,
            context,
            norm: Default::default(),
            epsilon: 1e-5,
            activation: Activation::SwiGlu,
            tied_head: true,
            position: position("expe", width).unwrap(),
        },
    }
}

fn dataset() -> Dataset {
    let corpus = Corpus::open(&[Source::Stories { seed: 1, bytes: 40_000 }]).unwrap();
    Dataset::encode(&corpus, &Tokenizer::Byte).unwrap()
}

fn train(config: &RunConfig) -> Vec<Result<Progress, TrainError>> {
    let data = dataset();
    let state = State::new(config, &Cpu::default()).unwrap();
    let mut stepper = Stepper::new(config, data.train(), state).unwrap();
    (0..config.train.steps).map(|_| stepper.step()).collect()
}

/// Two runs that differ in roundings alone drift apart, at first by what is rounded, later by chaos: what
/// is asked for is that the curves, averaged over ten steps, stay within 2 %, while the loss itself falls
/// by two fifths.
#[test]
fn the_loss_curve_follows_that_of_single_precision() {
    let losses = |precision| -> Vec<f64> {
        train(&config(precision, 200)).into_iter().map(|step| step.unwrap().loss).collect()
    };
    let (mixed, single) = (losses(Precision::Mixed), losses(Precision::F32));
    assert!(mixed != single, "nothing was rounded");
    assert!(single[199] < 0.6 * single[0], "{single:?}");
    for (mixed, single) in mixed.chunks(10).zip(single.chunks(10)) {
        let ratio = mixed.iter().sum::<f64>() / single.iter().sum::<f64>();
        assert!((ratio - 1.0).abs() < 0.02, "{mixed:?} {single:?}");
    }
}

/// A scale of 2^24 takes gradients beyond 65 504: steps are skipped and change nothing until it fits.
#[test]
fn steps_with_gradients_out_of_range_are_skipped() {
    let mut scale = LossScale::default();
    (0..8 * LossScale::PATIENCE).for_each(|_| scale.went_well());
    assert_eq!(scale.factor(), 2.0_f32.powi(24));
    let (config, data) = (config(Precision::Mixed, 20), dataset());
    let mut state = State::new(&config, &Cpu::default()).unwrap();
    state.loss_scale = Some(scale);
    let mut stepper = Stepper::new(&config, data.train(), state).unwrap();
    let mut skipped = 0;
    loop {
        let before = stepper.state.model.weights.to_tensors();
        let now = stepper.step().unwrap();
        let same = stepper.state.model.weights.to_tensors() == before;
        let scale = stepper.state.loss_scale.unwrap();
        assert!(now.loss.is_finite());
        assert_eq!(now.gradient_norm.is_finite(), !same);
        if !same {
            assert_eq!((scale.skipped(), now.step), (skipped, skipped + 1));
            break;
        }
        skipped += 1;
        assert_eq!(scale.factor(), 2.0_f32.powi(24 - skipped as i32));
    }
    assert!((1..=20).contains(&skipped), "{skipped}");
}
