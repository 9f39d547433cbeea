//! The stories that the firmware tells, told by the engine on this machine.

use crc::{CRC_32_ISO_HDLC, Crc};
use expe_core::format::Model;
use expe_core::kernels::F32;
use expe_core::model::{Decoder, KvCache, Sampler, Workspace};

static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

const PROMPT: &str = include_str!("../../../embedded-demo/model/prompt.txt");

/// A story and the digests of its tokens and of all logits that they were chosen from.
#[derive(Debug, PartialEq, Eq)]
pub struct Story {
    pub tokens: Vec<u32>,
    pub token_digest: u32,
    pub logit_digest: u32,
}

/// The model file of a demo.
pub fn model(demo: &str) -> &'static [u8] {
    match demo {
        "stories" => expe_core::include_model!("../../../embedded-demo/model/stories.expe"),
        _ => panic!("unknown demo {demo}"),
    }
}

/// The story of `demo`, `count` tokens, with a cache of `positions`. The prompt is read one token at
/// a time, which the firmware does not do: that makes no difference.
pub fn story(demo: &str, count: usize, positions: usize) -> Story {
    let model = Model::new(model(demo)).unwrap();
    let config = model.config();
    let mut cache = vec![0; config.cache_len::<F32>(positions)];
    let mut cache = KvCache::<F32>::new(config, positions, &mut cache).unwrap();
    let mut workspace = vec![0; config.workspace_len(1, positions)];
    let mut workspace = Workspace::new(config, 1, positions, &mut workspace).unwrap();
    let decoder = Decoder::new(&model, model.position().unwrap()).unwrap();

    let (mut token_digest, mut logit_digest) = (CRC.digest(), CRC.digest());
    // As the firmware draws them.
    let mut sampler = Sampler::new(0.7, 20, 1).unwrap();
    let mut tokens = Vec::new();
    let mut prompt = vec![0; PROMPT.len()];
    let mut input = model.tokenizer().encode(PROMPT.as_bytes(), &mut prompt).unwrap().to_vec();
    while tokens.len() < count {
        let logits = decoder.forward(&input, &mut cache, &mut workspace).unwrap();
        logits.iter().for_each(|logit| logit_digest.update(&logit.to_le_bytes()));
        let token = sampler.sample(logits).unwrap();
        token_digest.update(&token.to_le_bytes());
        tokens.push(token);
        input = vec![token];
    }
    Story { tokens, token_digest: token_digest.finalize(), logit_digest: logit_digest.finalize() }
}
