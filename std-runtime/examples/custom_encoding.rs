//! Writes a position encoding of one's own and runs it in the engine.
//!
//! ```sh
//! cargo run --release --example custom_encoding
//! ```

use std::error::Error;
use std::sync::atomic::AtomicBool;

use expe::config::{position, preset};
use expe::data::Corpus;
use expe::device::Cpu;
use expe::engine::{Buffers, CacheType, EngineError, Session};
use expe::export::float;
use expe::train::{TrainedModel, new_dataset, run};
use expe_core::Model;
use expe_core::internals::DType;
use expe_core::position::PositionEncoding;

/// Lowers a score by the same amount per token of distance in every head. (ALiBi has one slope per head.)
///
/// A [`PositionEncoding`] can act at four sites; every method that is not overridden does nothing.
struct UniformBias {
    slope: f32,
}

impl PositionEncoding for UniformBias {
    fn slope(&self, _head: usize) -> f32 {
        self.slope
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // A model without positions, on which any bias of the scores can be tried.
    let corpus = Corpus::open(&["stories:1:60k".parse()?])?;
    let mut config = preset("quick")?.with_steps(40);
    config.model.position = position("none", config.model.width)?;
    let data = new_dataset(&mut config, &corpus)?;
    let (folder, device, stop) = (tempfile::tempdir()?, Cpu::default(), AtomicBool::new(false));
    run(&device, &config, &data, folder.path(), false, &stop, &mut |_| {})?;
    let file = float(&TrainedModel::open(folder.path(), &device)?, DType::F32)?;
    let model = file.model()?;

    // How well it predicts held-out text, with four times as much context as in training.
    let text = &data.validation()[..4 * config.model.context];
    for slope in [0.0, 0.01, 0.1, 1.0] {
        let loss = mean_loss(&model, UniformBias { slope }, text)?;
        println!("slope {slope:>4}: perplexity {:.2}", loss.exp());
    }
    Ok(())
}

/// Returns the mean negative log-probability of each token of `text` after those that precede it, in nats.
fn mean_loss(
    model: &Model<'_>,
    encoding: impl PositionEncoding,
    text: &[u32],
) -> Result<f64, EngineError> {
    let (inputs, targets) = (&text[..text.len() - 1], &text[1..]);
    let mut buffers = Buffers::new(model.config(), CacheType::F32, inputs.len())?;
    let mut session = Session::with_encoding(model, &mut buffers, encoding)?;
    let mut sum = 0.0;
    session.read_each(inputs, |index, logits| {
        let exponentials = logits.iter().map(|logit| f64::from(*logit).exp());
        sum += exponentials.sum::<f64>().ln() - f64::from(logits[targets[index] as usize]);
    })?;
    Ok(sum / targets.len() as f64)
}

#[test]
fn runs() -> Result<(), Box<dyn Error>> {
    main()
}
