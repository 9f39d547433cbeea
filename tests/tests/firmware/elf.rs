//! What is in a firmware.

use std::fs;
use std::path::Path;

use object::{Object, ObjectSymbol};

/// The names of all functions and objects in a firmware.
pub fn symbols(firmware: &Path) -> Vec<String> {
    let bytes = fs::read(firmware).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    file.symbols().map(|symbol| symbol.name().unwrap().to_owned()).collect()
}

/// A copy of `firmware` in which one bit of the model file is wrong: half-way, in the weights.
pub fn damaged(firmware: &Path, model: &[u8]) -> Vec<u8> {
    let mut bytes = fs::read(firmware).unwrap();
    // The length and checksum in the header make its first bytes unique.
    let mut places = bytes.windows(64).enumerate().filter(|(_, window)| *window == &model[..64]);
    let (at, _) = places.next().expect("the model is in the firmware");
    assert_eq!(places.next(), None, "the model is in the firmware twice");
    bytes[at + model.len() / 2] ^= 1;
    bytes
}

/// Whether a symbol is a routine of the compiler's that computes with floats on a processor that
/// cannot: see the "Run-time ABI for the Arm Architecture" (§4.1) and "Soft float library routines" in
/// GCC's internals manual.
pub fn is_soft_float(symbol: &str) -> bool {
    if let Some(name) = symbol.strip_prefix("__aeabi_") {
        let to_float = ["i2f", "ui2f", "l2f", "ul2f", "i2d", "ui2d", "l2d", "ul2d", "h2f"];
        let of_float = |kind: char| {
            let rest = name.strip_prefix(['c']).unwrap_or(name).strip_prefix(kind);
            let operations =
                ["add", "sub", "rsub", "mul", "div", "neg", "cmp", "rcmp", "2", "cmpeq", "cmple"];
            rest.is_some_and(|rest| operations.iter().any(|name| rest.starts_with(name)))
        };
        return to_float.contains(&name) || of_float('f') || of_float('d');
    }
    let operations = [
        "add", "sub", "mul", "div", "neg", "cmp", "eq", "ne", "lt", "le", "gt", "ge", "unord",
        "fix", "float", "extend", "trunc", "pow",
    ];
    let modes = |name: &str| ["hf", "sf", "df", "tf"].iter().any(|mode| name.contains(mode));
    symbol.strip_prefix("__").is_some_and(|name| {
        operations.iter().any(|operation| name.strip_prefix(operation).is_some_and(modes))
    })
}

#[test]
fn soft_float_routines_are_recognised() {
    for name in [
        "__aeabi_fadd",
        "__aeabi_dmul",
        "__aeabi_frsub",
        "__aeabi_fcmplt",
        "__aeabi_cdcmple",
        "__aeabi_f2iz",
        "__aeabi_d2f",
        "__aeabi_f2d",
        "__aeabi_ui2f",
        "__aeabi_ul2d",
        "__addsf3",
        "__muldf3",
        "__ltsf2",
        "__fixunssfsi",
        "__floatundisf",
        "__extendhfsf2",
        "__truncdfsf2",
        "__unorddf2",
        "__powisf2",
    ] {
        assert!(is_soft_float(name), "{name}");
    }
    for name in [
        "__aeabi_idiv",
        "__aeabi_uldivmod",
        "__aeabi_memcpy",
        "__aeabi_lmul",
        "__aeabi_dmb",
        "__divdi3",
        "__muldi3",
        "__udivsi3",
        "__ashldi3",
        "__edata",
        "main",
    ] {
        assert!(!is_soft_float(name), "{name}");
    }
}
