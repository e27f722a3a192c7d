//! Files that are shared, at the doors of the servent's mind: when they are looked through, who is told of them, and what.
//!
//! By what they are found is `content.rs`; that what is looked through is what is there is the servent's to show.

use super::*;
use crate::content::{hash_of, shared};
use common::content::ContentHash;
use common::content::catalogue::{Catalogue, SharedFile};
use common::content::search::{Entries, Entry, FileName, HashStart, List, ListPart, Words};
use common::content::transfer::{BlocksWanted, Have, Open};
use common::disk::{LookedThrough, ReadFailure};
use common::event::EventKind;
use common::features::Features;
use common::query::{BroughtAnswer, BroughtBody};
use common::store::Store;

const DATA: &str = "tea green\nfarol.mp4 the lighthouse of Barra at dusk\nmapa.pdf \n";

fn sharing_config() -> Config {
    Config { shares: true, ..config() }
}

fn look_through(data: &str) -> Output {
    Output::Disk(Job::LookThrough(store(data)))
}

fn looked(catalogue: Option<Catalogue>, is_whole: bool) -> Input {
    let catalogue = catalogue.map(Arc::new);
    Input::Disk(JobDone::LookedThrough(Ok(LookedThrough { catalogue, is_whole, hashed_count: 0 })))
}

fn failed() -> Input {
    Input::Disk(JobDone::LookedThrough(Err("it is gone".to_owned())))
}

fn data_read(read: Result<&str, &str>) -> Input {
    Input::Disk(JobDone::DataRead(read.map(store).map_err(str::to_owned)))
}

/// The files of most tests, with what the data says of them.
fn files() -> Vec<SharedFile> {
    vec![
        shared(b"farol.mp4", hash_of(&[0x9f, 0x2c, 0x41, 0xd0]), 26_214_400),
        shared(b"mapa.pdf", hash_of(&[0x9f, 0x2c, 0x41, 0xd0, 1]), 0),
        shared(b"tea", hash_of(&[7; 32]), 65_537),
        shared(b"zebra", hash_of(&[8; 32]), 3),
    ]
}

fn catalogue_of(files: Vec<SharedFile>, data: &str) -> Catalogue {
    Catalogue::new(files, &store(data))
}

/// What is told of the file at this place.
fn entry(place: usize) -> Entry {
    let SharedFile { name, hash, stamp, .. } = files().remove(place);
    let (description, blocks): (&[u8], u32) =
        [(&b"the lighthouse of Barra at dusk"[..], 400), (b"", 1), (b"green", 2), (b"", 1)][place];
    let (name, description) = (FileName::new(&name).unwrap(), description.to_vec());
    Entry { name, size: stamp.size, hash, description, have: Have::all(blocks) }
}

fn entries(places: &[usize]) -> Entries {
    Entries { entries: places.iter().map(|place| entry(*place)).collect(), more: 0, uploads: 0 }
}

impl Mind {
    /// One that has looked its directory through and found these.
    fn sharing(files: Vec<SharedFile>, data: &str) -> Mind {
        let mut mind = Mind::with(&sharing_config(), store(data));
        assert_eq!(mind.pass(Duration::ZERO), [(Duration::ZERO, look_through(data))]);
        assert_eq!(mind.tell(looked(Some(catalogue_of(files, data)), true)), []);
        mind
    }

    /// What its own clients are told that ask this: nothing where there is no answer, for which nothing is lost.
    fn answer_to(&mut self, link: LinkId, ask: &Ask) -> Option<AnswerBody> {
        let sequence = self.now.nanoseconds() + self.next_link;
        self.next_link += 1;
        let out = self.hear(link, Message::Request(Request { sequence, ask: ask.clone(), ttl: None }));
        match &out[..] {
            [Output::Send { message: Message::Finished(end), .. }] => {
                assert_eq!(end.tally, reached(1));
                None
            }
            [
                Output::Send { message: Message::Answer(Answer { asked, body, .. }), .. },
                Output::Send { message: Message::Finished(end), .. },
            ] => {
                assert_eq!((end.tally, *asked), (answered(), Some(AskHash::of(ask))));
                Some(body.clone())
            }
            _ => panic!("{out:?}"),
        }
    }

    fn list_part(&mut self, link: LinkId, from: &[u8]) -> Entries {
        let out = self.hear(link, Message::List(List { list: 5, from: from.to_vec() }));
        let [Output::Send { link: to, message: Message::ListPart(ListPart { list: 5, entries }) }] = &out[..] else {
            panic!("{out:?}")
        };
        assert_eq!(*to, link);
        entries.clone()
    }
}

fn find(words: &[&str]) -> Ask {
    Ask::Find(Words::new(words.iter().map(|word| word.as_bytes())).unwrap())
}

fn named(name: &str) -> Ask {
    Ask::Named(FileName::new(name.as_bytes()).unwrap())
}

fn hashed(first: &[u8]) -> Ask {
    Ask::Hashed(HashStart::new(first).unwrap())
}

fn key(key: &str) -> Ask {
    Ask::Key(Key::new(key.as_bytes()).unwrap())
}

fn value(text: &str) -> Option<AnswerBody> {
    Some(AnswerBody::Value(text.as_bytes().to_vec()))
}

// ---- when the directory is looked through ----

#[test]
fn the_directory_is_looked_through_at_the_start_and_a_minute_after_each_time() {
    let mut mind = Mind::with(&sharing_config(), store(DATA));
    assert_eq!(mind.overlay.deadline(), Some(Time::START));
    assert_eq!(mind.pass(Duration::ZERO), [(Duration::ZERO, look_through(DATA))]);
    // However long it takes, it is done once.
    assert_eq!(mind.overlay.deadline(), None);
    assert_eq!(mind.pass(seconds(500)), []);
    for _ in 0..3 {
        assert_eq!(mind.tell(looked(None, true)), []);
        assert_eq!(mind.pass(LOOK_THROUGH_PAUSE - TICK), []);
        assert_eq!(mind.pass(TICK), [(TICK, look_through(DATA))]);
    }
    // Once that has failed too.
    assert_eq!(mind.tell(failed()), []);
    assert_eq!(mind.pass(LOOK_THROUGH_PAUSE), [(LOOK_THROUGH_PAUSE, look_through(DATA))]);
}

#[test]
fn what_was_not_looked_through_in_one_go_goes_on_at_once() {
    let mut mind = Mind::with(&sharing_config(), store(DATA));
    mind.pass(Duration::ZERO);
    for _ in 0..3 {
        assert_eq!(mind.tell(looked(None, false)), [look_through(DATA)]);
        assert_eq!(mind.overlay.deadline(), None);
    }
    assert_eq!(mind.tell(looked(None, true)), []);
    assert_eq!(mind.pass(LOOK_THROUGH_PAUSE), [(LOOK_THROUGH_PAUSE, look_through(DATA))]);
}

#[test]
fn after_the_data_was_read_the_directory_is_looked_through_with_what_it_says_now() {
    let mut mind = Mind::sharing(files(), DATA);
    mind.pass(seconds(20));
    assert_eq!(mind.tell(Input::Reload), [Output::Disk(Job::ReadData)]);
    let out = mind.tell(data_read(Ok("farol.mp4 new")));
    assert_eq!(out, [Output::Disk(Job::Free(store(DATA))), look_through("farol.mp4 new")]);
    // The minute counts from the last time.
    mind.pass(seconds(50));
    mind.tell(looked(None, true));
    assert_eq!(mind.pass(LOOK_THROUGH_PAUSE), [(LOOK_THROUGH_PAUSE, look_through("farol.mp4 new"))]);
    mind.tell(looked(None, true));
    // Where there was no data the operator wants it looked through all the same.
    mind.tell(Input::Reload);
    assert_eq!(mind.tell(data_read(Err("it is gone"))), [look_through("farol.mp4 new")]);
}

/// What has been seen of it may be older than what was meant; once more is enough for all that was meant meanwhile.
#[test]
fn asked_for_while_it_is_under_way_it_is_looked_through_once_more_when_it_is_whole() {
    for end in [looked(None, true), failed()] {
        let mut mind = Mind::sharing(files(), DATA);
        let ask = |mind: &mut Mind| {
            mind.tell(Input::Reload);
            mind.tell(data_read(Err("it is gone")))
        };
        assert_eq!(ask(&mut mind), [look_through(DATA)]);
        for _ in 0..3 {
            assert_eq!(ask(&mut mind), []);
        }
        // It goes on to its end first.
        for _ in 0..2 {
            assert_eq!(mind.tell(looked(None, false)), [look_through(DATA)]);
        }
        assert_eq!(mind.tell(end), [look_through(DATA)]);
        assert_eq!(mind.tell(looked(None, false)), [look_through(DATA)]);
        assert_eq!(mind.tell(looked(None, true)), [], "once more, not for ever");
        assert_eq!(mind.pass(LOOK_THROUGH_PAUSE), [(LOOK_THROUGH_PAUSE, look_through(DATA))]);
    }
}

#[test]
fn whoever_shares_nothing_looks_nothing_through() {
    let mut mind = Mind::new();
    assert_eq!(mind.overlay.deadline(), None);
    mind.tell(Input::Reload);
    assert_eq!(mind.tell(data_read(Ok(DATA))), [Output::Disk(Job::Free(store("tea green")))]);
    assert_eq!(mind.overlay.deadline(), None);
    // And has nothing to tell, which is no breach of anything.
    let client = mind.client_of_contents(1);
    assert_eq!(mind.answer_to(client, &find(&[])), None);
    assert_eq!(mind.answer_to(client, &key("tea")), value("green"));
    assert_eq!(mind.list_part(client, b""), Entries::default());
}

#[test]
fn what_was_shared_is_shared_until_it_is_known_to_be_otherwise() {
    let mut mind = Mind::with(&sharing_config(), store(DATA));
    let client = mind.client_of_contents(1);
    mind.pass(Duration::ZERO);
    assert_eq!(mind.list_part(client, b""), Entries::default(), "nothing was looked through yet");
    // What was found so far is told, though more is to come.
    mind.tell(looked(Some(catalogue_of(files()[..1].to_vec(), DATA)), false));
    assert_eq!(mind.list_part(client, b""), entries(&[0]));
    mind.tell(looked(Some(catalogue_of(files(), DATA)), true));
    for unchanged in [looked(None, true), looked(None, false), failed()] {
        mind.pass(LOOK_THROUGH_PAUSE);
        mind.tell(unchanged);
        assert_eq!(mind.list_part(client, b""), entries(&[0, 1, 2, 3]));
    }
    mind.pass(LOOK_THROUGH_PAUSE);
    mind.tell(looked(Some(Catalogue::EMPTY), true));
    assert_eq!(mind.list_part(client, b""), Entries::default());
}

// ---- what is answered ----

#[test]
fn files_are_found_by_words_by_name_and_by_hash() {
    let mut mind = Mind::sharing(files(), DATA);
    let client = mind.client_of_contents(1);
    for (ask, found) in [
        (find(&["BARRA", "farol"]), &[0][..]),
        (find(&["green"]), &[2]),
        (find(&["ra"]), &[0, 3]),
        (find(&[]), &[0, 1, 2, 3]),
        (find(&["nobody"]), &[]),
        (named("mapa.pdf"), &[1]),
        (named("mapa"), &[]),
        (named("MAPA.PDF"), &[]),
        (hashed(&[0x9f, 0x2c, 0x41, 0xd0]), &[0, 1]),
        (hashed(&hash_of(&[0x9f, 0x2c, 0x41, 0xd0])), &[0]),
        (hashed(&[0x9f, 0x2c, 0x41, 0xd1]), &[]),
    ] {
        // Whoever has none does not answer.
        let expected = (!found.is_empty()).then(|| AnswerBody::Entries(entries(found)));
        assert_eq!(mind.answer_to(client, &ask), expected, "{ask}");
    }
}

#[test]
fn the_value_of_a_shared_name_is_what_the_file_is_and_what_the_data_says_of_it() {
    let mut mind = Mind::sharing(files(), DATA);
    let client = mind.client(1);
    let digits = |place: usize| files()[place].hash.to_string();
    for (asked, expected) in [
        ("farol.mp4", value(&format!("26214400 bytes {} the lighthouse of Barra at dusk", digits(0)))),
        // One that is described as nothing, and one that is not described.
        ("mapa.pdf", value(&format!("0 bytes {}", digits(1)))),
        ("zebra", value(&format!("3 bytes {}", digits(3)))),
        ("tea", value(&format!("65537 bytes {} green", digits(2)))),
        ("farol", None),
    ] {
        assert_eq!(mind.answer_to(client, &key(asked)), expected, "{asked}");
    }
    assert_eq!(digits(0).len(), 64);
    // What is told of it is as long as a value may be.
    let long = "x".repeat(VALUE_BYTES_MAX);
    let data = format!("zebra {long}");
    let mut mind = Mind::sharing(files(), &data);
    let client = mind.client(1);
    let begins = format!("3 bytes {} ", digits(3));
    let expected = format!("{begins}{}", &long[begins.len()..]);
    assert_eq!(mind.answer_to(client, &key("zebra")), value(&expected));
}

#[test]
fn of_many_files_as_many_are_told_as_may_be_and_how_many_more_there_are() {
    let name = |place: usize| format!("file {place:03}");
    let files = (0..100)
        .map(|place| shared(name(place).as_bytes(), hash_of(&[5, 5, 5, 5, u8::try_from(place).unwrap()]), 1))
        .collect();
    let mut mind = Mind::sharing(files, "");
    let client = mind.client_of_contents(1);
    let names = |told: &Entries| -> Vec<String> { told.entries.iter().map(|entry| entry.name.to_string()).collect() };
    for (ask, all) in
        [(find(&[]), 100), (find(&["file", "1"]), 19), (hashed(&[5; 4]), 100), (find(&["FILE", "00"]), 10)]
    {
        let Some(AnswerBody::Entries(told)) = mind.answer_to(client, &ask) else { panic!("{ask}") };
        assert_eq!((told.entries.len(), told.uploads), (ENTRIES_MAX.min(all), 0), "{ask}");
        assert_eq!(told.more, (all - told.entries.len()) as u64, "{ask}");
        let is_first = |place: &usize| ask != find(&["file", "1"]) || name(*place).contains('1');
        let first: Vec<String> = (0..100).filter(is_first).map(name).take(told.entries.len()).collect();
        assert_eq!(names(&told), first, "{ask}");
    }
    // Listed, all of them are told, each once.
    let (mut from, mut told, mut left) = (Vec::new(), Vec::new(), 100);
    while left > 0 {
        let part = mind.list_part(client, &from);
        told.extend(names(&part));
        left -= part.entries.len() as u64;
        assert_eq!(part.more, left);
        from = [part.entries.last().unwrap().name.as_bytes(), &[0]].concat();
    }
    assert_eq!(told, (0..100).map(name).collect::<Vec<_>>());
    assert_eq!(mind.list_part(client, &from), Entries::default());
    assert_eq!(mind.list_part(client, b"file 05").entries[0].name.as_bytes(), b"file 050");
}

/// Behind those that are told as before them.
#[test]
fn files_that_were_withdrawn_are_not_among_those_there_are_more() {
    let name = |place: usize| format!("file {place:03}");
    let files = (0..100).map(|place| shared(name(place).as_bytes(), hash_of(&place.to_be_bytes()), 1)).collect();
    let mut mind = Mind::sharing(files, "");
    let client = mind.client_of_contents(1);
    for (fetch, place) in [(1, 5), (2, 70), (3, 99)] {
        let hash = ContentHash(hash_of(&usize::to_be_bytes(place)));
        mind.hear(client, Message::Open(Open { fetch, hash }));
        mind.hear(client, Message::BlocksWanted(BlocksWanted { fetch, first: 0, count: 1 }));
        mind.tell(Input::Disk(JobDone::BlocksRead { link: client, fetch, read: Err(ReadFailure::Gone) }));
    }
    for (from, told, more, last) in
        [("", 32, 65, "file 032"), ("file 006", 32, 60, "file 037"), ("file 069", 29, 0, "file 098")]
    {
        let part = mind.list_part(client, from.as_bytes());
        let last_told = part.entries.last().map(|entry| entry.name.to_string());
        assert_eq!((part.entries.len(), part.more, last_told.as_deref()), (told, more, Some(last)), "{from}");
    }
    for words in [&[][..], &["FILE"]] {
        let Some(AnswerBody::Entries(told)) = mind.answer_to(client, &find(words)) else { panic!("not found") };
        assert_eq!(told.more, 65, "{words:?}");
    }
}

/// Anybody may ask for what very many files are, as often as may be.
#[test]
fn of_files_that_are_one_content_so_many_are_counted() {
    let hash = hash_of(b"");
    let files = (0..33_000).map(|place: usize| shared(format!("{place:05}").as_bytes(), hash, 0)).collect();
    let mut mind = Mind::sharing(files, "");
    let client = mind.client_of_contents(1);
    let ask = Ask::Hashed(HashStart::from(ContentHash(hash)));
    let Some(AnswerBody::Entries(told)) = mind.answer_to(client, &ask) else { panic!("not found") };
    assert_eq!((told.entries.len() as u64 + told.more, told.entries.len()), (32_768, 32));
}

// ---- what takes longer ----

/// So many that what is looked through for one find is many pieces, and more than may be in one turn.
const MANY: usize = 60_000;

fn many_files() -> Vec<SharedFile> {
    let name = |place: usize| format!("some song of the sea {place:06}.mp3");
    (0..MANY).map(|place| shared(name(place).as_bytes(), hash_of(&place.to_be_bytes()), 1)).collect()
}

impl Mind {
    /// What is said once nothing waits any more, and in how many turns; at most as many as are needed for all there is.
    fn turns(&mut self) -> (Vec<Output>, usize) {
        let (mut said, mut turns) = (Vec::new(), 0);
        while self.held("finds") > 0 {
            assert!(self.overlay.deadline().is_some_and(|due| due <= self.now), "nobody would go on");
            said.extend(self.tell(Input::Deadline));
            turns += 1;
            assert!(turns < 1_000, "it does not end");
        }
        (said, turns)
    }

    fn asks(&mut self, link: LinkId, sequence: u64, ask: &Ask) -> Vec<Output> {
        self.hear(link, Message::Request(Request { sequence, ask: ask.clone(), ttl: None }))
    }
}

/// The last of all files is found, and what nobody has is known to be nowhere, though it is a turn for every megabyte.
#[test]
fn what_takes_long_to_be_looked_through_is_looked_through_in_turns() {
    let mut mind = Mind::sharing(many_files(), "");
    let client = mind.client_of_contents(1);
    let last = format!("{:06}.MP3", MANY - 1);
    for (sequence, words, found) in
        [(1, &[&last[..]][..], 1), (2, &["mp3", "song", "nobody"], 0), (3, &[&last, "song"], 1)]
    {
        assert_eq!(mind.asks(client, sequence, &find(words)), [], "{words:?}");
        assert_eq!((mind.held("finds"), mind.held("pending")), (1, 1));
        // What takes no time is answered meanwhile.
        assert!(mind.answer_to(client, &named("some song of the sea 000007.mp3")).is_some());
        let (said, turns) = mind.turns();
        assert!(turns > 1, "{words:?} took {turns}");
        let Some((Output::Send { message: Message::Finished(end), .. }, answer)) = said.split_last() else {
            panic!("{said:?}")
        };
        let tally = if found == 0 { reached(1) } else { answered() };
        assert_eq!((end.sequence, end.tally, answer.len()), (sequence, tally, found), "{words:?}");
        if let [Output::Send { message: Message::Answer(Answer { body: AnswerBody::Entries(told), .. }), .. }] = answer
        {
            assert_eq!((told.entries.len(), told.more), (1, 0));
            assert_eq!(told.entries[0].hash.0, hash_of(&(MANY - 1).to_be_bytes()));
        }
        assert_eq!(mind.held("pending"), 0);
    }
}

/// Of those that are not told so many are counted as are within a megabyte: that there are more is true, and enough.
#[test]
fn of_many_files_with_the_words_those_that_are_near_are_counted() {
    let mut mind = Mind::sharing(many_files(), "");
    let client = mind.client_of_contents(1);
    for (sequence, words) in [(1, &["mp3"][..]), (2, &["song", "of", "the", "sea", "mp3", "some", "0", "."])] {
        assert_eq!(mind.asks(client, sequence, &find(words)), []);
        let (said, turns) = mind.turns();
        let [Output::Send { message: Message::Answer(Answer { body: AnswerBody::Entries(told), .. }), .. }, _] =
            &said[..]
        else {
            panic!("{said:?}")
        };
        assert_eq!(told.entries.len(), ENTRIES_MAX);
        assert!((1_000..MANY as u64 / 2).contains(&told.more), "{} of {words:?}", told.more);
        assert!(turns <= 2, "{turns} for what is counted alone");
    }
    // Without words it is known how many there are.
    let Some(AnswerBody::Entries(told)) = mind.answer_to(client, &find(&[])) else { panic!("not found") };
    assert_eq!(told.more, (MANY - ENTRIES_MAX) as u64);
}

/// A link with many of them keeps nobody waiting longer than one with one, and one find of a link no other.
#[test]
fn finds_have_their_turns_link_by_link_and_so_many_wait() {
    let mut mind = Mind::sharing(many_files(), "");
    let [greedy, other, third] = [1, 2, 3].map(|id| mind.neighbor(id));
    let of = |number: usize, words: &[&str]| Query { ttl: 0, ..query(number as u64, number % 64, find(words)) };
    let hard = ["mp3", "nobody"];
    let stopped = Tally { stopped: 1, ..reached(1) };
    for number in 0..FINDS_WAITING_MAX / 2 {
        assert_eq!(mind.hear(greedy, Message::query(of(number, &hard))), []);
    }
    // One more is lost, and says so at once.
    let more = of(9_000, &hard);
    let lost = Tally { lost: 1, ..stopped };
    assert_eq!(mind.hear(greedy, Message::query(more.clone())), [send(greedy, echo_of(&more, lost))]);
    assert_eq!(mind.hear(other, Message::query(of(9_100, &["059999"]))), []);
    let mut turns = 0;
    while mind.held("finds") > FINDS_WAITING_MAX / 2 {
        turns += 1;
        mind.tell(Input::Deadline);
    }
    assert!((2..20).contains(&turns), "{turns}: half of each turn is its own");
    let last = of(9_200, &hard);
    assert_eq!(mind.hear(third, Message::query(last.clone())), [], "there is room for it");
    // Whoever is gone waits for nothing.
    mind.closed(greedy);
    assert_eq!((mind.held("finds"), mind.held("pending")), (1, 1));
    let (said, _) = mind.turns();
    assert_eq!(said, [send(third, echo_of(&last, stopped))]);
}

#[test]
fn a_find_that_takes_too_long_is_lost_and_costs_nothing_any_more() {
    let mut mind = Mind::sharing(many_files(), "");
    let neighbor = mind.neighbor(1);
    let copy = query(5, 2, find(&["mp3", "nobody"]));
    // Nobody else is there to be asked, and it waits all the same.
    assert_eq!(mind.hear(neighbor, Message::query(copy.clone())), []);
    mind.now = mind.now + ECHO_WAIT_MAX;
    let out = mind.tell(Input::Deadline);
    let lost = Tally { lost: 1, ..reached(1) };
    assert!(out.contains(&send(neighbor, echo_of(&copy, lost))), "{out:?}");
    assert_eq!((mind.held("finds"), mind.held("pending")), (0, 0));
    // One that comes again is told what came of it.
    let copy = query(6, 2, find(&["059999"]));
    assert_eq!(mind.hear(neighbor, Message::query(Query { ttl: 0, ..copy.clone() })), []);
    let (out, _) = mind.turns();
    assert_eq!(out[0], dial_client(2));
    assert_eq!(out[1..], [send(neighbor, echo_of(&Query { ttl: 0, ..copy }, answered()))]);
}

#[test]
fn what_is_shared_anew_holds_for_finds_that_wait() {
    let mut mind = Mind::sharing(many_files(), "");
    let client = mind.client_of_contents(1);
    assert_eq!(mind.asks(client, 1, &find(&["sea", "zebra"])), []);
    mind.tell(Input::Deadline);
    let files = [many_files(), vec![shared(b"zebra of the sea", hash_of(&[9]), 3)]].concat();
    assert_eq!(mind.held("finds"), 1);
    mind.tell(looked(Some(Catalogue::new(files, &Store::default())), true));
    let (said, _) = mind.turns();
    assert!(matches!(&said[..], [Output::Send { message: Message::Answer(_), .. }, _]), "{said:?}");
    // A servent that leaves says that it is lost.
    assert_eq!(mind.asks(client, 2, &find(&["sea", "nobody"])), []);
    let out = mind.tell(Input::Leave);
    assert!(out.contains(&send(client, finished(2, Tally { lost: 1, ..reached(1) }))), "{out:?}");
    assert_eq!(mind.held("finds"), 0);
}

// ---- who is told ----

/// The hello of a neighbor or a client, with what it offers changed to this.
fn offering(hello: &Message, features: Features) -> Message {
    let Message::Hello(plain) = hello else { panic!("{hello:?}") };
    Message::Hello(Hello { features, ..plain.clone() })
}

/// A loopback address means this host to this host alone: whoever asks elsewhere under one may be anywhere.
#[test]
fn where_it_is_not_known_where_whoever_asks_is_files_are_found_if_they_are_for_everybody() {
    let [nobody, this_host, all_of_it] = [&[][..], &["127.0.0.0/8", "::1/128"], &["11.0.0.0/8", "169.254.0.0/16"]];
    let (here, near) = (([127, 0, 0, 1], 7000).into(), SocketAddr::from(([169, 254, 0, 7], 7000)));
    let (far, same_host) = (SocketAddr::from(([10, 2, 0, 0], 4000)), SocketAddr::from(([127, 0, 0, 1], 4000)));
    let (there, direct, back) = (client_address(1), Via::Direct, Via::Back);
    for (shared_with, from, client, via, is_found) in [
        (this_host, same_host, here, direct, true),
        // It says that it is on this host, and may have come to one that is by another.
        (this_host, same_host, here, back, false),
        (this_host, far, here, direct, false),
        (this_host, far, here, back, false),
        (this_host, far, there, direct, false),
        (all_of_it, far, here, back, false),
        (all_of_it, far, near, direct, false),
        (all_of_it, same_host, near, direct, false),
        (all_of_it, far, there, direct, true),
        (all_of_it, far, there, back, true),
        (nobody, far, here, direct, true),
        (nobody, far, near, back, true),
    ] {
        let shared_with = shared_with.iter().map(|text| text.parse().unwrap()).collect();
        let mut mind = Mind::with(&Config { shared_with, ..sharing_config() }, store(DATA));
        mind.pass(Duration::ZERO);
        mind.tell(looked(Some(catalogue_of(files(), DATA)), true));
        let link = mind.new_link();
        mind.tell(Input::Opened { link, opening: Opening::Accepted(from) });
        mind.hear(link, servent_hello(1));
        for (sequence, ask) in [(1, find(&[])), (2, named("zebra")), (3, hashed(&[8; 4])), (4, key("zebra"))] {
            let client = AnswerAddress { socket: client, dialect: Dialect::Native };
            let copy = Query { client, via, ..query(sequence, 1, ask.clone()) };
            let out = mind.hear(link, Message::query(copy));
            let Some(Output::Send { message: Message::Echo(Echo { tally, .. }), .. }) = out.last() else {
                panic!("{out:?}")
            };
            assert_eq!(tally.answers + tally.lost, u64::from(is_found), "{ask} of {client:?} by {from}, {via:?}");
        }
    }
    // Of a client of its own it is known.
    let mut mind =
        Mind::with(&Config { shared_with: vec!["127.0.0.1/32".parse().unwrap()], ..sharing_config() }, store(DATA));
    mind.pass(Duration::ZERO);
    mind.tell(looked(Some(catalogue_of(files(), DATA)), true));
    for (ip, is_found) in [(Ipv4Addr::LOCALHOST, true), (Ipv4Addr::new(169, 254, 0, 7), false)] {
        let link = mind.new_link();
        mind.tell(Input::Opened { link, opening: Opening::Accepted((ip, 40_000).into()) });
        mind.hear(link, offering(&client_hello(7000), Features::CONTENT));
        assert_eq!(mind.answer_to(link, &find(&[])).is_some(), is_found, "{ip}");
        assert_eq!(mind.answer_to(link, &key("zebra")).is_some(), is_found, "{ip}");
        assert_eq!(mind.list_part(link, b"").entries.is_empty(), !is_found, "{ip}");
    }
}

#[test]
fn a_find_is_flooded_and_answered_two_servents_away() {
    let mut contact = Mind::sharing(files()[1..2].to_vec(), DATA);
    let (client, neighbor) = (contact.client_of_contents(1), contact.neighbor(9));
    let ask = find(&["mapa"]);
    let out = contact.hear(client, Message::Request(Request { sequence: 7, ask: ask.clone(), ttl: None }));
    let body = |place| AnswerBody::Entries(entries(&[place]));
    let told = |hops, body| Message::Answer(Answer { sequence: 7, asked: Some(AskHash::of(&ask)), hops, body });
    assert_eq!(out[0], send(client, told(0, body(1))), "the contact has one itself");
    let (links, copy) = passed_on_in(&out);
    assert_eq!((links, &copy.ask), (vec![neighbor], &ask));

    let mut middle = Mind::new();
    let [from, to] = [1, 2].map(|id| middle.neighbor(id));
    let (links, copy) = middle.onward(from, &copy);
    assert_eq!(links, [to]);

    let mut holder = Mind::sharing(files(), DATA);
    let from = holder.neighbor(1);
    let out = holder.hear(from, Message::query(copy.clone()));
    assert_eq!(out, [dial_client(1), send(from, echo_of(&copy, answered()))]);
    let (link, _) = holder.dialled(call(client_address(1)));
    let out = holder.hear(link, offering(&client_hello(7000), Features::CONTENT));
    assert_eq!(out, [send(link, own_hello()), send(link, told(2, body(1)))]);
}

#[test]
fn what_is_found_goes_back_to_whoever_understands_it() {
    let ask = named("zebra");
    let contents_and_back = Features::CONTENT.with(Features::BACK);
    for (features, is_told) in [(contents_and_back, true), (Features::BACK, false)] {
        let mut mind = Mind::sharing(files(), DATA);
        let neighbor = mind.stranger();
        mind.hear(neighbor, offering(&servent_hello(1), features));
        let copy = Query { via: Via::Back, ..query(5, 1, ask.clone()) };
        let out = mind.hear(neighbor, Message::query(copy.clone()));
        let (id, body) = (ServentId(OWN_ID), BroughtBody::Whole(AnswerBody::Entries(entries(&[3]))));
        let answer = Arc::new(BroughtAnswer { id, from: own_address(), name: None, hops: 1, body });
        let expected = if is_told {
            vec![send(neighbor, brought(&copy, &answer)), send(neighbor, echo_of(&copy, answered()))]
        } else {
            vec![send(neighbor, echo_of(&copy, unanswered()))]
        };
        assert_eq!(out, expected, "{features:?}");
    }
}

/// Behind it there may be servents that were not asked.
#[test]
fn a_neighbor_that_does_not_know_contents_is_not_asked_for_them_and_counts_as_lost() {
    for ask in [find(&["farol"]), named("farol.mp4"), hashed(&[1, 2, 3, 4])] {
        let mut mind = Mind::new();
        let client = mind.client_of_contents(1);
        let old = mind.stranger();
        mind.hear(old, offering(&servent_hello(1), Features::BACK.with(Features::TTL)));
        let out = mind.hear(client, Message::Request(Request { sequence: 7, ask: ask.clone(), ttl: None }));
        let tally = Tally { reached: 1, lost: 1, ..Tally::default() };
        assert_eq!(out, [send(client, finished(7, tally))], "{ask}");
        assert_eq!(mind.held("unsaid"), 1);
        // Another one is asked all the same, and the old one for what it understands.
        let new = mind.neighbor(2);
        let out = mind.hear(client, Message::Request(Request { sequence: 8, ask, ttl: None }));
        assert_eq!(passed_on_in(&out).0, [new]);
        assert_eq!(passed_on_in(&mind.hear(client, request(9))).0, [old, new]);
    }
}

#[test]
fn a_client_that_does_not_know_contents_is_told_of_none() {
    let mut mind = Mind::sharing(files(), DATA);
    let client = mind.client(1);
    let out = mind.hear(client, Message::Request(Request { sequence: 7, ask: find(&[]), ttl: None }));
    assert_eq!(out, [send(client, finished(7, unanswered()))]);
    assert_eq!(mind.held("unanswered"), 1);
    // Nor is one that turns out not to when it is reached.
    let neighbor = mind.neighbor(1);
    let copy = query(5, 2, find(&["zebra"]));
    assert_eq!(
        mind.hear(neighbor, Message::query(copy.clone()))[..],
        [dial_client(2), send(neighbor, echo_of(&copy, answered()))]
    );
    let (link, _) = mind.dialled(call(client_address(2)));
    let out = mind.hear(link, client_hello(7000));
    assert!(!out.iter().any(|output| matches!(output, Output::Send { message: Message::Answer(_), .. })), "{out:?}");
    assert_eq!(mind.held("undelivered"), 1);
}

#[test]
fn a_listing_is_one_line_of_the_log_of_events() {
    let mut mind = Mind::with(&Config { events: true, ..sharing_config() }, store(DATA));
    mind.tell(Input::Deadline);
    mind.tell(looked(Some(catalogue_of(files(), DATA)), true));
    let link = mind.stranger();
    mind.hear(link, offering(&client_hello(7000), Features::CONTENT));
    let mut asked = |from: &[u8]| {
        let out = mind.hear(link, Message::List(List { list: 0, from: from.to_vec() }));
        let asked = out.into_iter().find_map(|output| match output {
            Output::Event(event) => match event.what {
                EventKind::Asked { message, .. } => Some(message),
                _ => None,
            },
            _ => None,
        });
        asked.unwrap_or_default()
    };
    assert_eq!(asked(b""), "ls");
    assert_eq!(asked(b"fa\nrol"), r"ls fa\nrol");
    assert_eq!(asked(b"farol.mp4\0"), "", "that is the next part");
    assert_eq!(asked(b"nobody\0"), r"ls nobody\x00", "no part has ended there");
    assert_eq!(asked(&[b'x'; 300]), format!("ls {} and 200 more bytes", "x".repeat(100)));
}

/// It is not looked for in the data, and nothing that it says of a file is taken for the file's.
#[test]
fn what_the_data_says_of_a_name_that_nobody_shares_is_a_value_like_any_other() {
    let mut mind = Mind::sharing(Vec::new(), DATA);
    let client = mind.client_of_contents(1);
    assert_eq!(mind.answer_to(client, &key("farol.mp4")), value("the lighthouse of Barra at dusk"));
    assert_eq!(mind.answer_to(client, &find(&["farol"])), None);
    assert_eq!(mind.answer_to(client, &hashed(&ContentHash([0; 32]).0)), None);
}

/// A data file that is as long as this one is read by the mind as it was; nothing of it is kept with the files.
#[test]
fn what_files_are_described_as_is_what_the_data_said_when_they_were_looked_through() {
    let mut mind = Mind::sharing(files(), DATA);
    let client = mind.client_of_contents(1);
    mind.tell(Input::Reload);
    mind.tell(data_read(Ok("zebra striped")));
    assert_eq!(mind.answer_to(client, &find(&["striped"])), None, "it is being looked through");
    let data = Store::parse(b"zebra striped".to_vec()).unwrap().0;
    mind.tell(looked(Some(Catalogue::new(files(), &data)), true));
    let Some(AnswerBody::Entries(told)) = mind.answer_to(client, &find(&["striped"])) else { panic!("not found") };
    assert_eq!(told.entries[0].description, b"striped");
}
