//! Names of files as strangers choose them: what is written is a file in the current directory, with a name that can be seen.
use super::get::assert_files;
use super::*;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

#[test]
fn whatever_a_file_is_called_it_is_fetched_by_its_name_and_written_here() {
    let long = [b'n'; 255];
    let names: [(&[u8], &[u8], &[u8]); 9] = [
        (b"-", b"'-'", b"-"),
        (b"-f", b"-- -f", b"-f"),
        (b"x", b"x", b"x"),
        (b"x.part", b"x.part", b"x.part"),
        (b"a b\tc", b"\"a b\tc\"", b"a b_c"),
        (b"it's", b"it\\'s", b"it's"),
        (b"caf\xe9", b"caf\xe9", b"caf\xe9"),
        (b"deep/er/in", b"deep/er/in", b"in"),
        (&long, &long, &long[..244]),
    ];
    let files = names.map(|(name, _, _)| (name, name));
    let shared = Shared::start(&files);
    let here = here();
    let mut client = Client::start_in(here.path(), [&*shared.name()]);
    for (name, word, _) in names {
        client.write([b"get ", word, b"\n"].concat());
        let line = client.next_line();
        assert!(line.ends_with(&format!("\t{}\t{}", name.len(), hash_of(name))), "{line}");
    }
    assert_eq!(client.finish(), quiet("", 0));
    let mut written: Vec<(String, &[u8])> =
        names.iter().map(|(name, _, file)| (file.escape_ascii().to_string(), *name)).collect();
    written.sort();
    assert_eq!(names_in(here.path()), written.iter().map(|(name, _)| &**name).collect::<Vec<_>>());
    for (name, _, file) in names {
        let path = here.path().join(OsStr::from_bytes(file));
        assert_eq!(fs::read(path).unwrap(), name);
    }
}

/// No servent of ours shares such a name: this one makes it up.
#[test]
fn no_name_of_a_liar_chooses_a_directory_hides_a_file_or_moves_a_cursor() {
    for (name, file) in [
        (&b"../x"[..], "x"),
        (b"../../../../etc/passwd", "passwd"),
        (b"/etc/passwd", "passwd"),
        (b".bashrc", "_bashrc"),
        (b"a/..", "_."),
        (b"..", "_."),
        (b".", "_"),
        (b"a/", "_"),
        (b"/", "_"),
        (b"a\nb", "a_b"),
        (b"\x1b[2J\x7f\r", "_[2J__"),
        (b"CON\\..\\x", "CON\\\\..\\\\x"),
        ("\u{202e}gpj.exe".as_bytes(), "_gpj.exe"),
        ("a\u{9b}2J\u{200b}".as_bytes(), "a_2J_"),
    ] {
        let bytes = name.repeat(3);
        let holder = Holder::of(name, &bytes, Manner::Honest);
        let teller = Teller::of(vec![holder.told()]);
        let around = here();
        let here = around.path().join("here");
        fs::create_dir(&here).unwrap();
        let run = run_in(&here, &teller.name(), &[], &[&format!("get {}", &hash_of(&bytes)[..20])]);
        assert_eq!(run, quiet(format!("{file}\t{}\t{}\n", bytes.len(), hash_of(&bytes)), 0), "{}", name.escape_ascii());
        assert_eq!((names_in(around.path()).len(), names_in(&here).len()), (1, 1));
    }
}

/// What is found under two names is written under the first of them, whoever tells first.
#[test]
fn of_two_names_of_one_content_the_first_is_taken() {
    let bytes = content(100, 1);
    let holders = [b"b", b"a", b"c"].map(|name| Holder::of(name, &bytes, Manner::Honest));
    let teller = Teller::of(holders.iter().map(Holder::told).collect());
    let here = here();
    run_in(here.path(), &teller.name(), &[], &[&format!("get {}", hash_of(&bytes))]);
    assert_files(&here, &[("a", &bytes)]);
}

/// Whoever shares it since then under a name that comes first has no say in where the rest is written.
#[test]
fn what_was_begun_under_a_name_is_gone_on_with_under_that() {
    let bytes = content(4 * BLOCK, 2);
    let first = Holder::of(b"b", &bytes, Manner::Stops(2));
    let teller = Teller::of(vec![first.told()]);
    let (here, hash) = (here(), hash_of(&bytes));
    let client = Client::start_in(here.path(), [&*teller.name(), "-c", &format!("get {hash}")]);
    wait_until("two blocks are here", || good_blocks(&here.path().join("b.part"), &bytes).len() == 2);
    client.kill();
    let holders = [&b"c"[..], b"a", b"b"].map(|name| Holder::of(name, &bytes, Manner::Honest));
    let teller = Teller::of(holders.iter().map(Holder::told).collect());
    let run = run_in(here.path(), &teller.name(), &[], &[&format!("get {hash}")]);
    assert_eq!(run, quiet(format!("b\t{}\t{hash}\n", bytes.len()), 0));
    let asked: Vec<u32> = holders.iter().flat_map(Holder::take_asked).collect();
    assert_eq!(asked, [1, 2]);
    assert_files(&here, &[("b", &bytes)]);
}
