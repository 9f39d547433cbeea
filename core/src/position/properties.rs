use super::{EmbeddingSite, OverrideBlock, PositionConfig};

/// Properties that follow from the [sites](PositionConfig::sites) of an encoding.
impl PositionConfig {
    /// Returns the overridden block, which is empty if the encoding overrides no columns.
    pub const fn override_block(&self) -> OverrideBlock {
        match self.sites().block {
            Some(block) => block,
            None => OverrideBlock { width: 0, digits: 0 },
        }
    }

    /// Returns whether heads are rotated.
    pub const fn rotates(&self) -> bool {
        self.sites().rotates
    }

    /// Returns whether heads have slopes.
    pub const fn has_slopes(&self) -> bool {
        self.sites().slopes
    }

    /// Returns whether the encoding has a trained table, with a row for each of the model's `context` positions.
    pub const fn needs_table(&self) -> bool {
        matches!(self.sites().embedding, EmbeddingSite::Table)
    }

    /// Returns whether computed offsets are added to token embeddings.
    pub const fn computes_offsets(&self) -> bool {
        matches!(self.sites().embedding, EmbeddingSite::Computed)
    }

    /// Returns whether cached keys and values do not depend on positions, so that they can move to another position.
    ///
    /// This is the case if positions act on scores only or not at all.
    pub(crate) const fn is_position_free(&self) -> bool {
        let sites = self.sites();
        matches!(sites.embedding, EmbeddingSite::Untouched) && !sites.rotates
    }

    /// Returns an encoding with the same table and no overridden block, for checkpoints, whose query and key
    /// matrices have all columns.
    #[must_use]
    pub const fn unfolded(self) -> Self {
        if self.sites().block.is_some() { Self::None } else { self }
    }
}
