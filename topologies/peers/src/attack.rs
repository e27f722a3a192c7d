//! Those who attack, and those who are honest meanwhile.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::limits::SILENCE_DEFAULT;
use common::message::{Message, Role};

use crate::{ANSWER_PORT, AnswerPort, Peer, ask, frame};

/// Somebody who says one thing after the other as fast as it is taken, and hears only how much is said to it.
pub struct Attack {
    stop: Arc<AtomicBool>,
    heard: Arc<AtomicU64>,
    stream: TcpStream,
    said: JoinHandle<u64>,
}

impl Attack {
    /// Greets in this role, and says whatever `next` makes of the numbers from 0.
    pub fn start(to: SocketAddr, as_client: bool, next: impl Fn(u64) -> Message + Send + 'static) -> Attack {
        let mut peer = Peer::stranger(to);
        let client = Role::Client { answer_port: ANSWER_PORT };
        let role = if as_client { client } else { peer.as_servent() };
        peer.greet(role);
        let Peer { mut stream, mut link, .. } = peer;
        let mut incoming = stream.try_clone().unwrap();
        let ours = stream.try_clone().unwrap();
        let heard = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&heard);
        thread::spawn(move || {
            let mut bytes = vec![0; 256 * 1024];
            while let Ok(count @ 1..) = incoming.read(&mut bytes) {
                link.receive(&bytes[..count]);
                while let Ok(Some(message)) = link.next_message() {
                    let is_reply = matches!(message, Message::Echo(_) | Message::Finished(_) | Message::Pong);
                    counted.fetch_add(u64::from(is_reply), Ordering::Relaxed);
                }
            }
        });
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let said = thread::spawn(move || {
            let mut said = 0;
            while !stopped.load(Ordering::Relaxed) {
                let bytes: Vec<u8> = (said..said + 100).flat_map(|number| frame(&next(number))).collect();
                // The servent may have had enough of it.
                if stream.write_all(&bytes).is_err() {
                    break;
                }
                said += 100;
            }
            said
        });
        Attack { stop, heard, stream: ours, said }
    }

    /// How many of its messages have been replied to by now: echoed, finished or told to be heard.
    pub fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// Ends it, and says how many messages it was.
    pub fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        // It may be waiting to be read; the servent may have closed it already.
        let _ = self.stream.shutdown(Shutdown::Both);
        self.said.join().unwrap()
    }
}

/// An honest client that asks for `tea` and must hear it from so many servents other than its contact, every time.
pub struct Honest {
    client: Peer,
    links: Vec<Peer>,
    waits: Vec<Duration>,
}

impl Honest {
    pub fn new(contact: SocketAddr, holders_count: usize) -> Honest {
        let port = AnswerPort::open();
        let mut client = Peer::client(contact, port.address().port());
        client.request(ask("tea"));
        let mut links: Vec<Peer> = (0..holders_count).map(|_| port.accept_and_greet().0).collect();
        links.iter_mut().for_each(|link| drop(link.expect_answer()));
        client.expect_finished();
        Honest { client, links, waits: Vec::new() }
    }

    /// Asks once, and hears every answer.
    pub fn ask(&mut self) {
        let start = Instant::now();
        let sequence = self.client.request(ask("tea"));
        for link in &mut self.links {
            assert_eq!(link.expect_answer().sequence, sequence);
        }
        self.waits.push(start.elapsed());
    }

    /// Says how long its answers took, and how many came when our client would have given up. That depends on what else
    /// the machine does, so it is for a person to judge; that each came is tested.
    pub fn report(mut self, what: &str) {
        self.waits.sort_unstable();
        let at_most = |per_mille: usize| self.waits[(self.waits.len() * per_mille).div_ceil(1_000) - 1];
        let [half, p99, p999] = [500, 990, 999].map(at_most);
        let late = self.waits.iter().filter(|wait| **wait >= SILENCE_DEFAULT).count();
        println!(
            "{what}: {} queries, all answered: p50 {half:?}, p99 {p99:?}, p99.9 {p999:?}; {late} of them too late",
            self.waits.len()
        );
    }
}
