//! Compares integer arithmetic with floating point for the same matrices and with itself for other chunk lengths
//! and in steps, and runs it over a million tokens.

mod support;

use expe_core::internals::{DType, Random, TensorKind};
use expe_core::position::{Beyond, Position, PositionConfig, Scaling};
use expe_core::{
    Activation, Attend, CacheFormat, Config, DecodeError, Decoder, F16, F32, I8, Integer, Model,
    Norm, Sampler,
};
use support::model::{expe, positions, small};
use support::{AlignedBytes, TestModel};

fn tokens(count: usize, seed: u64) -> Vec<u32> {
    let mut random = Random::new(seed);
    (0..count).map(|_| random.below(256)).collect()
}

/// Returns the logits after every token, decoding `chunk` tokens at a time.
fn logits<A: Attend<S>, S: CacheFormat>(
    decoder: &Decoder<'_, Position<'_>, A>,
    tokens: &[u32],
    chunk: usize,
) -> Vec<Vec<A::Scalar>> {
    let config = decoder.model().config();
    let mut cache = vec![u32::MAX; config.cache_len::<S>(tokens.len())];
    let mut cache = decoder.cache::<S>(tokens.len(), &mut cache).unwrap();
    let mut workspace = vec![u32::MAX; config.workspace_len(chunk, tokens.len())];
    let mut workspace = decoder.workspace(chunk, tokens.len(), &mut workspace).unwrap();
    let mut rows = Vec::new();
    decoder
        .forward_each(tokens, &mut cache, &mut workspace, |_, logits| rows.push(logits.to_vec()))
        .unwrap();
    rows
}

fn in_integers(file: &AlignedBytes, tokens: &[u32], chunk: usize) -> Vec<Vec<i32>> {
    let model = Model::new(file.bytes()).unwrap();
    let decoder = Decoder::integer(&model, model.position().unwrap()).unwrap();
    logits::<_, I8>(&decoder, tokens, chunk)
}

fn in_floats<S: CacheFormat>(file: &AlignedBytes, tokens: &[u32]) -> Vec<Vec<f32>> {
    let model = Model::new(file.bytes()).unwrap();
    let decoder = Decoder::new(&model, model.position().unwrap()).unwrap();
    logits::<_, S>(&decoder, tokens, 4)
}

/// Returns the root mean square of the difference, relative to that of `exact`.
fn difference(found: &[Vec<f32>], exact: &[Vec<f32>]) -> f64 {
    let square = |x: f64| x * x;
    let pairs = || found.iter().flatten().zip(exact.iter().flatten());
    let errors: f64 = pairs().map(|(a, b)| square(f64::from(*a) - f64::from(*b))).sum();
    let sizes: f64 = pairs().map(|(_, b)| square(f64::from(*b))).sum();
    (errors / sizes).sqrt()
}

fn values(logits: Vec<Vec<i32>>) -> Vec<Vec<f32>> {
    logits.into_iter().map(|row| row.into_iter().map(|x| x as f32 / 65_536.0).collect()).collect()
}

/// 8-bit activations are off by up to 1/254 of a row's largest element, which is about three times the root mean
/// square in these rows of 24 to 40: an error of 1/254·√(1/3)·3 = 0.7 % per matrix. Two layers with six matrices in
/// a row and softmax in between may increase it to 8 %; a wrong shift or a missing term gives 100 %.
const ACTIVATIONS: f64 = 0.08;

#[test]
fn integers_match_floats_for_every_encoding() {
    for position in positions() {
        for dtype in [DType::Int8, DType::Int4] {
            let file = TestModel::random(small(position), 1).file(dtype);
            let config = small(position);
            let far = if position == PositionConfig::Learned { 1 } else { 16 };
            let tokens = tokens(far * config.context, 11);
            let floats = in_floats::<F32>(&file, &tokens);
            let cached = in_floats::<I8>(&file, &tokens);
            let halved = in_floats::<F16>(&file, &tokens);
            let integers = values(in_integers(&file, &tokens, 5));
            assert!(difference(&halved, &floats) < ACTIVATIONS, "f16 cache, {position:?}");
            assert!(difference(&cached, &floats) < ACTIVATIONS, "i8 cache, {position:?}");
            let error = difference(&integers, &floats);
            assert!(error < ACTIVATIONS && error > 0.0, "{error} {position:?} {dtype}");
            // With an 8-bit cache both arithmetics round at the same places; only last digits differ.
            let error = difference(&integers, &cached);
            assert!(error < ACTIVATIONS / 2.0, "{error} {position:?} {dtype}");
        }
    }
}

#[test]
fn integers_match_floats_for_every_kind_of_layer() {
    for norm in [Norm::RmsNorm, Norm::LayerNorm] {
        for activation in [Activation::Gelu, Activation::SwiGlu, Activation::Relu] {
            for (heads, kv_heads, tied_head) in [(4, 4, true), (4, 2, false), (4, 1, true)] {
                let config =
                    Config { norm, activation, heads, kv_heads, tied_head, ..small(expe()) };
                let file = TestModel::random(config, 2).file(DType::Int8);
                let tokens = tokens(40, 12);
                let floats = in_floats::<F32>(&file, &tokens);
                let error = difference(&values(in_integers(&file, &tokens, 3)), &floats);
                assert!(error < ACTIVATIONS, "{error} {config:?}");
            }
        }
    }
}

/// Integer matrices give the results of their dequantized weights, except for the rounding of inputs.
#[test]
fn integer_matrices_match_their_dequantized_weights() {
    for dtype in [DType::Int8, DType::Int4, DType::Bf16] {
        let config = small(expe());
        let source = TestModel::random(config, 3);
        let file = source.file(dtype);
        let model = Model::new(file.bytes()).unwrap();
        let mut rounded = source.clone();
        for (id, matrix) in model.matrices() {
            let skip = id.kind.folded(&config);
            let weights = rounded.tensor_mut(id.kind, id.layer);
            for (o, row) in weights.chunks_mut(matrix.cols() + skip).enumerate() {
                matrix.read_row(o, &mut row[skip..]);
            }
        }
        let tokens = tokens(40, 13);
        let exact = in_floats::<F32>(&rounded.file(DType::F32), &tokens);
        let error = difference(&in_floats::<F32>(&file, &tokens), &exact);
        assert!(error < if dtype == DType::Bf16 { 1e-5 } else { ACTIVATIONS }, "{error}");
    }
}

#[test]
fn chunks_and_steps_are_bit_identical_to_single_tokens() {
    for position in positions() {
        let file = TestModel::random(small(position), 4).file(DType::Int8);
        let tokens = tokens(16, 14);
        let one_by_one = in_integers(&file, &tokens, 1);
        for chunk in 2..=tokens.len() + 1 {
            assert_eq!(in_integers(&file, &tokens, chunk), one_by_one, "{position:?}, {chunk}");
        }

        let model = Model::new(file.bytes()).unwrap();
        let config = model.config();
        let decoder = Decoder::integer(&model, model.position().unwrap()).unwrap();
        let (mut cache, mut workspace) =
            (vec![0; config.cache_len::<I8>(16)], vec![0; config.workspace_len(2, 16)]);
        let mut cache = decoder.cache::<I8>(16, &mut cache).unwrap();
        let mut workspace = decoder.workspace(2, 16, &mut workspace).unwrap();
        let too_many = decoder.start(&tokens[..3], &mut cache, &mut workspace).map(|_| ());
        assert_eq!(too_many, Err(DecodeError::Chunk { found: 3, chunk: 2 }));
        for (pair, expected) in tokens.chunks(2).zip(one_by_one.chunks(2)) {
            let before = cache.len();
            // A forward pass that is dropped halfway does not change the cache.
            let mut forward = decoder.start(pair, &mut cache, &mut workspace).unwrap();
            assert!(forward.step());
            assert_eq!(cache.len(), before);
            let mut forward = decoder.start(pair, &mut cache, &mut workspace).unwrap();
            let mut steps = 0;
            while forward.step() {
                steps += 1;
            }
            assert_eq!(steps, config.layers + 1);
            assert!(!forward.step());
            assert_eq!(forward.logits(), expected[1]);
            assert_eq!(cache.len(), before + 2);
        }
    }
}

/// With position-free keys, a ring that has dropped its oldest positions equals a cache that never had them. This is
/// checked in the first layer, whose keys and values depend on the token only.
#[test]
fn a_ring_moves_its_window_without_changing_a_key() {
    let free = |position: &PositionConfig| {
        !matches!(
            position,
            PositionConfig::Learned
                | PositionConfig::Sinusoidal { .. }
                | PositionConfig::Rope { .. }
        )
    };
    for position in positions().into_iter().filter(free) {
        let config = Config { layers: 1, ..small(position) };
        let file = TestModel::random(config, 5).file(DType::Int8);
        let model = Model::new(file.bytes()).unwrap();
        let decoder = Decoder::integer(&model, model.position().unwrap()).unwrap();
        for (capacity, sinks) in [(8, 0), (8, 3), (1, 0), (2, 9)] {
            let sinks_kept = sinks.min(capacity - 1);
            let (mut ring, mut workspace) = (
                vec![0; config.cache_len::<I8>(capacity)],
                vec![0; config.workspace_len(5, capacity)],
            );
            let mut ring = decoder.ring_cache::<I8>(capacity, sinks, &mut ring).unwrap();
            let mut workspace = decoder.workspace(5, capacity, &mut workspace).unwrap();
            let all = tokens(40, 15);
            let mut read = 0;
            for part in all.chunks(3) {
                let found = decoder.forward(part, &mut ring, &mut workspace).unwrap().to_vec();
                read += part.len();
                let kept = sinks_kept.min(read);
                let recent = (capacity - kept).min(read - kept);
                let mut window = all[..kept].to_vec();
                window.extend(&all[read - recent..read]);
                assert_eq!(ring.len(), window.len());
                let expected = in_integers(&file, &window, 4);
                assert_eq!(found, *expected.last().unwrap(), "{position:?} {capacity} {sinks}");
            }
        }
    }
}

/// Encodings with positions inside the keys continue counting, up to the length of the encoding.
#[test]
fn positions_count_on_in_a_ring_of_keys_with_positions() {
    for position in positions() {
        let file = TestModel::random(small(position), 6).file(DType::Int8);
        let model = Model::new(file.bytes()).unwrap();
        let config = model.config();
        let decoder = Decoder::integer(&model, model.position().unwrap()).unwrap();
        let (mut ring, mut workspace) =
            (vec![0; config.cache_len::<I8>(8)], vec![0; config.workspace_len(3, 8)]);
        let mut ring = decoder.ring_cache::<I8>(8, 2, &mut ring).unwrap();
        let mut workspace = decoder.workspace(3, 8, &mut workspace).unwrap();
        let result = decoder.forward(&tokens(40, 16), &mut ring, &mut workspace).map(|_| ());
        if position == PositionConfig::Learned {
            assert!(matches!(result, Err(DecodeError::Position(_))), "{result:?}");
            assert_eq!(ring.len(), 0);
        } else {
            assert_eq!((result, ring.len()), (Ok(()), 8));
        }
    }
}

/// Runs a million tokens in fixed memory twice, without overflow (which would panic in this build) or drift and with
/// equal digests.
#[test]
fn a_million_tokens_pass_through_a_ring() {
    let config = Config {
        vocab: 256,
        width: 8,
        layers: 1,
        heads: 2,
        kv_heads: 1,
        head_width: 4,
        hidden: 8,
        position: PositionConfig::Expe {
            start: 16.0,
            step: 0.0625,
            width: 2,
            query_cap: None,
            beyond: Beyond::Refuse,
        },
        ..small(expe())
    };
    let file = TestModel::random(config, 7).file(DType::Int8);
    let model = Model::new(file.bytes()).unwrap();
    let decoder = Decoder::integer(&model, model.position().unwrap()).unwrap();
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
    let run = || {
        let (mut ring, mut workspace) =
            (vec![0; config.cache_len::<I8>(16)], vec![0; config.workspace_len(1, 16)]);
        let mut ring = decoder.ring_cache::<I8>(16, 2, &mut ring).unwrap();
        let mut workspace = decoder.workspace(1, 16, &mut workspace).unwrap();
        let mut sampler = Sampler::new(2.0, 0, 3).unwrap();
        let (mut token, mut digest, mut seen) = (0, crc.digest(), [false; 256]);
        for _ in 0..1_000_000 {
            let logits = decoder.forward(&[token], &mut ring, &mut workspace).unwrap();
            digest.update(&logits[token as usize].to_le_bytes());
            token = sampler.sample(logits).unwrap();
            seen[token as usize] = true;
        }
        assert_eq!(ring.len(), 16);
        (digest.finalize(), seen.iter().filter(|seen| **seen).count())
    };
    let first = run();
    assert!(first.1 > 50, "it got stuck: {first:?}");
    assert_eq!(first, run());
}

#[test]
fn models_that_integers_cannot_run_are_rejected() {
    let config = small(expe());
    let rejected = |source: &TestModel, dtype| {
        let file = source.file(dtype);
        let model = Model::new(file.bytes()).unwrap();
        Decoder::<Position<'_>, Integer>::integer(&model, model.position().unwrap()).unwrap_err()
    };
    let source = TestModel::random(config, 8);
    for dtype in [DType::F32, DType::F16, DType::Bf16] {
        let DecodeError::NotInteger { tensor } = rejected(&source, dtype) else { panic!() };
        assert_eq!(tensor.kind, TensorKind::Embed);
    }
    for kind in
        [TensorKind::Wq, TensorKind::Wk, TensorKind::Wv, TensorKind::W1, TensorKind::AttnNorm]
    {
        let mut source = source.clone();
        source.tensor_mut(kind, 1).iter_mut().for_each(|weight| *weight *= 10_000.0);
        for dtype in [DType::Int8, DType::Int4] {
            let DecodeError::Range { tensor } = rejected(&source, dtype) else {
                panic!("{kind:?}")
            };
            // The folded columns of a projection are checked before its matrix.
            assert_eq!(tensor.layer, 1, "{kind:?}");
        }
    }
}

/// Position terms that exceed the 32 bits of a score give all weight to the first or the last token in some heads, as
/// they do in floats.
#[test]
fn positions_beyond_the_range_of_a_score_act_as_in_floats() {
    let position = PositionConfig::Expe {
        start: 0.0,
        step: 8.0,
        width: 6,
        query_cap: None,
        beyond: Beyond::Refuse,
    };
    let config = Config { layers: 1, ..small(position) };
    for seed in 0..4 {
        let file = TestModel::random(config, seed).file(DType::Int8);
        let tokens = tokens(300, 17);
        let floats = in_floats::<I8>(&file, &tokens);
        let integers = values(in_integers(&file, &tokens, 5));
        let error = difference(&integers[150..], &floats[150..]);
        assert!(error < ACTIVATIONS, "{error}, seed {seed}");
    }
}

/// A rotation can enlarge the larger of two elements by √2, and YaRN's factor multiplies it.
#[test]
fn rotated_heads_need_more_room() {
    let largest = |position| {
        let rejected = |factor: &f32| {
            let mut source = TestModel::random(small(position), 9);
            source.tensor_mut(TensorKind::Wk, 1).iter_mut().for_each(|weight| *weight *= factor);
            let file = source.file(DType::Int8);
            let model = Model::new(file.bytes()).unwrap();
            Decoder::integer(&model, model.position().unwrap()).is_err()
        };
        let mut factors = core::iter::successors(Some(1.0f32), |factor| Some(factor * 1.1));
        f64::from(factors.find(rejected).unwrap())
    };
    let rope = |scaling| largest(PositionConfig::Rope { base: 500.0, scaling });
    let free = largest(PositionConfig::None);
    // Each factor is determined to within a tenth.
    let plain = free / rope(Scaling::None);
    assert!(plain > 1.5 / 1.11 && plain < 1.5 * 1.11, "{plain}");
    let yarn = free / rope(Scaling::Yarn { factor: 1e6, original: 16 });
    let exact = 1.5 * (0.1 * 1e6f64.ln() + 1.0);
    assert!(yarn > exact / 1.11 && yarn < exact * 1.11, "{yarn}");
}
