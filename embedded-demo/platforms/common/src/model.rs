/// Distance from the length to the bytes, which keeps them aligned as a model file must be.
const OFFSET: usize = 16;

// The address at which the runner loads a model: from the `memory.x` of a board that has benchmarks.
unsafe extern "C" {
    static _benchmark_model: u32;
}

/// Returns the model file that the emulator has loaded into memory; empty if there is none.
///
/// Its length is at `_benchmark_model` and its bytes are [`OFFSET`] behind; without a file the memory
/// is zero.
pub fn loaded_model() -> &'static [u8] {
    let address = (&raw const _benchmark_model).addr();
    let length = core::ptr::with_exposed_provenance::<u32>(address);
    let bytes = core::ptr::with_exposed_provenance::<u8>(address + OFFSET);
    // SAFETY: `memory.x` keeps the linker and everything else away from this memory, and the
    // emulator has written the length and as many bytes before the program starts.
    unsafe { core::slice::from_raw_parts(bytes, length.read_volatile() as usize) }
}
