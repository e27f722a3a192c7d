//! What servents are called, as a client is told it: by their hellos, or beside what comes back.

use super::*;
use common::features::Features;
use common::servent_name::ServentName;
use common::session::FetchId;

fn named(text: &str) -> Option<ServentName> {
    Some(ServentName::try_from(text).unwrap())
}

fn hello_called(servent: u8, name: Option<ServentName>) -> Message {
    let Message::Hello(hello) = servent_hello(servent) else { panic!("no hello") };
    Message::Hello(Hello { name, ..hello })
}

fn handed_called(servent: u8, body: BroughtBody, name: Option<ServentName>) -> Message {
    let Message::Handed(Handed { sequence, answer }) = handed_as(nth(0), servent, body) else { panic!("it is handed") };
    let answer = Arc::new(BroughtAnswer { name, ..Arc::unwrap_or_clone(answer) });
    Message::Handed(Handed { sequence, answer })
}

/// Of whom each answer is told, and what that one is called.
fn names_in(out: &[Output]) -> Vec<(SocketAddr, Option<ServentName>)> {
    let told = out.iter().filter_map(|output| match output {
        Output::Tell(Report::Answer { from, name, .. } | Report::Late { from, name, .. }) => {
            Some((*from, name.clone()))
        }
        _ => None,
    });
    told.collect()
}

#[test]
fn an_answer_has_the_name_that_the_hello_of_its_servent_said() {
    let mut mind = Mind::new(None);
    mind.attach();
    assert_eq!(mind.session.contact_name(), None, "it has yet to say hello");
    mind.hear(CONTACT, hello_called(1, named("kitchen")));
    assert_eq!(mind.session.contact_name(), named("kitchen").as_ref());
    for (servent, name) in [(2, named("cellar")), (3, None)] {
        let link = from(servent);
        mind.tell(Input::Accepted { link, from: address(servent) });
        mind.hear(link, hello_called(servent, name));
    }
    mind.ask();
    assert_eq!(names_in(&mind.hear(CONTACT, answer(nth(0)))), [(address(1), named("kitchen"))]);
    assert_eq!(names_in(&mind.hear(from(2), answer(nth(0)))), [(address(2), named("cellar"))]);
    assert_eq!(names_in(&mind.hear(from(3), answer(nth(0)))), [(address(3), None)]);
    mind.closed(CONTACT);
    assert_eq!(mind.session.contact_name(), None);
}

#[test]
fn an_answer_that_comes_back_has_the_name_beside_it_also_when_it_is_late() {
    let mut mind = Mind::asking(None);
    let green = || BroughtBody::Whole(green());
    let whole = |name| handed_called(4, green(), name);
    assert_eq!(
        names_in(&mind.hear(CONTACT, handed_called(2, green(), named("cellar")))),
        [(address(2), named("cellar"))]
    );
    assert_eq!(names_in(&mind.hear(CONTACT, handed_called(3, green(), None))), [(address(3), None)]);
    mind.hear(CONTACT, finished(nth(0), Tally { lost: 1, ..whole_back(3) }));
    assert_eq!(names_in(&mind.hear(CONTACT, whole(named("attic")))), [(address(4), named("attic"))], "it is late");
}

/// Whoever is on the way may say anything of it; who gives the value says of itself what it likes.
#[test]
fn a_value_that_is_fetched_has_the_name_that_its_servent_says_and_not_the_one_it_was_announced_with() {
    for (announced, said) in [
        (named("cellar"), named("cellar")),
        (named("forged"), named("cellar")),
        (None, named("cellar")),
        (named("forged"), None),
    ] {
        let mut mind = Mind::asking(None);
        mind.hear(CONTACT, handed_called(2, BroughtBody::Announced(7_000), announced));
        let link = LinkId(500);
        let out = mind.tell(Input::Dialled { fetch: FetchId(0), link });
        let [Output::Send { message: Message::Hello(own), .. }] = out.as_slice() else { panic!("{out:?}") };
        assert!(own.features.include(Features::NAME), "so that it is told");
        mind.hear(link, hello_called(2, said.clone()));
        assert_eq!(names_in(&mind.hear(link, answer(nth(1)))), [(address(2), said)]);
    }
}
