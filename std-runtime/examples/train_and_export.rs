//! Trains a small model, exports it as integers for a microcontroller, and continues a text with it.
//!
//! ```sh
//! cargo run --release --example train_and_export
//! ```

use std::error::Error;
use std::sync::atomic::AtomicBool;

use expe::config::preset;
use expe::data::Corpus;
use expe::device::Cpu;
use expe::engine::{CacheChoice, Sampling, TextDecoder, encode, generate};
use expe::export::{Scheme, quantized, save};
use expe::quantize::CalibrationText;
use expe::train::{TrainedModel, new_dataset, run};

fn main() -> Result<(), Box<dyn Error>> {
    // Text to learn from: 60 kB of generated stories. A path to your own files works as well.
    let corpus = Corpus::open(&["stories:1:60k".parse()?])?;

    // The smallest built-in configuration, with ExPE positions. 300 steps would give better stories.
    let mut config = preset("quick")?.with_steps(60);
    let data = new_dataset(&mut config, &corpus)?;

    // Training writes checkpoints into a folder, from which an interrupted run can be resumed.
    let folder = tempfile::tempdir()?;
    let run_folder = folder.path().join("run");
    let device = Cpu::default();
    let stop = AtomicBool::new(false); // set it from another thread to save and stop
    let outcome = run(&device, &config, &data, &run_folder, false, &stop, &mut |progress| {
        if progress.step % 20 == 0 {
            println!("step {:>3}: loss {:.3}", progress.step, progress.loss);
        }
    })?;
    println!("trained {} steps at {:.0} tokens/s", outcome.step, outcome.tokens_per_second);

    // Export: 8-bit integers throughout, calibrated on the training text. `model.expe` is all that the
    // firmware needs.
    let trained = TrainedModel::open(&run_folder, &device)?;
    let text = CalibrationText::Tokens(data.train());
    let exported = quantized(&trained, Scheme::Integer, text, 2_048)?;
    let path = folder.path().join("model.expe");
    save(&exported.file, &path)?;
    println!("{}: {} bytes", path.display(), exported.file.bytes().len());

    // The same engine that runs on a microcontroller continues a text on this machine.
    let model = exported.file.model()?;
    let prompt = "Once upon a time";
    let mut decoder = TextDecoder::new(model.tokenizer());
    let mut story = prompt.to_owned();
    let sampling = Sampling { temperature: 0.7, top_k: 20, seed: 1 };
    let tokens = encode(model.tokenizer(), prompt);
    generate(&model, &tokens, 100, sampling, CacheChoice::default(), |token| {
        story.push_str(&decoder.push(token));
        true // false ends the text early
    })?;
    println!("{story}{}", decoder.finish());
    Ok(())
}

#[test]
fn runs() -> Result<(), Box<dyn Error>> {
    main()
}
