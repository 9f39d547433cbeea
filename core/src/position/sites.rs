use super::{OverrideBlock, PositionConfig};

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

/// What follows from the [sites](PositionConfig::sites) of an encoding.
impl PositionConfig {
    /// Returns the overridden block; an empty one where the encoding does not act on inputs.
    pub const fn override_block(&self) -> OverrideBlock {
        match self.sites().block {
            Some(block) => block,
            None => OverrideBlock { width: 0, digits: 0 },
        }
    }

    /// Whether heads are rotated.
    pub const fn rotates(&self) -> bool {
        self.sites().rotates
    }

    /// Whether heads have slopes.
    pub const fn has_slopes(&self) -> bool {
        self.sites().slopes
    }

    /// Whether the encoding has a trained table, with a row for each of the model's `context` positions.
    pub const fn needs_table(&self) -> bool {
        matches!(self.sites().embedding, EmbeddingSite::Table)
    }

    /// Whether the offsets that are added to token embeddings are computed.
    pub const fn computes_offsets(&self) -> bool {
        matches!(self.sites().embedding, EmbeddingSite::Computed)
    }

    /// Whether cached keys and values are free of positions, so that they can move to another position: the
    /// position is added at the score, or there is none.
    pub const fn is_position_free(&self) -> bool {
        let sites = self.sites();
        matches!(sites.embedding, EmbeddingSite::Untouched) && !sites.rotates
    }

    /// Returns an encoding with the same table and no overridden block: that of a checkpoint, whose query and
    /// key matrices have all their columns.
    #[must_use]
    pub const fn unfolded(self) -> Self {
        if self.sites().block.is_some() { Self::None } else { self }
    }
}
