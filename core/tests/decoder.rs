//! The engine against the reference decoder, and against itself in other chunks.

mod support;

use expe_core::format::{Model, Numbers};
use expe_core::model::{Activation, Config, Decoder, KvCache, Norm, Workspace};
use expe_core::num::Random;
use expe_core::position::PositionConfig;
use support::model::{expe, positions, small};
use support::{AlignedBytes, TestModel, reference};

/// Logits after every token, `chunk` tokens at a time.
fn logits(file: &AlignedBytes, tokens: &[u32], chunk: usize) -> Vec<Vec<f32>> {
    let model = Model::new(file.bytes()).unwrap();
    let config = model.config();
    let decoder = Decoder::new(&model, model.position().unwrap()).unwrap();
    let mut cache = vec![f32::NAN; config.cache_len(tokens.len())];
    let mut cache = KvCache::new(config, tokens.len(), &mut cache).unwrap();
    let mut workspace = vec![f32::NAN; config.workspace_len(chunk, tokens.len())];
    let mut workspace = Workspace::new(config, chunk, tokens.len(), &mut workspace).unwrap();
    let mut rows = Vec::new();
    decoder
        .forward_each(tokens, &mut cache, &mut workspace, |index, logits| {
            assert_eq!(index, rows.len());
            rows.push(logits.to_vec());
        })
        .unwrap();
    assert_eq!(rows.len(), tokens.len());
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

/// How far f32 arithmetic may lead from the exact logits.
///
/// A dot product of `n` terms in f32 is the exact one of factors that are off by at most
/// `(n/8 + 12)·2^-24`, and every other step is off by a few 2^-24 of its result: the whole is the
/// exact result of a model whose weights are a little different. So change all weights by as much,
/// at random, and see what that does to the exact logits; four times the largest of three changes.
fn tolerance(model: &TestModel, tokens: &[u32], exact: &[Vec<f64>]) -> f64 {
    let Config { width, hidden, heads, head_width, .. } = model.config;
    let longest = width.max(hidden).max(heads * head_width).max(tokens.len());
    let size = (longest as f32 / 8.0 + 12.0) * f32::EPSILON / 2.0;
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
    let found: Vec<Vec<f64>> = logits(&model.file(Numbers::F32), &tokens, 7)
        .into_iter()
        .map(|row| row.into_iter().map(f64::from).collect())
        .collect();
    let error = distance(&found, &exact);
    let what = &model.config;
    assert!(tolerance < 1e-3 * largest, "no test: {tolerance} of {largest} for {what:?}");
    assert!(error <= tolerance, "{error} > {tolerance} for {what:?}");
}

/// Past the context, where the encoding allows it.
fn length(config: &Config) -> usize {
    if matches!(config.position, PositionConfig::Learned) {
        config.context
    } else {
        5 * config.context
    }
}

#[test]
fn agrees_with_the_reference_for_every_encoding() {
    for position in positions() {
        let model = TestModel::random(small(position), 1);
        check_against_reference(&model, length(&model.config));
    }
}

#[test]
fn agrees_with_the_reference_for_every_kind_of_layer() {
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
fn chunks_have_the_bits_of_single_tokens() {
    for position in positions() {
        let file = TestModel::random(small(position), 3).file(Numbers::F32);
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
