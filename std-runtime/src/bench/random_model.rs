use std::convert::Infallible;
use std::io::{self, Write};
use std::path::Path;

use expe_core::Config;
use expe_core::format::TensorId;
use expe_core::internals::{
    DType, GROUP, GROUP_BYTES, QuantizedRow, Random, TensorKind, WeightSource, WriteError, Writer,
};

use super::BenchError;
use crate::data::Tokenizer;
use crate::engine::ModelFile;
use crate::export::Scheme;

/// Standard deviation of a weight, the same as that of initial weights.
const DEVIATION: f32 = 0.02;
/// Standard deviation of uniformly distributed bytes, with −127 instead of −128.
const INT8_DEVIATION: f32 = 73.9;
/// Standard deviation of uniformly distributed integers from −8 to 7.
const INT4_DEVIATION: f32 = 4.61;
/// The factor of every group of an int4 row.
const INT4_FACTOR: u8 = 128;
/// Range of the residual stream, well above the values in an initial model, which are about 1.
const RESIDUAL_RANGE: f32 = 8.0;

/// Creates a model file with random weights, for timing only.
///
/// Weights are distributed uniformly, with the standard deviation of initial weights; gains are 1. Integers are
/// drawn directly instead of being rounded.
///
/// # Errors
/// [`BenchError::Model`], [`BenchError::Vocabulary`] or [`BenchError::Format`] for sizes that do not form a
/// model.
pub fn random_model(config: &Config, scheme: Scheme) -> Result<ModelFile, BenchError> {
    config.check()?;
    let vocab = config.vocab;
    let merges = vocab.checked_sub(256).ok_or(BenchError::Vocabulary { vocab })?;
    let pair = |rank: usize| (rank as u32 / 256 % 256, rank as u32 % 256);
    let pairs: Vec<_> = (0..merges).map(pair).collect();
    let tokenizer = Tokenizer::from_merges(&pairs)?;
    let writer = Writer::new(config, tokenizer.core(), scheme.storage(RESIDUAL_RANGE))?;
    let mut source = Source { config, scheme, row: Row::default() };
    let len = usize::try_from(writer.file_len()).unwrap_or(usize::MAX);
    ModelFile::filled(Path::new("random model"), len, |mut rest| {
        let written = writer.write(&mut source, |piece| rest.write_all(piece));
        written.map_err(|error: WriteError<Infallible, io::Error>| {
            BenchError::Weights(error.to_string())
        })
    })
}

/// Generates the rows of tensors on request, as a function of tensor and row.
struct Source<'a> {
    config: &'a Config,
    scheme: Scheme,
    row: Row,
}

/// Buffers of the current row.
#[derive(Default)]
struct Row {
    floats: Vec<f32>,
    int8: Vec<i8>,
    int4: Vec<u8>,
    factors: Vec<u8>,
}

impl Source<'_> {
    /// Returns the random generator of a row and its number of columns in the file.
    fn open(&self, tensor: TensorId, row: usize) -> (Random, usize) {
        let key = u64::from(tensor.kind.code()) << 32 | u64::from(tensor.layer);
        let columns = tensor.kind.shape(self.config).map_or(0, |(_, columns)| columns);
        (Random::keyed(key, row as u64), columns)
    }
}

impl WeightSource for Source<'_> {
    type Error = Infallible;

    fn row(&mut self, tensor: TensorId, row: usize) -> Result<&[f32], Infallible> {
        let (mut random, columns) = self.open(tensor, row);
        let columns = columns + tensor.kind.folded(self.config);
        let floats = &mut self.row.floats;
        floats.clear();
        if matches!(tensor.kind, TensorKind::AttnNorm | TensorKind::MlpNorm | TensorKind::FinalNorm)
        {
            floats.resize(columns, 1.0);
        } else {
            // The standard deviation of a uniform distribution over ±a is a/√3.
            let width = 2.0 * DEVIATION * 3f32.sqrt();
            floats.extend((0..columns).map(|_| width * (random.uniform() - 0.5)));
        }
        Ok(floats)
    }

    fn quantized_row(
        &mut self,
        tensor: TensorId,
        row: usize,
    ) -> Result<QuantizedRow<'_>, Infallible> {
        let (mut random, columns) = self.open(tensor, row);
        let Row { int8, int4, factors, .. } = &mut self.row;
        if self.scheme.storage(0.0).dtype_of(tensor.kind) == DType::Int8 {
            int8.clear();
            int8.extend((0..columns).map(|_| (random.next_u32() as i8).max(-127)));
            return Ok(QuantizedRow::Int8 { scale: DEVIATION / INT8_DEVIATION, quants: int8 });
        }
        let groups = columns.div_ceil(GROUP);
        factors.clear();
        factors.resize(groups, INT4_FACTOR);
        int4.clear();
        int4.extend((0..groups * GROUP_BYTES).map(|byte| {
            let column = byte / GROUP_BYTES * GROUP + byte % GROUP_BYTES;
            let present = |column: usize, half: u8| if column < columns { half } else { 0 };
            let bits = random.next_u32() as u8;
            present(column, bits & 0x0f) | present(column + GROUP_BYTES, bits & 0xf0)
        }));
        let scale = DEVIATION / INT4_DEVIATION / f32::from(INT4_FACTOR);
        Ok(QuantizedRow::Int4 { scale, factors, quants: int4 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{position, preset};
    use crate::engine::logits;

    #[test]
    fn models_of_every_format_run() {
        let mut config = preset("quick").unwrap().model;
        config.vocab = 300;
        for name in ["none", "learned", "rope", "expe", "exqpe"] {
            config.position = position(name, config.width).unwrap();
            for scheme in Scheme::ALL {
                let file = random_model(&config, scheme).unwrap();
                let model = file.model().unwrap();
                let rows = logits(&model, &[1, 299, 7]).unwrap();
                assert!(rows.len() == 3 && rows.iter().flatten().all(|logit| logit.is_finite()));
                // The logits differ, so the weights are not all zero.
                assert!(rows[2].iter().any(|logit| *logit != rows[2][0]), "{name} {scheme}");
            }
        }
    }

    #[test]
    fn weights_have_the_deviation_of_initial_weights() {
        let config = preset("context-64").unwrap().model;
        for scheme in [Scheme::F32, Scheme::Int8, Scheme::Int4] {
            let file = random_model(&config, scheme).unwrap();
            let model = file.model().unwrap();
            let w1 = model.layers().next().unwrap().w1;
            let (rows, columns) = (w1.rows(), w1.cols());
            let mut row = vec![0.0; columns];
            let mut squares = 0.0;
            for index in 0..rows {
                assert!(w1.read_row(index, &mut row));
                squares += row.iter().map(|w| f64::from(w * w)).sum::<f64>();
            }
            let count = (rows * columns) as f64;
            let deviation = (squares / count).sqrt();
            // Six times the relative standard error of the mean of `count` squares, which is less than 1/√count.
            assert!(
                (deviation / 0.02 - 1.0).abs() < 6.0 / count.sqrt() + 0.01,
                "{scheme} {deviation}"
            );
        }
    }

    #[test]
    fn a_vocabulary_without_all_bytes_is_rejected() {
        let config = Config { vocab: 255, ..preset("quick").unwrap().model };
        let found = random_model(&config, Scheme::F32);
        assert!(matches!(found, Err(BenchError::Vocabulary { vocab: 255 })));
    }
}
