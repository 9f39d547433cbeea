//! Training with products in half precision: what is rounded, what happens to gradients outside of its range, and
//! that the loss follows that of single precision.

use dfdx::shapes::Rank0;
use dfdx::tensor::{Cpu, OwnedTape};
use dfdx::tensor_ops::{Backward, SumTo, TryMul};
use expe::config::{DataConfig, Precision, RunConfig, TokenizerKind, TrainConfig, position};
use expe::data::{Corpus, Dataset, Source, Tokenizer};
use expe::ops::{Backend, Matrix, tensor};
use expe::train::{LossScale, Progress, State, Stepper, TrainError};
use expe_core::internals::Random;
use expe_core::{Activation, Config};
use half::f16;

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

/// Computes `a·bᵀ` for rows of `inner` numbers.
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
        let dy = normal(rows * outputs, 4);
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
        let factors = matrix(rows, outputs, &dy);
        let loss = y.try_mul(factors).unwrap().try_sum::<Rank0, _>().unwrap();
        let gradients = loss.backward();
        let factors = rounded(&dy);
        let dx = product(&factors, &transposed(&w, inputs), outputs);
        close(&gradients.get(xs).as_vec(), &dx, outputs);
        let dw = product(&transposed(&factors, outputs), &transposed(&x, inputs), rows);
        close(&gradients.get(ws).as_vec(), &dw, rows);
        assert_eq!(gradients.get(residuals).as_vec(), dy);
    }
}

/// Computes, in `f64` and from the same factors, the mean loss of the logits `x·headᵀ`, and its gradients.
fn head_reference(
    [x, head]: [&[f64]; 2],
    targets: &[usize],
    width: usize,
    round: impl Fn(f64) -> f64,
) -> (f64, Vec<f64>, Vec<f64>) {
    let (rows, vocab) = (x.len() / width, head.len() / width);
    let mut dlogits = product(x, head, width);
    let mut loss = 0.0;
    for (row, target) in dlogits.chunks_mut(vocab).zip(targets) {
        let sum: f64 = row.iter().map(|logit| logit.exp()).sum();
        loss -= row[*target] - sum.ln();
        for (index, p) in row.iter_mut().enumerate() {
            *p = round(p.exp() / sum - f64::from(index == *target));
        }
    }
    let mean = |list: Vec<f64>| list.into_iter().map(|x| x / rows as f64).collect::<Vec<f64>>();
    let dx = product(&dlogits, &transposed(head, width), vocab);
    let dhead = product(&transposed(&dlogits, vocab), &transposed(x, width), rows);
    (loss / rows as f64, mean(dx), mean(dhead))
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

/// The results must be those of a reference with the same roundings. A probability close to the middle of two
/// numbers of `f16` may be rounded to the other one, because its error in `f32` is up to `10·width·2^-24`, a
/// thirtieth of the distance of such numbers. This happens to a thirtieth of them, with twice the error of a rounding,
/// so the error of gradients is `2/√30` of the effect of these roundings. A fifth of the effect of all roundings is
/// allowed; one factor that is not rounded makes at least a third.
#[test]
fn the_head_is_computed_from_rounded_factors() {
    let (rows, width, vocab) = (300, 22, 300);
    let small: Vec<f32> = normal(vocab * width, 6).iter().map(|x| 0.3 * x).collect();
    let wide = normal(rows * width, 5);
    let (x, head) = (matrix(rows, width, &wide), matrix(vocab, width, &small));
    let targets: Vec<usize> = (0..rows).map(|row| row * 7 % vocab).collect();
    let indices = tensor(&Cpu::default(), (rows,), &targets).unwrap();
    let loss =
        Cpu::cross_entropy(x.retaped::<OwnedTape<f32, Cpu>>(), &head, &indices, Precision::Mixed)
            .unwrap();
    let value = f64::from(loss.as_vec()[0]);
    let gradients = loss.backward();
    let numbers = |list: Vec<f32>| list.into_iter().map(f64::from).collect::<Vec<f64>>();
    let found = [numbers(gradients.get(&x).as_vec()), numbers(gradients.get(&head).as_vec())];

    // Gradients of logits are factors in units of 2^-14.
    let unit = 16384.0;
    let half = |p: f64| f16::from_f64(p * unit).to_f64() / unit;
    let factors = [rounded(&wide), rounded(&small)];
    let (expected, dx, dhead) = head_reference([&factors[0], &factors[1]], &targets, width, half);
    let exact = [numbers(wide), numbers(small)];
    let (plain, exact_dx, exact_dhead) =
        head_reference([&exact[0], &exact[1]], &targets, width, |p| p);
    assert!(
        (value - expected).abs() < 0.2 * (plain - expected).abs(),
        "{value} {expected} {plain}"
    );
    for ((found, expected), exact) in found.iter().zip([dx, dhead]).zip([exact_dx, exact_dhead]) {
        let (off, effect) = (distance(found, &expected), distance(&exact, &expected));
        assert!(off < 0.2 * effect, "{off} {effect}");
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

/// Two runs that differ in roundings alone drift apart, at first by the roundings, later by chaos. The curves,
/// averaged over ten steps, must stay within 2 %, while the loss itself falls by two fifths.
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
    (0..8 * LossScale::PATIENCE).for_each(|_| scale.succeeded());
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
