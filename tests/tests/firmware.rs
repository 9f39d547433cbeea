//! The firmware, run in QEMU, against the engine on this machine: the same file and prompt give the
//! same tokens, from the same logits to the last bit.
//!
//! Floating point leaves no room here: the engine does the same operations in the same order
//! everywhere, IEEE 754 fixes the result of each, and Rust never fuses or reorders them.

use std::{path::Path, process::Command};

use crc::{CRC_32_ISO_HDLC, Crc};
use expe_core::format::Model;
use expe_core::model::{Decoder, KvCache, Sampler, Workspace};

/// What the firmware has in flash.
const MODEL: &[u8] = expe_core::include_model!("../../embedded-demo/model/stories.expe");
const PROMPT: &str = include_str!("../../embedded-demo/model/prompt.txt");

static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// What the firmware logs of its story.
#[derive(Debug, PartialEq, Eq)]
struct Story {
    tokens: Vec<u32>,
    token_digest: u32,
    logit_digest: u32,
}

impl Story {
    /// The story in a log; lines that say something else are not looked at.
    fn in_log(log: &str) -> Option<Self> {
        let after = |title: &str| log.lines().find_map(|line| line.strip_prefix(title));
        let digest = |title| u32::from_str_radix(after(title)?.strip_prefix("0x")?, 16).ok();
        let list = after("tokens [")?.strip_suffix(']')?;
        Some(Self {
            tokens: list.split(", ").map(|token| token.parse().ok()).collect::<Option<_>>()?,
            token_digest: digest("digest of the tokens ")?,
            logit_digest: digest("digest of all logits ")?,
        })
    }

    /// The story of `count` tokens that the engine tells here, reading `chunk` tokens at a time.
    fn told(model: &Model<'_>, prompt: &str, count: usize, chunk: usize) -> Self {
        let config = model.config();
        let context = prompt.len() + count;
        let mut cache = vec![0.0; config.cache_len(context)];
        let mut cache = KvCache::new(config, context, &mut cache).unwrap();
        let mut workspace = vec![0.0; config.workspace_len(chunk, context)];
        let mut workspace = Workspace::new(config, chunk, context, &mut workspace).unwrap();
        let decoder = Decoder::new(model, model.position().unwrap()).unwrap();

        let (mut token_digest, mut logit_digest) = (CRC.digest(), CRC.digest());
        // As the firmware draws them.
        let mut sampler = Sampler::new(0.7, 20, 1).unwrap();
        let mut tokens = Vec::new();
        let mut prompt_tokens = vec![0; prompt.len()];
        let mut input =
            model.tokenizer().encode(prompt.as_bytes(), &mut prompt_tokens).unwrap().to_vec();
        while tokens.len() < count {
            let logits = decoder.forward(&input, &mut cache, &mut workspace).unwrap();
            logits.iter().for_each(|logit| logit_digest.update(&logit.to_le_bytes()));
            let token = sampler.sample(logits).unwrap();
            token_digest.update(&token.to_le_bytes());
            tokens.push(token);
            input = vec![token];
        }
        Self {
            tokens,
            token_digest: token_digest.finalize(),
            logit_digest: logit_digest.finalize(),
        }
    }
}

#[test]
fn the_microcontroller_tells_the_story_that_the_host_tells() {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../embedded-demo");
    let output = Command::new("cargo")
        .args(["run", "--quiet", "--release"])
        .current_dir(&demo)
        .output()
        .expect("cargo is on the PATH");
    let log = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}{errors}");
    let emulated = Story::in_log(&log).unwrap_or_else(|| panic!("no story in {log}"));

    let model = Model::new(MODEL).unwrap();
    // One token at a time, which the firmware does not do with its prompt.
    assert_eq!(emulated, Story::told(&model, PROMPT, emulated.tokens.len(), 1));
    assert_eq!(emulated.tokens.len(), 128);
}
