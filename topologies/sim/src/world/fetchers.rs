//! Clients that fetch contents: each comes, has its contact asked who has what it wants, fetches that, is cut short and comes
//! again, and goes when it is over.
//!
//! One of them is two machines here, with the address it asks from and that it fetches from, as the program has two sets of
//! connections. What it asks and believes is its minds' affair, what it has on its disk is in `downloads`.

use common::content::search::{FileName, HashStart, Words};
use common::dialect::Dialect;
use common::exchange::Exchange;
use common::fetch::{self, ContentFetch, FetchEnd};
use common::limits::SILENCE_DEFAULT;
use common::query::Ask;
use common::session::{Question, Session};
use common::wire::Accepts;

use super::clock::nanos;
use super::dials::Caller;
use super::downloads::DownloadStage;
use super::machines::MachineKind;
use super::scenery::{self, SceneEvent, SceneFace};
use super::shell::{Departure, FetchingEnd, Mind, Shell};
use super::trace::Noted;
use crate::cast;
use crate::contents::FirstAsk;

/// A fetch begins, or goes on.
pub(super) fn begin(shell: &mut Shell<SceneFace<'_>>, fetch: usize) {
    let Some(download) = shell.face.downloads.all.get_mut(fetch) else { return };
    if matches!(download.stage, DownloadStage::Asking | DownloadStage::Fetching) {
        return;
    }
    download.on_begin();
    let (life, cut) = (download.life, download.cut());
    shell.note(fetch, Noted::FetchGoesOn);
    if let Some(cut) = cut {
        shell.schedule(shell.now() + nanos(cut.after), SceneEvent::FetchCut { fetch, life });
    }
    attach(shell, fetch);
}

/// Its client comes to its contact.
fn attach(shell: &mut Shell<SceneFace<'_>>, fetch: usize) {
    let seed = shell.face.scene.plan.seed;
    let Some(download) = shell.face.downloads.all.get_mut(fetch) else { return };
    download.turns += 1;
    download.is_ready = false;
    let secret = cast::secret_of_fetcher(seed, download.drawn.number, download.turns);
    let (contact, hears_answers) = (download.drawn.contact as usize, download.drawn.hears_answers);
    let node = scenery::add_guest(shell, MachineKind::Client, contact);
    let port = cast::answer_port(hears_answers);
    if port == 0 {
        shell.network.close_port(node);
    }
    shell.face.downloads.on_asker(node, fetch);
    if let Some(download) = shell.face.downloads.all.get_mut(fetch) {
        download.asker = Some(node);
    }
    let session = Session::new(Dialect::OWN, port, secret);
    shell.settle_down(node, Mind::Client(Box::new(session)), Exchange::client(Accepts::answers_to(Dialect::OWN)));
    let address = shell.network.address(contact);
    shell.dial(node, Caller::Contact, address, Dialect::OWN);
}

/// Its contact is lost, or was not there: it comes again, where it has yet to ask.
pub(super) fn on_unattached(shell: &mut Shell<SceneFace<'_>>, fetch: usize, node: usize) {
    let Some(download) = shell.face.downloads.all.get_mut(fetch).filter(|download| download.asker == Some(node)) else {
        return;
    };
    (download.asker, download.is_ready, download.sequence) = (None, false, None);
    download.wants_to_ask = false;
    let stage = download.stage.clone();
    shell.kill(node, Departure::Closed);
    match stage {
        // Who has it is found out later, if that can be.
        DownloadStage::Asking => start(shell, fetch),
        DownloadStage::Fetching => tell_asked(shell, fetch),
        DownloadStage::Away | DownloadStage::Over(_) => {}
    }
}

/// It asks who has it, if it is to and can.
pub(super) fn ask(shell: &mut Shell<SceneFace<'_>>, fetch: usize) {
    let Some(download) = shell.face.downloads.all.get(fetch) else { return };
    let is_there = matches!(download.stage, DownloadStage::Asking | DownloadStage::Fetching);
    if !is_there || !download.wants_to_ask {
        return;
    }
    let Some(node) = download.asker else { return attach(shell, fetch) };
    if !download.is_ready {
        return;
    }
    look_around(shell, fetch, node);
    let ask = what_is_asked(shell, fetch);
    let mut asked = Ok(0);
    shell.with_client(node, |now, session, wanted| asked = session.ask(now, Question::new(ask), wanted));
    match asked {
        Ok(sequence) => {
            if let Some(download) = shell.face.downloads.all.get_mut(fetch) {
                (download.sequence, download.wants_to_ask) = (Some(sequence), false);
            }
        }
        Err(error) => shell.broke(&format!("a client that fetches cannot ask: {error}")),
    }
}

/// What its client asks of others first.
fn look_around(shell: &mut Shell<SceneFace<'_>>, fetch: usize, node: usize) {
    let Some(download) = shell.face.downloads.all.get_mut(fetch) else { return };
    if std::mem::replace(&mut download.has_looked, true) {
        return;
    }
    let (finds, lists, asks_key) = (download.drawn.finds, download.drawn.lists, download.drawn.asks_key);
    if let Some(words) = finds.and_then(|words| Words::new(words.iter().copied()).ok()) {
        let question = Question::new(Ask::Find(words));
        shell.with_client(node, |now, session, wanted| {
            let _ = session.ask(now, question, wanted);
        });
    }
    let key = name_of(shell, fetch).filter(|_| asks_key).and_then(|name| Question::key(name).ok());
    if let Some(question) = key {
        shell.with_client(node, |now, session, wanted| {
            let _ = session.ask(now, question, wanted);
        });
    }
    if lists {
        let now = shell.now();
        shell.face.witness.fetches().on_lists(now, fetch);
        shell.with_client(node, |now, session, wanted| {
            let _ = session.ask_files(now, b"", SILENCE_DEFAULT, wanted);
        });
    }
}

/// What the first of its holders calls a content.
fn name_of<'s>(shell: &Shell<SceneFace<'s>>, fetch: usize) -> Option<&'s [u8]> {
    let drawn = shell.face.downloads.all.get(fetch)?.drawn.content;
    let content = shell.face.scene.contents.iter().find(|content| content.number == drawn)?;
    content.holders.first().map(|holder| holder.name.as_slice())
}

fn what_is_asked(shell: &Shell<SceneFace<'_>>, fetch: usize) -> Ask {
    let Some(download) = shell.face.downloads.all.get(fetch) else { return Ask::Topology };
    let name = name_of(shell, fetch);
    let first = match download.drawn.asks {
        _ if download.stage != DownloadStage::Asking => None,
        FirstAsk::Name => name.and_then(|name| FileName::new(name).ok()).map(Ask::Named),
        FirstAsk::Words => Words::new(std::iter::empty()).ok().map(Ask::Find),
        FirstAsk::Hash(count) => {
            download.hash.0.get(..count).and_then(|start| HashStart::new(start).ok()).map(Ask::Hashed)
        }
    };
    first.unwrap_or_else(|| Ask::Hashed(HashStart::from(download.hash)))
}

/// What it asked is over: now it fetches, from whoever has it.
pub(super) fn on_asked(shell: &mut Shell<SceneFace<'_>>, fetch: usize) {
    let Some(download) = shell.face.downloads.all.get_mut(fetch) else { return };
    download.sequence = None;
    match download.stage {
        DownloadStage::Asking => start(shell, fetch),
        DownloadStage::Fetching => tell_asked(shell, fetch),
        DownloadStage::Away | DownloadStage::Over(_) => {}
    }
}

/// Everybody was asked who could be.
fn tell_asked(shell: &mut Shell<SceneFace<'_>>, fetch: usize) {
    hear(shell, fetch);
    if let Some(node) = shell.face.downloads.all.get(fetch).and_then(|download| download.node) {
        shell.tell_fetch(node, fetch::Input::Asked);
    }
}

fn start(shell: &mut Shell<SceneFace<'_>>, fetch: usize) {
    let Some(download) = shell.face.downloads.all.get_mut(fetch) else { return };
    download.stage = DownloadStage::Fetching;
    let (contact, hash) = (download.drawn.contact as usize, download.hash);
    let wanted = download.wanted();
    let node = scenery::add_guest(shell, MachineKind::Client, contact);
    shell.network.close_port(node);
    shell.face.downloads.on_fetcher(node, fetch);
    let (now, time) = (shell.now(), shell.time());
    let mut outputs = Vec::new();
    let mind = ContentFetch::new(time, wanted, &mut outputs);
    let SceneFace { downloads, witness, .. } = &mut shell.face;
    if let Some(download) = downloads.all.get_mut(fetch) {
        download.node = Some(node);
        witness.on_fetch_begins(now, fetch, node, hash, &download.file);
    }
    let fetching = Mind::Fetch(Box::new(FetchingEnd::new(mind)));
    shell.settle_down(node, fetching, Exchange::client(Accepts::OWN));
    shell.perform_fetch(node, outputs);
    tell_asked(shell, fetch);
}

/// Whoever was told to have it is told to its mind.
pub(super) fn hear(shell: &mut Shell<SceneFace<'_>>, fetch: usize) {
    let Some(download) = shell.face.downloads.all.get_mut(fetch) else { return };
    let Some(node) = download.node.filter(|_| download.stage == DownloadStage::Fetching) else { return };
    for (address, have) in std::mem::take(&mut download.found) {
        shell.tell_fetch(node, fetch::Input::Holder { address, have });
    }
}

/// It is cut short, and comes again.
pub(super) fn cut(shell: &mut Shell<SceneFace<'_>>, fetch: usize, life: u32) {
    let Some(download) = shell.face.downloads.all.get_mut(fetch) else { return };
    let is_there = matches!(download.stage, DownloadStage::Asking | DownloadStage::Fetching);
    if download.life != life || !is_there {
        return;
    }
    let Some(cut) = download.on_cut() else { return };
    download.stage = DownloadStage::Away;
    shell.face.witness.fetches().on_cut(fetch);
    shell.note(fetch, Noted::FetchGoesOn);
    leave(shell, fetch, if cut.is_power_cut { Departure::Vanished } else { Departure::Closed });
    shell.schedule(shell.now() + nanos(cut.pause), SceneEvent::FetchBegins { fetch });
}

/// It is over, one way or another.
pub(super) fn on_over(shell: &mut Shell<SceneFace<'_>>, fetch: usize) {
    leave(shell, fetch, Departure::Closed);
}

/// Whoever fetches and asks for it goes.
fn leave(shell: &mut Shell<SceneFace<'_>>, fetch: usize, how: Departure) {
    let Some(download) = shell.face.downloads.all.get_mut(fetch) else { return };
    let nodes = [download.asker.take(), download.node.take()];
    download.sequence = None;
    nodes.into_iter().flatten().for_each(|node| shell.kill(node, how));
}

/// Those that ended without the whole content are begun once more: by now nothing goes wrong.
pub(super) fn begin_again(shell: &mut Shell<SceneFace<'_>>) {
    let now = shell.now();
    for fetch in 0..shell.face.downloads.all.len() {
        let stage = shell.face.downloads.all.get(fetch).map(|download| download.stage.clone());
        if stage == Some(DownloadStage::Over(FetchEnd::Missing)) {
            if let Some(download) = shell.face.downloads.all.get_mut(fetch) {
                download.stage = DownloadStage::Away;
            }
            shell.schedule(now, SceneEvent::FetchBegins { fetch });
        }
    }
}

/// Those that are not over are given up: nobody knows how long they would go on.
pub(super) fn give_up(shell: &mut Shell<SceneFace<'_>>) {
    for fetch in 0..shell.face.downloads.all.len() {
        let Some(download) = shell.face.downloads.all.get(fetch) else { continue };
        if matches!(download.stage, DownloadStage::Over(_)) {
            continue;
        }
        let now = shell.now();
        shell.face.witness.on_endless_fetch(now, fetch);
        if let Some(download) = shell.face.downloads.all.get_mut(fetch) {
            download.stage = DownloadStage::Away;
        }
        leave(shell, fetch, Departure::Closed);
    }
}
