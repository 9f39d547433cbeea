use std::collections::BTreeMap;
use std::convert::Infallible;

use expe_core::format::{Numbers, TensorId, WeightSource, Writer, layout};
use expe_core::model::Config;
use expe_core::position::PositionConfig;
use expe_core::token::Tokenizer;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use zerocopy::{FromBytes, IntoBytes};

/// The unfolded weights of a model, by the names of `model.safetensors`.
///
/// Everything here panics where it fails: the test cannot run then.
#[derive(Debug, Clone)]
pub struct Weights {
    config: Config,
    tensors: BTreeMap<String, Tensor>,
}

#[derive(Debug, Clone)]
struct Tensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl Tensor {
    fn columns(&self) -> usize {
        *self.shape.last().expect("no scalars")
    }

    /// The first rows and columns.
    fn part(&self, rows: usize, columns: usize) -> Self {
        let kept = self.values.chunks_exact(self.columns()).take(rows);
        let values = kept.flat_map(|row| row[..columns].to_vec()).collect();
        let shape = if self.shape.len() == 1 { vec![columns] } else { vec![rows, columns] };
        Self { shape, values }
    }
}

impl Weights {
    /// The weights of a model of this configuration, out of the larger tensors of a safetensors file.
    pub fn part_of(file: &[u8], config: Config) -> Self {
        let file = SafeTensors::deserialize(file).expect("a safetensors file");
        let tensors = layout(&unfolded(&config)).map(|shape| {
            let name = shape.id.to_string();
            let view = file.tensor(&name).expect("the tensor is there");
            let values = view.data().chunks_exact(4);
            let values = values.map(|v| f32::read_from_bytes(v).expect("four bytes")).collect();
            let tensor = Tensor { shape: view.shape().to_vec(), values };
            (name, tensor.part(shape.rows, shape.columns))
        });
        Self { config, tensors: tensors.collect() }
    }

    /// The bytes of a `model.safetensors`.
    pub fn to_safetensors(&self) -> Vec<u8> {
        let views = self.tensors.iter().map(|(name, Tensor { shape, values })| {
            let view = TensorView::new(Dtype::F32, shape.clone(), values.as_bytes());
            (name, view.expect("shape and values agree"))
        });
        safetensors::serialize(views, None).expect("a safetensors file")
    }

    /// The bytes of an `.expe` file with the byte tokenizer.
    pub fn to_expe(&self, numbers: Numbers) -> Vec<u8> {
        let writer = Writer::new(&self.config, Tokenizer::Bytes, numbers).expect("a model");
        let mut bytes = Vec::new();
        let sink = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok::<(), Infallible>(())
        };
        writer.write(&mut self.clone(), sink).expect("all weights are there");
        bytes
    }
}

impl WeightSource for Weights {
    type Error = String;

    fn row(&mut self, tensor: TensorId, row: usize) -> Result<&[f32], String> {
        let stored = self.tensors.get(&tensor.to_string());
        stored
            .and_then(|tensor| tensor.values.chunks_exact(tensor.columns()).nth(row))
            .ok_or_else(|| format!("there is no row {row} of {tensor}"))
    }
}

/// The configuration whose file would hold the weights as they are trained.
fn unfolded(config: &Config) -> Config {
    let position = match config.position {
        PositionConfig::Learned => PositionConfig::Learned,
        _ => PositionConfig::None,
    };
    Config { position, ..*config }
}
