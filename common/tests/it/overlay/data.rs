//! When the data is read again, and what is answered from it.

use std::sync::Arc;

use super::*;
use common::store::Store;

#[test]
fn data_read_anew_is_answered_from() {
    let mut mind = Mind::new();
    let client = mind.client(1);
    let ask = |mind: &mut Mind, sequence| {
        let out = mind.hear(client, Message::Request(Request { sequence, ask: tea(), ttl: None }));
        match &out[0] {
            Output::Send { message: Message::Answer(Answer { body: AnswerBody::Value(value), .. }), .. } => {
                value.clone()
            }
            other => panic!("no answer: {other:?}"),
        }
    };
    assert_eq!(ask(&mut mind, 1), b"green");
    assert_eq!(mind.tell(Input::Reload), [Output::Disk(Job::ReadData)]);
    assert_eq!(ask(&mut mind, 2), b"green", "it is not read yet");
    let out = mind.tell(data_read(Ok(store("tea black"))));
    assert_eq!(out, [Output::Disk(Job::Free(store("tea green")))]);
    assert_eq!(ask(&mut mind, 3), b"black");
    mind.tell(Input::Reload);
    assert_eq!(mind.tell(data_read(Err("it is gone"))), []);
    assert_eq!(ask(&mut mind, 4), b"black");
}

fn data_read(read: Result<Arc<Store>, &str>) -> Input {
    Input::Disk(JobDone::DataRead(read.map_err(str::to_owned)))
}

/// What is asked for while it is read may be newer than what is being read, and one more reading is enough for all of it.
#[test]
fn data_is_read_once_at_a_time_and_once_more_if_it_was_asked_for_meanwhile() {
    let mut mind = Mind::new();
    for first in [Ok(store("tea black")), Err("it is gone")] {
        assert_eq!(mind.tell(Input::Reload), [Output::Disk(Job::ReadData)]);
        for _ in 0..3 {
            assert_eq!(mind.tell(Input::Reload), []);
        }
        // What is replaced is let go of before more is read.
        let out = mind.tell(data_read(first.clone()));
        let freed = out.len() == 2 && matches!(out.first(), Some(Output::Disk(Job::Free(_))));
        assert_eq!((freed, out.last()), (first.is_ok(), Some(&Output::Disk(Job::ReadData))));
        assert_eq!(mind.tell(data_read(Err("it is gone"))), [], "once more, not for ever");
    }
    assert_eq!(mind.tell(Input::Reload), [Output::Disk(Job::ReadData)]);
}
