//! The build script of every board: hands the linker the board's `memory.x` and the scripts of its
//! runtime crate (`link.x`) and of `defmt`.

use std::{env, path::PathBuf};

fn main() {
    // The folder of the package that is being built, `boards/NAME`.
    let board = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    println!("cargo::rustc-link-search={}", board.display());
    println!("cargo::rustc-link-arg-bins=--nmagic");
    // `cortex-m-rt` includes `memory.x` in its script; `riscv-rt` wants it before its own.
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
