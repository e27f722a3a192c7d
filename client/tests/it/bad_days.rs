//! What may happen to answers on their way back through real servents, beside which neighbors are played by hand.

use super::*;
use crate::support::fake::marks_sum;
use common::features::Features;
use common::message::{Brought, Echo, Hello, Message, ServentId};
use common::query::{Answer, AnswerBody, AskHash, BroughtAnswer, BroughtBody, Query, Via};
use peers::Peer as Neighbor;

/// What is held by those who hold it.
const TEA: &str = "tea green\n";

/// What is compared of the end of a query.
const FIGURES: [&str; 5] = ["reason", "missing", "lost", "doubtful", "reached"];

/// A client that asks for tea and hears no answers but those that come back.
fn ask_for_tea(chain: &Chain) -> Client {
    Client::start([&*chain.contact(), "--via", "back", "--json", "--timeout", "24h", "-c", "? tea"])
}

/// A neighbor that understands this and no more.
fn neighbor_that_can(features: Features, servent: SocketAddr) -> Neighbor {
    let mut neighbor = Neighbor::stranger(servent);
    let hello = Hello { features, ..Hello::new(neighbor.as_servent()) };
    neighbor.say(&Message::Hello(hello));
    neighbor.expect_hello();
    neighbor
}

/// An answer to a copy that a neighbor was sent, in the name of somebody.
fn brought(query: &Query, id: ServentId, from: &str, value: &[u8]) -> Message {
    let contact = query.contact.expect("it has a contact");
    let body = BroughtBody::Whole(AnswerBody::Value(value.to_vec()));
    let answer = BroughtAnswer { id, from: from.parse().unwrap(), name: None, hops: query.hops, body };
    Message::Brought(Brought { contact: contact.name, number: contact.number, ttl: query.ttl, answer: answer.into() })
}

fn echo(query: &Query, tally: Tally) -> Message {
    Message::Echo(Echo { id: query.id(), ttl: query.ttl, tally })
}

/// What is told of answers until the query is over: the values in the order of the alphabet, how they came, and the end.
fn told(client: &mut Client) -> (Vec<(String, String)>, serde_json::Value) {
    let mut answers = Vec::new();
    loop {
        let line = client.next_json();
        let text = |field: &str| line[field].as_str().unwrap().to_owned();
        match &*text("type") {
            "answer" => answers.push((text("value"), text("via"))),
            "finished" => {
                answers.sort_unstable();
                return (answers, line);
            }
            _ => panic!("{line}"),
        }
    }
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(value, via)| ((*value).to_owned(), (*via).to_owned())).collect()
}

#[test]
fn the_leaves_of_a_star_all_hold_a_long_value_and_all_of_it_comes_back() {
    const LEAVES: usize = 64;
    let value = "v".repeat(4 * 1024);
    let star = Chain::start_star(std::iter::once(String::new()).chain((0..LEAVES).map(|_| format!("tea {value}\n"))));
    let mut client = ask_for_tea(&star);
    let (answers, finished) = told(&mut client);
    assert_eq!(answers, vec![(value, "back".to_owned()); LEAVES]);
    assert_eq!(picked(&finished, FIGURES), json!(["complete", 0, 0, false, LEAVES + 1]));
    assert_eq!(client.finish(), quiet("", 0));
}

#[test]
fn behind_servents_that_bring_nothing_back_answers_are_lost_to_a_client_without_a_port_and_to_no_other() {
    let chain = Chain::start(["", TEA]);
    let mut old = [0, 1].map(|place| neighbor_that_can(Features::NONE, chain.address(place)));
    let mut client = ask_for_tea(&chain);
    let (answers, finished) = told(&mut client);
    assert_eq!(answers, pairs(&[("green", "back")]));
    assert_eq!(picked(&finished, FIGURES), json!(["incomplete", 0, 2, false, 2]));
    assert_eq!(finished["copies"], 1, "nobody waits for the echo of a copy that is not sent");
    let run = client.finish();
    assert_eq!((run.out.as_str(), run.code), ("", 5), "{}", run.log);

    // The first they hear of anything is what somebody asks who can be dialled.
    let mut client = Client::start([&*chain.contact(), "--json", "--timeout", "24h", "-c", "? tea"]);
    let mut links = Vec::new();
    for (neighbor, value) in old.iter_mut().zip([&b"black"[..], b"oolong"]) {
        let query = neighbor.expect_query();
        assert_eq!(query.via, Via::Direct);
        let advertised = neighbor.address();
        let body = AnswerBody::Value(value.to_vec());
        let asked = Some(AskHash::of(&query.ask));
        let answer = Answer { sequence: query.sequence, asked, hops: query.hops, body };
        let mut dialled = Peer::dial(query.client.socket, &advertised.to_string());
        dialled.send(&Message::Answer(answer));
        links.push(dialled);
        let answer_sum = marks_sum(&[advertised]);
        let tally = Tally { reached: 1, answers: 1, answer_sum, ..Tally::default() };
        neighbor.say(&echo(&query, tally));
    }
    let (answers, finished) = told(&mut client);
    assert_eq!(answers, pairs(&[("black", "direct"), ("green", "direct"), ("oolong", "direct")]));
    assert_eq!(picked(&finished, FIGURES), json!(["complete", 0, 0, false, 4]));
    assert_eq!(client.finish(), quiet("", 0));
}

#[test]
fn a_relay_that_dies_between_an_answer_and_its_echo_costs_the_rest_and_not_the_answer() {
    let chain = Chain::start([TEA]);
    let mut relay = Neighbor::neighbor(chain.address(0));
    let mut client = ask_for_tea(&chain);
    let query = relay.expect_query();
    assert_eq!(query.via, Via::Back);
    relay.say(&brought(&query, ServentId(7), "192.0.2.7:9", b"black"));
    relay.hang_up();
    let (answers, finished) = told(&mut client);
    assert_eq!(answers, pairs(&[("black", "back"), ("green", "direct")]));
    assert_eq!(picked(&finished, FIGURES), json!(["incomplete", 0, 1, false, 1]));
    let run = client.finish();
    let log = "1 report lost on the way: there may be more answers\n";
    assert_eq!(run, Run { out: String::new(), log: log.to_owned(), code: 5 });
}

#[test]
fn when_the_contact_is_lost_while_answers_come_back_those_that_came_are_told() {
    let mut chain = Chain::start([TEA]);
    let mut relay = Neighbor::neighbor(chain.address(0));
    let mut client = Client::start([&*chain.contact(), "--via", "back", "--timeout", "300ms", "--json", "-c", "? tea"]);
    let query = relay.expect_query();
    assert_eq!(client.next_json()["value"], "green");
    for number in 0..3 {
        let from = format!("192.0.2.7:{}", 1 + number);
        relay.say(&brought(&query, ServentId(7 + number), &from, b"black"));
        let answer = client.next_json();
        assert_eq!(picked(&answer, ["value", "from", "via"]), json!(["black", from, "back"]));
    }
    chain.servents[0].kill().unwrap();
    // It still has something to bring.
    relay.say_to_whoever_is_there(&brought(&query, ServentId(99), "192.0.2.7:99", b"white"));
    let finished = client.next_json();
    assert_eq!(picked(&finished, ["type", "answers"]), json!(["finished", 4]));
    let run = client.finish();
    let lost = format!("client: contact {} is lost: ", chain.contact());
    assert_eq!((run.out.as_str(), run.code), ("", 4), "{}", run.log);
    assert!(run.log.starts_with(&lost), "{}", run.log);
}

#[test]
fn a_forged_answer_that_comes_back_is_told_and_makes_no_query_complete() {
    let chain = Chain::start(["", TEA]);
    let mut liar = Neighbor::neighbor(chain.address(0));
    // Beside those that are counted, and instead of one of them.
    for counted in [0, 1] {
        let mut client = ask_for_tea(&chain);
        let query = liar.expect_query();
        liar.say(&brought(&query, ServentId(7), "192.0.2.7:9", b"black"));
        let answer_sum = counted * ServentId(1_000).mark();
        liar.say(&echo(&query, Tally { reached: 1, answers: counted, answer_sum, ..Tally::default() }));
        let (answers, finished) = told(&mut client);
        assert_eq!(answers, pairs(&[("black", "back"), ("green", "back")]));
        assert_eq!(picked(&finished, FIGURES), json!(["incomplete", 0, 0, true, 3]), "{finished}");
        assert_eq!(client.finish().code, 5);
    }
}
