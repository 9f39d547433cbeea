//! The `.expe` model file, version 2: everything that inference needs, read in place.
//!
//! [`Model::new`](crate::Model::new) checks a file once, from the first byte to the last; after that no
//! access can fail. [`Writer`](crate::internals::Writer) writes one. [`Config::from_file`](crate::Config::from_file) reads the
//! configuration at compile time, so that firmware can size its memory.
//!
//! # The file, byte by byte
//!
//! All numbers are little-endian; floats are IEEE 754. In memory the file begins at a multiple of 16
//! ([`ALIGNMENT`](crate::internals::ALIGNMENT)). It consists of the fixed part, the merges, the directory, zeros up to a multiple of
//! 16, and the tensors, each followed by zeros up to a multiple of 16. Nothing follows. Every byte
//! without a meaning on this page is zero, and so is every field that the settings do not use; any
//! other value is an error.
//!
//! ## Fixed part, 128 bytes
//!
//! | offset | type | field |
//! |---:|---|---|
//! | 0 | 8 bytes | magic: `89 45 58 50 45 0D 0A 1A` (`\x89EXPE\r\n\x1a`, which text transfer would damage) |
//! | 8 | u32 | version: 2; version 1 is read too, see below |
//! | 12 | u32 | length of everything before the tensors: `128 + 12·merges + 32·tensors`, rounded up to a multiple of 16 |
//! | 16 | u64 | length of the file |
//! | 24 | u32 | CRC-32 (ISO-HDLC, as in zip and PNG) of the bytes from 32 to the end |
//! | 28 | u32 | zero |
//! | 32 | u32 | `vocab`, tokens |
//! | 36 | u32 | `width`, of the residual stream |
//! | 40 | u32 | `layers` |
//! | 44 | u32 | `heads`, of the query |
//! | 48 | u32 | `kv_heads`, divides `heads` |
//! | 52 | u32 | `head_width` |
//! | 56 | u32 | `hidden`, inner width of the MLP |
//! | 60 | u32 | `context`, training length |
//! | 64 | f32 | `epsilon` of the norm |
//! | 68 | u8 | norm: 0 RMSNorm, 1 LayerNorm without bias |
//! | 69 | u8 | activation: 0 GELU (tanh form), 1 SwiGLU, 2 ReLU |
//! | 70 | u8 | head: 0 a tensor of its own, 1 the embedding |
//! | 71 | u8 | tokenizer: 0 bytes, 1 byte-level BPE |
//! | 72 | u32 | number of merges; 0 with the byte tokenizer |
//! | 76 | u32 | number of tensors |
//! | 80 | u8 | position encoding: 0 none, 1 learned, 2 sinusoidal, 3 RoPE, 4 ALiBi, 5 ExPE, 6 ExQPE |
//! | 81 | u8 | ExPE, ExQPE, beyond the collision-free length: 0 refuse, 1 saturate |
//! | 82 | u8 | ExQPE, growth `g`: 0 equal (1), 1 weighted (`B`) |
//! | 83 | u8 | RoPE, scaling: 0 none, 1 linear, 2 NTK-aware, 3 YaRN |
//! | 84 | f32 | ExPE, ExQPE: start `S` |
//! | 88 | f32 | ExPE, ExQPE: step `θ` |
//! | 92 | u32 | ExPE, ExQPE: overridden columns `l` |
//! | 96 | u32 | ExQPE: base `B` |
//! | 100 | u32 | ExQPE: digits `D`, 1 to 8, divides `l` |
//! | 104 | u32 | ExPE, ExQPE: 1 if there is a query cap, else 0 |
//! | 108 | u32 | ExPE, ExQPE: the query cap |
//! | 112 | f32 | sinusoidal, RoPE: base |
//! | 116 | f32 | RoPE with scaling: factor |
//! | 120 | u32 | RoPE with YaRN: original context |
//! | 124 | u8 | arithmetic that the model is meant for: 0 floating point, 1 integers |
//! | 125 | u8 | zero |
//! | 126 | bf16 | range of the residual stream in integer arithmetic, 0 if not measured |
//!
//! No dimension is 0 or above 2^24. The byte tokenizer has `vocab` = 256, BPE `vocab` = 256 + merges.
//!
//! ## Merges, 12 bytes each, in rank order
//!
//! | offset | type | field |
//! |---:|---|---|
//! | 0 | u32 | left token |
//! | 4 | u32 | right token |
//! | 8 | u32 | length of the merged token in bytes: the sum of the two lengths, at most 65 536 |
//!
//! Tokens 0 to 255 are the bytes; merge `r` makes token `256 + r` and refers to tokens below it.
//!
//! ## Directory, 32 bytes per tensor
//!
//! | offset | type | field |
//! |---:|---|---|
//! | 0 | u16 | kind: the number of a [`TensorKind`](crate::internals::TensorKind) |
//! | 2 | u16 | dtype: 0 f32; matrices only: 1 f16, 2 bf16, 3 int8, 4 int4 (see below) |
//! | 4 | u32 | layer, from 0; 0 outside the layers |
//! | 8 | u32 | rows |
//! | 12 | u32 | columns |
//! | 16 | u64 | offset from the start of the file, a multiple of 16 |
//! | 24 | u64 | length in bytes, see the dtypes |
//!
//! Directory and file hold the tensors in the order of [`layout`](crate::internals::layout), without gaps except the padding:
//!
//! | kind | name | shape | present |
//! |---:|---|---|---|
//! | 0 | `embed.weight` | `[vocab, width]` | always |
//! | 1 | `position.weight` | `[context, width]`, f32 | learned positions |
//! | 2 | `layers.N.attn_norm.weight` | `[1, width]`, f32 | always |
//! | 3 | `layers.N.attn.wq.weight` | `[heads·head_width, width − l]` | always |
//! | 4 | `layers.N.attn.wq.columns` | `[D, heads·head_width]`, f32 | ExPE (`D` = 1), ExQPE |
//! | 5 | `layers.N.attn.wk.weight` | `[kv_heads·head_width, width − l]` | always |
//! | 6 | `layers.N.attn.wk.columns` | `[D, kv_heads·head_width]`, f32 | ExPE, ExQPE |
//! | 7 | `layers.N.attn.wv.weight` | `[kv_heads·head_width, width]` | always |
//! | 8 | `layers.N.attn.wo.weight` | `[width, heads·head_width]` | always |
//! | 9 | `layers.N.mlp_norm.weight` | `[1, width]`, f32 | always |
//! | 10 | `layers.N.mlp.w1.weight` | `[hidden, width]` | always |
//! | 11 | `layers.N.mlp.w3.weight` | `[hidden, width]` | SwiGLU |
//! | 12 | `layers.N.mlp.w2.weight` | `[width, hidden]` | always |
//! | 13 | `final_norm.weight` | `[1, width]`, f32 | always |
//! | 14 | `head.weight` | `[vocab, width]` | head of its own |
//!
//! Matrices are row-major, `y_o = Σ_i W[o, i]·x_i`. All weights are finite.
//!
//! ## Dtypes
//!
//! | code | name | the tensor's bytes, `r` rows and `c` columns | `W[o, i]` |
//! |---:|---|---|---|
//! | 0 | f32 | `r·c` f32 | as stored |
//! | 1 | f16 | `r·c` IEEE 754 half precision | as stored |
//! | 2 | bf16 | `r·c` upper halves of f32 | as stored |
//! | 3 | int8 | `r` f32 scales `s`; `r·c` i8 quants | `s[o]·quant[o, i]` |
//! | 4 | int4 | `r` f32 scales `s`; `r·⌈c/32⌉` u8 factors `f`, zeros up to a multiple of 4 bytes; `r·⌈c/32⌉` groups of 16 bytes | `s[o]·f[o, i/32]·quant[o, i]` |
//!
//! Byte `k` of an int4 group holds column `k` in its low half and column `k + 16` in its high half, in
//! two's complement; columns past the last are 0. Scales are not negative. An int8 matrix has at most
//! 2^17 columns and an int4 matrix 2^13, so that its sums with inputs of 8 bits stay in 32 bits.
//!
//! ## Folded columns
//!
//! All overridden columns of digit `j` hold one value, so only the sum of their weights matters: with
//! `r = l/D`, `columns[j, o] = Σ_{i = j·r}^{(j+1)·r − 1} W[o, i]`, and the matrices `wq` and `wk` are
//! stored without their first `l` columns. `l` = 0 for the other encodings.
//!
//! ## Version 1
//!
//! As version 2, but the four bytes from 124 are zero, and the only dtypes are f32 and f16.

mod check;
pub(crate) mod constants;
mod directory;
pub(crate) mod error;
pub(crate) mod execution;
mod file;
mod header;
mod include;
mod position;
pub(crate) mod tensors;
pub(crate) mod writer;

pub use crate::shape::TensorId;
pub use error::FormatError;
pub(crate) use execution::Execution;
pub(crate) use file::File;
pub use include::Aligned;
pub(crate) use tensors::StoredTensor;
pub(crate) use tensors::Tensors;
