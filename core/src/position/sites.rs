use super::OverrideBlock;

/// The sites where an encoding acts, known without building it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sites {
    /// *Token embedding*: the source of the offsets.
    pub embedding: EmbeddingSite,
    /// *Query/key input*: the overridden block.
    pub block: Option<OverrideBlock>,
    /// *Query/key head*: whether heads are rotated.
    pub rotates: bool,
    /// *Score*: whether heads have slopes.
    pub slopes: bool,
}

/// The source of the offsets that an encoding adds to token embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbeddingSite {
    /// Nothing is added.
    Untouched,
    /// Offsets are computed.
    Computed,
    /// Offsets are rows of a trained table.
    Table,
}
