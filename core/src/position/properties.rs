use super::{EmbeddingSite, OverrideBlock, PositionConfig};

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
