use expe_core::format::Model;
use expe_core::model::{Decoder, KvCache, Workspace};
use zerocopy::IntoBytes;

/// Bytes at an address that is a multiple of 16, as model files must begin.
#[derive(Debug, Clone)]
pub struct Aligned {
    blocks: Vec<u128>,
    len: usize,
}

impl Aligned {
    /// A copy of `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        let mut blocks = vec![0u128; bytes.len().div_ceil(16)];
        blocks.as_mut_bytes()[..bytes.len()].copy_from_slice(bytes);
        Self { blocks, len: bytes.len() }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.blocks.as_bytes()[..self.len]
    }

    /// The bytes, to change them.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.blocks.as_mut_bytes()[..self.len]
    }
}

/// The logits that core's engine computes after each token, `chunk` tokens at a time.
///
/// # Panics
/// When the file or the tokens are refused: the test cannot run.
pub fn logits(file: &Aligned, tokens: &[u32], chunk: usize) -> Vec<Vec<f32>> {
    let model = Model::new(file.bytes()).expect("a model file");
    let config = model.config();
    let decoder = Decoder::new(&model, model.position().expect("a position")).expect("a decoder");
    let length = tokens.len();
    let mut cache = vec![0.0; config.cache_len(length)];
    let mut cache = KvCache::new(config, length, &mut cache).expect("enough memory");
    let mut workspace = vec![0.0; config.workspace_len(chunk, length)];
    let mut workspace =
        Workspace::new(config, chunk, length, &mut workspace).expect("enough memory");
    let mut rows = Vec::new();
    decoder
        .forward_each(tokens, &mut cache, &mut workspace, |_, logits| rows.push(logits.to_vec()))
        .expect("logits");
    rows
}
