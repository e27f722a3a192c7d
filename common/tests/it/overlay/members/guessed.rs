//! What a servent thinks of others while it hears nobody: it is told nobody, and gives way to whoever has heard them since.

use super::links::{is_dialled, refused};
use super::*;

#[test]
fn a_neighbor_that_is_only_guessed_to_be_suspect_is_there_once_another_has_heard_it_whatever_the_clock() {
    let (mut told, [one, other]) = Told::linked();
    assert_eq!(told.words_told(SUSPECT_AFTER + NEIGHBOR_BEAT), [], "the trouble may be its own");
    told.mind.hear(other, Message::Pong);
    let page = told.page();
    let known = page.iter().find(|member| member.address == servent_address(1)).unwrap();
    assert_eq!(known.word, Word::Suspect);
    told.hear(other, news(&[member(1, known.clock, Word::Online)]));
    assert_eq!(told.word(1), Some(Word::Online));
    let _ = one;
}

/// Whoever says that it has heard it may have slept, and have read only then what that one said before.
#[test]
fn whoever_was_guessed_dead_and_is_said_to_be_there_is_looked_for_and_dead_if_nobody_is() {
    let (mut told, [one]) = Told::linked();
    let link = told.neighbor(7);
    told.quieten(&[one, link]);
    told.words_told(seconds(30));
    assert_eq!(told.word(7), Some(Word::Failed), "nobody is heard, and no link stands");
    assert_eq!(told.mind.held("members_watched"), 0);
    let visitor = told.accepted(([10, 9, 0, 1], 40_001).into());
    let hello = Hello { features: Features::OF_MEMBERS, ..Hello::new(Role::Client { answer_port: 0 }) };
    told.mind.hear(visitor, Message::Hello(hello));
    let clock = told.clock();
    let out = told.hear(visitor, news(&[member(7, clock, Word::Online)]));
    assert!(is_dialled(&out, 7), "{out:?}");
    assert_eq!(told.word(7), Some(Word::Online));
    told.mind.tell(refused(7));
    assert_eq!(told.word(7), Some(Word::Failed));
}
