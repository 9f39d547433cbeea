//! The contents of a firmware's ELF file.

use std::fs;
use std::path::Path;

use object::{Object, ObjectSection, ObjectSymbol};

/// Returns the names of all functions and objects in a firmware.
pub fn symbols(firmware: &Path) -> Vec<String> {
    let bytes = fs::read(firmware).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    file.symbols().map(|symbol| symbol.name().unwrap().to_owned()).collect()
}

/// Returns a copy of `firmware` with one bit of the model flipped, in the weights.
pub fn damaged(firmware: &Path, model: &[u8]) -> Vec<u8> {
    let mut bytes = fs::read(firmware).unwrap();
    // The length and checksum in the header make its first bytes unique.
    let mut places = bytes.windows(64).enumerate().filter(|(_, window)| *window == &model[..64]);
    let (at, _) = places.next().expect("the model is in the firmware");
    assert_eq!(places.next(), None, "the model is in the firmware twice");
    bytes[at + model.len() / 2] ^= 1;
    bytes
}

/// Counts the instructions of a Cortex-M4F firmware that compute with floats; moves do not count.
///
/// The mapping symbols separate instructions (after `$t`) from data (after `$d`; "ELF for the Arm
/// Architecture", §5.5.5). The instructions are recognized by their bits ("ARMv7-M Architecture Reference
/// Manual", A5.1 and A6.4).
pub fn float_instructions(firmware: &Path) -> usize {
    let bytes = fs::read(firmware).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let text = file.section_by_name(".text").unwrap();
    let (start, data) = (text.address(), text.data().unwrap());
    let end = start + text.size();
    let mut marks: Vec<(u64, bool)> = file
        .symbols()
        .filter(|symbol| (start..end).contains(&symbol.address()))
        .filter_map(|symbol| {
            let name = symbol.name().unwrap();
            let code = name == "$t" || name.starts_with("$t.");
            (code || name.starts_with("$d")).then(|| (symbol.address(), code))
        })
        .collect();
    marks.sort_unstable();
    let ends = marks.iter().skip(1).map(|(address, _)| *address).chain([end]);
    let runs = marks.iter().zip(ends).filter(|((_, code), _)| *code);
    runs.map(|((from, _), to)| {
        let halves = data[(from - start) as usize..(to - start) as usize].chunks_exact(2);
        count_floats(halves.map(|half| u16::from_le_bytes([half[0], half[1]])))
    })
    .sum()
}

fn count_floats(mut halves: impl Iterator<Item = u16>) -> usize {
    let mut count = 0;
    while let Some(first) = halves.next() {
        let long = matches!(first >> 11, 0b11101..=0b11111);
        let Some(second) = long.then(|| halves.next()).flatten() else { continue };
        let floating_point = first & 0xef00 == 0xee00 && second & 0x0e10 == 0x0a00;
        let immediate = first & 0xb0 == 0xb0 && second & 0x40 == 0;
        let register = first & 0xbf == 0xb0 && second & 0xc0 == 0x40;
        count += usize::from(floating_point && !immediate && !register);
    }
    count
}

#[test]
fn float_instructions_are_recognized() {
    // nop; vadd.f32 s0, s1, s2; vmov.f32 s0, s1; vmov.f32 s0, #1; vcmp.f32 s0, #0; vldr s0, [r0]; bl
    let code = [
        0xbf00, 0xee30, 0x0a81, 0xeeb0, 0x0a60, 0xeeb7, 0x0a00, 0xeeb5, 0x0a40, 0xed90, 0x0a00,
        0xf000, 0xf800,
    ];
    assert_eq!(count_floats(code.into_iter()), 2);
}

/// Whether a symbol is a compiler routine that computes with floats for processors without an FPU: see the
/// "Run-time ABI for the Arm Architecture" (§4.1) and "Soft float library routines" in GCC's internals
/// manual.
pub fn is_soft_float(symbol: &str) -> bool {
    if let Some(name) = symbol.strip_prefix("__aeabi_") {
        let to_float = ["i2f", "ui2f", "l2f", "ul2f", "i2d", "ui2d", "l2d", "ul2d", "h2f"];
        let from_float = |kind: char| {
            let rest = name.strip_prefix(['c']).unwrap_or(name).strip_prefix(kind);
            let operations =
                ["add", "sub", "rsub", "mul", "div", "neg", "cmp", "rcmp", "2", "cmpeq", "cmple"];
            rest.is_some_and(|rest| operations.iter().any(|name| rest.starts_with(name)))
        };
        return to_float.contains(&name) || from_float('f') || from_float('d');
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
fn soft_float_routines_are_recognized() {
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
