//! `get`: what is meant by its words, where it goes, and what is said of it. Who gives it is honest here.
use super::find::{Films, films};
use super::*;
use std::process::Output;
use topologies::processes::Process;

/// What is said to a program of a file that was fetched.
fn fetched(file: &str, bytes: &[u8]) -> String {
    format!("{file}\t{}\t{}\n", bytes.len(), hash_of(bytes))
}

/// That a directory holds just these files.
pub(super) fn assert_files(here: &TempDir, files: &[(&str, &[u8])]) {
    assert_eq!(names_in(here.path()), files.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (name, bytes) in files {
        assert!(fs::read(here.path().join(name)).unwrap() == *bytes, "{name} is something else");
    }
}

/// What a client without a terminal prints, to the byte.
pub(super) fn output_of(command: &mut Command) -> Output {
    Process::start(command.stdin(Stdio::null())).unwrap().output().unwrap()
}

#[test]
fn a_content_of_any_size_is_fetched_by_its_name_or_by_digits_of_its_hash() {
    let sizes = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * 1024 * 1024 + 5];
    let contents = sizes.map(|size| (format!("deep/er/{size}"), content(size, 3)));
    let files: Vec<(&str, &[u8])> = contents.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let shared = Shared::start(&files);
    for options in [&[][..], &["--via", "back"]] {
        let here = here();
        for (name, bytes) in &contents {
            let file = name.rsplit('/').next().unwrap();
            let run = run_in(here.path(), &shared.name(), options, &[&format!("get {name}")]);
            assert_eq!(run, quiet(fetched(file, bytes), 0));
            assert!(fs::read(here.path().join(file)).unwrap() == *bytes, "{name}");
        }
        assert_eq!(names_in(here.path()).len(), sizes.len(), "nothing is left beside them");
    }
    // Of a hash that has as many digits as one likes, from 8 on, an odd number of them too.
    let (here, bytes) = (here(), &contents[5].1);
    let hash = hash_of(bytes);
    for digits in [8, 9, 12, 33, 63, 64] {
        let file = digits.to_string();
        for digits in [hash[..digits].to_owned(), hash[..digits].to_uppercase()] {
            let run = run_in(here.path(), &shared.name(), &[], &[&format!("get {digits} -f -o {file}")]);
            assert_eq!(run, quiet(fetched(&file, bytes), 0));
        }
    }
    // The last digit counts, though bytes are asked for.
    let last = u8::from_str_radix(&hash[8..9], 16).unwrap();
    let other = format!("{}{:x}", &hash[..8], (last + 1) % 16);
    let run = run_in(here.path(), &shared.name(), &[], &[&format!("get {other}")]);
    assert_eq!(run, Run { log: format!("client: nobody within reach has {other}\n"), ..quiet("", 1) });
}

#[test]
fn a_word_that_could_be_a_hash_and_is_a_name_is_fetched_as_that() {
    let shared = Shared::start(&[("deadbeef", b"beef"), ("0bc49a8b", b"name")]);
    // As b3sum prints it of `tea`.
    let tea = Shared::start(&[("z", b"tea"), ("deadbeef", b"beef"), ("0bc49a8b", b"name")]);
    let here = here();
    let run = run_in(here.path(), &tea.name(), &[], &["get deadbeef 0bc49a8b"]);
    assert_eq!(run, quiet([fetched("deadbeef", b"beef"), fetched("z", b"tea")].concat(), 0), "a hash comes first");
    let run = run_in(here.path(), &shared.name(), &[], &["get 0bc49a8b"]);
    assert_eq!(run, quiet(fetched("0bc49a8b", b"name"), 0));
}

/// Whoever types a few digits of a hash does not know how many it takes.
#[test]
fn of_too_few_digits_it_is_said_how_many_there_have_to_be_where_nothing_is_called_so() {
    let shared = Shared::start(&[("face", b"name")]);
    let (here, from) = (here(), shared.name());
    let hash = hash_of(b"name");
    let run = |words: &str| run_in(here.path(), &from, &[], &[&format!("get {words}")]);
    assert_eq!(run("face"), quiet(fetched("face", b"name"), 0));
    let hint = "; of a hash 8 digits are the least";
    for (word, hint) in [(&hash[..3], ""), (&hash[..4], hint), (&hash[..7], hint), ("tea", "")] {
        let said = format!("client: nobody within reach has {word}{hint}\n");
        assert_eq!(run(word), Run { log: said, ..quiet("", 1) });
    }
    let said = format!("client: {from} does not have {}{hint}\n", &hash[..7]);
    assert_eq!(run(&format!("{} --from {from}", &hash[..7])), Run { log: said, ..quiet("", 1) });
}

#[test]
fn of_two_contents_of_one_name_it_is_asked_which_is_meant() {
    let Films { servents, common, other } = films();
    let here = here();
    let contact = servents[0].name();
    let both = format!("{} {}", short(&common), short(&other));
    let said = format!("client: 2 contents are called farol.mp4: get one of {both}\n");
    assert_eq!(run_in(here.path(), &contact, &[], &["get farol.mp4"]), Run { log: said, ..quiet("", 1) });
    assert_eq!(names_in(here.path()), Vec::<String>::new());
    let run = run_in(here.path(), &contact, &[], &[&format!("get {} -o b", short(&other)), "get nothing"]);
    let said = "client: nobody within reach has nothing\n".to_owned();
    assert_eq!(run, Run { out: fetched("b", &other), log: said, code: 1 });
    // At one servent there is one, wherever that is; and nobody else is asked.
    for (place, bytes) in [(0, &common), (1, &common), (2, &other)] {
        let command = format!("get farol.mp4 -f --from {}", servents[place].name());
        assert_eq!(run_in(here.path(), &contact, &[], &[&command]), quiet(fetched("farol.mp4", bytes), 0));
    }
    let command = format!("get {} --from {}", short(&other), servents[0].name());
    let said = format!("client: {} does not have {}\n", servents[0].name(), short(&other));
    assert_eq!(run_in(here.path(), &contact, &[], &[&command]), Run { log: said, ..quiet("", 1) });
}

#[test]
fn from_one_servent_it_comes_without_a_flood_though_that_is_beyond_reach() {
    let bytes = content(200_000, 4);
    let mut contact = Shared::start_with(&[("far film", b"other")], "", &["-v"]);
    let mut far = Shared::start_with(&[("far film", &bytes)], "", &["-v"]);
    let mut neighbor = Shared::start_with(&[("far film", b"third")], "", &["-v", &far.name()]);
    wait_until_reached(far.address(), 2);
    let here = here();
    let command = format!("get 'far film' -o x --from {} --sources s", far.name());
    assert_eq!(run_in(here.path(), &contact.name(), &[], &[&command]), quiet(fetched("x", &bytes), 0));
    assert_eq!(fs::read_to_string(here.path().join("s")).unwrap(), format!("{} - 0-3\n", far.name()));
    // Each hears what is asked after it, and has heard all that was asked before.
    for (shared, is_asked) in [(&mut contact, false), (&mut far, true), (&mut neighbor, false)] {
        Client::run([&*shared.name(), "-c", "? later"], "");
        shared.servent().wait_for_log("? later").unwrap();
        let log = shared.servent().log_text();
        assert_eq!(log.contains("get far film"), is_asked, "{log}");
    }
    let nobody = nobody();
    let run = run_in(here.path(), &contact.name(), &[], &[&format!("get x --from {nobody}")]);
    let said = format!("client: no servent at {nobody}: Connection refused (os error 111)\n");
    assert_eq!(run, Run { log: said, ..quiet("", 3) });
    let run = run_in(here.path(), &contact.name(), &[], &["get x --from nowhere"]);
    assert_eq!((&*run.out, run.code), ("", 2), "{run:?}");
}

#[test]
fn several_are_fetched_one_after_the_other_and_the_worst_is_the_exit_code() {
    let (one, two) = (content(BLOCK + 1, 5), content(10, 6));
    let shared = Shared::start(&[("one", &one), ("a two", &two)]);
    let (here, from) = (here(), shared.name());
    let run = run_in(here.path(), &from, &[], &["get one nothing 'a two' --sources s"]);
    let out = [fetched("one", &one), fetched("a two", &two)].concat();
    assert_eq!(run, Run { out, log: "client: nobody within reach has nothing\n".to_owned(), code: 1 });
    let sources = format!("# one {}\n{from} - 0-1\n# a two {}\n{from} - 0\n", hash_of(&one), hash_of(&two));
    assert_eq!(fs::read_to_string(here.path().join("s")).unwrap(), sources);
    assert_files(&here, &[("a two", &two), ("one", &one), ("s", sources.as_bytes())]);
    // What is here already is worse than what is nowhere.
    let run = run_in(here.path(), &from, &[], &["get one nothing"]);
    let said = "client: one exists; -f replaces it, -o names another\nclient: nobody within reach has nothing\n";
    assert_eq!(run, Run { log: said.to_owned(), ..quiet("", 6) });
    // Of a file that cannot be written the rest is done.
    let run = run_in(here.path(), &from, &[], &["get one -f --sources no/such/place"]);
    let said = "client: cannot write no/such/place: No such file or directory (os error 2)\n";
    assert_eq!(run, Run { log: said.to_owned(), ..quiet(fetched("one", &one), 6) });
}

#[test]
fn words_that_make_no_sense_are_a_fault_of_whoever_wrote_them() {
    let shared = Shared::start(&[("one", b"1"), ("two", b"2")]);
    let here = here();
    for (command, said) in [
        ("get", "get takes a name or the first 8 digits of a hash, such as: get farol.mp4"),
        ("get -f", "get takes a name or the first 8 digits of a hash, such as: get farol.mp4"),
        ("get one two -o x", "get: -o names one file, and 2 contents are asked for"),
        ("get one two -o -", "get: -o names one file, and 2 contents are asked for"),
        ("get one --wait soon", "get: invalid value 'soon' for '--wait <TIME>': a duration such as 30s, 5m or 0"),
        ("get one --nonsense", "get: unexpected argument '--nonsense' found"),
        ("get one -o", "get: a value is required for '-o <FILE>' but none was supplied"),
        ("get 'one", "a quote ' that does not end"),
        (":get 1", "nothing was found yet: find looks for files"),
        (":get", "get takes a name or the first 8 digits of a hash, such as: get farol.mp4"),
    ] {
        let run = run_in(here.path(), &shared.name(), &[], &[command]);
        assert_eq!(run, Run { log: format!("client: {said}\n"), ..quiet("", 2) }, "{command}");
    }
    let run = run_in(here.path(), &shared.name(), &["--json"], &["get one -o -"]);
    let said = "client: get: with --json stdout has lines of JSON: -o names a file\n";
    assert_eq!((&*run.log, run.code), (said, 2));
    assert_eq!(names_in(here.path()), Vec::<String>::new());
}

#[test]
fn what_was_found_is_fetched_by_its_number() {
    let shared = Shared::start(&[("a", b"one"), ("b", b"two"), ("c", b"three")]);
    let here = here();
    let commands =
        ["find", ":get 3 1", ":get 2 -o two", ":get 4", ":get 0", ":get -f 3", ":get -o three 3", ":get --wait 1 -f 1"];
    let run = run_in(here.path(), &shared.name(), &["-q"], &commands);
    let [one, two, three] =
        [("a", &b"one"[..]), ("two", b"two"), ("c", b"three")].map(|(file, bytes)| fetched(file, bytes));
    let files = [&*three, &one, &two, &three, &fetched("three", b"three"), &one].concat();
    assert!(run.out.ends_with(&files), "{run:?}");
    let said = "client: nothing has number 4: 3 were found\nclient: nothing has number 0: 3 were found\n";
    assert_eq!((&*run.log, run.code), (said, 2));
    let run = run_in(here.path(), &shared.name(), &["-q"], &["find a", ":get 2"]);
    assert_eq!((&*run.log, run.code), ("client: nothing has number 2: 1 was found\n", 2));
    assert_files(&here, &[("a", b"one"), ("c", b"three"), ("three", b"three"), ("two", b"two")]);
}

/// Two names of one content are two rows, and each is fetched under its own.
#[test]
fn what_was_found_under_a_name_is_called_that() {
    let shared = Shared::start(&[("a", b"same"), ("b", b"same")]);
    let here = here();
    let run = run_in(here.path(), &shared.name(), &["-q"], &["find", ":get 2 --sources s", ":get 1 2 -f --sources s"]);
    let files = [fetched("b", b"same"), fetched("a", b"same"), fetched("b", b"same")].concat();
    assert!(run.out.ends_with(&files) && run.code == 0, "{run:?}");
    let (hash, from) = (hash_of(b"same"), shared.name());
    let sources = format!("# a {hash}\n{from} - 0\n# b {hash}\n{from} - 0\n");
    assert_files(&here, &[("a", b"same"), ("b", b"same"), ("s", sources.as_bytes())]);
}

#[test]
fn of_two_hashes_that_begin_alike_more_digits_are_needed() {
    let mut told = [entry(b"a", b"1"), entry(b"b", b"2")];
    told[0].hash.0[..4].copy_from_slice(&[0xaa; 4]);
    told[1].hash.0[..4].copy_from_slice(&[0xaa; 4]);
    let hashes = told.each_ref().map(|entry| entry.hash.short());
    let mut sorted = hashes.clone();
    sorted.sort();
    let teller = Teller::of(told.into_iter().map(|entry| (nobody(), entry)).collect());
    let here = here();
    let run = run_in(here.path(), &teller.name(), &[], &["get aaaaaaaa"]);
    let said = format!("client: 2 contents have a hash that begins with aaaaaaaa: get one of {}\n", sorted.join(" "));
    assert_eq!(run, Run { log: said, ..quiet("", 1) });
    assert!(hashes.iter().all(|hash| hash.starts_with("aaaaaaaa")));
}

#[test]
fn a_file_that_is_here_is_replaced_where_that_is_wanted() {
    let bytes = content(BLOCK * 3, 7);
    let shared = Shared::start(&[("one", &bytes)]);
    let here = here();
    fs::write(here.path().join("one"), "mine").unwrap();
    std::os::unix::fs::symlink("nowhere", here.path().join("two")).unwrap();
    for (command, file) in [("get one", "one"), ("get one -o two", "two")] {
        let run = run_in(here.path(), &shared.name(), &[], &[command]);
        let said = format!("client: {file} exists; -f replaces it, -o names another\n");
        assert_eq!(run, Run { log: said, ..quiet("", 6) });
    }
    assert_eq!(fs::read(here.path().join("one")).unwrap(), b"mine");
    assert_eq!(run_in(here.path(), &shared.name(), &[], &["get one -f"]), quiet(fetched("one", &bytes), 0));
    assert_eq!(run_in(here.path(), &shared.name(), &[], &["get one -f -o two"]), quiet(fetched("two", &bytes), 0));
    assert!(!fs::symlink_metadata(here.path().join("two")).unwrap().is_symlink());
    assert_files(&here, &[("one", &bytes), ("two", &bytes)]);
    let run = run_in(here.path(), &shared.name(), &[], &["get one -o no/such/place"]);
    let said = "client: cannot write no/such/place.part: No such file or directory (os error 2)\n";
    assert_eq!(run, Run { log: said.to_owned(), ..quiet("", 6) });
}

#[test]
fn stdout_has_the_bytes_and_nothing_else() {
    let bytes = content(BLOCK * 40 + 9, 8);
    let shared = Shared::start(&[("one", &bytes[..]), ("none", b"")]);
    let here = here();
    let run = |command: &str| {
        let (_home, mut client) = prepared([&*shared.name(), "-c", command]);
        output_of(client.current_dir(here.path()))
    };
    let output = run("get one -o - --sources s");
    assert!(output.stdout == bytes, "{} bytes", output.stdout.len());
    assert_eq!((&*output.stderr, output.status.code()), (&b""[..], Some(0)));
    assert_eq!(names_in(here.path()), ["s"]);
    let output = run("get none -o -");
    assert_eq!((&*output.stdout, &*output.stderr, output.status.code()), (&b""[..], &b""[..], Some(0)));
    // What is nowhere is nothing.
    let output = run("get nothing -o -");
    assert_eq!((&*output.stdout, output.status.code()), (&b""[..], Some(1)));
    // Whoever reads no more ends it, and no room is told.
    let (_home, client) = prepared([&*shared.name(), "-c", "get one -o -"]);
    let into = |shell: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", shell, "sh"]).arg(client.get_program()).args(client.get_args()).stdout(Stdio::piped());
        output_of(command.stderr(Stdio::piped()))
    };
    let output = into("{ \"$@\"; echo $? >&2; } | head -c 5");
    assert_eq!((&*output.stdout, &*String::from_utf8_lossy(&output.stderr)), (&bytes[..5], "141\n"));
    let output = into("\"$@\" > /dev/full");
    let said = "client: cannot write to stdout: No space left on device (os error 28)\n";
    assert_eq!((&*String::from_utf8_lossy(&output.stderr), output.status.code()), (said, Some(6)));
}

#[test]
fn two_do_not_write_one_file() {
    let bytes = content(BLOCK * 4, 9);
    let holder = Holder::of(b"one", &bytes, Manner::Stops(2));
    let teller = Teller::of(vec![holder.told()]);
    let here = here();
    let first = Client::start_in(here.path(), [&*teller.name(), "-c", "get one"]);
    let part = here.path().join("one.part");
    wait_until("some of it is here", || good_blocks(&part, &bytes).len() == 2);
    let run = run_in(here.path(), &teller.name(), &[], &["get one"]);
    let said = "client: one.part is being written by another fetch; -o names another file\n";
    assert_eq!(run, Run { log: said.to_owned(), ..quiet("", 6) });
    first.signal(Signal::INT);
    assert_eq!(first.finish().code, 130);
    assert_eq!(names_in(here.path()), ["one.hashes", "one.part"]);
}

#[test]
fn json_of_what_is_fetched() {
    let bytes = content(BLOCK * 5 + 1, 10);
    let shared = Shared::start(&[("one", &bytes)]);
    let here = here();
    let mut client = Client::start_in(here.path(), [&*shared.name(), "--json", "-c", "get one"]);
    let line = client.next_json();
    assert_eq!(line, json!({"type": "progress", "file": "one", "here": 0, "wasted_bytes": 0}));
    let line = client.next_json();
    let sources = json!([{"from": shared.name(), "first": 0, "count": 6}]);
    assert_eq!(
        line,
        json!({"type": "fetched", "file": "one", "hash": hash_of(&bytes), "size": bytes.len(), "is_verified": true,
            "sources": sources, "missing": [], "wasted_bytes": 0, "ms": line["ms"]})
    );
    assert_eq!(client.finish(), quiet("", 0));
    // Of one that is not whole, what is missing and where the rest is.
    let holder = Holder::of(b"two", &bytes, Manner::Has(5));
    let teller = Teller::of(vec![holder.told()]);
    let mut client = Client::start_in(here.path(), [&*teller.name(), "--json", "-c", "get two --wait 0"]);
    assert_eq!(client.next_json()["type"], "progress");
    let line = client.next_json();
    let expected = json!(["fetched", false, [{"from": holder.address.to_string(), "first": 5, "count": 1}],
        [{"first": 0, "count": 5}], 0, "two.part"]);
    assert_eq!(picked(&line, ["type", "is_verified", "sources", "missing", "wasted_bytes", "kept_in"]), expected);
    assert_eq!(client.finish().code, 5);
}

/// Once a second, whatever happens.
#[test]
fn json_of_how_far_it_is() {
    let bytes = content(BLOCK * 5, 10);
    let holder = Holder::of(b"one", &bytes, Manner::Stops(3));
    let teller = Teller::of(vec![holder.told()]);
    let here = here();
    let mut client = Client::start_in(here.path(), [&*teller.name(), "--json", "-c", "get one"]);
    let mut line = client.next_json();
    assert_eq!(
        line,
        json!({"type": "progress", "file": "one", "here": 0, "wasted_bytes": 0}),
        "nobody said a size yet"
    );
    while line["here"] != 3 * BLOCK {
        assert_eq!(line["type"], "progress");
        assert!(line["here"] == 0 || line["size"] == bytes.len(), "{line}");
        line = client.next_json();
    }
    assert_eq!(
        line,
        json!({"type": "progress", "file": "one", "here": 3 * BLOCK, "size": bytes.len(), "wasted_bytes": 0})
    );
    client.signal(Signal::INT);
    assert_eq!(client.finish().code, 130);
}

#[test]
fn what_is_missing_is_said_and_written_down_and_the_same_command_goes_on() {
    let bytes = content(BLOCK * 6, 11);
    let (last, second) = (Holder::of(b"one", &bytes, Manner::Has(5)), Holder::of(b"one", &bytes, Manner::Has(2)));
    let teller = Teller::of(vec![last.told(), second.told()]);
    let here = here();
    let run = run_in(here.path(), &teller.name(), &[], &["get one --sources s --wait 0"]);
    let said = "client: missing 4 of 6 blocks: 0-1 3-4 (no holder within reach has them); \
                kept in one.part, the same command goes on\n";
    assert_eq!(run, Run { log: said.to_owned(), ..quiet("", 5) });
    let sources = fs::read_to_string(here.path().join("s")).unwrap();
    let [last, second] = [last.address, second.address];
    let expected = format!("0.0.0.0:0 - 0-1\n{second} - 2\n0.0.0.0:0 - 3-4\n{last} - 5\n");
    assert_eq!(sources, expected);
    let whole = Holder::of(b"one", &bytes, Manner::Honest);
    let teller = Teller::of(vec![whole.told()]);
    let run = run_in(here.path(), &teller.name(), &[], &["get one --sources s"]);
    assert_eq!(run, quiet(fetched("one", &bytes), 0));
    assert_eq!(whole.take_asked(), [0, 1, 3, 4], "what is here is not asked for");
    let whole = whole.address;
    let expected = format!("{whole} - 0-1\nfile - 2\n{whole} - 3-4\nfile - 5\n");
    assert_eq!(fs::read_to_string(here.path().join("s")).unwrap(), expected);
    assert_files(&here, &[("one", &bytes), ("s", expected.as_bytes())]);
}

const UNDIALLED: &str = ": it cannot be dialled: Connection refused (os error 111)";
const NOT_GIVEN: &str = "client: missing all of it (no holder within reach gives it)\n";

#[test]
fn holders_are_looked_for_as_long_as_that_is_wanted() {
    let bytes = content(BLOCK * 2, 12);
    let here = here();
    // One that says it has it, and is not there.
    let gone = Teller::of(vec![(nobody(), entry(b"one", &bytes))]);
    for (wait, least) in [("0", 0), ("300ms", 300)] {
        let began = Instant::now();
        let run = run_in(here.path(), &gone.name(), &[], &[&format!("get one --wait {wait}")]);
        assert!(began.elapsed().as_millis() >= least, "{wait}");
        let (first, last) = run.log.split_once('\n').unwrap();
        assert!(first.ends_with(UNDIALLED), "{run:?}");
        assert_eq!(last, NOT_GIVEN);
        assert_eq!(run.code, 5);
        assert_eq!(names_in(here.path()), Vec::<String>::new(), "nothing came, and nothing is left");
    }
}

#[test]
fn that_nobody_gives_anything_is_said_once_where_it_lasts() {
    let bytes = content(BLOCK * 4, 13);
    let [loud, quietly, hanging] = [here(), here(), here()];
    let gone = Teller::of(vec![(nobody(), entry(b"one", &bytes))]);
    let arguments = |options: &[&str], command| [&[&*gone.name()], options, &["-c", command]].concat().join("\n");
    let start = |here: &TempDir, arguments: String| Client::start_in(here.path(), arguments.split('\n'));
    let silent = start(&quietly, arguments(&["-q"], "get one --wait 4s"));
    let mut client = start(&loud, arguments(&[], "get one --wait 3h"));
    assert!(client.next_log().ends_with(UNDIALLED));
    let waits = "client: nobody gives one now: asking again every 5 s, until nothing has come for 3h";
    assert_eq!(client.next_log(), waits);
    client.kill();
    // The only holder is dialled anew a second after each block.
    let hangs_up = Holder::of(b"one", &bytes, Manner::HangsUp(1));
    let teller = Teller::of(vec![hangs_up.told()]);
    let run = run_in(hanging.path(), &teller.name(), &[], &["get one"]);
    assert!(run.code == 0 && !run.log.contains("asking"), "{run:?}");
    let run = silent.finish();
    assert!(run.code == 5 && run.log.ends_with(NOT_GIVEN) && !run.log.contains("asking"), "{run:?}");
}

#[test]
fn json_of_what_does_not_even_begin_says_which_and_why() {
    let shared = Shared::start(&[("one", b"1"), ("two", b"2")]);
    let here = here();
    fs::write(here.path().join("one"), "mine").unwrap();
    fs::create_dir(here.path().join("d")).unwrap();
    let run = run_in(here.path(), &shared.name(), &["--json"], &["get nothing one two", "get two -o d"]);
    let lines = run.out.lines().map(support::process::json).filter(|line| line["type"] == "fetched");
    let lines: Vec<serde_json::Value> = lines.collect();
    let none = |file: &str, reason: &str| json!({"type": "fetched", "file": file, "is_verified": false, "sources": [], "wasted_bytes": 0, "reason": reason});
    let with_hash = |mut line: serde_json::Value, bytes: &[u8]| {
        line["hash"] = json!(hash_of(bytes));
        line
    };
    assert_eq!(lines[0], none("nothing", "nobody within reach has nothing"));
    assert_eq!(lines[1], with_hash(none("one", "one exists; -f replaces it, -o names another"), b"1"));
    assert_eq!(picked(&lines[2], ["file", "is_verified"]), json!(["two", true]));
    assert_eq!(lines[3], with_hash(none("d", "d is a directory; -o names a file"), b"2"));
    assert_eq!((lines.len(), run.code), (4, 6));
}

/// Hashes came that nothing proves: neither how many blocks there are is known, nor which are missing.
#[test]
fn what_is_missing_of_an_unknown_size_has_no_numbers() {
    let bytes = content(3 * BLOCK, 13);
    let holder = Holder::of(b"one", &bytes, Manner::RefusesLate(0, common::content::transfer::Refusal::Gone));
    let teller = Teller::of(vec![holder.told()]);
    let here = here();
    fs::write(here.path().join("s"), "before").unwrap();
    let run = run_in(here.path(), &teller.name(), &[], &["get one --wait 0 --sources s"]);
    assert_eq!(
        (run.log.lines().last(), run.code),
        (Some("client: missing all of it (no holder within reach gives it)"), 5)
    );
    let run = run_in(here.path(), &teller.name(), &["--json"], &["get one --wait 0"]);
    let line = support::process::json(run.out.lines().last().unwrap());
    assert_eq!(picked(&line, ["type", "is_verified", "sources"]), json!(["fetched", false, []]));
    assert_eq!((line.get("missing"), line.get("size")), (None, None));
    assert_files(&here, &[("s", b"before")]);
}

#[test]
fn sources_are_written_when_it_is_interrupted_and_only_where_there_is_something_to_say() {
    let bytes = content(4 * BLOCK, 14);
    let holder = Holder::of(b"one", &bytes, Manner::Stops(2));
    let teller = Teller::of(vec![holder.told()]);
    let here = here();
    let client = Client::start_in(here.path(), [&*teller.name(), "-c", "get one --sources s"]);
    wait_until("two are here", || good_blocks(&here.path().join("one.part"), &bytes).len() == 2);
    client.signal(Signal::INT);
    let run = client.finish();
    let kept = "client: interrupted; what there is of one is kept, the same command goes on\n";
    assert_eq!((run.code, run.log.as_str()), (130, kept));
    let at = holder.address;
    let sources = format!("{at} - 0\n0.0.0.0:0 - 1-2\n{at} - 3\n");
    assert_eq!(fs::read_to_string(here.path().join("s")).unwrap(), sources);
    // A program is told as much as where it ends by itself.
    let mut client = Client::start_in(here.path(), [&*teller.name(), "--json", "-q", "-c", "get one -o other"]);
    wait_until("two are here", || good_blocks(&here.path().join("other.part"), &bytes).len() == 2);
    client.signal(Signal::INT);
    let mut told = client.next_json();
    while told["type"] == "progress" {
        told = client.next_json();
    }
    let expected = json!([4 * BLOCK, [{"from": at, "first": 0, "count": 1}, {"from": at, "first": 3, "count": 1}], [{"first": 1, "count": 2}], "other.part", "interrupted"]);
    assert_eq!(picked(&told, ["size", "sources", "missing", "kept_in", "reason"]), expected);
    assert!(told["ms"].is_number());
    assert_eq!(client.finish().log, "");
    // Of one that has not begun to come.
    let silent = Holder::of(b"two", &bytes, Manner::Silent);
    let teller = Teller::of(vec![silent.told()]);
    let mut client = Client::start_in(here.path(), [&*teller.name(), "--json", "-c", "get two --sources s"]);
    assert_eq!(client.next_json()["type"], "progress");
    client.signal(Signal::INT);
    assert_eq!(picked(&client.next_json(), ["type", "file", "reason"]), json!(["fetched", "two", "interrupted"]));
    assert_eq!(client.finish().code, 130);
    let nobody = Teller::of(vec![]);
    assert_eq!(run_in(here.path(), &nobody.name(), &[], &["get nothing --sources s"]).code, 1);
    assert_eq!(fs::read_to_string(here.path().join("s")).unwrap(), sources);
}

#[test]
fn sources_are_not_written_over_what_is_fetched() {
    let shared = Shared::start(&[("x", b"1"), ("a", b"2"), ("deep/y", b"3")]);
    let here = here();
    fs::create_dir(here.path().join("d")).unwrap();
    for (command, path) in [
        ("get x -o x", "x"),
        ("get x -o x", "./x"),
        ("get x -o ./x", "x"),
        ("get x -o x", "d/../x"),
        ("get x -o x", "x.part"),
        ("get x -o d/y", "d/y.hashes"),
        ("get x", "x"),
        // Nothing comes of the others either.
        ("get a x", "x"),
        ("get a x", "x.part"),
        ("get a deep/y", "./y"),
        (":get 1 3", "x"),
    ] {
        let found = if command.starts_with(':') { "find\n" } else { "" };
        let run = run_in(here.path(), &shared.name(), &[], &[&format!("{found}{command} --sources {path}")]);
        let said = format!("client: get: --sources {path} would replace what is fetched, or what is kept of it\n");
        assert_eq!((&run.log, run.code), (&said, 2), "{command}");
    }
    assert_eq!(names_in(here.path()), ["d"]);
    // What a hash is called is known once somebody has said so: then what came before is here, and no sources are.
    let run = run_in(here.path(), &shared.name(), &[], &[&format!("get a {} --sources x", short(b"1"))]);
    let said = "client: get: --sources x would replace what is fetched, or what is kept of it\n";
    assert_eq!(run, Run { out: fetched("a", b"2"), log: said.to_owned(), code: 2 });
    assert_eq!(names_in(here.path()), ["a", "d"]);
}
