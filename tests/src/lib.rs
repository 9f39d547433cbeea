//! Helpers for the tests across packages.

pub mod golden;
mod program;

pub use program::{Done, expe, expe_with, limited, program};

/// Returns a configuration that trains in a second: 1 layer, width 16, context 8, byte tokens, `steps` steps.
pub fn tiny_config(steps: u32, validate_every: u32) -> String {
    format!(
        r#"[data]
tokenizer = "byte"

[train]
seed = 7
steps = {steps}
batch = 4
learning_rate = 5e-3
warmup = 1
dropout = 0.1
validate_every = {validate_every}
validation_tokens = 256

[model]
vocab = 256
width = 16
layers = 1
heads = 2
kv_heads = 1
head_width = 8
hidden = 32
context = 8

[model.position]
name = "expe"
start = 16.0
step = 0.0625
width = 2
"#
    )
}
