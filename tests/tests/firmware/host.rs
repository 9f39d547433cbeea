//! Generates the stories of the firmware on this machine.

use crc::{CRC_32_ISO_HDLC, Crc};
use expe_core::{Attend, CacheFormat, Decoder, F32, Float, I8, Integer, Model, Sampler};
use zerocopy::IntoBytes;

static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

const PROMPT: &str = include_str!("../../../embedded-demo/model/prompt.txt");
const POCKET: &[u8] = expe_core::include_model!("../../../embedded-demo/model/pocket.expe");
const STORIES: &[u8] = expe_core::include_model!("../../../embedded-demo/model/stories.expe");

/// First positions that stay in the ring.
const SINKS: usize = 4;

/// A story, and digests of its tokens and of all logits that they were sampled from.
#[derive(Debug, PartialEq, Eq)]
pub struct Story {
    pub tokens: Vec<u64>,
    pub token_digest: u32,
    pub logit_digest: u32,
}

/// Returns the model file of a demo.
pub fn model(demo: &str) -> &'static [u8] {
    match demo {
        "pocket" | "endless" => POCKET,
        "stories" | "stories-in-floats" => STORIES,
        _ => panic!("unknown demo {demo}"),
    }
}

/// Generates the first `count` tokens of the story of `demo`, with a cache of `positions`.
pub fn story(demo: &str, count: usize, positions: usize) -> Story {
    match demo {
        "stories" => generate::<Integer, I8>(STORIES, count, positions, None),
        "stories-in-floats" => generate::<Float, F32>(STORIES, count, positions, None),
        _ => generate::<Integer, I8>(model(demo), count, positions, Some(SINKS)),
    }
}

/// Generates a story. Unlike the firmware it reads the prompt at once, which must not make a difference.
fn generate<A, S>(file: &[u8], count: usize, positions: usize, sinks: Option<usize>) -> Story
where
    A: Attend<S>,
    S: CacheFormat,
{
    let model = Model::new(file).unwrap();
    let config = model.config();
    let decoder = Decoder::<_, A>::with_arithmetic(&model, model.position().unwrap()).unwrap();
    let mut cache = vec![0; config.cache_len::<S>(positions)];
    let mut cache = match sinks {
        Some(sinks) => decoder.ring_cache::<S>(positions, sinks, &mut cache).unwrap(),
        None => decoder.cache::<S>(positions, &mut cache).unwrap(),
    };
    let chunk = PROMPT.len();
    let mut workspace = vec![0; config.workspace_len(chunk, positions)];
    let mut workspace = decoder.workspace(chunk, positions, &mut workspace).unwrap();

    let (mut token_digest, mut logit_digest) = (CRC.digest(), CRC.digest());
    // The same parameters as in the firmware.
    let mut sampler = Sampler::new(0.7, 20, 1).unwrap();
    let mut tokens = Vec::new();
    let mut prompt = vec![0; PROMPT.len()];
    let mut input = model.tokenizer().encode(PROMPT.as_bytes(), &mut prompt).unwrap().to_vec();
    while tokens.len() < count {
        let logits = decoder.forward(&input, &mut cache, &mut workspace).unwrap();
        logit_digest.update(logits.as_bytes());
        let token = sampler.sample(logits).unwrap();
        token_digest.update(&token.to_le_bytes());
        tokens.push(token.into());
        input = vec![token];
    }
    Story { tokens, token_digest: token_digest.finalize(), logit_digest: logit_digest.finalize() }
}
