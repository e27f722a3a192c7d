//! Texts that are as long as can be, longer, empty, or no text.

use super::*;
use peers::tp3::shortened;

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
