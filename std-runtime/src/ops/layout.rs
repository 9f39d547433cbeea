/// How the rows of an attention layer fall into sequences and heads.
///
/// Inputs are `(batch·length, heads·head_width)`. Query head `h` belongs to key-value head `h / groups`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Sequences.
    pub batch: usize,
    /// Positions of a sequence.
    pub length: usize,
    /// Key-value heads.
    pub kv_heads: usize,
    /// Query heads per key-value head.
    pub groups: usize,
    /// Width of a head.
    pub head_width: usize,
}

impl Heads {
    /// Query heads: `kv_heads · groups`.
    pub const fn heads(&self) -> usize {
        self.kv_heads * self.groups
    }
}

/// Queries, keys, and values side by side in rows, one row for each position.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Sequences and heads.
    pub heads: Heads,
    /// Terms that positions add to scores: digits of ExPE and ExQPE, 1 for ALiBi.
    pub digits: usize,
}

impl Layout {
    /// Rows: positions of all sequences.
    pub fn rows(&self) -> usize {
        self.heads.batch * self.heads.length
    }

    /// Width of all queries of a row; where keys begin.
    pub fn queries(&self) -> usize {
        self.heads.heads() * self.heads.head_width
    }

    /// Width of all keys of a row, and of all values.
    pub fn keys(&self) -> usize {
        self.heads.kv_heads * self.heads.head_width
    }

    /// Where values begin in a row.
    pub fn values(&self) -> usize {
        self.queries() + self.keys()
    }

    /// Width of a row.
    pub fn stride(&self) -> usize {
        self.queries() + 2 * self.keys()
    }

    /// The factor of scores, `1/√head_width`.
    pub fn scale(&self) -> f32 {
        (1.0 / (self.heads.head_width as f64).sqrt()) as f32
    }
}
