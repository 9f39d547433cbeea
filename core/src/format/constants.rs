/// The version of the file that [`Writer`](crate::internals::Writer) writes.
pub const VERSION: u32 = 2;

/// The oldest version that is read.
pub const OLDEST_VERSION: u32 = 1;

/// The file's first bytes.
pub const MAGIC: [u8; 8] = *b"\x89EXPE\r\n\x1a";

/// The alignment of a file in memory, and of every tensor in it.
pub const ALIGNMENT: usize = 16;

/// The checksum of the bytes from [`CHECKED_FROM`] to the end. The fields before it need none: each has
/// one possible value.
pub(super) static CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);
pub(super) const CHECKED_FROM: usize = 32;

/// Bytes of one merge.
pub(super) const MERGE_LEN: u64 = 12;

/// Returns the next multiple of [`ALIGNMENT`]; `None` past 64 bits.
pub(super) const fn align(length: u64) -> Option<u64> {
    length.checked_next_multiple_of(ALIGNMENT as u64)
}
