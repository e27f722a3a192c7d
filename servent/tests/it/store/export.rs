//! A database printed as a key-value file: each line is read as what was written, and what no line can hold is told.

use super::*;

#[test]
fn what_is_printed_is_read_as_what_was_written() {
    let place = StorePlace::new();
    let pairs: [(&[u8], &[u8]); 14] = [
        (b"tea", b"green, 80 \xc2\xb0C"),
        (b"empty", b""),
        (b"#comment", b"# and more"),
        (b"#", b""),
        (b"cr\r", b""),
        (b"value-cr", b"a\r"),
        (b"crs", b"\r\r"),
        (b"k\0l", b"v\0w"),
        (b"\xff\xfe", b"\xc3\x28"),
        (b"\xef\xbb\xbf", b"mark"),
        (b"blanks", b"one  two\tthree"),
        (b"at@", b"@@file"),
        (&[b'k'; KEY_BYTES_MAX], b"long"),
        (b"large", &[b'v'; 1024 * 1024]),
    ];
    place.keep(&pairs);
    let file = DataFile::new(place.exported());
    let servent = Process::serve(&[file.path()]);
    for (key, value) in pairs {
        assert!(values(servent.address, key) == [value], "{}", key.escape_ascii());
    }
    let said = ended(servent);
    assert!(said.contains("serving 14 keys of"), "{said}");
}

/// Where nothing else is printed before it.
#[test]
fn a_key_that_begins_as_a_marked_file_does_is_printed_so_that_it_stays() {
    let place = StorePlace::new();
    place.keep(&[(b"\xef\xbb\xbfkey", b"value")]);
    let file = DataFile::new(place.exported());
    let servent = Process::serve(&[file.path()]);
    assert_eq!(values(servent.address, b"\xef\xbb\xbfkey"), [b"value"]);
}

#[test]
fn what_no_line_can_hold_is_left_out_and_told() {
    let place = StorePlace::new();
    let servent = place.serve("-");
    let mut writer = Writer::at(servent.address);
    for (key, value) in [
        ("tea", "green"),
        ("two words", "1"),
        ("tab\t", "2"),
        ("new\nline", "3"),
        (" ", "4"),
        ("lines", "a\nb"),
        ("leading", " a"),
        ("trailing", "a "),
        ("tabs", "\t"),
    ] {
        writer.put(key, value);
    }
    writer.put("gone", "");
    assert_eq!(writer.delete("gone"), WriteOutcome::Deleted);
    ended(servent);
    let output = run(&["--export", &place.database()]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), "tea green\n"));
    let said = stderr(&output);
    for key in ["two words", "tab\\t", "new\\nline", "lines", "leading", "trailing", "tabs"] {
        assert!(said.contains(&format!(": {key} is left out, no line can hold it")), "{key}: {said}");
    }
    assert!(said.ends_with("8 keys left out, which no line can hold\n"), "{said}");
}

#[test]
fn what_was_deleted_or_published_is_told_and_nothing_is_left_out() {
    let (place, data) = (StorePlace::new(), DataFile::new("tea green\n"));
    let servent = place.serve(data.path());
    let mut writer = Writer::at(servent.address);
    writer.put("mate", "bitter");
    writer.delete("tea");
    ended(servent);
    let output = run(&["--export", &place.database()]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "mate bitter\n"));
    assert!(stderr(&output).contains("1 key deleted, which no line can say"), "{}", stderr(&output));
    let output = run(&["-qq", "--export", &place.database()]);
    assert_eq!((stdout(&output).as_str(), stderr(&output).as_str()), ("mate bitter\n", ""));
    let output = run(&["--export", &place.database(), "-v"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "mate bitter\n"));
}
