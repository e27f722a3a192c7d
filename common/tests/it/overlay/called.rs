//! What servents are called: to whom a servent says its name, and where the names of others are left out.

use super::*;
use common::features::Features;
use common::message::Handed;
use common::overlay::Errand;
use common::query::BroughtAnswer;
use common::servent_name::ServentName;

fn named(text: &str) -> Option<ServentName> {
    Some(ServentName::try_from(text).unwrap())
}

/// A mind that is called kitchen.
fn kitchen() -> Mind {
    Mind::with(&Config { name: named("kitchen"), ..config() }, store("tea green"))
}

/// Its hello, as somebody is told it.
fn hello_of_kitchen(is_named: bool) -> Message {
    let Message::Hello(plain) = own_hello() else { panic!("no hello") };
    Message::Hello(Hello { name: named("kitchen").filter(|_| is_named), ..plain })
}

/// The same answer of somebody who is called so, or not any more.
fn called(answer: &Arc<BroughtAnswer>, name: Option<ServentName>) -> Arc<BroughtAnswer> {
    Arc::new(BroughtAnswer { name, ..BroughtAnswer::clone(answer) })
}

fn offering(hello: Message, features: Features) -> Message {
    let Message::Hello(plain) = hello else { panic!("no hello") };
    Message::Hello(Hello { features, ..plain })
}

impl Mind {
    /// Somebody comes and says this, and is told this hello.
    fn greeted_by(&mut self, hello: Message) -> (LinkId, Message) {
        let link = self.stranger();
        match self.hear(link, hello).as_slice() {
            [Output::Send { link: to, message }, ..] if *to == link => (link, message.clone()),
            out => panic!("{out:?}"),
        }
    }
}

#[test]
fn a_servent_says_its_name_to_whoever_understands_names_and_wherever_it_speaks_first() {
    for (features, is_told) in
        [(Features::OF_SERVENTS, true), (Features::NAME, true), (Features::BACK, false), (Features::NONE, false)]
    {
        for hello in [servent_hello(5), Message::Hello(Hello::new(Role::Client { answer_port: 7000 }))] {
            let (_, told) = kitchen().greeted_by(offering(hello, features));
            assert_eq!(told, hello_of_kitchen(is_told), "{features:?}");
        }
        // On an answer link the client speaks first.
        let mut mind = kitchen();
        let neighbor = mind.neighbor_called(1);
        mind.hear(neighbor, Message::query(query(5, 1, tea())));
        let (link, out) = mind.dialled(call(client_address(1)));
        assert_eq!(out, []);
        let out = mind.hear(link, offering(client_hello(7000), features));
        assert_eq!(out[0], send(link, hello_of_kitchen(is_told)), "{features:?}");
    }
    let mut dialling =
        Mind::with(&Config { name: named("kitchen"), ..config_with_neighbor(&[servent_address(5)]) }, store(""));
    dialling.pass(Duration::ZERO);
    let (link, out) = dialling.dialled(Dial::Neighbor(0));
    assert_eq!(out, [send(link, hello_of_kitchen(true))], "who is there nobody knows yet");
    let (_, told) = Mind::new().greeted_by(servent_hello(5));
    assert_eq!(told, own_hello(), "whoever has no name says none");
}

#[test]
fn an_answer_that_goes_back_has_the_name_of_its_servent_as_far_as_it_is_understood() {
    for (asker_offers, is_told) in [(Features::OF_SERVENTS, true), (Features::BACK, false)] {
        let mut mind = kitchen();
        let (asker, _) = mind.greeted_by(offering(servent_hello(1), asker_offers));
        let other = mind.neighbor_called(2);
        let came = Query { via: Via::Back, ..query(5, 1, tea()) };
        let name = |name| named(name).filter(|_| is_told);
        let Message::Brought(own) = own_brought(&came) else { panic!("it is brought") };
        let own = called(&own.answer, name("kitchen"));
        let out = mind.hear(asker, Message::query(came.clone()));
        assert_eq!(out[0], send(asker, brought(&came, &own)), "{asker_offers:?}");
        let (_, onward) = passed_on_in(&out[1..]);
        let theirs = called(&answer_of(2, "black"), named("\x1b[2J\n"));
        let passed_on = called(&theirs, name("\x1b[2J\n"));
        assert_eq!(mind.hear(other, brought(&onward, &theirs)), [send(asker, brought(&came, &passed_on))]);
        let nameless = answer_of(3, "white");
        assert_eq!(mind.hear(other, brought(&onward, &nameless)), [send(asker, brought(&came, &nameless))]);
        assert_eq!((mind.held("brought"), mind.held("unbrought")), (3, 0), "none is lost");
    }
}

#[test]
fn an_answer_that_is_handed_has_the_name_where_the_client_understands_it() {
    for (offers, is_told) in [(Features::OF_CLIENTS, true), (Features::BACK, false)] {
        let mut mind = Mind::new();
        let neighbor = mind.neighbor(1);
        let client = Message::Hello(Hello::new(Role::Client { answer_port: 0 }));
        let (client, _) = mind.greeted_by(offering(client, offers));
        let (_, copy) = passed_on_in(&mind.hear(client, request(5)));
        let theirs = called(&answer_of(2, "black"), named("cellar"));
        let answer = called(&theirs, named("cellar").filter(|_| is_told));
        let out = mind.hear(neighbor, brought(&copy, &theirs));
        assert_eq!(out, [send(client, Message::Handed(Handed { sequence: 5, answer }))], "{offers:?}");
    }
}

/// It is kept as it came: who comes back may understand more, or less.
#[test]
fn an_answer_that_is_brought_again_has_the_name_if_that_is_understood_by_then() {
    for (before, after) in [(Features::OF_SERVENTS, Features::BACK), (Features::BACK, Features::OF_SERVENTS)] {
        let mut mind = Mind::new();
        let (asker, _) = mind.greeted_by(offering(servent_hello(1), before));
        let other = mind.neighbor(2);
        let came = Query { via: Via::Back, ..query(5, 1, milk()) };
        let (_, onward) = mind.onward(asker, &came);
        let theirs = called(&answer_of(2, "black"), named("cellar"));
        let told_to = |features: Features| {
            brought(&came, &called(&theirs, named("cellar").filter(|_| features.include(Features::NAME))))
        };
        assert_eq!(mind.hear(other, brought(&onward, &theirs)), [send(asker, told_to(before))]);
        assert_eq!(mind.closed(asker), []);
        let (again, _) = mind.greeted_by(offering(servent_hello(1), after));
        let out = mind.hear(again, Message::query(came.clone()));
        assert_eq!(out, [send(again, told_to(after))], "{after:?}");
    }
}

#[test]
fn a_visit_is_one_of_a_client_and_says_no_name() {
    let Message::Hello(hello) = hello_of_kitchen(true) else { panic!("no hello") };
    assert!(hello.name.is_some());
    let mut mind = Mind::with(&Config { name: named("kitchen"), members: true, ..config() }, store(""));
    let here = SocketAddr::from(([127, 0, 0, 1], 40_000));
    let client = mind.new_link();
    mind.tell(Input::Opened { link: client, opening: Opening::Accepted(here) });
    mind.hear(client, Message::Hello(Hello::new(Role::Client { answer_port: 0 })));
    mind.hear(client, Message::Greet(common::member::Greet { address: servent_address(5) }));
    mind.pass_and_see(seconds(1));
    let (_, out) = mind.dialled(Dial::Call(Errand::Visit, servent_address(5)));
    let [Output::Send { message: Message::Hello(said), .. }] = out.as_slice() else { panic!("{out:?}") };
    assert_eq!((said.role, &said.name), (Role::Client { answer_port: 0 }, &None));
}

impl Mind {
    /// A neighbor that understands names, whatever it is told of ours.
    fn neighbor_called(&mut self, id: u128) -> LinkId {
        self.greeted_by(servent_hello(id)).0
    }
}
