//! The `expe` command.

fn main() {}
