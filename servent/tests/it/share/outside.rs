//! A servent that is offered every path there is: whatever is asked for, through whatever door, it opens nothing but what it
//! has seen beneath the directory that it shares, in the one way that no link and no path leads out of. Its system calls are
//! read for that, where strace is installed.
//!
//! What befalls a file between two steps of a look is tested in `share/looking/tests.rs`, and what is given in `giving`.

use super::*;
use common::content::ContentHash;
use common::content::search::{Entries, FileName, HashStart, List, Words};
use common::content::transfer::{BlocksWanted, HashesWanted, Open, Opened, Refusal, Refused};
use common::features::Features;
use common::query::Answer;
use peers::tp3::{Client as Tp3Client, Flood, TEXT_BYTES_MAX, Wire, keyreq};
use rustix::fs::{FileType, makedev, mknodat};

/// What everybody may have. All of it is one block long.
const SHARED: [(&str, &str); 5] = [
    ("deep/er/film", "a film"),
    ("film", "another"),
    ("gone", "a third"),
    ("in/here", "a fourth"),
    ("swapped", "a fifth"),
];

/// The directories that it is in.
const DIRECTORIES: [&str; 4] = [".", "deep", "deep/er", "in"];

/// What nobody may have.
const SECRET: &str = "nobody may read this";

/// Paths, and what might be taken for one.
const WORDS: [&str; 43] = [
    "",
    ".",
    "..",
    "/",
    "//",
    "./",
    "../",
    "./film",
    ".//film",
    "film/",
    "film/.",
    "film/..",
    "deep/../film",
    "/film",
    "/etc/passwd",
    "../../etc/passwd",
    "a/../../etc/passwd",
    "deep/../../secret",
    "../secret",
    "film/../../secret",
    "/proc/self/environ",
    "/proc/self/fd/3",
    "/proc/self/cwd/secret",
    "/dev/zero",
    "/dev/stdin",
    "~/.ssh/id_rsa",
    "%2e%2e/secret",
    "..\\secret",
    "file:///etc/passwd",
    "a\nb",
    "link",
    "up",
    "up/secret",
    "deep/up/secret",
    "fifo",
    "socket",
    "device",
    ".dotted",
    ".hidden/film",
    "secret",
    "film\0",
    "film\0/../../secret",
    "\0/etc/passwd",
];

/// Where a word stands in a message that is made to be changed: nothing else in it looks like this.
const PLACE: &[u8] = b"\xf1\xf2\xf3\xf4\xf5";

/// Starts a servent and somebody who writes down every call of it in which a path is named. Nothing, where that cannot be.
fn serve_traced(trace: &str, arguments: &[&str]) -> Option<Process> {
    // The servent is the process that is started, and whoever traces it a grandchild.
    let traced = |program: PathBuf| {
        let mut command = Command::new("strace");
        command.args(["-D", "-f", "-y", "-s", "4096", "-e", "trace=%file,openat2", "-o", trace]).arg(program);
        command
    };
    match traced("true".into()).output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            println!("not run: system calls cannot be traced here: {}", stderr(&output));
            return None;
        }
        Err(error) => {
            println!("not run: there is no strace to trace system calls with: {error}");
            return None;
        }
    }
    Some(Process::start(traced(program("servent").unwrap()).arg("127.0.0.1:0").args(arguments)))
}

/// All words that are offered, some of which name what is here.
fn words(outside: &str) -> Vec<Vec<u8>> {
    let secret = hash(SECRET);
    let mut words: Vec<Vec<u8>> = WORDS.map(|word| word.as_bytes().to_vec()).to_vec();
    words.extend([outside, &format!("{outside}/secret"), &secret.to_string()].map(|word| word.as_bytes().to_vec()));
    words.extend([b"caf\xe9/../../secret".to_vec(), b"\xff\xfe/etc/passwd".to_vec(), secret.0.to_vec()]);
    // As long as a name may be, and longer.
    words.extend([1_024, 1_025].map(|length| b"../".repeat(length)[..length].to_vec()));
    words
}

fn hash(content: &str) -> ContentHash {
    ContentHash(*blake3::hash(content.as_bytes()).as_bytes())
}

/// The bytes of a message in which this word stands, whether anybody may say it or not.
fn frame_with(message: &Message, word: &[u8]) -> Vec<u8> {
    let bytes = frame(message);
    let at = bytes.windows(PLACE.len()).position(|window| window == PLACE).expect("the word stands there");
    let length = match u8::try_from(word.len()) {
        Ok(short) if short <= 250 => vec![short],
        _ => [&[251][..], &u16::try_from(word.len()).unwrap().to_be_bytes()].concat(),
    };
    // Before the body is its length, and before the word that of the word.
    let body = [&bytes[4..at - 1], &length, word, &bytes[at + PLACE.len()..]].concat();
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
}

/// Every way to say a word to a servent over a link of our own dialect.
fn said_with(word: &[u8]) -> Vec<Vec<u8>> {
    let name = FileName::new(PLACE).unwrap();
    let nobody: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let request = |ask: Ask| Message::Request(Request { sequence: 1, ask, ttl: None });
    let mut said = Vec::new();
    for ask in [Ask::Named(name), Ask::Find(Words::new([PLACE]).unwrap()), ask(PLACE)] {
        said.push(frame_with(&request(ask.clone()), word));
        said.push(frame_with(&Message::query(query(nobody, ask, 3)), word));
    }
    said.push(frame_with(&Message::List(List { list: 1, from: PLACE.to_vec() }), word));
    // Where bytes of a hash are meant.
    let mut first = word.to_vec();
    first.resize(word.len().clamp(4, 32), b'/');
    let hashed = Ask::Hashed(HashStart::new(&first).unwrap());
    said.push(frame(&request(hashed.clone())));
    said.push(frame(&Message::query(query(nobody, hashed, 3))));
    let mut root = [0; 32];
    root[..first.len()].copy_from_slice(&first);
    for hash in [root, *blake3::hash(word).as_bytes()] {
        said.push(frame(&Message::Open(Open { fetch: 1, hash: ContentHash(hash) })));
    }
    said
}

/// That what is told to be here is shared.
fn assert_shared(entries: &Entries) {
    for entry in &entries.entries {
        assert!(SHARED.iter().any(|(name, _)| entry.name.as_bytes() == name.as_bytes()), "{entry:?} is told of");
    }
}

/// Says these bytes over a link of their own, and hears until the servent has done with them: it says pong, or closes it.
fn offer(servent: SocketAddr, is_client: bool, bytes: &[u8]) {
    let mut peer = Peer::stranger(servent);
    let role = if is_client { Role::Client { answer_port: ANSWER_PORT } } else { peer.as_servent() };
    peer.greet_offering(role, if is_client { Features::CONTENT } else { Features::OF_SERVENTS });
    peer.say_bytes(&[bytes, &frame(&Message::Ping)].concat());
    loop {
        match peer.hear() {
            Heard::End | Heard::Message(Message::Pong) => return,
            Heard::Message(Message::Answer(Answer { body: AnswerBody::Entries(entries), .. })) => {
                assert_shared(&entries);
            }
            Heard::Message(Message::Answer(answer)) => panic!("{answer:?} to what nobody shares"),
            Heard::Message(Message::ListPart(part)) => assert_shared(&part.entries),
            Heard::Message(Message::Opened(opened)) => panic!("{opened:?}"),
            Heard::Message(Message::Block(block)) => panic!("{} bytes are given", block.bytes.len()),
            Heard::Message(_) => {}
        }
    }
}

/// The same in the other dialect, in which clients and neighbors say keys and nothing else of the kind.
fn offer_in_tp3(servent: SocketAddr, word: &[u8]) {
    if word.len() > TEXT_BYTES_MAX {
        return;
    }
    let mut client = Tp3Client::attach(servent);
    client.contact.say(&keyreq(7, word));
    let mut neighbor = Wire::neighbor(servent);
    neighbor.pass_on(&Flood::key("127.0.0.1:9".parse().unwrap(), word, 0));
    for mut wire in [client.contact, neighbor] {
        wire.say_no_more();
        wire.bytes_until_end();
    }
}

/// That of a content which was seen, and is something else now, nothing is given.
fn assert_gone(peer: &mut Peer, fetch: u32, hash: ContentHash) {
    peer.say(&Message::Open(Open { fetch, hash }));
    let opened = peer.expect();
    assert!(matches!(&opened, Message::Opened(Opened { fetch: of, .. }) if *of == fetch), "{opened:?}");
    peer.say(&Message::BlocksWanted(BlocksWanted { fetch, first: 0, count: 1 }));
    assert_eq!(peer.expect(), Message::Refused(Refused { fetch, refusal: Refusal::Gone }));
}

/// The paths in a call that was traced.
fn paths_in(call: &str) -> Vec<&str> {
    call.split('"').skip(1).step_by(2).collect()
}

/// That a call opens and looks at nothing but what is beneath the directory, by a name that was seen there.
fn assert_beneath(call: &str, directory: &str, names: &BTreeSet<&str>) {
    let (name, arguments) = call.split_once('(').unwrap();
    // Behind the number of what is open stands its path.
    let at = arguments.split_once('>').and_then(|(at, _)| at.split_once('<')).map_or("", |(_, at)| at);
    let is_beneath = at == directory || at.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'));
    let is_right = match (name, &paths_in(arguments)[..]) {
        ("openat2", [path]) => {
            let rules = "resolve=RESOLVE_NO_MAGICLINKS|RESOLVE_NO_SYMLINKS|RESOLVE_BENEATH}";
            at == directory && names.contains(path) && call.contains("{flags=O_RDONLY|") && call.contains(rules)
        }
        // The directory itself is opened anew for each look, as its owner called it.
        ("openat", [path]) if arguments.starts_with("AT_FDCWD") => *path == directory && call.contains("O_DIRECTORY"),
        // Whoever lists a directory that is open opens it once more.
        ("openat", ["."]) => is_beneath && call.contains("O_DIRECTORY"),
        // Of what is open, or of a name in a directory that is, whatever stands there.
        ("newfstatat" | "statx", [""]) => call.contains("AT_EMPTY_PATH"),
        ("newfstatat" | "statx", [path]) => {
            is_beneath && !path.contains('/') && *path != ".." && call.contains("AT_SYMLINK_NOFOLLOW")
        }
        _ => false,
    };
    assert!(is_right, "{call}");
}

#[test]
fn a_servent_that_is_offered_every_path_there_is_opens_nothing_outside_the_directory() {
    let shared = Shared::new(&SHARED);
    let around = fs::canonicalize(shared.0.path()).unwrap();
    let (outside, directory) = (around.to_str().unwrap(), around.join("films").to_str().unwrap().to_owned());
    // What a link leads to is, to the byte, what was shared.
    fs::create_dir(around.join("outside")).unwrap();
    for (name, content) in [("secret", SECRET), ("outside/swapped", "a fifth"), ("outside/here", "a fourth")] {
        fs::write(around.join(name), content).unwrap();
    }
    shared.write(".dotted", SECRET);
    shared.write(".hidden/film", SECRET);
    symlink(around.join("secret"), shared.at("link")).unwrap();
    symlink("..", shared.at("up")).unwrap();
    symlink("../..", shared.at("deep/up")).unwrap();
    mkfifoat(CWD, shared.at("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
    let _socket = UnixListener::bind(shared.at("socket")).unwrap();
    let zero = makedev(1, 5);
    if let Err(error) = mknodat(CWD, shared.at("device"), FileType::CharacterDevice, Mode::RUSR, zero) {
        println!("not run: there is no device to be made: {error}");
    }

    let trace = shared.beside("trace");
    let Some(mut servent) = serve_traced(&trace, &["-", "--share", &directory, "--tp3"]) else { return };
    assert_eq!(shares(&mut servent, 1), "sharing 5 files, 35 bytes (5 hashed anew)");
    // The signal stands in the trace: what comes behind it is not of the start.
    assert_eq!(look_again(&mut servent), "sharing 5 files, 35 bytes (0 hashed anew)");
    let mut offered_count = 0;
    for word in words(outside) {
        for bytes in said_with(&word) {
            offer(servent.address, true, &bytes);
            offer(servent.address, false, &bytes);
            offered_count += 2;
        }
        offer_in_tp3(servent.address, &word);
    }
    // Of fetches that nobody opened.
    for number in [0, 1, u32::MAX] {
        let (fetch, first, count) = (number, number, 1);
        offer(servent.address, true, &frame(&Message::BlocksWanted(BlocksWanted { fetch, first, count })));
        offer(servent.address, true, &frame(&Message::HashesWanted(HashesWanted { fetch, first, count })));
    }

    // Between the look and the opening.
    let mut peer = Peer::stranger(servent.address);
    peer.greet_offering(Role::Client { answer_port: ANSWER_PORT }, Features::CONTENT);
    fs::remove_file(shared.at("swapped")).unwrap();
    symlink(around.join("outside/swapped"), shared.at("swapped")).unwrap();
    fs::remove_dir_all(shared.at("in")).unwrap();
    symlink(around.join("outside"), shared.at("in")).unwrap();
    fs::remove_file(shared.at("gone")).unwrap();
    mkfifoat(CWD, shared.at("gone"), Mode::RUSR | Mode::WUSR).unwrap();
    for (fetch, content) in [(1, "a fifth"), (2, "a fourth"), (3, "a third")] {
        assert_gone(&mut peer, fetch, hash(content));
    }
    assert_eq!(look_again(&mut servent), "sharing 2 files, 13 bytes (0 hashed anew)");
    ended(servent);

    let trace = fs::read_to_string(&trace).unwrap();
    let (_, since_start) = trace.split_once("--- SIGHUP ").expect("it was told to look again");
    // Each line begins with the number of a thread; the rest of a call in which others were heard tells no path.
    let calls = since_start.lines().skip(1).filter_map(|line| Some(line.split_once(' ')?.1.trim_start()));
    let calls: Vec<&str> = calls.filter(|call| !call.starts_with(['-', '+', '<'])).collect();
    let names = SHARED.map(|(name, _)| name).into_iter().chain(DIRECTORIES).collect();
    calls.iter().for_each(|call| assert_beneath(call, &directory, &names));
    println!("{offered_count} messages, {} calls with a path", calls.len());
    for name in ["swapped", "in/here", "gone"] {
        let is_tried = |call: &&str| call.starts_with("openat2(") && paths_in(call) == [name];
        assert!(calls.iter().any(is_tried), "{name} was not tried, so nothing was shown");
    }
}
