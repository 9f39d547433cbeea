//! The kernels that the build compiled.

include!(concat!(env!("OUT_DIR"), "/kernels.rs"));

/// Returns the PTX of the kernels in `name.cu` that suits a GPU of compute capability `capability` (ten times)
/// best, if there is any.
pub fn ptx(name: &str, capability: u32) -> Option<&'static str> {
    let suitable = KERNELS.iter().filter(|kernel| kernel.0 == name && kernel.1 <= capability);
    suitable.max_by_key(|kernel| kernel.1).map(|kernel| kernel.2)
}
