use crc::{CRC_32_ISO_HDLC, Crc, Digest};

pub static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// A record of the generated tokens, to compare with that of another machine: the first tokens, and the CRC-32 of
/// all tokens and of all logits as little-endian bytes.
pub struct Transcript<'t> {
    tokens: &'t mut [u32],
    len: usize,
    token_digest: Digest<'static, u32>,
    logit_digest: Digest<'static, u32>,
}

impl<'t> Transcript<'t> {
    /// Creates an empty transcript that keeps the first `tokens.len()` tokens.
    pub fn new(tokens: &'t mut [u32]) -> Self {
        let (token_digest, logit_digest) = (CRC.digest(), CRC.digest());
        Self { tokens, len: 0, token_digest, logit_digest }
    }

    /// Adds a token and the logits that it was sampled from.
    pub fn push(&mut self, token: u32, logits: &[u8]) {
        self.token_digest.update(&token.to_le_bytes());
        self.logit_digest.update(logits);
        if let Some(slot) = self.tokens.get_mut(self.len) {
            *slot = token;
        }
        self.len += 1;
    }

    /// Logs the transcript.
    pub fn finish(self) {
        let tokens = self.tokens.get(..self.len).unwrap_or(self.tokens);
        defmt::println!("{=usize} tokens {=[?]}", self.len, *tokens);
        defmt::println!("digest of the tokens {=u32:#010x}", self.token_digest.finalize());
        defmt::println!("digest of all logits {=u32:#010x}", self.logit_digest.finalize());
    }
}
