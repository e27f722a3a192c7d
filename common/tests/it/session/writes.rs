//! What a contact is to keep, and which keys it is to tell of: what came of each is told once, or that nobody knows.

use super::*;
use common::features::Features;
use common::limits::{FRAME_BYTES_MAX, VALUE_BYTES_MAX, WATCHES_PER_CLIENT_MAX, WRITES_PENDING_MAX};
use common::session::{TooManyWatches, TooManyWrites, WatchEnd, WriteEnd, WriteEnded};
use common::write::{Change, Changed, Unwatch, Watch, Write, WriteOutcome, WriteRefusal, Written};

/// The hello of a contact that keeps what clients write, and accepts frames of so many bytes.
fn keeping(frame_bytes_max: usize) -> Message {
    let Message::Hello(hello) = servent_hello(1) else { panic!("no hello") };
    let features = hello.features.with(Features::WRITES);
    Message::Hello(Hello { features, frame_bytes_max: u32::try_from(frame_bytes_max).unwrap(), ..hello })
}

fn put_of(value: &[u8]) -> Change {
    Change::Put { key: Key::new(b"tea").unwrap(), value: value.into() }
}

/// What is said to the contact of the write with this number.
fn said(number: u64) -> Output {
    send(CONTACT, Message::Write(Write { sequence: nth(number), change: put_of(b"green") }))
}

fn told(number: u64, outcome: WriteOutcome) -> Message {
    Message::Written(Written { sequence: nth(number), outcome })
}

fn over(number: u64, end: WriteEnd, elapsed: Duration) -> Output {
    Output::Tell(Report::Written { sequence: nth(number), written: WriteEnded { end, elapsed } })
}

/// It ended at once.
fn over_at_once(number: u64, end: WriteEnd) -> Output {
    over(number, end, Duration::ZERO)
}

fn stored(number: u64) -> Output {
    over_at_once(number, WriteEnd::Told(WriteOutcome::Stored))
}

impl Mind {
    fn write_within(&mut self, change: Change, silence_max: Duration) -> Vec<Output> {
        let mut out = Vec::new();
        self.session.write(self.now, change, silence_max, &mut out).unwrap();
        out
    }

    fn put(&mut self) -> Vec<Output> {
        self.write_within(put_of(b"green"), SILENCE_DEFAULT)
    }

    fn watch(&mut self) -> Vec<Output> {
        let mut out = Vec::new();
        self.session.watch(Key::new(b"tea").unwrap(), &mut out).unwrap();
        out
    }
}

/// One whose contact has said this hello, with an answer link.
fn attached_to(hello: Message) -> Mind {
    let mut mind = Mind::new(None);
    mind.attach();
    mind.hear(CONTACT, hello);
    mind.tell(Input::Accepted { link: OTHER, from: address(200) });
    mind.hear(OTHER, servent_hello(2));
    mind
}

fn attached() -> Mind {
    attached_to(keeping(FRAME_BYTES_MAX))
}

/// One that has just said so many writes.
fn writing(count: u64) -> Mind {
    let mut mind = attached();
    for number in 0..count {
        assert_eq!(mind.put(), [said(number)]);
    }
    mind
}

#[test]
fn whatever_the_contact_says_of_a_write_is_told_and_ends_it() {
    let refused = WriteRefusal::ALL.map(WriteOutcome::Refused);
    let outcomes = [
        WriteOutcome::Stored,
        WriteOutcome::Replaced,
        WriteOutcome::Deleted,
        WriteOutcome::Absent,
        WriteOutcome::Present,
    ];
    for outcome in outcomes.into_iter().chain(refused) {
        let mut mind = writing(1);
        assert_eq!(mind.session.writes_pending_count(), 1);
        mind.now = mind.now + Duration::from_millis(5);
        let end = over(0, WriteEnd::Told(outcome), Duration::from_millis(5));
        assert_eq!(mind.hear(CONTACT, told(0, outcome)), [end]);
        assert_eq!((mind.session.writes_pending_count(), mind.session.deadline()), (0, None));
        assert_eq!(mind.hear(CONTACT, told(0, outcome)), [unexpected(1, "written")], "it was said once");
    }
}

#[test]
fn every_change_is_said_as_it_was_wanted() {
    use common::content::search::FileName;
    let (key, name) = (Key::new(b"a b\0c").unwrap(), FileName::new(b"farol.mp4").unwrap());
    for change in [
        Change::Put { key: key.clone(), value: [].into() },
        Change::Put { key: key.clone(), value: vec![7; VALUE_BYTES_MAX].into() },
        Change::Delete { key },
        Change::Publish { name: name.clone(), text: b"at dusk"[..].into() },
        Change::Unpublish { name },
    ] {
        let said = send(CONTACT, Message::Write(Write { sequence: nth(0), change: change.clone() }));
        assert_eq!(attached().write_within(change, SILENCE_DEFAULT), [said]);
    }
}

#[test]
fn outcomes_that_do_not_come_in_the_order_of_the_writes_or_from_elsewhere_are_unexpected() {
    let stored_of = |number| told(number, WriteOutcome::Stored);
    let mut mind = writing(3);
    assert_eq!(mind.hear(CONTACT, stored_of(1)), [unexpected(1, "written")], "the first is not told");
    assert_eq!(mind.hear(CONTACT, stored_of(7)), [unexpected(1, "written")], "nobody wrote it");
    assert_eq!(mind.hear(OTHER, stored_of(0)), [unexpected(2, "written")], "it is no contact");
    for number in 0..3 {
        assert_eq!(mind.hear(CONTACT, stored_of(number)), [stored(number)]);
    }
    assert_eq!(mind.hear(CONTACT, stored_of(2)), [unexpected(1, "written")], "once");
    assert_eq!(attached().hear(CONTACT, stored_of(0)), [unexpected(1, "written")], "nothing was written");
    // Nor does a client keep anything.
    let Output::Send { message, .. } = said(0) else { panic!("it is said") };
    assert_eq!(attached().hear(CONTACT, message), [unexpected(1, "write")]);
}

#[test]
fn a_write_of_which_nothing_is_told_is_unknown_and_what_comes_later_is_no_surprise() {
    let mut mind = attached();
    assert_eq!(mind.write_within(put_of(b"green"), SILENCE_DEFAULT * 2), [said(0)]);
    mind.now = mind.now + Duration::from_secs(1);
    assert_eq!(mind.put(), [said(1)]);
    // Each has a wait of its own.
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK), []);
    assert_eq!(mind.pass(TICK), [over(1, WriteEnd::Silence, SILENCE_DEFAULT)]);
    assert_eq!(mind.put(), [said(2)]);
    assert_eq!(mind.hear(CONTACT, told(0, WriteOutcome::Stored)).len(), 1);
    assert_eq!(mind.hear(CONTACT, told(1, WriteOutcome::Stored)), [], "no surprise, and not told twice");
    assert_eq!(mind.hear(CONTACT, told(2, WriteOutcome::Stored)), [stored(2)]);
    assert_eq!(mind.session.deadline(), None);
}

#[test]
fn whoever_wants_to_know_no_more_is_not_told_later() {
    let mut mind = writing(2);
    assert_eq!(mind.cancel(nth(0)), [over_at_once(0, WriteEnd::Cancelled)]);
    assert_eq!(mind.cancel(nth(0)), [], "it is over");
    assert_eq!(mind.hear(CONTACT, told(0, WriteOutcome::Stored)), []);
    assert_eq!(mind.cancel(nth(0)), []);
    assert_eq!(mind.hear(CONTACT, told(1, WriteOutcome::Stored)), [stored(1)]);
}

#[test]
fn what_became_of_all_that_was_said_to_a_contact_that_is_lost_nobody_knows() {
    let mut mind = writing(3);
    mind.cancel(nth(1));
    let out = mind.closed(CONTACT);
    let lost = |number| over_at_once(number, WriteEnd::ContactLost);
    assert_eq!(out[1..], [lost(0), lost(2)], "each once: {out:?}");
    // And where there is none nothing is said.
    assert_eq!(mind.put(), [over_at_once(3, WriteEnd::NoContact)]);
    assert_eq!(Mind::new(None).put(), [over_at_once(0, WriteEnd::NoContact)]);
    // The next contact was told of nothing.
    let again = LinkId(77);
    mind.tell(Input::Attached { link: again, contact: address(100) });
    mind.hear(again, keeping(FRAME_BYTES_MAX));
    assert_eq!(mind.hear(again, told(0, WriteOutcome::Stored)), [unexpected(1, "written")]);
    assert_eq!(writing(1).closed(OTHER), [], "an answer link is another matter");
}

#[test]
fn what_a_contact_cannot_be_told_is_not_said_and_costs_nobody_the_contact() {
    let Message::Hello(hello) = keeping(FRAME_BYTES_MAX) else { panic!("no hello") };
    let old = Message::Hello(Hello { features: Features::BACK, ..hello });
    for hello in [old, nameless_hello()] {
        let mut mind = attached_to(hello);
        assert_eq!(mind.put(), [over_at_once(0, WriteEnd::NotUnderstood)]);
        assert_eq!(mind.watch(), [watch_over(1, WatchEnd::NotUnderstood)]);
        assert_eq!((mind.session.writes_pending_count(), mind.session.deadline()), (0, None));
    }
}

#[test]
fn a_write_is_said_if_its_frame_is_no_longer_than_the_contact_accepts_to_the_byte() {
    // A stamp, a kind, a sequence of five bytes, a change, a key with its length, and a value with its own in three.
    let around = 1 + 1 + 5 + 1 + 4 + 3;
    let mut mind = attached_to(keeping(1_000 + around));
    assert_eq!(mind.write_within(put_of(&[7; 1_001]), SILENCE_DEFAULT), [over_at_once(0, WriteEnd::NotAccepted)]);
    let [Output::Send { .. }] = mind.write_within(put_of(&[7; 1_000]), SILENCE_DEFAULT)[..] else {
        panic!("there is room")
    };
    assert_eq!(mind.session.writes_pending_count(), 1);
}

#[test]
fn as_many_writes_wait_as_may_and_there_is_room_again_once_one_is_told() {
    let count = WRITES_PENDING_MAX as u64;
    let mut mind = writing(count);
    // Those that were given up are owed as well.
    mind.cancel(nth(0));
    let mut out = Vec::new();
    let refused = mind.session.write(mind.now, put_of(b"green"), SILENCE_DEFAULT, &mut out);
    assert_eq!((refused, out), (Err(TooManyWrites), vec![]));
    assert_eq!(mind.hear(CONTACT, told(0, WriteOutcome::Stored)), []);
    assert_eq!(mind.put(), [said(count)]);
    assert_eq!(mind.session.writes_pending_count(), WRITES_PENDING_MAX);
}

#[test]
fn queries_and_writes_are_in_nobodys_way() {
    let mut mind = writing(1);
    assert_eq!(mind.ask(), [send(CONTACT, request(nth(1)))]);
    assert_eq!(mind.session.pending_count(), 1, "queries are counted");
    assert_eq!(mind.hear(CONTACT, told(0, WriteOutcome::Stored)), [stored(0)]);
    assert_eq!(mind.session.pending_count(), 1);
}

#[test]
fn what_nobody_asked_for_is_counted_to_the_end_of_a_write_too() {
    let mut mind = writing(1);
    for count in 0..UNEXPECTED_TOLD_MAX + 3 {
        let out = mind.hear(OTHER, told(0, WriteOutcome::Stored));
        assert_eq!(out.is_empty(), count >= UNEXPECTED_TOLD_MAX);
    }
    let more = Output::Tell(Report::MoreUnexpected { count: 3 });
    assert_eq!(mind.hear(CONTACT, told(0, WriteOutcome::Stored)), [more, stored(0)]);
}

// ---- watches ----

fn watched(number: u64) -> Output {
    send(CONTACT, Message::Watch(Watch { sequence: nth(number), key: Key::new(b"tea").unwrap() }))
}

fn watch_over(number: u64, end: WatchEnd) -> Output {
    Output::Tell(Report::WatchEnded { sequence: nth(number), end })
}

fn changed(number: u64, value: Option<&[u8]>) -> Message {
    Message::Changed(Changed { sequence: nth(number), value: value.map(Into::into) })
}

fn shown(number: u64, value: Option<&[u8]>) -> Output {
    Output::Tell(Report::Changed { sequence: nth(number), value: value.map(Into::into) })
}

#[test]
fn a_watch_is_told_whatever_the_value_becomes_for_as_long_as_it_is_wanted() {
    let mut mind = attached();
    assert_eq!(mind.watch(), [watched(0)]);
    assert_eq!(mind.watch(), [watched(1)]);
    assert_eq!((mind.session.watches_count(), mind.session.deadline()), (2, None));
    for value in [None, Some(&b"6.1.0"[..]), Some(b""), None] {
        assert_eq!(mind.hear(CONTACT, changed(0, value)), [shown(0, value)]);
        assert_eq!(mind.hear(CONTACT, changed(1, value)), [shown(1, value)]);
    }
    let unwatched = send(CONTACT, Message::Unwatch(Unwatch { sequence: nth(0) }));
    assert_eq!(mind.cancel(nth(0)), [unwatched, watch_over(0, WatchEnd::Cancelled)]);
    assert_eq!(mind.cancel(nth(0)), []);
    assert_eq!(mind.hear(CONTACT, changed(0, None)), [], "it was on its way");
    assert_eq!(mind.hear(CONTACT, changed(1, None)), [shown(1, None)]);
    assert_eq!(mind.session.watches_count(), 1);
}

#[test]
fn changes_of_what_nobody_watches_are_unexpected() {
    let mut mind = attached();
    assert_eq!(mind.hear(CONTACT, changed(0, None)), [unexpected(1, "changed")]);
    mind.watch();
    assert_eq!(mind.hear(OTHER, changed(0, None)), [unexpected(2, "changed")], "it is no contact");
    assert_eq!(mind.hear(CONTACT, changed(1, None)), [unexpected(1, "changed")]);
    // Nor does a client tell of any.
    for output in [watched(0), send(CONTACT, Message::Unwatch(Unwatch { sequence: nth(0) }))] {
        let Output::Send { message, .. } = output else { panic!("it is said") };
        let name = message.name();
        assert_eq!(attached().hear(CONTACT, message), [unexpected(1, name)]);
    }
}

#[test]
fn a_contact_that_is_lost_ends_every_watch() {
    let mut mind = attached();
    mind.watch();
    mind.watch();
    let out = mind.closed(CONTACT);
    let mut ends = out[1..].to_vec();
    ends.sort_by_key(|end| *end != watch_over(0, WatchEnd::ContactLost));
    assert_eq!(ends, [0, 1].map(|number| watch_over(number, WatchEnd::ContactLost)));
    assert_eq!(mind.session.watches_count(), 0);
    assert_eq!(mind.watch(), [watch_over(2, WatchEnd::ContactLost)]);
    // The next contact was told of nothing.
    let again = LinkId(77);
    mind.tell(Input::Attached { link: again, contact: address(100) });
    mind.hear(again, keeping(FRAME_BYTES_MAX));
    assert_eq!(mind.hear(again, changed(0, None)), [unexpected(1, "changed")]);
}

#[test]
fn as_many_keys_are_watched_as_may_be_and_one_more_once_one_is_not() {
    let mut mind = attached();
    let count = WATCHES_PER_CLIENT_MAX as u64;
    for number in 0..count {
        assert_eq!(mind.watch(), [watched(number)]);
    }
    let mut out = Vec::new();
    let refused = mind.session.watch(Key::new(b"tea").unwrap(), &mut out);
    assert_eq!((refused, out), (Err(TooManyWatches), vec![]));
    assert_eq!(mind.cancel(nth(3)).len(), 2);
    assert_eq!(mind.watch(), [watched(count)]);
}
