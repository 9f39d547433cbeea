//! Position encodings, which tell a transformer the position of each token.
//!
//! Every encoding implements [`PositionEncoding`], whose methods are grouped by *site*, one of the four places in
//! a decoder where a position can act. By default a method does nothing, so an encoding implements only the
//! methods of its site:
//!
//! | site | encodings | methods |
//! |---|---|---|
//! | token embedding | [`Sinusoidal`], [`Learned`] | [`embed`](PositionEncoding::embed), [`embed_fixed`](PositionEncoding::embed_fixed) |
//! | query/key input | [`Expe`], [`Exqpe`] | [`override_block`](PositionEncoding::override_block), [`progression`](PositionEncoding::progression), [`query_digits`](PositionEncoding::query_digits), [`key_digits`](PositionEncoding::key_digits) |
//! | query/key head | [`Rope`] | [`rotation`](PositionEncoding::rotation), [`rotation_fixed`](PositionEncoding::rotation_fixed) |
//! | score | [`Alibi`] | [`slope`](PositionEncoding::slope) |
//!
//! Methods that end in `_fixed` or `_digits` use integer arithmetic only, for chips without a floating-point unit;
//! floating-point values are computed from the same integers.
//!
//! [`NoPosition`] acts at no site. [`Position`] is any of the encodings, chosen at run time by a
//! [`PositionConfig`].

mod alibi;
mod apply;
mod encoding;
pub(crate) mod encodings;
mod error;
mod expe;
mod exqpe;
pub(crate) mod grid;
mod learned;
mod none;
mod override_block;
mod progression;
mod properties;
mod rope;
mod scaling;
#[cfg(feature = "serde")]
mod settings;
mod sinusoidal;
pub(crate) mod sites;

pub use alibi::Alibi;
pub use apply::{
    bias_rows, embed_rows, for_each_row, override_key_rows, override_query_rows, rotate_rows,
};
pub use encoding::PositionEncoding;
pub use encodings::{ModelDims, Position, PositionConfig};
pub use error::PositionError;
pub use expe::Expe;
pub use exqpe::{Exqpe, Growth};
pub use grid::Beyond;
pub(crate) use grid::Grid;
pub use learned::Learned;
pub use none::NoPosition;
pub use override_block::OverrideBlock;
pub use progression::{MAX_DIGITS, Progression};
pub use rope::{Rope, rotate};
pub use scaling::Scaling;
pub use sinusoidal::Sinusoidal;
pub(crate) use sites::{EmbeddingSite, Sites};
