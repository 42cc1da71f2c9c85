//! The shape of attention's heads.

/// How many heads there are, and how long each is.
///
/// Query heads come in groups of `queries / keys` neighbours that share one key and value head
/// (grouped-query attention, arXiv 2305.13245).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Query heads; a multiple of `keys`.
    pub queries: usize,
    /// Key heads, and as many value heads.
    pub keys: usize,
    /// Elements of a head; even.
    pub size: usize,
}

impl Heads {
    /// Elements of a token's queries, keys and values side by side.
    pub fn joined(self) -> usize {
        (self.queries + 2 * self.keys) * self.size
    }

    /// Query heads that share a key head.
    pub fn group(self) -> usize {
        self.queries / self.keys.max(1)
    }
}
