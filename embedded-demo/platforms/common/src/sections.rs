//! What the linker knows of the memory.

use expe_demo_app::Sections;

// Set by the linker scripts of `cortex-m-rt` and `riscv-rt`, under the same names.
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

/// The sizes of the sections.
pub fn sections() -> Sections {
    let bytes = |start: *const u8, end: *const u8| end.addr() - start.addr();
    Sections {
        code: bytes(&raw const __stext, &raw const __etext),
        constants: bytes(&raw const __srodata, &raw const __erodata),
        data: bytes(&raw const __sdata, &raw const __edata),
        zeroed: bytes(&raw const __sbss, &raw const __ebss),
    }
}
