//! Model files with random weights, in the same shapes as the models of the rivals.

use std::{convert::Infallible, fs, path::Path};

use anyhow::{Context as _, Result, anyhow};
use expe_core::format::TensorId;
use expe_core::internals::{
    Bpe, DType, Execution, QuantizedRow, Random, SUPPORTED, Storage, TensorKind, WeightSource,
    Writer,
};
use expe_core::position::PositionConfig;
use expe_core::{Activation, Config, Norm, Tokenizer};

/// Shapes and their names in the tables.
pub const SHAPES: [(&str, Config); 3] = [
    ("s0", shape(512, 64, 5, 8, 4, 172)),
    ("s1", shape(512, 128, 4, 4, 4, 352)),
    // For the cost of positions: as wide as common small models, but small otherwise.
    ("wide", shape(256, 288, 6, 6, 6, 16)),
];

const fn shape(
    vocab: usize,
    width: usize,
    layers: usize,
    heads: usize,
    kv_heads: usize,
    hidden: usize,
) -> Config {
    Config {
        vocab,
        width,
        layers,
        heads,
        kv_heads,
        head_width: width / heads,
        hidden,
        context: 256,
        norm: Norm::RmsNorm,
        epsilon: 1e-5,
        activation: Activation::SwiGlu,
        tied_head: true,
        position: PositionConfig::None,
    }
}

/// Returns the position encodings with their default parameters for models of this width, by name.
pub fn positions(width: usize) -> impl Iterator<Item = (&'static str, PositionConfig)> {
    SUPPORTED
        .into_iter()
        .filter_map(move |name| Some((name, PositionConfig::by_name(name, width)?)))
}

/// Writes a model with random weights: matrices in f32, or in int8 for the integer arithmetic.
pub fn write(config: &Config, dtype: DType, file: &Path) -> Result<()> {
    // The tokenizer is never used, but it must have as many tokens as the vocabulary.
    let mut records = vec![[0; 3]; config.vocab - 256];
    let pairs = (0..records.len() as u32).map(|pair| (pair % 256, (pair + 1) % 256));
    let tokenizer = Tokenizer::Bpe(Bpe::build(pairs, &mut records)?);
    let tokenizer = if config.vocab == 256 { Tokenizer::Bytes } else { tokenizer };
    let execution = if dtype == DType::Int8 { Execution::Integer } else { Execution::Float };
    let storage = Storage { layers: dtype, vocabulary: dtype, execution, residual_range: 16.0 };
    let writer = Writer::new(config, tokenizer, storage)?;
    let mut bytes = Vec::new();
    let mut weights = Weights { config: *config, row: Vec::new(), quants: Vec::new() };
    let written = writer.write(&mut weights, |piece| {
        bytes.extend_from_slice(piece);
        Ok::<_, Infallible>(())
    });
    written.map_err(|error| anyhow!("{error:?}"))?;
    fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}

/// Random weights. Every row has its own generator, so that it does not depend on the order of requests.
struct Weights {
    config: Config,
    row: Vec<f32>,
    quants: Vec<i8>,
}

impl WeightSource for Weights {
    type Error = Infallible;

    fn row(&mut self, tensor: TensorId, row: usize) -> Result<&[f32], Infallible> {
        let position = self.config.position.unfolded();
        let unfolded = Config { position, ..self.config };
        let columns = tensor.kind.shape(&unfolded).map_or(0, |(_, columns)| columns);
        let seed = u64::from(tensor.kind.code()) << 48 | u64::from(tensor.layer) << 32;
        let mut random = Random::new(seed | row as u64);
        let (center, scale) = match tensor.kind {
            TensorKind::AttnNorm | TensorKind::MlpNorm | TensorKind::FinalNorm => (1.0, 0.2),
            _ => (0.0, 1.0 / (columns as f32).sqrt()),
        };
        self.row = (0..columns).map(|_| center + scale * random.normal()).collect();
        Ok(&self.row)
    }

    fn quantized_row(
        &mut self,
        tensor: TensorId,
        row: usize,
    ) -> Result<QuantizedRow<'_>, Infallible> {
        let folded = tensor.kind.folded(&self.config);
        let weights = &self.row(tensor, row)?[folded..];
        let scale = weights.iter().fold(0.0, |max: f32, w| max.max(w.abs())) / 127.0;
        self.quants = weights.iter().map(|w| (w / scale).round() as i8).collect();
        Ok(QuantizedRow::Int8 { scale, quants: &self.quants })
    }
}
