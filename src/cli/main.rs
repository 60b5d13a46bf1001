//! The program `msgr2`.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod advice;
mod check;
mod conf;
mod connect;
mod decode;
mod identity;
mod keyring;
mod measure;
mod mon;
mod monitor;
mod peer;
mod porter;
mod script;
mod serve;
mod signals;
mod spec;
mod witness;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Ceph's messenger v2: decode captures, speak the protocol, read the spec.
#[derive(Parser)]
#[command(version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Connect(Box<connect::Args>),
    Decode(Box<decode::Args>),
    #[command(subcommand)]
    Keyring(keyring::Command),
    Serve(Box<serve::Args>),
    #[command(subcommand)]
    Spec(spec::Command),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Connect(args) => connect::run(&args),
        Command::Decode(args) => decode::run(*args),
        Command::Keyring(command) => keyring::run(&command),
        Command::Serve(args) => serve::run(&args),
        Command::Spec(command) => spec::run(&command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // whoever reads our output has seen enough
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("msgr2: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|e| e.downcast_ref::<io::Error>()).any(|e| e.kind() == io::ErrorKind::BrokenPipe)
}
