//! Texts that are as long as can be, longer, empty, or no text.

use super::*;
use peers::tp3::shortened;

#[test]
fn a_text_of_400_bytes_is_taken_and_a_longer_one_ends_that_link_only() {
    let servent = serve_tea(&["--tp3"]);
    let [mut one, mut other] = neighbors(&servent);
    let longest = Flood::key(NOBODY, [b'k'; TEXT_BYTES_MAX], 1);
    one.pass_on(&longest);
    assert_eq!(other.hear_flood(), longest.with_ttl(0));

    let too_long = |header: &[u8], count: u16| [header, &count.to_be_bytes()].concat();
    let key = Flood::key(NOBODY, "", 1).header();
    let topology = Flood::topology(NOBODY, "", 1).header();
    for header in [&key, &topology] {
        // With all its bytes, and announced only.
        for bytes in
            [[too_long(header, 401), vec![b'k'; 401]].concat(), too_long(header, 401), too_long(header, u16::MAX)]
        {
            let mut neighbor = Wire::neighbor(servent.address());
            neighbor.say(&bytes);
            assert_eq!(neighbor.bytes_until_end(), b"", "{bytes:02x?}");
        }
    }
    for count in [401, u16::MAX] {
        let mut client = Client::attach(servent.address());
        client.contact.say(&too_long(&keyreq(0, "")[..6], count));
        assert_eq!(client.contact.bytes_until_end(), b"");
    }
    expect_nothing_more(&mut one, &mut other);
    expect_nothing_more(&mut other, &mut one);
    still_serves(&servent);
}

#[test]
fn a_value_over_400_bytes_is_answered_as_its_first_397_and_three_dots() {
    let value = |count: usize| (b'a'..=b'z').cycle().take(count).collect::<Vec<u8>>();
    let lines: Vec<String> = [399, 400, 401, 5_000, 1_000_000]
        .map(|count| format!("k{count} {}\n", String::from_utf8(value(count)).unwrap()))
        .to_vec();
    let file = DataFile::new(lines.concat());
    let servent = serve_tp3(&[file.path()]);
    let mut neighbor = Wire::neighbor(servent.address());
    let mut client = Client::attach(servent.address());
    let answers = Answers::open();
    for count in [399, 400, 401, 5_000, 1_000_000] {
        let key = format!("k{count}");
        let expected = shortened(&value(count));
        assert_eq!(expected.len(), count.min(TEXT_BYTES_MAX));
        assert_eq!(client.value(&key), expected, "{count}");
        neighbor.pass_on(&Flood::key(answers.address(), &key, 0));
        assert_eq!(answers.next().value, expected, "{count}");
    }
}

#[test]
fn a_path_over_400_bytes_is_cut_likewise_and_goes_on_so() {
    let servent = serve_tp3(&["-"]);
    let [mut one, mut other] = neighbors(&servent);
    let answers = Answers::open();
    let long = "192.0.2.1:9000 ".repeat(40);
    let own = servent.address().to_string();
    let just_right = TEXT_BYTES_MAX - own.len() - 1;
    let dotted = [&long.as_bytes()[..397], b"..."].concat();
    for path in [
        &long.as_bytes()[..just_right],
        &long.as_bytes()[..just_right + 1],
        &long.as_bytes()[..395],
        &long.as_bytes()[..400],
        &dotted,
    ] {
        let flood = Flood::topology(answers.address(), path, 3);
        one.pass_on(&flood);
        let expected = shortened(&[path, b" ", own.as_bytes()].concat());
        let answer = answers.next();
        assert_eq!((answer.sequence, &answer.value), (flood.sequence, &expected), "{} bytes", path.len());
        assert_eq!(other.hear_flood(), Flood { ttl: 2, info: expected, ..flood });
    }
}

#[test]
fn a_path_need_not_be_made_of_addresses() {
    let servent = serve_tp3(&["-"]);
    let [mut one, mut other] = neighbors(&servent);
    let answers = Answers::open();
    for path in [&b"node-one:9000"[..], b"192.0.2.1:99999", b"  a  b ", b"caf\xe9 \xff\x00", b"[2001:db8::1]:9000"] {
        let flood = Flood::topology(answers.address(), path, 1);
        one.pass_on(&flood);
        let expected = [path, b" ", &own_name(&servent)].concat();
        assert_eq!(answers.next().value, expected);
        assert_eq!(other.hear_flood(), Flood { ttl: 0, info: expected, ..flood });
    }
}

#[test]
fn keys_and_values_need_not_be_ascii() {
    let keys: [&[u8]; 3] = ["café".as_bytes(), b"caf\xe9", b"\xff\xfe\x01"];
    let file = DataFile::new(keys.map(|key| [key, b" value \x80 of ", key, b"\n"].concat()).concat());
    let servent = serve_tp3(&[file.path()]);
    let mut neighbor = Wire::neighbor(servent.address());
    let mut other = Wire::neighbor(servent.address());
    let mut client = Client::attach(servent.address());
    let answers = Answers::open();
    for key in keys {
        let expected = [b"value \x80 of ", key].concat();
        assert_eq!(client.value(key), expected);
        let flood = neighbor.hear_flood();
        assert_eq!(flood.info, key);
        assert_eq!(other.hear_flood(), flood);
        let flood = Flood::key(answers.address(), key, 1);
        neighbor.pass_on(&flood);
        assert_eq!(answers.next().value, expected);
        assert_eq!(other.hear_flood(), flood.with_ttl(0));
    }
    // A key with a blank or a zero in it is in no file, but may be asked for.
    let flood = Flood::key(NOBODY, b"a b\0\n", 1);
    neighbor.pass_on(&flood);
    assert_eq!(other.hear_flood(), flood.with_ttl(0));
}

#[test]
fn an_empty_text_harms_nobody() {
    let servent = serve_tea(&["--tp3"]);
    let [mut one, mut other] = neighbors(&servent);
    // Whether such a link is kept is left open; nothing may be said on it that is no flood.
    let mut neighbor = Wire::neighbor(servent.address());
    let answers = Answers::open();
    neighbor.pass_on(&Flood::key(answers.address(), "", 0));
    neighbor.pass_on(&Flood::topology(answers.address(), "", 0));
    assert_eq!(neighbor.leave(), b"");
    let mut client = Client::attach(servent.address());
    client.ask("");
    assert_eq!(client.contact.leave(), b"");
    let last = Flood::key(NOBODY, UNKNOWN, 1);
    one.pass_on(&last);
    while other.hear_flood() != last.with_ttl(0) {}
    still_serves(&servent);
}
