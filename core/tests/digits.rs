//! Custom encodings, whose digits may be larger than their positions.

mod support;

use expe_core::internals::{DType, TensorKind};
use expe_core::num::Dyadic;
use expe_core::position::{
    Beyond, OverrideBlock, Position, PositionConfig, PositionEncoding, PositionError, Progression,
};
use expe_core::{Decoder, I8, Model};
use support::model::small;
use support::{AlignedBytes, TestModel};

/// ExPE in finer steps: the digit of position `n` is `n·2^bits`, its step `θ·2^-bits`.
struct Finer<'p> {
    expe: Position<'p>,
    bits: u32,
}

impl PositionEncoding for Finer<'_> {
    fn override_block(&self) -> OverrideBlock {
        PositionEncoding::override_block(&self.expe)
    }

    fn progression(&self, digit: usize) -> Progression {
        let Progression { start, step } = PositionEncoding::progression(&self.expe, digit);
        let exponent = step.exponent - self.bits as i32;
        Progression { start, step: Dyadic { exponent, ..step } }
    }

    fn key_digits(&self, n: u32, digits: &mut [u32]) -> Result<(), PositionError> {
        PositionEncoding::key_digits(&self.expe, n, digits)?;
        digits.iter_mut().for_each(|digit| *digit <<= self.bits);
        Ok(())
    }
}

/// Returns the logits after 20 tokens, in a ring of 8.
fn logits(file: &AlignedBytes, bits: u32) -> Vec<i32> {
    let model = Model::new(file.bytes()).unwrap();
    let position = Finer { expe: model.position().unwrap(), bits };
    let decoder = Decoder::integer(&model, position).unwrap();
    let config = model.config();
    let (mut cache, mut workspace) =
        (vec![0; config.cache_len::<I8>(8)], vec![0; config.workspace_len(5, 8)]);
    let mut cache = decoder.ring_cache::<I8>(8, 2, &mut cache).unwrap();
    let mut workspace = decoder.workspace(5, 8, &mut workspace).unwrap();
    let tokens: Vec<u32> = (0..20).map(|n| n * 37 % 256).collect();
    decoder.forward(&tokens, &mut cache, &mut workspace).unwrap().to_vec()
}

/// Position terms are so large that all attention is on one position. The last digit of a term then does not
/// matter, and the logits must be equal.
#[test]
fn digits_can_be_larger_than_positions() {
    let step = 2f32.powi(8);
    let (width, query_cap, beyond) = (6, None, Beyond::Refuse);
    let config = small(PositionConfig::Expe { start: 0.0, step, width, query_cap, beyond });
    let mut source = TestModel::random(config, 1);
    for layer in 0..config.layers as u32 {
        for kind in [TensorKind::Wk, TensorKind::Wq] {
            source.tensor_mut(kind, layer).iter_mut().for_each(|w| *w *= 8.0);
        }
    }
    let file = source.file(DType::Int8);
    let expected = logits(&file, 0);
    for bits in [2, 4, 7, 12, 20, 28] {
        assert_eq!(logits(&file, bits), expected, "{bits} bits");
    }
}
