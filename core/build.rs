//! Sets `cfg`s for features of Arm processors that `cfg(target_feature)` does not expose on stable Rust.
//!
//! - `expe_base`: the base instructions of the M profile from the Cortex-M3 on, on processors without vectors
//! - `expe_dsp`: the DSP extension of the M profile (Cortex-M4, M7, M33, M35P), on processors without vectors
//! - `expe_mve`: the vector extension of the M profile (Cortex-M52, M55, M85)

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(expe_base, expe_dsp, expe_mve)");
    let target = env::var("TARGET").unwrap_or_default();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let words: Vec<&str> = flags.split(['\u{1f}', ' ', '=', ',']).collect();
    let any = |names: &[&str]| names.iter().any(|name| words.contains(name));
    // ARMv7E-M is ARMv7-M with the DSP extension; in ARMv8-M Mainline the DSP extension is optional.
    let v8 = target.starts_with("thumbv8m.main");
    let mve = v8 && any(&["cortex-m52", "cortex-m55", "cortex-m85", "+mve", "+mve.fp"]);
    let dsp = v8 && any(&["cortex-m33", "cortex-m35p", "+dsp"]);
    if mve {
        println!("cargo::rustc-cfg=expe_mve");
    } else if v8 || target.starts_with("thumbv7") {
        println!("cargo::rustc-cfg=expe_base");
    }
    if !mve && (target.starts_with("thumbv7em") || dsp) {
        println!("cargo::rustc-cfg=expe_dsp");
    }
}
