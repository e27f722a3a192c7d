//! A file that may not grow: writes are refused, what is there is served, and once there is room it goes on.

use super::*;

/// Starts one whose files may have so many KiB.
fn serve_with_room(place: &StorePlace, kilobytes: usize) -> Process {
    let mut command = Command::new("bash");
    command.args(["-c", &format!("ulimit -f {kilobytes}; exec \"$0\" 127.0.0.1:0 - --store \"$1\"")]);
    Process::start(command.arg(program("servent").unwrap()).arg(place.database()))
}

#[test]
fn what_there_is_no_room_for_is_refused_and_what_is_there_is_served_and_kept() {
    let place = StorePlace::new();
    place.keep(&[(b"tea", b"green")]);
    let servent = serve_with_room(&place, 300);
    let mut writer = Writer::at(servent.address);
    for _ in 0..2 {
        assert_eq!(writer.put("large", [b'x'; 500_000]), WriteOutcome::Refused(WriteRefusal::DiskFull));
    }
    assert_eq!(writer.put("small", "1"), WriteOutcome::Stored, "there is room for it");
    assert_eq!(values(servent.address, "tea"), [b"green"]);
    assert_eq!(values(servent.address, "large"), Vec::<Vec<u8>>::new());
    let said = ended(servent);
    assert!(said.contains("database"), "{said}");
    assert_eq!(place.exported(), b"small 1\ntea green\n");
    place.keep(&[(b"large", &[b'x'; 500_000])]);
}

/// Nor is it made where there is none.
#[test]
fn where_there_is_no_room_for_a_database_none_is_made() {
    let place = StorePlace::new();
    let mut command = Command::new("bash");
    command.args(["-c", "ulimit -f 8; exec \"$0\" 127.0.0.1:0 - --store \"$1\""]);
    let output = command.arg(program("servent").unwrap()).arg(place.database()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("cannot use database"), "{}", stderr(&output));
    assert!(!fs::exists(place.database()).unwrap() && !fs::exists(place.at("north.db.new")).unwrap());
}

/// All of it would be written anew, and there is no room for that.
#[test]
fn what_was_not_closed_and_cannot_be_written_anew_is_served_and_takes_no_more() {
    let place = StorePlace::new();
    let mut servent = place.serve("-");
    Writer::at(servent.address).put("tea", "green");
    servent.signal(Signal::KILL);
    servent.wait();
    let before = fs::read(place.database()).unwrap();
    let servent = serve_with_room(&place, 8);
    assert_eq!(values(servent.address, "tea"), [b"green"]);
    let mut writer = Writer::at(servent.address);
    assert_eq!(writer.put("tea", "red"), WriteOutcome::Refused(WriteRefusal::ReadOnly));
    let said = ended(servent);
    assert!(said.contains("cannot be written to: it is served, and takes no more: "), "{said}");
    let advice = format!("; make room, or allow writing to {}, and start it again", place.at("").trim_end_matches('/'));
    assert!(said.contains(&advice), "{said}");
    assert_eq!(fs::read(place.database()).unwrap(), before);
    place.keep(&[(b"mate", b"bitter")]);
    assert_eq!(place.exported(), b"mate bitter\ntea green\n");
}

const MIB: usize = 1024 * 1024;

/// A database that a start would make smaller: two of eight values are left. Their keys, all of them.
fn much_too_large(place: &StorePlace) -> Vec<String> {
    let value = vec![b'x'; MIB];
    let keys: Vec<String> = (0..8).map(|number| format!("large{number}")).collect();
    let pairs: Vec<(&[u8], &[u8])> = keys.iter().map(|key| (key.as_bytes(), &value[..])).collect();
    place.keep(&pairs);
    let servent = place.serve("-");
    let mut writer = Writer::at(servent.address);
    for key in &keys[..6] {
        assert_eq!(writer.delete(key), WriteOutcome::Deleted);
    }
    ended(servent);
    keys
}

fn assert_two_are_left(servent: &Process, keys: &[String]) {
    for (key, number) in keys.iter().zip(0..) {
        let lengths: Vec<usize> = values(servent.address, key).iter().map(Vec::len).collect();
        assert_eq!(lengths, if number < 6 { vec![] } else { vec![MIB] }, "{key}");
    }
}

#[test]
fn what_cannot_be_made_smaller_stays_as_large_as_it_is_until_there_is_room() {
    let place = StorePlace::new();
    let keys = much_too_large(&place);
    let before = fs::read(place.database()).unwrap();
    // Each of its values has room, and not both.
    let servent = serve_with_room(&place, 3 * MIB / 2 / 1024);
    assert_two_are_left(&servent, &keys);
    let said = ended(servent);
    assert!(said.contains(&format!("database {} stays as large as it is: ", place.database())), "{said}");
    assert!(!said.contains("not closed"), "{said}");
    assert!(fs::read(place.database()).unwrap() == before, "it was written to");
    assert!(!fs::exists(place.at("north.db.new")).unwrap(), "it takes the room that there is too little of");
    let servent = place.serve("-");
    assert_two_are_left(&servent, &keys);
    assert_eq!(Writer::at(servent.address).put("tea", "green"), WriteOutcome::Stored);
    let said = ended(servent);
    let bytes_count = usize::try_from(fs::metadata(place.database()).unwrap().len()).unwrap();
    assert!(said.contains("was written anew: ") && bytes_count < before.len() / 2, "{bytes_count}: {said}");
}

/// Nor is what there is no room for kept, on a disk of its own, where the system lets somebody have one.
#[test]
fn on_a_full_disk_what_cannot_be_made_smaller_is_written_to_as_long_as_there_is_room_in_it() {
    const SCRIPT: &str = "mount -t tmpfs -o size=\"$2\"k none \"$3\" && cat \"$1\" > \"$3\"/north.db || exit 99
        exec \"$0\" $4 127.0.0.1:0 - --store \"$3\"/north.db";
    const PUTS_MAX: usize = 64;
    let place = StorePlace::new();
    let keys = much_too_large(&place);
    let (database, disk) = (place.database(), place.at("disk"));
    fs::create_dir(&disk).unwrap();
    let kilobytes = (fs::metadata(&database).unwrap().len() / 1024 + 512).to_string();
    let on_a_disk = |option: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "bash", "-c", SCRIPT]);
        command.arg(program("servent").unwrap()).args([&database, &kilobytes, &disk, option]);
        command
    };
    let check = on_a_disk("--check").output().unwrap();
    if check.status.code() == Some(99) || stderr(&check).starts_with("unshare: ") {
        return println!("not run: a disk of one's own cannot be had here: {}", stderr(&check));
    }
    assert!(stdout(&check).contains("without them it stays as large as it is"), "{}", stdout(&check));
    let servent = Process::start(&mut on_a_disk(""));
    assert_two_are_left(&servent, &keys);
    let mut writer = Writer::at(servent.address);
    let is_full = WriteOutcome::Refused(WriteRefusal::DiskFull);
    let put_count =
        (0..PUTS_MAX).take_while(|number| writer.put(format!("more{number}"), vec![b'y'; MIB]) != is_full).count();
    assert!((1..PUTS_MAX).contains(&put_count), "{put_count} were put");
    assert_eq!(writer.put("tea", "green"), WriteOutcome::Stored, "there is room for it");
    assert_eq!(values(servent.address, format!("more{put_count}")), Vec::<Vec<u8>>::new());
    // It has its disk alone, which is seen from here as that process sees it.
    let seen = format!("/proc/{}/root{disk}/north.db", servent.pid().as_raw_nonzero());
    let output = run(&["--export", &seen]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    assert_eq!(lines.count(), 2 + put_count + 1);
    let said = ended(servent);
    assert!(said.contains("stays as large as it is: ") && !said.contains("not closed"), "{said}");
}

/// On a disk of its own, where the system lets somebody have one.
#[test]
fn a_check_says_where_a_start_may_find_too_little_room_to_write_it_anew() {
    const SCRIPT: &str = "mount -t tmpfs -o size=\"$2\"k none \"$3\" && cat \"$1\" > \"$3\"/north.db || exit 99
        exec \"$0\" 0 - --store \"$3\"/north.db --check";
    let place = StorePlace::new();
    let mut servent = place.serve("-");
    Writer::at(servent.address).put("large", vec![b'x'; 500_000]);
    servent.signal(Signal::KILL);
    servent.wait();
    let (database, disk) = (place.database(), place.at("disk"));
    fs::create_dir(&disk).unwrap();
    let kilobytes = fs::metadata(&database).unwrap().len() / 1024;
    let check = |kilobytes: u64| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "bash", "-c", SCRIPT]);
        command.arg(program("servent").unwrap()).args([&database, &kilobytes.to_string(), &disk]).output().unwrap()
    };
    for (kilobytes, is_said) in [(kilobytes * 3 / 2, true), (kilobytes * 4, false)] {
        let output = check(kilobytes);
        let log = stderr(&output);
        if output.status.code() == Some(99) || log.starts_with("unshare: ") {
            return println!("not run: a disk of one's own cannot be had here: {log}");
        }
        let page = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{log}");
        assert!(page.contains("published; not closed"), "{page}");
        let words = "without them it is served then, and takes no more\n";
        assert_eq!(page.contains(words), is_said, "{page}");
    }
}
