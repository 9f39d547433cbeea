//! Learning merges from text with the `tokenizers` library.

use std::collections::{HashMap, HashSet};

use expe_core::internals::pieces;
use tokenizers::Trainer;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

use super::alphabet;
use super::bpe::BytePairs;

/// Minimum number of occurrences of a pair to be merged.
const MIN_FREQUENCY: u64 = 2;

/// Learns merges until there are `vocab_size` tokens or no pair occurs twice.
pub(super) fn learn(texts: &[&str], vocab_size: usize) -> Result<BytePairs, String> {
    let to_text = |error: tokenizers::Error| error.to_string();
    let mut trainer = BpeTrainer::builder()
        .vocab_size(vocab_size)
        .min_frequency(MIN_FREQUENCY)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .show_progress(false)
        .build();
    let named = |text: &str| Ok(pieces(text.as_bytes()).map(alphabet::name).collect());
    trainer.feed(texts.iter(), named).map_err(to_text)?;
    let mut model = BPE::default();
    trainer.train(&mut model).map_err(to_text)?;
    renumbered(&model, vocab_size)
}

/// Assigns the ids of our format to bytes and merges. The library can let two merges produce the same token;
/// the later one is omitted, so that every merge has its own token.
fn renumbered(model: &BPE, vocab_size: usize) -> Result<BytePairs, String> {
    let mut ids: HashMap<String, u32> =
        (0..=u8::MAX).map(|byte| (alphabet::name(&[byte]), u32::from(byte))).collect();
    let mut pairs = Vec::new();
    let mut seen: HashSet<String> = HashSet::new();
    let model = serde_json::to_value(model).map_err(|error| error.to_string())?;
    let learned: Vec<(String, String)> =
        serde_json::from_value(model["merges"].clone()).map_err(|error| error.to_string())?;
    for (left, right) in learned {
        let name = format!("{left}{right}");
        if !seen.insert(name.clone()) || 256 + pairs.len() >= vocab_size {
            continue;
        }
        let id = |name: &str| ids.get(name).copied().ok_or(format!("`{name}` is not a token"));
        let pair = (id(&left)?, id(&right)?);
        ids.insert(name, 256 + pairs.len() as u32);
        pairs.push(pair);
    }
    BytePairs::new(pairs).map_err(|error| error.to_string())
}
