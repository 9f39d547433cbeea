//! Logging of flash and RAM usage.

use crate::stack;

// Defined with the same names by the linker scripts of `cortex-m-rt` and `riscv-rt`.
unsafe extern "C" {
    static __stext: u8;
    static __etext: u8;
    static __srodata: u8;
    static __erodata: u8;
    static __sdata: u8;
    static __edata: u8;
    static __sbss: u8;
    static __ebss: u8;
}

/// Logs the sizes in bytes of the sections and of the stack. `buffers` is the size of the buffers of the demos, which
/// are part of the variables.
pub fn log(buffers: usize) {
    let size = |start: *const u8, end: *const u8| end.addr() - start.addr();
    let data = size(&raw const __sdata, &raw const __edata);
    defmt::println!(
        "flash: code {=usize} bytes, constants with models {=usize} bytes, initial values {=usize} bytes",
        size(&raw const __stext, &raw const __etext),
        size(&raw const __srodata, &raw const __erodata),
        data,
    );
    defmt::println!(
        "RAM: variables {=usize} bytes, of which buffers {=usize} bytes, stack {=usize} of {=usize} bytes",
        data + size(&raw const __sbss, &raw const __ebss),
        buffers,
        stack::used(),
        stack::size(),
    );
}
