//! Perplexity on a GPU against perplexity on the CPU, at one to sixteen times the training length.

use dfdx::tensor::Cpu;
use expe::config::position;
use expe::device::cuda;
use expe::eval::{DfdxScorer, Lengths, Measured, perplexity};
use expe::model::Transformer;
use expe::ops::Backend;
use expe_core::Config;
use expe_core::internals::Random;

const CONTEXT: usize = 8;
const FACTORS: [usize; 5] = [1, 2, 4, 8, 16];

fn measure<D: Backend>(device: &D, config: &Config, text: &[u32]) -> Vec<Option<Measured>> {
    let model = Transformer::<D>::new(config, device, 4).unwrap();
    let scorer = DfdxScorer::new(&model, &config.position);
    let lengths = Lengths::new(CONTEXT, &FACTORS, text.len()).unwrap();
    FACTORS.map(|factor| perplexity(&scorer, text, &lengths, factor).unwrap()).into()
}

/// The error of a log-probability is at most `400·2^-24` of the largest one (see `model.rs`), which is about the
/// logarithm of the vocabulary, 3.6, and below 8 here, on either device. The same holds for the mean of many, whose
/// `exp` is the perplexity.
#[test]
fn perplexity_is_that_of_the_cpu_at_every_length() {
    let device = cuda::open(0).unwrap();
    let mut random = Random::new(8);
    let text: Vec<u32> = (0..2 * 16 * CONTEXT + 1).map(|_| random.next_u64() as u32 % 37).collect();
    for name in ["expe", "exqpe", "rope", "alibi", "sinusoidal", "learned", "none"] {
        let config = Config {
            vocab: 37,
            width: 32,
            layers: 2,
            heads: 2,
            kv_heads: 2,
            head_width: 16,
            hidden: 40,
            context: CONTEXT,
            norm: Default::default(),
            epsilon: 1e-5,
            activation: Default::default(),
            tied_head: true,
            position: position(name, 32).unwrap(),
        };
        let exact = measure(&Cpu::default(), &config, &text);
        let found = measure(&device, &config, &text);
        for (factor, (exact, found)) in FACTORS.iter().zip(exact.iter().zip(&found)) {
            // A learned table ends with the training length, on every device.
            assert_eq!(exact.is_none(), name == "learned" && *factor > 1, "{name} {factor}");
            assert_eq!(exact.is_none(), found.is_none(), "{name} {factor}");
            let (Some(exact), Some(found)) = (exact, found) else { continue };
            let bound = 2.0 * 8.0 * 400.0 / f64::from(1 << 24);
            for (exact, found) in [(exact.all, found.all), (exact.last, found.last)] {
                assert!((exact / found).ln().abs() < bound, "{name} {factor}: {exact} {found}");
            }
            assert_eq!(exact.tokens, found.tokens);
        }
    }
}
