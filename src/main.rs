//! The `slotwright` command line.

fn main() {}
