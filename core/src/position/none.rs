use super::PositionEncoding;
use crate::num::Element;

/// NoPE: no position at any site. A causal decoder still knows how many tokens it attends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoPosition;

impl<T: Element> PositionEncoding<T> for NoPosition {}
