//! Reading and writing `tokenizer.json`, the format of the `tokenizers` library.

use std::collections::HashMap;

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use super::alphabet;
use super::bpe::BytePairs;

/// The regular expression in the file that matches the pieces of a text: a run of non-whitespace, preceded by at
/// most one space, or a run of whitespace. Whitespace is space, tab, line feed and carriage return.
pub(super) const PIECE: &str = r" ?[^ \t\r\n]+|[ \t\r\n]+";

/// Formats a byte-level vocabulary with these merges as JSON. Without merges, every byte is a token.
pub(super) fn to_json(merges: &BytePairs) -> serde_json::Result<String> {
    let bpe = merges.core();
    let name = |id: u32| -> String {
        let bytes: Vec<u8> = bpe.decode(id).into_iter().flatten().collect();
        alphabet::name(&bytes)
    };
    let mut text = serde_json::to_string_pretty(&File {
        version: "1.0",
        truncation: None,
        padding: None,
        added_tokens: [],
        normalizer: None,
        pre_tokenizer: pre_tokenizer(),
        post_processor: None,
        decoder: byte_level(),
        model: Model {
            kind: "BPE",
            dropout: None,
            unk_token: None,
            continuing_subword_prefix: None,
            end_of_word_suffix: None,
            fuse_unk: false,
            byte_fallback: false,
            ignore_merges: false,
            vocab: Vocabulary((0..bpe.vocab() as u32).map(name).collect()),
            merges: merges.pairs().iter().map(|&(left, right)| (name(left), name(right))).collect(),
        },
    })?;
    text.push('\n');
    Ok(text)
}

/// Parses the merges. The error says why the file does not describe a supported tokenizer.
pub(super) fn from_json(text: &str) -> Result<BytePairs, String> {
    let file: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    for key in ["added_tokens", "normalizer", "post_processor", "truncation", "padding"] {
        match file.get(key) {
            None | Some(Value::Null) => {}
            Some(Value::Array(list)) if list.is_empty() => {}
            Some(_) => {
                return Err(format!("`{key}` is set; only plain byte-level BPE is supported"));
            }
        }
    }
    if !file.get("pre_tokenizer").is_some_and(is_ours) {
        return Err(format!("`pre_tokenizer` is not a split at `{PIECE}` into bytes"));
    }
    let model = file.get("model").ok_or("`model` is missing")?;
    let model: ReadModel =
        serde_json::from_value(model.clone()).map_err(|error| format!("`model`: {error}"))?;
    if model.kind != "BPE" {
        return Err(format!("`model.type` is {}, not BPE", model.kind));
    }
    merges_of(&model)
}

/// Returns the merges, and checks that the vocabulary is the 256 bytes in order, followed by one token per merge.
fn merges_of(model: &ReadModel) -> Result<BytePairs, String> {
    let id = |name: &str| {
        model.vocab.get(name).copied().ok_or_else(|| format!("`{name}` is not in the vocabulary"))
    };
    let pairs = model
        .merges
        .iter()
        .map(|(left, right)| Ok((id(left)?, id(right)?)))
        .collect::<Result<Vec<_>, String>>()?;
    let merges = BytePairs::new(pairs).map_err(|error| error.to_string())?;
    let bpe = merges.core();
    if bpe.vocab() != model.vocab.len() {
        let (found, expected) = (model.vocab.len(), bpe.vocab());
        return Err(format!(
            "{found} tokens, expected {expected}: 256 bytes and one token per merge"
        ));
    }
    let bytes = alphabet::bytes();
    for (name, &id) in &model.vocab {
        let named = name.chars().map(|character| bytes.get(&character).copied());
        let is_right = bpe.decode(id).is_some_and(|token| token.map(Some).eq(named));
        if !is_right {
            return Err(format!(
                "token `{name}` has id {id}; ids must be the bytes in order, then the merges"
            ));
        }
    }
    Ok(merges)
}

/// Compares the steps of a pre-tokenizer with ours. Ignores `trim_offsets`, which does not affect tokens.
fn is_ours(found: &Value) -> bool {
    let steps = |value: &Value| {
        let mut steps = value.get("pretokenizers").and_then(Value::as_array).cloned();
        for step in steps.iter_mut().flatten().filter_map(Value::as_object_mut) {
            step.remove("trim_offsets");
        }
        steps
    };
    steps(found) == steps(&pre_tokenizer())
}

fn pre_tokenizer() -> Value {
    json!({
        "type": "Sequence",
        "pretokenizers": [
            {
                "type": "Split",
                "pattern": { "Regex": PIECE },
                "behavior": "Isolated",
                "invert": false,
            },
            byte_level(),
        ],
    })
}

fn byte_level() -> Value {
    json!({
        "type": "ByteLevel",
        "add_prefix_space": false,
        "trim_offsets": true,
        "use_regex": false,
    })
}

#[derive(Serialize)]
struct File {
    version: &'static str,
    truncation: Option<Value>,
    padding: Option<Value>,
    added_tokens: [Value; 0],
    normalizer: Option<Value>,
    pre_tokenizer: Value,
    post_processor: Option<Value>,
    decoder: Value,
    model: Model,
}

#[derive(Serialize)]
struct Model {
    #[serde(rename = "type")]
    kind: &'static str,
    dropout: Option<f32>,
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    fuse_unk: bool,
    byte_fallback: bool,
    ignore_merges: bool,
    vocab: Vocabulary,
    merges: Vec<(String, String)>,
}

/// The names of tokens in the order of their ids, serialized as a map from names to ids.
struct Vocabulary(Vec<String>);

impl Serialize for Vocabulary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (id, name) in self.0.iter().enumerate() {
            map.serialize_entry(name, &id)?;
        }
        map.end()
    }
}

#[derive(Deserialize)]
struct ReadModel {
    #[serde(rename = "type")]
    kind: String,
    vocab: HashMap<String, u32>,
    merges: Vec<(String, String)>,
}
