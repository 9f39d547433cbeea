//! candle's Llama as a candidate (see `turns.py`): `candle-rival decode|prefill WIDTH LAYERS HEADS HIDDEN
//! VOCAB TOKENS`. RMSNorm, RoPE, SwiGLU, tied head, `f32`, random weights, key-value cache.

use std::fs;
use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use candle_transformers::models::llama::{Cache, Config, Llama};

struct Rival {
    model: Llama,
    config: Config,
    tokens: usize,
    device: Device,
}

impl Rival {
    fn new(sizes: &[usize]) -> Result<Self> {
        let [width, layers, heads, hidden, vocab, tokens] = *sizes else {
            bail!("WIDTH LAYERS HEADS HIDDEN VOCAB TOKENS");
        };
        let config = Config {
            hidden_size: width,
            intermediate_size: hidden,
            vocab_size: vocab,
            num_hidden_layers: layers,
            num_attention_heads: heads,
            num_key_value_heads: heads,
            use_flash_attn: false,
            rms_norm_eps: 1e-5,
            rope_theta: 10_000.0,
            bos_token_id: None,
            eos_token_id: None,
            rope_scaling: None,
            max_position_embeddings: tokens + 1,
            tie_word_embeddings: true,
        };
        let device = Device::Cpu;
        let weights = VarMap::new();
        let model = Llama::load(VarBuilder::from_varmap(&weights, DType::F32, &device), &config)?;
        Ok(Self { model, config, tokens, device })
    }

    fn cache(&self) -> Result<Cache> {
        Ok(Cache::new(true, DType::F32, &self.config, &self.device)?)
    }

    /// Returns the most likely token after `tokens` at `position`.
    fn next(&self, tokens: &[u32], position: usize, cache: &mut Cache) -> Result<u32> {
        let tokens = Tensor::new(tokens, &self.device)?.unsqueeze(0)?;
        let logits = self.model.forward(&tokens, position, cache)?;
        Ok(logits.squeeze(0)?.argmax(0)?.to_scalar::<u32>()?)
    }

    fn decode(&self) -> Result<Duration> {
        let mut cache = self.cache()?;
        let mut token = 0;
        let started = Instant::now();
        for position in 0..self.tokens {
            token = self.next(&[token], position, &mut cache)?;
        }
        Ok(started.elapsed())
    }

    fn prefill(&self) -> Result<Duration> {
        let mut cache = self.cache()?;
        let vocab = self.config.vocab_size as u32;
        let prompt: Vec<u32> = (0..self.tokens as u32).map(|n| n * 7919 % vocab).collect();
        let started = Instant::now();
        self.next(&prompt, 0, &mut cache)?;
        Ok(started.elapsed())
    }
}

fn peak_memory() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024)
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (task, sizes) = arguments.split_first().context("decode or prefill")?;
    let sizes = sizes.iter().map(|size| size.parse()).collect::<Result<Vec<usize>, _>>()?;
    let rival = Rival::new(&sizes)?;
    let mut out = io::stdout();
    writeln!(out, "ready")?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        if line.trim() == "peak" {
            writeln!(out, "{}", peak_memory()?)?;
            continue;
        }
        let mut times = Vec::new();
        for _ in 0..line.trim().parse::<usize>()? {
            let time = match task.as_str() {
                "decode" => rival.decode()?,
                "prefill" => rival.prefill()?,
                other => bail!("unknown task {other}"),
            };
            times.push(format!("{:.6}", time.as_secs_f64() * 1e3));
        }
        writeln!(out, "{}", times.join(" "))?;
    }
    Ok(())
}
