//! What a client's mind holds.

use super::*;
use common::limits::{CLIENT_PENDING_MAX, SILENCE_DEFAULT};
use common::message::Finished;
use common::query::Tally;
use common::random::Secret;
use common::session::{self, Question, Session};

/// A client's mind whose contact has said hello.
fn attached_client() -> Session {
    let mut client = Session::new(Dialect::Native, 7000, Secret::of_seed(0));
    let contact = SocketAddr::from(([127, 0, 0, 1], 9000));
    let hello = Hello::new(Role::Servent { id: ServentId(1), advertised: contact });
    let mut out = Vec::new();
    client.handle(Time::START, session::Input::Attached { link: LinkId(1), contact }, &mut out);
    let message = Message::Hello(hello);
    client.handle(Time::START, session::Input::Received { link: LinkId(1), message }, &mut out);
    client
}

#[test]
fn a_clients_mind_holds_little_for_each_query_and_of_those_the_contact_has_finished_their_sequences() {
    let (mut client, idle) = cost_of(attached_client);
    assert!(idle.kept + size_of::<Session>() <= 4 * 1024, "{idle:?}");
    let mut sequences = Vec::with_capacity(CLIENT_PENDING_MAX);
    let mut out = Vec::with_capacity(2);
    let hear_finished = |client: &mut Session, sequences: &[u64], out: &mut Vec<session::Output>| {
        for sequence in sequences {
            let finished = Finished { sequence: *sequence, tally: Tally { reached: 1, ..Tally::default() } };
            let input = session::Input::Received { link: LinkId(1), message: Message::Finished(finished) };
            client.handle(Time::START, input, out);
            out.clear();
        }
    };
    let (at_rest, mut most) = (held(), 0);
    for count in [1, CLIENT_PENDING_MAX, 1] {
        most = count.max(most);
        let ((), pending) = cost_of(|| {
            for _ in 0..count {
                let question = Question::new(Ask::Topology);
                sequences.push(client.ask(Time::START, question, &mut out).expect("there is room"));
                out.clear();
            }
        });
        assert!(pending.kept <= 4 * 1024 + count * 768, "{count}: {pending:?}");
        // Those that nobody waits for any more cost less, until the contact has said its word on them.
        client.handle(Time::START + SILENCE_DEFAULT, session::Input::Deadline, &mut out);
        out = Vec::with_capacity(2);
        let kept = kept_since(at_rest);
        assert!(kept <= 4 * 1024 + count * 160 + most * 40, "{count}: {kept}");
        hear_finished(&mut client, &sequences, &mut out);
        assert_eq!(client.pending_count(), 0);
        // Of as many as are not to be drawn again.
        let kept = kept_since(at_rest);
        assert!(kept <= 4 * 1024 + most * 40, "{count}: {kept} are still held");
        sequences.clear();
    }
}
