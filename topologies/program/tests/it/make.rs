//! What `make check` says and does where a program it can use is not installed, and where one has found something.
//!
//! The programs themselves are not needed here: each is played by a script, since what is looked at is the Makefile. The
//! servents of `make members` are real ones.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use topologies::fleet::some_loopback_address;

use crate::support::{Mark, stdout};

/// The targets of what may not be installed, each with the variable that says what its program is called.
const PROGRAMS: [(&str, &str); 3] = [("deny", "CARGO"), ("promised", "RUSTUP"), ("typos", "TYPOS")];

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Makes a target with this for each of the programs.
fn make(target: &str, program: &Path) -> Output {
    make_with(target, program, &[])
}

/// The same with more variables.
fn make_with(target: &str, program: &Path, variables: &[String]) -> Output {
    let mut make = Command::new("make");
    make.args(["--silent", target]).current_dir(home());
    make.args(PROGRAMS.map(|(_, variable)| format!("{variable}={}", program.display()))).args(variables);
    // What a `make` that runs these tests was told is not meant for this one.
    make.env_remove("MAKEFLAGS").env_remove("MFLAGS").env_remove("MAKELEVEL").output().unwrap()
}

/// The Rust version that Cargo.toml promises.
fn promised() -> String {
    let text = fs::read_to_string(home().join("Cargo.toml")).unwrap();
    text.split("\nrust-version = \"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// A program that ends well where its arguments are like one of these, and badly elsewhere. Asked for toolchains it has the
/// promised one.
fn program(directory: &Path, name: &str, ends_well_with: &str) -> PathBuf {
    let file = directory.join(name);
    let toolchains = format!("'toolchain list') echo {}.7-somewhere; exit 0;;", promised());
    fs::write(&file, format!("#!/bin/sh\ncase \"$*\" in {toolchains} {ends_well_with}) exit 0;; esac\nexit 1\n"))
        .unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
    file
}

#[test]
fn what_is_not_installed_is_said_not_to_have_been_run_and_how_it_is_got() {
    for (target, _) in PROGRAMS {
        let output = make(target, Path::new("/nowhere"));
        assert!(output.status.success(), "{target} ends with {}", output.status);
        let said = stdout(&output);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with("not run: ") && said.contains(" install "), "{said}");
    }
}

#[test]
fn what_a_program_finds_is_not_green() {
    let directory = tempfile::tempdir().unwrap();
    // Each tells its version, or what it has, which is how it is seen to be there; whatever else it is asked for it finds
    // something.
    let program = program(directory.path(), "program", "*--version*");
    for (target, _) in PROGRAMS {
        let output = make(target, &program);
        assert!(!output.status.success(), "{target} is green: {}", stdout(&output));
        assert!(!stdout(&output).contains("not run"), "{target}: {}", stdout(&output));
    }
}

#[test]
fn advisories_that_cannot_be_fetched_are_said_not_to_have_been_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let without_net = program(directory.path(), "without-net", "*--version*|*'check bans licenses sources'*");
    let output = make("deny", &without_net);
    assert!(output.status.success());
    assert!(stdout(&output).starts_with("not run: advisories"), "{}", stdout(&output));
    let with_net = program(directory.path(), "with-net", "*--version*|*fetch*|*'deny check --disable-fetch'*");
    let output = make("deny", &with_net);
    assert!(output.status.success());
    assert_eq!(stdout(&output), "");
}

#[test]
fn advisories_are_not_waited_for_without_end_where_there_is_no_timeout() {
    let directory = tempfile::tempdir().unwrap();
    let cargo = program(directory.path(), "cargo", "*--version*|*fetch*|*'deny check'*");
    for (timeout, said) in [
        (
            "/nowhere",
            "not run: advisories (the rest of cargo-deny was); to have it: timeout, which is in GNU coreutils\n",
        ),
        ("timeout", ""),
    ] {
        let output = make_with("deny", &cargo, &[format!("TIMEOUT={timeout}")]);
        assert!(output.status.success());
        assert_eq!(stdout(&output), said);
    }
    // What does not wait is looked at all the same.
    let findings = program(directory.path(), "findings", "*--version*|*fetch*");
    assert!(!make_with("deny", &findings, &["TIMEOUT=/nowhere".to_owned()]).status.success());
}

#[test]
fn everything_is_compiled_with_the_promised_version_unless_that_is_the_one_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let (promised, readme) = (promised(), fs::read_to_string(home().join("README.md")).unwrap());
    assert!(readme.contains(&format!("With a Rust toolchain ({promised} or newer")), "README promises another");
    let words = "cargo check --workspace --all-targets --locked --target-dir target/promised";
    let another = program(directory.path(), "another", &format!("'run {promised}.7-somewhere {words}'"));
    let output = make("promised", &another);
    assert!(output.status.success() && stdout(&output).is_empty(), "{output:?}");
    let in_use =
        program(directory.path(), "in-use", &format!("--version) echo 'cargo {promised}.3 (of a day)'; exit 0;; x"));
    let output = make("promised", &in_use);
    assert!(output.status.success());
    assert_eq!(stdout(&output), format!("Rust {promised}, which Cargo.toml promises, is the one in use\n"));
    // The same digits are not the same version.
    let another =
        program(directory.path(), "newer", &format!("--version) echo 'cargo {promised}7.0 (of a day)'; exit 0;; x"));
    assert!(!make("promised", &another).status.success());
}

#[test]
fn check_looks_at_each_of_them() {
    let mut make = Command::new("make");
    make.args(["--dry-run", "check"]).current_dir(home());
    let output = make.env_remove("MAKEFLAGS").env_remove("MFLAGS").env_remove("MAKELEVEL").output().unwrap();
    let said = stdout(&output);
    // `make` tells what it would do in each, since they are made by a `make` of their own.
    for (target, words) in [("deny", "deny check bans"), ("promised", "target/promised"), ("typos", "typos --version")]
    {
        assert!(said.contains(words), "check leaves out {target}: {said}");
    }
}

#[test]
fn members_are_told_of_as_they_come_and_go_and_all_of_it_ends_together() {
    let (directory, ip) = (tempfile::tempdir().unwrap(), some_loopback_address());
    let mut make = Command::new("make");
    make.args(["--silent", "members", "CARGO=true"]).current_dir(home());
    make.args([format!("MEMBERS_IP={ip}"), format!("MEMBERS_DIR={}", directory.path().display())]);
    make.env_remove("MAKEFLAGS").env_remove("MFLAGS").env_remove("MAKELEVEL").process_group(0);
    let mark = Mark::put_on(&mut make);
    let mut make = make.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(make.stdout.take().unwrap()).lines();
    let mut said = BufReader::new(make.stderr.take().unwrap()).lines();
    let mut expect = |words: &str| lines.any(|line| line.unwrap().contains(words));
    assert!(expect(&format!("{ip}:9001 noted that {ip}:9003 is online: ")));
    let east = said.find_map(|line| line.unwrap().strip_prefix(&format!("east is {ip}:9003, process "))?.parse().ok());
    kill_process(Pid::from_raw(east.unwrap()).unwrap(), Signal::KILL).unwrap();
    assert!(expect(&format!(" noted that {ip}:9003 is failed, was ")));
    kill_process_group(Pid::from_child(&make), Signal::TERM).unwrap();
    // To the end of what it says: whoever is left would hold its pipe.
    lines.for_each(drop);
    assert!(!make.wait().unwrap().success());
    assert!(mark.processes().is_empty(), "{:?}", mark.processes());
}
