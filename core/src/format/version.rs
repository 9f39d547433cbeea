/// The version of the file format that [`Writer`](super::Writer) writes.
pub const VERSION: u32 = 2;

/// The oldest version that can be read.
pub const OLDEST_VERSION: u32 = 1;

/// The first bytes of a file.
pub const MAGIC: [u8; 8] = *b"\x89EXPE\r\n\x1a";

/// Alignment of a file in memory and of every tensor in it, in bytes.
pub const ALIGNMENT: usize = 16;
