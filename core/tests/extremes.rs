//! Integer arithmetic with weights, gains and ranges of any magnitude: every accepted model runs without overflow,
//! which would panic in this build.

mod support;

use expe_core::internals::{DType, Execution, Random, Storage, TensorKind};
use expe_core::{Activation, Config, DecodeError, Decoder, I8, Model, Norm, Tokenizer};
use support::TestModel;
use support::model::{positions, small};

/// Returns a random one of the `count` powers of two from `2^lowest` on.
fn power(random: &mut Random, lowest: i32, count: u32) -> f32 {
    2f32.powi(lowest + random.below(count) as i32)
}

#[test]
fn every_accepted_model_runs_without_overflow() {
    let (mut accepted, mut rejected) = (0, 0);
    for (seed, position) in (0..60).flat_map(|seed| positions().into_iter().map(move |p| (seed, p)))
    {
        let random = &mut Random::new(seed);
        let config = Config {
            norm: [Norm::RmsNorm, Norm::LayerNorm][random.below(2) as usize],
            activation: [Activation::Gelu, Activation::SwiGlu, Activation::Relu]
                [random.below(3) as usize],
            tied_head: random.below(2) == 0,
            epsilon: power(random, -60, 60),
            ..small(position)
        };
        let mut source = TestModel::random(config, seed);
        // Scales some of the tensors.
        for tensor in source.tensors_mut() {
            if random.below(3) == 0 {
                let factor = power(random, -24, 36);
                tensor.iter_mut().for_each(|weight| *weight *= factor);
            }
        }
        let dtype = [DType::Int8, DType::Int4][random.below(2) as usize];
        // An unknown range, one that is too small, and one so large that hardly a digit is left.
        let residual_range = [0.0, power(random, -126, 120), power(random, 0, 127)];
        let storage = Storage {
            layers: dtype,
            vocabulary: dtype,
            execution: Execution::Integer,
            residual_range: residual_range[random.below(3) as usize],
        };
        let file = source.file_with(Tokenizer::Bytes, storage);
        let model = Model::new(file.bytes()).unwrap();
        let decoder = match Decoder::integer(&model, model.position().unwrap()) {
            Ok(decoder) => decoder,
            Err(DecodeError::Range { tensor }) => {
                assert_ne!(
                    tensor.kind,
                    TensorKind::W2,
                    "its output is added to the residual stream, which saturates"
                );
                rejected += 1;
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        let (mut cache, mut workspace) =
            (vec![0; config.cache_len::<I8>(11)], vec![0; config.workspace_len(3, 11)]);
        let mut cache = decoder.ring_cache::<I8>(11, 2, &mut cache).unwrap();
        let mut workspace = decoder.workspace(3, 11, &mut workspace).unwrap();
        let tokens: Vec<u32> = (0..16).map(|_| random.below(256)).collect();
        let result =
            decoder.forward_each(&tokens, &mut cache, &mut workspace, |_, logits: &[i32]| {
                // 127/128 of 2^31, and half a unit.
                assert!(logits.iter().all(|logit| logit.unsigned_abs() <= 127 << 24), "{seed}");
            });
        match result {
            Ok(()) => accepted += 1,
            Err(DecodeError::Position(_)) => rejected += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(accepted > 100 && rejected > 100, "{accepted} accepted, {rejected} rejected");
}
