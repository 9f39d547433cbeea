/// Number of tokens that are single bytes.
pub(super) const BYTES: usize = 256;

/// The longest token of a merge table, in bytes.
pub const MAX_TOKEN_BYTES: u32 = 1 << 16;
