use std::collections::HashMap;
use std::convert::Infallible;

use expe_core::format::TensorId;
use expe_core::internals::{
    DType, GROUP, GROUP_BYTES, QuantizedRow, Random, Storage, TensorKind, WeightSource, Writer,
};
use expe_core::position::{Beyond, Growth, PositionConfig, Scaling};
use expe_core::{Activation, Config, Norm, Tokenizer};
use zerocopy::{FromZeros, IntoBytes};

/// Bytes whose address is a multiple of 16.
pub struct AlignedBytes {
    blocks: Vec<u128>,
    len: usize,
}

impl AlignedBytes {
    pub fn new(bytes: &[u8]) -> Self {
        let mut blocks = u128::new_vec_zeroed(bytes.len().div_ceil(16)).unwrap();
        blocks.as_mut_bytes()[..bytes.len()].copy_from_slice(bytes);
        Self { blocks, len: bytes.len() }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.blocks.as_bytes()[..self.len]
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.blocks.as_mut_bytes()[..self.len]
    }
}

/// A model with random weights, unfolded like a trained checkpoint.
#[derive(Clone)]
pub struct TestModel {
    pub config: Config,
    tensors: HashMap<(u16, u32), Vec<f32>>,
    rounded: Rounded,
}

impl TestModel {
    pub fn random(config: Config, seed: u64) -> Self {
        config.check().unwrap();
        let mut random = Random::new(seed);
        // The unfolded tensors are those of the same model without an overridden block.
        let unfolded = unfolded(&config);
        let mut tensors = HashMap::new();
        for shape in expe_core::internals::layout(&unfolded) {
            let gain = shape.rows == 1;
            let scale = if gain { 0.2 } else { 1.0 / (shape.columns as f32).sqrt() };
            let center = if gain { 1.0 } else { 0.0 };
            let weights =
                (0..shape.rows * shape.columns).map(|_| center + scale * random.normal()).collect();
            tensors.insert((shape.id.kind.code(), shape.id.layer), weights);
        }
        Self { config, tensors, rounded: Rounded::new(DType::F32) }
    }

    /// Returns an unfolded tensor.
    pub fn tensor(&self, kind: TensorKind, layer: u32) -> &[f32] {
        &self.tensors[&(kind.code(), layer)]
    }

    pub fn tensor_mut(&mut self, kind: TensorKind, layer: u32) -> &mut Vec<f32> {
        self.tensors.get_mut(&(kind.code(), layer)).unwrap()
    }

    pub fn tensors_mut(&mut self) -> impl Iterator<Item = &mut Vec<f32>> {
        // Sorted, so that random changes are the same in every run.
        let mut tensors: Vec<_> = self.tensors.iter_mut().collect();
        tensors.sort_by_key(|(key, _)| **key);
        tensors.into_iter().map(|(_, tensor)| tensor)
    }

    pub fn file(&self, dtype: DType) -> AlignedBytes {
        self.file_with(Tokenizer::Bytes, dtype)
    }

    pub fn file_with(&self, tokenizer: Tokenizer<'_>, storage: impl Into<Storage>) -> AlignedBytes {
        let storage = storage.into();
        assert_eq!(storage.layers, storage.vocabulary, "the source quantizes all matrices alike");
        let writer = Writer::new(&self.config, tokenizer, storage).unwrap();
        let mut bytes = Vec::new();
        let mut source = Self { rounded: Rounded::new(storage.layers), ..self.clone() };
        writer
            .write(&mut source, |piece| {
                bytes.extend_from_slice(piece);
                Ok::<(), Infallible>(())
            })
            .unwrap();
        assert_eq!(bytes.len() as u64, writer.file_len());
        AlignedBytes::new(&bytes)
    }
}

impl WeightSource for TestModel {
    type Error = String;

    fn row(&mut self, tensor: TensorId, row: usize) -> Result<&[f32], String> {
        let unfolded = unfolded(&self.config);
        let shape = tensor.kind.shape(&unfolded);
        let (rows, columns) = shape.ok_or_else(|| format!("asked for {tensor}"))?;
        assert!(row < rows);
        Ok(&self.tensor(tensor.kind, tensor.layer)[row * columns..][..columns])
    }

    fn quantized_row(&mut self, tensor: TensorId, row: usize) -> Result<QuantizedRow<'_>, String> {
        let skipped = tensor.kind.folded(&self.config);
        let weights = self.row(tensor, row)?[skipped..].to_vec();
        Ok(self.rounded.round(&weights))
    }
}

/// A row quantized by rounding to nearest.
#[derive(Clone)]
struct Rounded {
    dtype: DType,
    int8: Vec<i8>,
    factors: Vec<u8>,
    int4: Vec<u8>,
}

impl Rounded {
    fn new(dtype: DType) -> Self {
        Self { dtype, int8: Vec::new(), factors: Vec::new(), int4: Vec::new() }
    }

    fn round(&mut self, weights: &[f32]) -> QuantizedRow<'_> {
        let largest = |weights: &[f32]| weights.iter().fold(0.0, |max: f32, w| max.max(w.abs()));
        if self.dtype == DType::Int8 {
            let scale = largest(weights) / 127.0;
            self.int8 = weights.iter().map(|w| (w / scale).round() as i8).collect();
            return QuantizedRow::Int8 { scale, quants: &self.int8 };
        }
        assert_eq!(self.dtype, DType::Int4);
        let scale = largest(weights) / 7.0 / 255.0;
        (self.factors, self.int4) = (Vec::new(), Vec::new());
        for group in weights.chunks(GROUP) {
            let factor = (largest(group) / 7.0 / scale).ceil().clamp(1.0, 255.0);
            let mut bytes = [0u8; GROUP_BYTES];
            for (i, weight) in group.iter().enumerate() {
                let quant = (weight / (scale * factor)).round().clamp(-8.0, 7.0) as i8 as u8 & 15;
                bytes[i % GROUP_BYTES] |= quant << (4 * (i / GROUP_BYTES));
            }
            self.factors.push(factor as u8);
            self.int4.extend(bytes);
        }
        QuantizedRow::Int4 { scale, factors: &self.factors, quants: &self.int4 }
    }
}

fn unfolded(config: &Config) -> Config {
    let position = match config.position {
        PositionConfig::Learned => PositionConfig::Learned,
        _ => PositionConfig::None,
    };
    Config { position, ..*config }
}

/// Returns a small model with grouped queries and widths that are no powers of two.
pub fn small(position: PositionConfig) -> Config {
    Config {
        vocab: 256,
        width: 24,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        head_width: 10,
        hidden: 38,
        context: 16,
        norm: Norm::RmsNorm,
        epsilon: 1e-5,
        activation: Activation::Gelu,
        tied_head: true,
        position,
    }
}

pub fn expe() -> PositionConfig {
    PositionConfig::Expe {
        start: 16.0,
        step: 0.0625,
        width: 6,
        query_cap: None,
        beyond: Beyond::Refuse,
    }
}

/// Returns every encoding, with and without its options.
pub fn positions() -> Vec<PositionConfig> {
    let exqpe = |growth, digits, query_cap| PositionConfig::Exqpe {
        start: 4.0,
        step: 0.5,
        width: 6,
        base: 4,
        digits,
        growth,
        query_cap,
        beyond: Beyond::Refuse,
    };
    let PositionConfig::Expe { start, step, width, beyond, .. } = expe() else { unreachable!() };
    vec![
        PositionConfig::None,
        PositionConfig::Learned,
        PositionConfig::Sinusoidal { base: 10_000.0 },
        PositionConfig::Rope { base: 10_000.0, scaling: Scaling::None },
        PositionConfig::Rope { base: 500.0, scaling: Scaling::Linear { factor: 4.0 } },
        PositionConfig::Alibi,
        expe(),
        PositionConfig::Expe { start, step, width, query_cap: Some(12), beyond },
        PositionConfig::Expe { start: 0.0, step: 0.125, width: 24, query_cap: None, beyond },
        exqpe(Growth::Equal, 3, None),
        exqpe(Growth::Weighted, 2, None),
        exqpe(Growth::Weighted, 2, Some(12)),
    ]
}
