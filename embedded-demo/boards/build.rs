//! The build script of every board. Passes to the linker the `memory.x` of the board and the scripts of its runtime
//! crate (`link.x`) and of `defmt`.

use std::{env, path::PathBuf};

fn main() {
    // The folder of the package that is being built, `boards/NAME`.
    let board = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    println!("cargo::rustc-link-search={}", board.display());
    println!("cargo::rustc-link-arg-bins=--nmagic");
    // The script of `cortex-m-rt` includes `memory.x`; that of `riscv-rt` must follow it.
    if variable("CARGO_CFG_TARGET_ARCH") == "riscv32" {
        println!("cargo::rustc-link-arg-bins=-Tmemory.x");
    }
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
    println!("cargo::rerun-if-changed={}", board.join("memory.x").display());
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}
