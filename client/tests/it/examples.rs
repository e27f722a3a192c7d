//! The examples, run as a reader would.
use super::*;

/// Where an example is: they are built beside the tests.
pub(crate) fn program(name: &str) -> PathBuf {
    let tests: PathBuf = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let program = tests.parent().unwrap().join("examples").join(name);
    assert!(program.exists(), "there is no {}: cargo build -p client --examples", program.display());
    program
}

/// What an example prints, which ends by itself.
fn run(name: &str, arguments: &[&str]) -> String {
    let mut child = Command::new(program(name)).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let out = std::io::read_to_string(child.stdout.take().unwrap()).unwrap();
    assert!(child.wait().unwrap().success(), "{name}: {out}");
    out
}

#[test]
fn they_say_what_real_servents_say() {
    let chain = Chain::start(["tea green\n", "coffee black\n"]);
    let (contact, other) = (&*chain.contact(), chain.address(1));
    assert_eq!(run("ask", &[contact, "coffee"]), format!("{other}: black\nanswers: 1, missing: 0\n"));
    let watched = run("watch", &[contact, "2"]);
    let mut expected = [chain.address(0), other];
    expected.sort();
    assert_eq!(watched, expected.map(|servent| format!("+ {servent}\n")).concat());
    let load = run("load", &[contact, "coffee"]);
    assert!(load.starts_with("10000 lookups, 10000 answers, 0 missing, 0 lost in "), "{load}");
}
