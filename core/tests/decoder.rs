//! Compares the decoder with the reference decoder, and with itself for other chunk lengths.

mod support;

use expe_core::internals::{DType, Random, Stored, TensorKind};
use expe_core::position::{
    Expe, NoPosition, OverrideBlock, Position, PositionConfig, PositionEncoding, PositionError,
    Rope, Scaling,
};
use expe_core::{Activation, Config, DecodeError, Decoder, F16, F32, Model, Norm};
use support::model::{expe, positions, small};
use support::{AlignedBytes, TestModel, reference};

/// Returns the logits after every token, decoding `chunk` tokens at a time.
fn logits(file: &AlignedBytes, tokens: &[u32], chunk: usize) -> Vec<Vec<f32>> {
    let model = Model::new(file.bytes()).unwrap();
    let config = model.config();
    let decoder = Decoder::new(&model, model.position().unwrap()).unwrap();
    let mut cache = vec![u32::MAX; config.cache_len::<F32>(tokens.len())];
    let mut cache = decoder.cache::<F32>(tokens.len(), &mut cache).unwrap();
    // With room for the logits of several tokens in larger chunks.
    let words = config.workspace_len(chunk, tokens.len()) + chunk / 3 * config.vocab;
    let mut workspace = vec![u32::MAX; words];
    let mut workspace = decoder.workspace(chunk, tokens.len(), &mut workspace).unwrap();
    let mut rows = Vec::new();
    decoder
        .forward_each(tokens, &mut cache, &mut workspace, |index, logits| {
            assert_eq!(index, rows.len());
            rows.push(logits.to_vec());
        })
        .unwrap();
    assert_eq!(rows.len(), tokens.len());
    // `forward`, which computes the last logits only, returns the same.
    cache.clear();
    assert_eq!(decoder.forward(tokens, &mut cache, &mut workspace).unwrap(), rows[rows.len() - 1]);
    rows
}

fn tokens(count: usize, seed: u64) -> Vec<u32> {
    let mut random = Random::new(seed);
    (0..count).map(|_| random.below(256)).collect()
}

fn distance(a: &[Vec<f64>], b: &[Vec<f64>]) -> f64 {
    let differences = a.iter().flatten().zip(b.iter().flatten()).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, |max, d| if d > max || d.is_nan() { d } else { max })
}

/// Returns the allowed distance of f32 logits from the exact ones.
///
/// A sum of `n` products in f32 is the exact sum for factors with relative errors of about `√n·2^-24` (Higham and
/// Mary 2019, <https://doi.org/10.1137/18M1226312>), and every other step has a relative error of a few 2^-24. The
/// result is therefore the exact result of a model with slightly different weights. The tolerance is four times the
/// largest change of the exact logits in three trials with randomly changed weights.
fn tolerance(model: &TestModel, tokens: &[u32], exact: &[Vec<f64>]) -> f64 {
    let Config { width, hidden, heads, head_width, .. } = model.config;
    let longest = width.max(hidden).max(heads * head_width).max(tokens.len());
    let size = (longest as f32).sqrt() * f32::EPSILON / 2.0;
    let changes = (0..3).map(|seed| {
        let mut random = Random::new(seed);
        let mut other = model.clone();
        for weight in other.tensors_mut().flatten() {
            *weight *= 1.0 + size * (2.0 * random.uniform() - 1.0);
        }
        distance(&reference::logits(&other, tokens), exact)
    });
    4.0 * changes.fold(0.0, f64::max)
}

fn check_against_reference(model: &TestModel, count: usize) {
    let tokens = tokens(count, 11);
    let exact = reference::logits(model, &tokens);
    let tolerance = tolerance(model, &tokens, &exact);
    let largest = exact.iter().flatten().fold(0.0, |max: f64, x| max.max(x.abs()));
    let found: Vec<Vec<f64>> = logits(&model.file(DType::F32), &tokens, 7)
        .into_iter()
        .map(|row| row.into_iter().map(f64::from).collect())
        .collect();
    let error = distance(&found, &exact);
    let what = &model.config;
    assert!(tolerance < 2e-4 * largest, "no test: {tolerance} of {largest} for {what:?}");
    assert!(error <= tolerance, "{error} > {tolerance} for {what:?}");
}

/// Returns sixteen times the context, or the context if the encoding is limited to it.
fn length(config: &Config) -> usize {
    if matches!(config.position, PositionConfig::Learned) {
        config.context
    } else {
        16 * config.context
    }
}

#[test]
fn logits_match_the_reference_for_every_encoding() {
    for position in positions() {
        let model = TestModel::random(small(position), 1);
        check_against_reference(&model, length(&model.config));
    }
}

#[test]
fn logits_match_the_reference_for_every_kind_of_layer() {
    for norm in [Norm::RmsNorm, Norm::LayerNorm] {
        for activation in [Activation::Gelu, Activation::SwiGlu, Activation::Relu] {
            for (heads, kv_heads) in [(4, 4), (4, 2), (4, 1), (1, 1)] {
                for tied_head in [true, false] {
                    let config =
                        Config { norm, activation, heads, kv_heads, tied_head, ..small(expe()) };
                    check_against_reference(&TestModel::random(config, 2), 24);
                }
            }
        }
    }
}

#[test]
fn chunks_are_bit_identical_to_single_tokens() {
    for position in positions() {
        let file = TestModel::random(small(position), 3).file(DType::F32);
        let tokens = tokens(16, 12);
        let one_by_one = logits(&file, &tokens, 1);
        for chunk in 2..=tokens.len() + 1 {
            assert_eq!(
                logits(&file, &tokens, chunk),
                one_by_one,
                "{position:?}, {chunk} at a time"
            );
        }
    }
}

#[test]
fn decoding_again_after_truncation_is_bit_identical() {
    for position in positions() {
        let file = TestModel::random(small(position), 4).file(DType::F32);
        let model = Model::new(file.bytes()).unwrap();
        let config = model.config();
        let decoder = Decoder::new(&model, model.position().unwrap()).unwrap();
        let (mut cache, mut workspace) =
            (vec![0; config.cache_len::<F32>(16)], vec![0; config.workspace_len(3, 16)]);
        let mut cache = decoder.cache::<F32>(16, &mut cache).unwrap();
        let mut workspace = decoder.workspace(3, 16, &mut workspace).unwrap();
        let tokens = tokens(16, 13);
        let first = decoder.forward(&tokens, &mut cache, &mut workspace).unwrap().to_vec();
        cache.truncate(20);
        assert_eq!(cache.len(), 16);
        cache.truncate(5);
        let again = decoder.forward(&tokens[5..], &mut cache, &mut workspace).unwrap();
        assert_eq!(again, first);
        cache.clear();
        assert!(cache.is_empty());
        assert_eq!(decoder.forward(&tokens, &mut cache, &mut workspace).unwrap(), first);
    }
}

#[test]
fn half_precision_weights_are_bit_identical_to_their_widened_values() {
    for position in positions() {
        let mut model = TestModel::random(small(position), 5);
        for kind in [
            TensorKind::Embed,
            TensorKind::Wq,
            TensorKind::Wk,
            TensorKind::Wv,
            TensorKind::Wo,
            TensorKind::W1,
            TensorKind::W2,
        ] {
            let layers = if kind == TensorKind::Embed { 1 } else { model.config.layers as u32 };
            for weight in (0..layers).flat_map(|layer| model.tensor(kind, layer).to_vec()) {
                assert!(
                    (F16::widen(F16::narrow(weight).unwrap()) - weight).abs()
                        <= weight.abs() * 0.5f32.powi(11) + 0.5f32.powi(25)
                );
            }
            for layer in 0..layers {
                for weight in model.tensor_mut(kind, layer) {
                    *weight = F16::widen(F16::narrow(*weight).unwrap());
                }
            }
        }
        let (wide, narrow) = (model.file(DType::F32), model.file(DType::F16));
        assert!(narrow.bytes().len() < wide.bytes().len() * 2 / 3);
        let tokens = tokens(16, 14);
        assert_eq!(logits(&narrow, &tokens, 4), logits(&wide, &tokens, 4));
    }
}

#[test]
fn buffers_of_the_computed_length_are_just_large_enough() {
    for position in positions() {
        for activation in [Activation::Gelu, Activation::SwiGlu] {
            let config = Config { activation, ..small(position) };
            let file = TestModel::random(config, 6).file(DType::F32);
            let model = Model::new(file.bytes()).unwrap();
            let decoder = Decoder::new(&model, model.position().unwrap()).unwrap();
            for (chunk, context) in [(1, 1), (3, 8), (20, 11)] {
                let (cache_len, workspace_len) =
                    (config.cache_len::<F32>(context), config.workspace_len(chunk, context));
                let mut cache = vec![0; cache_len];
                let mut workspace = vec![0; workspace_len];
                let error = decoder.cache::<F32>(context, &mut cache[1..]).unwrap_err();
                assert_eq!((error.needed, error.found), (cache_len, cache_len - 1));
                let error = decoder.workspace(chunk, context, &mut workspace[1..]).unwrap_err();
                assert_eq!((error.needed, error.found), (workspace_len, workspace_len - 1));
                let mut cache = decoder.cache::<F32>(context, &mut cache).unwrap();
                let mut workspace = decoder.workspace(chunk, context, &mut workspace).unwrap();
                let tokens = tokens(context, 15);
                let logits = decoder.forward(&tokens, &mut cache, &mut workspace).unwrap();
                assert!(logits.len() == 256 && logits.iter().all(|x| x.is_finite()));
            }
        }
    }
    let file = TestModel::random(small(expe()), 6).file(DType::F32);
    let model = Model::new(file.bytes()).unwrap();
    let decoder = Decoder::new(&model, model.position().unwrap()).unwrap();
    for context in [usize::MAX, usize::MAX / 8, 1 << 40] {
        assert!(decoder.cache::<F32>(context, &mut [0; 64]).is_err());
        assert!(decoder.workspace(1, context, &mut [0; 64]).is_err());
        assert!(decoder.workspace(context, 1, &mut [0; 64]).is_err());
    }
}

#[test]
fn errors_are_typed_and_change_nothing() {
    let config = small(PositionConfig::Learned);
    let file = TestModel::random(config, 7).file(DType::F32);
    let model = Model::new(file.bytes()).unwrap();
    let decoder = Decoder::new(&model, model.position().unwrap()).unwrap();
    let room = 20;
    let mut memory = vec![0; config.cache_len::<F32>(room)];
    let mut cache = decoder.cache::<F32>(room, &mut memory).unwrap();
    let mut memory = vec![0; config.workspace_len(4, room)];
    let mut workspace = decoder.workspace(4, room, &mut memory).unwrap();
    let tokens = tokens(21, 16);
    decoder.forward(&tokens[..9], &mut cache, &mut workspace).unwrap();

    let beyond = PositionError::BeyondLength { position: 16, length: 16 };
    let wrong: [(&[u32], DecodeError); 4] = [
        (&[], DecodeError::NoTokens),
        (&[1, 2, 3, 4, 5, 256], DecodeError::Token { index: 5, token: 256, vocab: 256 }),
        (&tokens[..12], DecodeError::CacheFull { needed: 21, capacity: 20 }),
        (&tokens[..8], DecodeError::Position(beyond)),
    ];
    for (given, expected) in wrong {
        let mut called = false;
        let found = decoder.forward_each(given, &mut cache, &mut workspace, |_, _| called = true);
        assert_eq!(found, Err(expected));
        assert_eq!((cache.len(), called), (9, false));
    }
    let after = decoder.forward(&tokens[9..16], &mut cache, &mut workspace).unwrap().to_vec();
    assert_eq!(after, logits(&file, &tokens[..16], 16)[15]);

    // Another model of the same shape.
    let file = TestModel::random(config, 8).file(DType::F32);
    let model = Model::new(file.bytes()).unwrap();
    let other = Decoder::new(&model, model.position().unwrap()).unwrap();
    let found = other.forward(&tokens[..1], &mut cache, &mut workspace).map(<[f32]>::len);
    assert_eq!(found, Err(DecodeError::OtherCache));
    let mut memory = vec![0; config.workspace_len(4, room)];
    let mut others = other.workspace(4, room, &mut memory).unwrap();
    let found = decoder.forward(&tokens[..1], &mut cache, &mut others).map(<[f32]>::len);
    assert_eq!(found, Err(DecodeError::OtherWorkspace));
    let mut memory = vec![0; config.cache_len::<F32>(4 * room)];
    let mut cache = decoder.cache::<F32>(4 * room, &mut memory).unwrap();
    let found = decoder.forward(&tokens[..1], &mut cache, &mut workspace).map(<[f32]>::len);
    assert!(matches!(found, Err(DecodeError::Workspace(_))), "{found:?}");
}

/// An encoding that returns an error for one position.
struct Gap(u32);

impl PositionEncoding for Gap {
    fn embed(&self, n: u32, _: &mut [f32]) -> Result<(), PositionError> {
        let gap = PositionError::BeyondLength { position: n, length: self.0 };
        if n == self.0 { Err(gap) } else { Ok(()) }
    }
}

#[test]
fn an_error_in_a_later_chunk_undoes_the_earlier_ones() {
    let config = small(PositionConfig::None);
    let file = TestModel::random(config, 9).file(DType::F32);
    let model = Model::new(file.bytes()).unwrap();
    let decoder = Decoder::new(&model, Gap(7)).unwrap();
    let (mut cache, mut workspace) =
        (vec![0; config.cache_len::<F32>(12)], vec![0; config.workspace_len(2, 12)]);
    let mut cache = decoder.cache::<F32>(12, &mut cache).unwrap();
    let mut workspace = decoder.workspace(2, 12, &mut workspace).unwrap();
    decoder.forward(&[1, 2, 3], &mut cache, &mut workspace).unwrap();
    let found = decoder.forward(&[0; 9], &mut cache, &mut workspace).map(<[f32]>::len);
    let expected = PositionError::BeyondLength { position: 7, length: 7 };
    assert_eq!((found, cache.len()), (Err(DecodeError::Position(expected)), 3));
}

#[test]
fn only_the_models_encoding_is_accepted() {
    let file = |position| TestModel::random(small(position), 8).file(DType::F32);
    let (plain, expe) = (file(PositionConfig::None), file(expe()));
    let (plain, expe) = (Model::new(plain.bytes()).unwrap(), Model::new(expe.bytes()).unwrap());
    let rope = Rope::new(10_000.0, 10, Scaling::None).unwrap();
    assert_eq!(Decoder::new(&plain, rope).unwrap_err(), DecodeError::Rotation { model: false });
    assert!(Decoder::new(&plain, NoPosition).is_ok());
    let columns = |width| OverrideBlock { width, digits: 1 };
    assert_eq!(
        Decoder::new(&expe, Expe::<f32>::new(16.0, 0.0625, 5).unwrap()).unwrap_err(),
        DecodeError::Override { model: columns(6), encoding: columns(5) }
    );
    assert!(Decoder::new(&expe, NoPosition).is_err());
    // The encoding's own type and the run-time choice are the same decoder.
    let fixed = Decoder::new(&expe, Expe::<f32>::new(16.0, 0.0625, 6).unwrap()).unwrap();
    assert_eq!(Position::Expe(*fixed.position()), expe.position().unwrap());
}

/// The kernels' tests check the bounds of the approximations. This one checks that they reach the decoder,
/// and that exact functions are the default.
#[cfg(feature = "micromath")]
#[test]
fn approximate_functions_are_opt_in() {
    use expe_core::Float;
    use expe_core::internals::Math;
    use expe_core::num::{Approximate, Exact};

    fn run<M: Math>(decoder: &Decoder<'_, Position<'_>, Float<M>>, tokens: &[u32]) -> Vec<f32> {
        let config = decoder.model().config();
        let (mut cache, mut workspace) =
            (vec![0; config.cache_len::<F32>(16)], vec![0; config.workspace_len(4, 16)]);
        let mut cache = decoder.cache::<F32>(16, &mut cache).unwrap();
        let mut workspace = decoder.workspace(4, 16, &mut workspace).unwrap();
        decoder.forward(tokens, &mut cache, &mut workspace).unwrap().to_vec()
    }

    let file = TestModel::random(small(expe()), 10).file(DType::F32);
    let model = Model::new(file.bytes()).unwrap();
    let exact = Decoder::new(&model, model.position().unwrap()).unwrap();
    let tokens = tokens(16, 17);
    let approximate = exact.with_math::<Approximate>();
    let logits = run(&exact, &tokens);
    let other = run(&approximate, &tokens);
    assert_eq!(logits, run(&approximate.with_math::<Exact>(), &tokens));
    assert!(logits != other && other.iter().all(|x| x.is_finite()));
}
