//! The transformer on dfdx.
