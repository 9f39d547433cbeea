//! Position encodings: they tell a transformer at which position a token is.
//!
//! Every encoding implements [`PositionEncoding`], whose methods are grouped by the four *sites* of
//! a decoder where a position can act. All of them default to "does nothing here", so an encoding
//! is the few methods it overrides:
//!
//! | site | encodings | methods |
//! |---|---|---|
//! | token embedding | [`Sinusoidal`], [`Learned`] | [`embed`](PositionEncoding::embed), [`embed_fixed`](PositionEncoding::embed_fixed) |
//! | query/key input | [`Expe`], [`Exqpe`] | [`override_block`](PositionEncoding::override_block), [`progression`](PositionEncoding::progression), [`query_digits`](PositionEncoding::query_digits), [`key_digits`](PositionEncoding::key_digits) |
//! | query/key head | [`Rope`] | [`rotation`](PositionEncoding::rotation), [`rotation_fixed`](PositionEncoding::rotation_fixed) |
//! | score | [`Alibi`] | [`slope`](PositionEncoding::slope) |
//!
//! The methods in `fixed` and those of digits are integer arithmetic throughout, for chips without a
//! floating-point unit; the values in floats are made from the same integers.
//!
//! [`NoPosition`] acts at none. [`Position`] holds any of them, chosen at run time from a
//! [`PositionConfig`].

mod alibi;
mod apply;
mod encoding;
mod encodings;
mod error;
mod expe;
mod exqpe;
mod grid;
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
mod sites;

pub use alibi::Alibi;
pub use apply::{
    bias_rows, embed_rows, for_each_row, override_key_rows, override_query_rows, rotate_rows,
};
pub use encoding::PositionEncoding;
pub use encodings::{ModelDims, Position, PositionConfig, SUPPORTED};
pub use error::PositionError;
pub use expe::Expe;
pub use exqpe::{Exqpe, Growth};
pub use grid::{Beyond, Grid};
pub use learned::Learned;
pub use none::NoPosition;
pub use override_block::OverrideBlock;
pub use progression::{MAX_DIGITS, Progression};
pub use rope::{Rope, rotate};
pub use scaling::Scaling;
pub use sinusoidal::Sinusoidal;
pub use sites::{EmbeddingSite, Sites};
