use super::OverrideBlock;

/// The sites where an encoding acts, known without building it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sites {
    /// *Token embedding*: where the offsets that are added come from.
    pub embedding: EmbeddingSite,
    /// *Query/key input*: the overridden block.
    pub block: Option<OverrideBlock>,
    /// *Query/key head*: whether heads are rotated.
    pub rotates: bool,
    /// *Score*: whether heads have slopes.
    pub slopes: bool,
}

/// Where the offsets that an encoding adds to token embeddings come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbeddingSite {
    /// Nothing is added.
    Untouched,
    /// They are computed.
    Computed,
    /// They are rows of a trained table.
    Table,
}
