//! Clients that have servents keep something: each comes to its contact, says what it is to, watches and asks for it, and comes
//! again where its contact was lost.
//!
//! Those that may write are on their contact's host. What becomes of a write is for the servent's mind, whom a client believes
//! is for its own, and what must come of it is for the witness to say.

use common::content::search::{FileName, Words};
use common::dialect::Dialect;
use common::exchange::Exchange;
use common::key::Key;
use common::limits::SILENCE_DEFAULT;
use common::query::Ask;
use common::session::{Question, Session};
use common::wire::Accepts;
use common::write::Change;

use super::clock::{MILLISECOND, Nanos, SECOND};
use super::dials::Caller;
use super::machines::MachineKind;
use super::scenery::{self, SceneEvent, SceneFace};
use super::shell::{Departure, Mind, Shell};
use super::trace::Noted;
use super::writing_clients::{Writer, number_of};
use crate::cast;
use crate::writes::{DrawnChange, DrawnWrite, KEYS};

/// How long it is until a client comes again whose contact was not there.
const PAUSE: (Nanos, Nanos) = (200 * MILLISECOND, 2 * SECOND);

/// A write is to be said.
pub(super) fn come(shell: &mut Shell<SceneFace<'_>>, write: usize) {
    let scene = shell.face.scene;
    let Some(drawn) = scene.writes.get(write) else { return };
    let Some(writer) = shell.face.writers.of((drawn.contact, drawn.writer)) else { return };
    shell.note(drawn.contact as usize, Noted::Writes);
    if let Some(writer) = shell.face.writers.all.get_mut(writer) {
        writer.waiting.push_back(write);
    }
    go_on(shell, writer);
}

/// Says what is to be said, if its contact is there, and comes otherwise.
pub(super) fn go_on(shell: &mut Shell<SceneFace<'_>>, writer: usize) {
    loop {
        let Some(state) = shell.face.writers.all.get_mut(writer) else { return };
        if state.node.is_none() && (!state.waiting.is_empty() || state.last_asks) {
            return attach(shell, writer);
        }
        let Some(node) = state.node.filter(|_| state.is_ready) else { return };
        if std::mem::take(&mut state.last_asks) {
            return ask_last(shell, writer, node);
        }
        let Some(write) = state.waiting.pop_front() else { return };
        say(shell, writer, node, write);
    }
}

fn attach(shell: &mut Shell<SceneFace<'_>>, writer: usize) {
    let seed = shell.face.scene.plan.seed;
    let Some(state) = shell.face.writers.all.get_mut(writer) else { return };
    state.turns += 1;
    state.is_ready = false;
    state.watched.clear();
    let (name, turns) = (state.name, state.turns);
    let (contact, on_host) = (name.0 as usize, name.1.is_some());
    let secret = cast::secret_of_writer(seed, number_of(name), turns);
    let node = scenery::add_guest(shell, MachineKind::Client, contact);
    if on_host {
        shell.network.share_host(node);
    }
    shell.network.close_port(node);
    shell.face.writers.by_node.insert(node, writer);
    if let Some(state) = shell.face.writers.all.get_mut(writer) {
        state.node = Some(node);
    }
    let session = Session::new(Dialect::OWN, 0, secret);
    shell.settle_down(node, Mind::Client(Box::new(session)), Exchange::client(Accepts::answers_to(Dialect::OWN)));
    let address = shell.network.address(contact);
    shell.dial(node, Caller::Contact, address, Dialect::OWN);
}

/// Its contact is lost, or was not there: it comes again after a while, where it has something to say.
pub(super) fn on_unattached(shell: &mut Shell<SceneFace<'_>>, writer: usize, node: usize) {
    let Some(state) = shell.face.writers.all.get_mut(writer).filter(|state| state.node == Some(node)) else { return };
    let pause = state.random.within(PAUSE.0, PAUSE.1);
    leave(shell, writer, Departure::Closed);
    shell.schedule(shell.now() + pause, SceneEvent::WriterComes { writer });
}

fn leave(shell: &mut Shell<SceneFace<'_>>, writer: usize, how: Departure) {
    let Some(state) = shell.face.writers.all.get_mut(writer) else { return };
    state.is_ready = false;
    if let Some(node) = state.node.take() {
        shell.kill(node, how);
    }
}

fn change(drawn: &DrawnWrite) -> Option<Change> {
    Some(match drawn.change {
        DrawnChange::Put(key, bytes_count) => {
            Change::Put { key: Key::new(key.as_bytes()).ok()?, value: drawn.value(bytes_count).into() }
        }
        DrawnChange::Delete(key) => Change::Delete { key: Key::new(key.as_bytes()).ok()? },
        DrawnChange::Publish(ref name, ref text) => {
            Change::Publish { name: FileName::new(name).ok()?, text: text.as_slice().into() }
        }
        DrawnChange::Unpublish(ref name) => Change::Unpublish { name: FileName::new(name).ok()? },
    })
}

fn say(shell: &mut Shell<SceneFace<'_>>, writer: usize, node: usize, write: usize) {
    let scene = shell.face.scene;
    let Some(drawn) = scene.writes.get(write) else { return };
    let Some(change) = change(drawn) else { return shell.broke("a write is drawn that nobody can say") };
    let key = drawn.key().and_then(|key| Key::new(key.as_bytes()).ok());
    if let (true, Some(key)) = (drawn.watches, &key) {
        watch(shell, writer, node, key, drawn.key().unwrap_or_default());
    }
    let mut written = Ok(0);
    shell.with_client(node, |now, session, wanted| written = session.write(now, change, SILENCE_DEFAULT, wanted));
    if let Err(error) = written {
        shell.broke(&format!("a client cannot write: {error}"));
    }
    if let (true, Some(key)) = (drawn.asks, key) {
        ask(shell, node, Ask::Key(key));
    }
    if let Some(name) = drawn.file().filter(|_| !scene.contents.is_empty()) {
        look_at_files(shell, (writer, node), drawn, name);
    }
    if drawn.is_hasty {
        // What it has said is on its way, or is not.
        shell.schedule(shell.now(), SceneEvent::WriterGoes { writer, node });
    }
}

fn watch(shell: &mut Shell<SceneFace<'_>>, writer: usize, node: usize, key: &Key, name: &'static str) {
    let is_watched = |state: &Writer| state.watched.values().any(|watched| *watched == name);
    if shell.face.writers.all.get(writer).is_none_or(is_watched) {
        return;
    }
    let mut watched = Ok(0);
    shell.with_client(node, |_, session, wanted| watched = session.watch(key.clone(), wanted));
    match (watched, shell.face.writers.all.get_mut(writer)) {
        (Ok(sequence), Some(state)) => drop(state.watched.insert(sequence, name)),
        (Ok(_), None) => {}
        (Err(error), _) => shell.broke(&format!("a client cannot watch: {error}")),
    }
}

/// One that publishes a file or does not any more asks for it, or has its contact list all of them.
fn look_at_files(shell: &mut Shell<SceneFace<'_>>, writer: (usize, usize), drawn: &DrawnWrite, name: &[u8]) {
    if let (true, Ok(name)) = (drawn.asks, FileName::new(name)) {
        ask(shell, writer.1, Ask::Named(name));
    }
    if drawn.watches {
        list(shell, writer);
    }
}

/// Has a contact list its files, unless it does so just now.
fn list(shell: &mut Shell<SceneFace<'_>>, (writer, node): (usize, usize)) {
    let Some((contact, _)) = shell.face.writers.all.get(writer).map(|writer| writer.name) else { return };
    let mut listed = Ok(0);
    let now = shell.now();
    shell.with_client(node, |now, session, wanted| listed = session.ask_files(now, b"", SILENCE_DEFAULT, wanted));
    if listed.is_ok() {
        shell.face.witness.on_contact_lists(now, node, contact as usize);
    }
}

fn ask(shell: &mut Shell<SceneFace<'_>>, node: usize, ask: Ask) {
    let question = Question::new(ask);
    shell.with_client(node, |now, session, wanted| {
        let _ = session.ask(now, question, wanted);
    });
}

/// All is well: each comes once more, and watches and asks for all there is.
pub(super) fn come_last(shell: &mut Shell<SceneFace<'_>>) {
    for writer in 0..shell.face.writers.all.len() {
        if let Some(state) = shell.face.writers.all.get_mut(writer) {
            state.last_asks = true;
        }
        go_on(shell, writer);
    }
}

fn ask_last(shell: &mut Shell<SceneFace<'_>>, writer: usize, node: usize) {
    for name in KEYS {
        let Ok(key) = Key::new(name.as_bytes()) else { continue };
        watch(shell, writer, node, &key, name);
        ask(shell, node, Ask::Key(key));
    }
    if shell.face.scene.contents.is_empty() {
        return;
    }
    list(shell, (writer, node));
    if let Ok(all) = Words::new(std::iter::empty()) {
        ask(shell, node, Ask::Find(all));
    }
}

/// All of them go.
pub(super) fn go_home(shell: &mut Shell<SceneFace<'_>>) {
    for writer in 0..shell.face.writers.all.len() {
        leave(shell, writer, Departure::Closed);
    }
}
