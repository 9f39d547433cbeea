/// Offset of the bytes from their length in memory, so that the model file is aligned.
const OFFSET: usize = 16;

// The address at which the runner loads a model, defined in the `memory.x` of boards that have benchmarks.
unsafe extern "C" {
    static _benchmark_model: u32;
}

/// Returns the model file that the emulator loaded into memory, or an empty slice if there is none.
///
/// The length of the file is stored at `_benchmark_model`, and its bytes follow at the offset [`OFFSET`]. Without a
/// file, this memory is zero.
pub fn loaded_model() -> &'static [u8] {
    let address = (&raw const _benchmark_model).addr();
    let length = core::ptr::with_exposed_provenance::<u32>(address);
    let bytes = core::ptr::with_exposed_provenance::<u8>(address + OFFSET);
    // SAFETY: `memory.x` reserves this memory, and the emulator writes the length and that many bytes before the
    // program starts.
    unsafe { core::slice::from_raw_parts(bytes, length.read_volatile() as usize) }
}
