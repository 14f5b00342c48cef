//! The `slotwright` command line.

use clap::Parser;
use slotwright::cli::Cli;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    Cli::parse().run().await
}
