use serde::{Deserialize, Serialize};

/// How text is converted to tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The kind of tokenizer. A BPE tokenizer has `model.vocab` tokens.
    pub tokenizer: TokenizerKind,
}

/// The kinds of tokenizers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenizerKind {
    /// One token per byte.
    #[default]
    Byte,
    /// Byte pair encoding, learned from the training text.
    Bpe,
}
