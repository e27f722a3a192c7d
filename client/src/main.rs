//! The client program; all of it is in the library, so that its command line can be run through without a process.

use std::process::ExitCode;

fn main() -> ExitCode {
    client::main()
}
