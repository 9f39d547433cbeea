//! The forward pass: folded against direct positions, causality, and refusals.

use dfdx::shapes::{Axis, HasShape};
use dfdx::tensor::{Cpu, OwnedTape, Tape};
use dfdx::tensor_ops::{Backward, MeanTo, ReshapeTo, TryConcatAlong, TryMul};
use expe::config::position;
use expe::model::{ModelError, Sites, Transformer};
use expe::ops::composed::{self, Mask, Relative};
use expe::ops::{Heads, Matrix, Override, tensor};
use expe_core::Config;
use expe_core::internals::{Random, SUPPORTED};
use expe_core::position::{Beyond, Growth, PositionConfig};

fn config(position: PositionConfig) -> Config {
    Config {
        vocab: 11,
        width: 16,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        head_width: 4,
        hidden: 24,
        context: 6,
        norm: Default::default(),
        epsilon: 1e-5,
        activation: Default::default(),
        tied_head: false,
        position,
    }
}

fn random(rows: usize, columns: usize, seed: u64) -> Matrix<f64, Cpu> {
    let mut random = Random::new(seed);
    let values: Vec<f64> = (0..rows * columns).map(|_| 0.3 * f64::from(random.normal())).collect();
    tensor(&Cpu::default(), (rows, columns), &values).unwrap()
}

/// Replaces the leading columns of the inputs of queries or keys, by concatenation.
fn overridden<T: Tape<f64, Cpu>>(
    x: Matrix<f64, Cpu, T>,
    values: &Matrix<f64, Cpu>,
    runs: &Matrix<f64, Cpu>,
    columns: usize,
    batch: usize,
) -> Matrix<f64, Cpu, T> {
    let (rows, width) = *x.shape();
    let length = rows / batch;
    // slice() overwrites gradients, so it gets a tensor that has no other use.
    let fresh = x.try_mul(1.0).unwrap();
    let kept: Matrix<f64, Cpu, T> = fresh
        .try_slice((0..rows, columns..width))
        .unwrap()
        .try_reshape_like(&(rows, width - columns))
        .unwrap();
    let (values, runs) = (values.as_vec(), runs.as_vec());
    let digits = values.len() / length;
    let digit = |i: usize| (0..digits).find(|j| runs[j * width + i] == 1.0).unwrap();
    let leading: Vec<f64> = (0..rows)
        .flat_map(|row| (0..columns).map(move |i| (row % length, i)))
        .map(|(n, i)| values[n * digits + digit(i)])
        .collect();
    let leading = tensor(&Cpu::default(), (rows, columns), &leading).unwrap();
    (leading.retaped::<T>(), kept).try_concat_along(Axis::<1>).unwrap()
}

/// Returns the mask, which the composed operations of `f64` use.
fn mask(sites: &Sites<f64, Cpu>) -> &Mask<f64, Cpu> {
    sites.attention.mask.as_ref().unwrap()
}

struct Projections {
    wq: Matrix<f64, Cpu>,
    wk: Matrix<f64, Cpu>,
    wv: Matrix<f64, Cpu>,
}

type Traced = Matrix<f64, Cpu, OwnedTape<f64, Cpu>>;

fn direct(
    x: Traced,
    w: &Projections,
    sites: &Sites<f64, Cpu>,
    site: &Override<f64, Cpu>,
    columns: usize,
    heads: &Heads,
) -> Traced {
    type T = OwnedTape<f64, Cpu>;
    let input = |values| overridden(x.retaped::<T>(), values, &site.runs, columns, heads.batch);
    let q = composed::projection(input(&site.queries), &w.wq).unwrap();
    let k = composed::projection(input(&site.keys), &w.wk).unwrap();
    let v = composed::projection(x, &w.wv).unwrap();
    composed::attention(q, k, v, None, mask(sites), heads).unwrap()
}

fn folded(
    x: Traced,
    w: &Projections,
    sites: &Sites<f64, Cpu>,
    site: &Override<f64, Cpu>,
    heads: &Heads,
) -> Traced {
    type T = OwnedTape<f64, Cpu>;
    let q = composed::masked_projection(x.retaped::<T>(), &w.wq, &site.kept).unwrap();
    let columns = composed::digit_columns(&w.wq, &site.runs).unwrap();
    let q =
        composed::add_rows(q, composed::digit_terms::<_, _, T>(&site.queries, columns).unwrap())
            .unwrap();
    let k = composed::masked_projection(x.retaped::<T>(), &w.wk, &site.kept).unwrap();
    let v = composed::projection(x, &w.wv).unwrap();
    let columns = composed::digit_columns(&w.wk, &site.runs).unwrap();
    let differences = site.differences.as_ref().unwrap();
    let relative = Relative { columns, differences };
    composed::attention(q, k, v, Some(relative), mask(sites), heads).unwrap()
}

/// Both forms are the same function in exact arithmetic. In f64 the direct form cancels logits of
/// size up to p²·‖u‖·‖w‖ < 1e3, so they may differ by about 1e3 · 2^-53 · (a few dozen) = 1e-11.
#[test]
fn folded_and_direct_positions_agree_with_their_gradients() {
    let beyond = Beyond::Refuse;
    let (start, step) = (1.0, 0.25);
    let expe = |query_cap| PositionConfig::Expe { start, step, width: 3, query_cap, beyond };
    let exqpe = |growth| PositionConfig::Exqpe {
        start,
        step,
        width: 4,
        base: 3,
        digits: 2,
        growth,
        query_cap: Some(4),
        beyond,
    };
    let positions = [expe(None), expe(Some(3)), exqpe(Growth::Equal), exqpe(Growth::Weighted)];
    for position in positions {
        let config = config(position);
        let heads = Heads { batch: 2, length: 6, kv_heads: 2, groups: 2, head_width: 4 };
        let sites = Sites::<f64, Cpu>::new(&config, 6, &Cpu::default()).unwrap();
        let site = sites.attention.overrides.as_ref().unwrap();
        let x = random(12, 16, 1);
        let w = Projections { wq: random(16, 16, 2), wk: random(8, 16, 3), wv: random(8, 16, 4) };
        let weights = random(12, 16, 5);
        let trace = || x.retaped::<OwnedTape<f64, Cpu>>();
        let columns = config.override_block().width;
        let outcomes = [
            direct(trace(), &w, &sites, site, columns, &heads),
            folded(trace(), &w, &sites, site, &heads),
        ]
        .map(|out| {
            let values = out.as_vec();
            let gradients = out.try_mul(weights.clone()).unwrap().mean().backward();
            let all = [&x, &w.wq, &w.wk, &w.wv].map(|t| gradients.get(t).as_vec());
            [&[values], &all[..]].concat()
        });
        for (part, (direct, folded)) in outcomes[0].iter().zip(&outcomes[1]).enumerate() {
            assert!(direct.iter().any(|x| x.abs() > 1e-4));
            for (direct, folded) in direct.iter().zip(folded) {
                assert!((direct - folded).abs() < 1e-11, "part {part}: {direct} {folded}");
            }
        }
    }
}

#[test]
fn no_gradient_reaches_an_overridden_column_through_queries_and_keys() {
    let config = config(position("expe", 64).unwrap());
    let columns = config.override_block().width;
    assert!(columns > 1);
    let sites = Sites::<f64, Cpu>::new(&config, 6, &Cpu::default()).unwrap();
    let site = sites.attention.overrides.as_ref().unwrap();
    let heads = Heads { batch: 1, length: 6, kv_heads: 2, groups: 2, head_width: 4 };
    let (x, wv) = (random(6, 16, 1), Cpu::default());
    let zeros = tensor(&wv, (8, 16), &[0.0; 128]).unwrap();
    let w = Projections { wq: random(16, 16, 2), wk: random(8, 16, 3), wv: zeros };
    // Values depend on the position only, so only the path through the scores is left.
    let values = random(6, 8, 6);
    let trace = x.retaped::<OwnedTape<f64, Cpu>>();
    let q = composed::masked_projection(trace.retaped(), &w.wq, &site.kept).unwrap();
    let k = composed::masked_projection(trace, &w.wk, &site.kept).unwrap();
    let out = composed::attention(q, k, values.retaped(), None, mask(&sites), &heads).unwrap();
    let gradient = out.try_mul(random(6, 16, 7)).unwrap().mean().backward().get(&x).as_vec();
    for row in gradient.chunks(16) {
        assert!(row[..columns].iter().all(|x| *x == 0.0));
        assert!(row[columns..].iter().all(|x| *x != 0.0));
    }
}

#[test]
fn later_tokens_never_change_earlier_logits() {
    for name in SUPPORTED {
        let config = config(position(name, 16).unwrap());
        let model = Transformer::<Cpu>::new(&config, &Cpu::default(), 1).unwrap();
        let before = model.logits(&[1, 2, 3, 4, 5, 6], 1).unwrap();
        let after = model.logits(&[1, 2, 3, 9, 8, 7], 1).unwrap();
        assert_eq!(before[..3 * 11], after[..3 * 11], "{name}");
        for n in 3..6 {
            assert_ne!(before[n * 11..][..11], after[n * 11..][..11], "{name} {n}");
        }
    }
}

#[test]
fn every_position_encoding_but_none_sees_the_order() {
    for name in SUPPORTED {
        let config = config(position(name, 16).unwrap());
        let config = Config { layers: 1, ..config };
        let model = Transformer::<Cpu>::new(&config, &Cpu::default(), 1).unwrap();
        let last = |tokens: &[u32]| model.logits(tokens, 1).unwrap()[5 * 11..].to_vec();
        let (a, b) = (last(&[1, 2, 3, 4, 5, 6]), last(&[4, 3, 2, 1, 5, 6]));
        let largest = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // One layer without positions sees a set of tokens: only the order of sums differs.
        assert_eq!(largest > 1e-6, name != "none", "{name}: {largest}");
    }
}

#[test]
fn sequences_of_a_batch_do_not_mix() {
    let config = config(position("exqpe", 16).unwrap());
    let model = Transformer::<Cpu>::new(&config, &Cpu::default(), 1).unwrap();
    let both = model.logits(&[1, 2, 3, 4, 5, 6], 2).unwrap();
    let alone = [model.logits(&[1, 2, 3], 1).unwrap(), model.logits(&[4, 5, 6], 1).unwrap()];
    for (both, alone) in both.iter().zip(alone.concat()) {
        // Logits of size 0.1 after sums of at most 24 terms: 0.1 · 24 · 2^-24, with a margin.
        assert!((both - alone).abs() < 1e-6, "{both} {alone}");
    }
}

#[test]
fn unusable_inputs_are_refused() {
    let device = Cpu::default();
    let model =
        |name| Transformer::<Cpu>::new(&config(position(name, 16).unwrap()), &device, 1).unwrap();
    let rope = model("rope");
    assert!(matches!(rope.logits(&[1, 11], 1), Err(ModelError::Token { token: 11, vocab: 11 })));
    for (tokens, batch) in [(&[][..], 1), (&[1, 2, 3][..], 2), (&[1][..], 0), (&[1][..], 2)] {
        let error = rope.logits(tokens, batch);
        assert!(matches!(error, Err(ModelError::Batch { .. })), "{tokens:?} {batch}: {error:?}");
    }
    assert!(matches!(model("learned").logits(&[1; 7], 1), Err(ModelError::Position { .. })));
    assert!(model("learned").logits(&[1; 6], 1).is_ok());
    let short = PositionConfig::Expe {
        start: 0.0,
        step: 1.0,
        width: 0,
        query_cap: None,
        beyond: Beyond::Refuse,
    };
    assert!(Transformer::<Cpu>::new(&config(short), &device, 1).is_err());
}

#[test]
fn initial_weights_depend_on_the_seed_alone() {
    let config = config(position("learned", 16).unwrap());
    let weights = |seed| {
        Transformer::<Cpu>::new(&config, &Cpu::default(), seed).unwrap().weights.to_tensors()
    };
    assert_eq!(weights(1), weights(1));
    assert_ne!(weights(1), weights(2));
}
