//! The memory table in `docs/gpu.md` contains the lower bounds that training checks.
//!
//! `EXPE_BLESS=1 cargo test -p expe --test gpu_page` updates it.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use expe::config::{DataConfig, RunConfig, TokenizerKind, TrainConfig, position};
use expe::train::Usage;
use expe_core::Config;

/// Width, layers and training length.
const MODELS: [(usize, usize, usize); 4] =
    [(256, 6, 512), (512, 8, 512), (768, 12, 1024), (1024, 24, 1024)];
const BATCHES: [usize; 3] = [8, 32, 128];
/// Memory usage of training on a GPU.
const USAGE: Usage = Usage { copies: 3, shards: 1, threads: 1 };

fn config(width: usize, layers: usize, context: usize) -> RunConfig {
    RunConfig {
        data: DataConfig { tokenizer: TokenizerKind::Byte },
        train: TrainConfig::new(1, 1, 1e-3),
        model: Config {
            vocab: 16_384,
            width,
            layers,
            heads: width / 64,
            kv_heads: width / 64,
            head_width: 64,
            hidden: 4 * width,
            context,
            norm: Default::default(),
            epsilon: 1e-5,
            activation: Default::default(),
            tied_head: true,
            position: position("expe", width).unwrap(),
        },
    }
}

fn table() -> String {
    let mut text = String::from("\n| model (width, layers, context) | parameters |");
    BATCHES.iter().for_each(|batch| write!(text, " batch {batch} |").unwrap());
    text.push_str("\n|---|---:|---:|---:|---:|\n");
    for (width, layers, context) in MODELS {
        let config = config(width, layers, context);
        // Without a batch, only parameters, two moments and gradients are needed.
        let parameters = USAGE.needed(&config, 0) as f64 / 16.0;
        write!(text, "| {width}, {layers}, {context} | {:.0} million |", parameters / 1e6).unwrap();
        for batch in BATCHES {
            let bytes = USAGE.needed(&config, batch) as f64;
            write!(text, " {:.1} GB |", bytes / 1e9).unwrap();
        }
        text.push('\n');
    }
    text + "\n"
}

#[test]
fn the_page_contains_the_lower_bounds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/gpu.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("<!-- table memory -->\n").unwrap();
    let (found, after) = rest.split_once("<!-- end -->").unwrap();
    let table = table();
    if env::var_os("EXPE_BLESS").is_some() {
        let new = format!("{before}<!-- table memory -->\n{table}<!-- end -->{after}");
        fs::write(&path, new).unwrap();
        return;
    }
    assert_eq!(found, table, "run the test with EXPE_BLESS=1 to update the table");
}
