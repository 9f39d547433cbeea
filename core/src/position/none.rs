use super::PositionEncoding;
use crate::num::Element;

/// NoPE: no position encoding. A causal decoder can still infer positions from the number of attended tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoPosition;

impl<T: Element> PositionEncoding<T> for NoPosition {}
