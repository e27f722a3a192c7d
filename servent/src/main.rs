//! The servent program; all of it is in the library, so that tests and the topology program share its command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    servent::main()
}
