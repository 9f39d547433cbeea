/// Bytes at a multiple of [`ALIGNMENT`](crate::internals::ALIGNMENT), as [`Model::new`](crate::Model::new) needs
/// them.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(16))]
pub struct Aligned<B: ?Sized>(pub B);

/// Includes a model file in the program, aligned: `include_bytes!` for [`Model::new`](crate::Model::new).
///
/// The path is relative to the source file; the value is a `&'static [u8]`.
#[macro_export]
macro_rules! include_model {
    ($path:expr) => {{
        const MODEL: &$crate::format::Aligned<[u8]> =
            &$crate::format::Aligned(*include_bytes!($path));
        &MODEL.0
    }};
}
