//! Arguments → command → exit code.

use std::process::ExitCode;

// Given by contrib/build-static.sh.
#[cfg(no_backtrace)]
extern crate no_backtrace as _;

fn main() -> ExitCode {
    interrupt_callback::cli::main()
}
