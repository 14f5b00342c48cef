//! The `slotwright` command line.

use clap::Parser;
use slotwright::cli::Cli;
use std::process::ExitCode;

/// Requests allocate many small things on several threads; this allocator costs them about half of the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    Cli::parse().run().await
}
