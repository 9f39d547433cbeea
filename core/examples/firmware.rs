//! Text generation as firmware does it: the model in flash, all memory in statics, no heap.
//!
//! `cargo run --example firmware` runs it on the host; everything above `main` is what goes into
//! the firmware.

use expe_core::{Config, Decoder, F32, Model, Sampler, TextStream};

/// The model file, linked into flash and read in place.
const MODEL: &[u8] =
    expe_core::include_model!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/model.expe"));
/// Its configuration, read at compile time, so that the buffers below have the exact sizes.
const CONFIG: Config = match Config::from_file(MODEL) {
    Ok(config) => config,
    Err(_) => panic!("model.expe is not a model file"),
};
/// Positions in the key-value cache.
const CONTEXT: usize = 128;

/// All RAM that the engine needs; in firmware a `static`, for example with `static_cell`.
struct Memory {
    cache: [u32; CONFIG.cache_len::<F32>(CONTEXT)],
    workspace: [u32; CONFIG.workspace_len(1, CONTEXT)],
}

fn generate(
    memory: &mut Memory,
    prompt: &str,
    mut print: impl FnMut(char),
) -> Result<(), expe_core::Error> {
    let model = Model::new(MODEL)?; // checks the whole file; after this no access can fail
    let decoder = Decoder::new(&model, model.position()?)?;
    let mut cache = decoder.cache::<F32>(CONTEXT, &mut memory.cache)?;
    let mut workspace = decoder.workspace(1, CONTEXT, &mut memory.workspace)?;
    let mut sampler = Sampler::new(0.8, 40, 7)?; // temperature, top-k, seed
    let mut text = TextStream::new();

    let mut tokens = [0; CONTEXT];
    let prompt = model.tokenizer().encode(prompt.as_bytes(), &mut tokens)?;
    let mut token = sampler.sample(decoder.forward(prompt, &mut cache, &mut workspace)?)?;
    while cache.len() < CONTEXT {
        for byte in model.tokenizer().decode(token).into_iter().flatten() {
            text.push(byte, &mut print);
        }
        token = sampler.sample(decoder.forward(&[token], &mut cache, &mut workspace)?)?;
    }
    text.finish(&mut print);
    Ok(())
}

fn main() -> Result<(), expe_core::Error> {
    let mut memory = Memory {
        cache: [0; CONFIG.cache_len::<F32>(CONTEXT)],
        workspace: [0; CONFIG.workspace_len(1, CONTEXT)],
    };
    generate(&mut memory, "Once upon a time", |character| print!("{character}"))?;
    println!();
    Ok(())
}
