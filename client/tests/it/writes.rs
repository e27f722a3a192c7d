//! `put`, `del`, `publish`, `unpublish` and `watch`, as scripts, programs and people are shown what came of them.
//!
//! What is believed of what a contact says is tested at the door of the session; what a servent keeps in `common` and
//! `servent`.

mod contacts;
mod kept;
mod terminal;

use super::*;
use client::{Change, WriteOutcome, WriteRefusal};
use common::features::Features;
use common::limits::{COMMAND_BYTES_MAX, FRAME_BYTES_MAX, VALUE_BYTES_MAX, WATCHES_PER_CLIENT_MAX};
use common::message::{Hello, Message, Role, ServentId};
use common::write::{Changed, Unwatch, Watch, Write as Written, Written as Outcome};
use topologies::fleet::Servent;

/// A contact that a test plays, which keeps what clients write, with a client.
fn keeping(options: &[&str]) -> (Fake, Peer, Client) {
    let fake = Fake::listen();
    let client = Client::start([&[&*fake.name()], options].concat());
    let contact = attach_keeping(&fake);
    (fake, contact, client)
}

fn attach_keeping(fake: &Fake) -> Peer {
    let mut contact = fake.accept();
    assert!(matches!(contact.receive(), Some(Message::Hello(_))));
    let role = Role::Servent { id: ServentId(7), advertised: fake.address() };
    let hello = Hello::new(role);
    let frame_bytes_max = u32::try_from(FRAME_BYTES_MAX).unwrap();
    contact.send(&Message::Hello(Hello { features: hello.features.with(Features::WRITES), frame_bytes_max, ..hello }));
    contact
}

impl Peer {
    /// The next message, which must be a write.
    fn write(&mut self) -> Written {
        match self.receive() {
            Some(Message::Write(write)) => write,
            other => panic!("a write was to come and not {other:?}"),
        }
    }

    fn tell_outcome(&mut self, sequence: u64, outcome: WriteOutcome) {
        self.send(&Message::Written(Outcome { sequence, outcome }));
    }

    /// Says what came of the next write.
    fn write_as_asked(&mut self, outcome: WriteOutcome) -> Change {
        let Written { sequence, change } = self.write();
        self.tell_outcome(sequence, outcome);
        change
    }

    /// The next message, which must be a watch of this key. Its sequence.
    fn watch_of(&mut self, key: &str) -> u64 {
        match self.receive() {
            Some(Message::Watch(Watch { sequence, key: watched })) if watched.as_bytes() == key.as_bytes() => sequence,
            other => panic!("a watch of {key} was to come and not {other:?}"),
        }
    }

    fn tell_changed(&mut self, sequence: u64, value: Option<&[u8]>) {
        self.send(&Message::Changed(Changed { sequence, value: value.map(Into::into) }));
    }
}

/// A servent that keeps what is written in this directory, with this data.
fn servent_in(home: &TempDir, options: &[&str]) -> Servent {
    let data = home.path().join("data.txt");
    std::fs::write(&data, "kernel 6.1.0\n").unwrap();
    let (store, data) = (home.path().join("kept.db"), data.display().to_string());
    let store = store.display().to_string();
    Servent::start(&[&["--store", &store], options, &["127.0.0.1:0", &data]].concat()).unwrap()
}

/// What was printed, with each time as T.
fn without_times(out: &str) -> String {
    let line = |line: &str| match line.rsplit_once(" in ") {
        Some((said, took)) if took.ends_with("ms") || took.ends_with(" s") => format!("{said} in T\n"),
        _ => format!("{line}\n"),
    };
    out.lines().map(line).collect()
}
