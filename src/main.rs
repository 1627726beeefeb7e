//! Arguments → command → exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    interrupt_callback::cli::main()
}
