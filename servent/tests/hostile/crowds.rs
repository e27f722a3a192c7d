//! Crowds at a servent's door: many who do nothing, more than it takes, more than it has descriptors for, and many who
//! are as slow as can be. Whoever does nothing wrong is served all the while.
//!
//! Those at the other end of its own dials, and those who vanish, are in `silence.rs`.

use std::io::{Read, Write};
use std::sync::{Mutex, MutexGuard};

use super::*;
use crate::support::serve_tea;
use common::features::Features;
use common::limits::{CONNECTIONS_MAX, KEY_BYTES_MAX};
use common::message::{Echo, Hello};
use common::query::Tally;
use common::wire::PREFACE;
use peers::frame;
use rustix::process::{Resource, getrlimit};
use servent::poller::{Interest, Poller, Ready, Watched};

/// In what the system counts processor time for /proc.
const TICKS_PER_SECOND: u64 = 100;

/// A crowd takes most of the descriptors of this process and much of the machine's time: one after the other.
fn alone(descriptors: usize) -> MutexGuard<'static, ()> {
    static CROWD: Mutex<()> = Mutex::new(());
    let guard = CROWD.lock().unwrap_or_else(PoisonError::into_inner);
    raise_descriptor_limit();
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    assert!(most >= descriptors as u64 + 100, "this test needs {descriptors} descriptors and may have {most}");
    guard
}

fn client_role() -> Role {
    Role::Client { answer_port: ANSWER_PORT }
}

/// That of a client which understands no answer that comes back: whether it can be dialled is not tried, which would take
/// connections, too.
fn client_hello() -> Message {
    Message::Hello(Hello { features: Features::NONE, ..Hello::new(client_role()) })
}

fn say_hello(peer: &mut Peer) {
    peer.say(&client_hello());
}

/// Attaches so many clients, many at a time, and from several ips: with most ports of an ip in use the system looks long
/// for a free one.
fn attach(to: SocketAddr, count: usize) -> Vec<Peer> {
    const AT_ONCE: usize = 1_000;
    let mut crowd: Vec<Peer> = Vec::with_capacity(count);
    while crowd.len() < count {
        let first = crowd.len();
        let ip = Ipv4Addr::new(127, 0, 1, u8::try_from(first / AT_ONCE).unwrap());
        crowd.extend((first..count.min(first + AT_ONCE)).map(|_| Peer::stranger_from(ip.into(), to)));
        let new = &mut crowd[first..];
        new.iter_mut().for_each(say_hello);
        for peer in new {
            peer.expect_hello();
        }
    }
    crowd
}

/// How long it takes depends on what else the machine does, and is printed; how much of it is the servent's own is not,
/// and has to be so little that a machine with nothing else to do is done in two seconds.
#[test]
fn ten_thousand_idle_clients_cost_less_than_two_seconds_of_one_processor_and_64_mib() {
    const CLIENTS: usize = 10_000;
    const TICKS_MAX: u64 = 2 * TICKS_PER_SECOND;
    const MEMORY_KIB_MAX: u64 = 64 * 1_024;
    let _alone = alone(CLIENTS);
    let long = "x".repeat(KEY_BYTES_MAX);
    let file = DataFile::new(format!("tea green\n{long} {long}\n"));
    let servent = Process::serve(&[file.path()]);
    let (before, _) = servent.resident_kib();
    let (started, ticks) = (Instant::now(), servent.ticks());
    let mut crowd = attach(servent.address, CLIENTS);
    let (elapsed, ticks) = (started.elapsed(), servent.ticks() - ticks);
    let (now, most) = servent.resident_kib();
    let each = (now - before) * 1_024 / CLIENTS as u64;
    eprintln!("{CLIENTS} clients attached in {elapsed:?}, {ticks} ticks: {now} KiB, {each} bytes each");
    assert!(most <= MEMORY_KIB_MAX, "{most} KiB");
    assert!(ticks < TICKS_MAX, "{ticks} ticks");

    // Nor do those cost more who have asked for much, and got it, and are idle again.
    for clients in crowd.chunks_mut(500) {
        for client in &mut *clients {
            client.request(ask(&long));
        }
        for client in clients {
            client.expect_answer();
            client.expect_finished();
        }
    }
    let (now, most) = servent.resident_kib();
    eprintln!("once each has asked: {now} KiB now, {most} KiB at most");
    assert!(most <= MEMORY_KIB_MAX, "{most} KiB");
    assert_eq!(crowd.last_mut().unwrap().values("tea"), [b"green"]);
}

#[test]
fn one_connection_more_than_it_takes_is_closed_and_all_others_are_served() {
    let _alone = alone(CONNECTIONS_MAX);
    let _nearly_all = DESCRIPTORS.write().unwrap_or_else(PoisonError::into_inner);
    let mut servent = serve_tea(&[]);
    let mut crowd = attach(servent.address(), CONNECTIONS_MAX);
    let surplus = || TcpStream::connect(servent.address()).unwrap().read(&mut [0]).unwrap_or(0);
    assert_eq!(surplus(), 0, "not a byte, and the end");
    assert_eq!(surplus(), 0);
    logged(&mut servent, &format!("{CONNECTIONS_MAX} connections are the most"));
    assert_eq!(crowd.first_mut().unwrap().values("tea"), [b"green"]);
    assert_eq!(crowd.last_mut().unwrap().values("tea"), [b"green"]);

    // Its place is another's as soon as one has left; that it has left is seen by the servent in its own time.
    drop(crowd.pop());
    let hello = [&PREFACE[..], &frame(&client_hello())].concat();
    let is_greeted = |_| {
        let mut stream = TcpStream::connect(servent.address()).unwrap();
        stream.write_all(&hello).is_ok() && stream.read(&mut [0]).is_ok_and(|count| count > 0)
    };
    assert!((0..1_000).any(is_greeted), "a place that is free is never given away");
}

#[test]
fn without_descriptors_it_serves_whom_it_has_and_takes_others_once_there_are_some() {
    const CROWD: usize = 260;
    const TRIES: usize = 10;
    // Tries are a tenth of a second apart, so all of them take no less than a second, and a fifth of it is allowed.
    const TICKS_MAX: u64 = TICKS_PER_SECOND / 5;
    let _alone = alone(CROWD);
    let file = tea();
    let mut servent = Process::serve_with_descriptors(200, &[file.path(), "-v"]);
    let mut client = Peer::client(servent.address, ANSWER_PORT);
    let mut source = Peer::neighbor(servent.address);
    let is_served = |client: &mut Peer, source: &mut Peer| {
        let sequence = client.request(ask("tea"));
        assert_eq!(client.expect_answer().sequence, sequence);
        let query = source.expect_query();
        source.say(&Message::Echo(Echo { id: query.id(), ttl: query.ttl, tally: Tally::default() }));
        assert_eq!(client.expect_finished().sequence, sequence);
    };

    let mut crowd: Vec<Peer> = (0..CROWD).map(|_| Peer::stranger(servent.address)).collect();
    crowd.iter_mut().for_each(say_hello);
    servent.wait_for_log("cannot accept: Too many open files", 1);

    // It tries now and then, and not as fast as it can.
    let (started, ticks) = (Instant::now(), servent.ticks());
    servent.wait_for_log("cannot accept", 1 + TRIES);
    let (elapsed, ticks) = (started.elapsed(), servent.ticks() - ticks);
    eprintln!("{TRIES} tries in {elapsed:?}, {ticks} ticks");
    assert!(ticks < TICKS_MAX, "{ticks} ticks in {elapsed:?}");

    // Whoever is attached is served, and what needs a descriptor fails by name.
    is_served(&mut client, &mut source);
    let nobody = AnswerPort::open();
    source.pass_on(nobody.address(), ask("tea"), 0);
    assert!(matches!(source.expect(), Message::Echo(_)));
    servent.wait_for_log(&format!("no answer to client {}: Too many open files", nobody.address()), 1);
    servent.signal(Signal::HUP);
    servent.wait_for_log("Too many open files (os error 24); the data read before stays", 1);
    is_served(&mut client, &mut source);

    // Those it cannot take are told, one at each try. Once the others go, it takes those that still wait: more have come
    // just now than could be told meanwhile.
    let mut waiting: Vec<Peer> = (0..60).map(|_| Peer::stranger(servent.address)).collect();
    let freed = Instant::now();
    crowd.clear();
    let mut last = waiting.pop().unwrap();
    last.greet(client_role());
    eprintln!("the last of those that waited is greeted {:?} after descriptors are free", freed.elapsed());
    is_served(&mut last, &mut source);
    is_served(&mut client, &mut source);
    servent.signal(Signal::TERM);
    assert_eq!(servent.wait().code(), Some(0), "{}", servent.log.join("\n"));
}

// ---- a byte a second ----

/// Connections that each send a byte a second, until they are closed.
struct Drips {
    poller: Poller,
    drips: Vec<Option<Drip>>,
    next_byte_at: Instant,
}

struct Drip {
    stream: Watched<TcpStream>,
    bytes: Arc<[u8]>,
    sent: usize,
}

impl Drips {
    fn start() -> Drips {
        Drips { poller: Poller::new().unwrap(), drips: Vec::new(), next_byte_at: Instant::now() }
    }

    fn add(&mut self, stream: TcpStream, bytes: &Arc<[u8]>) {
        stream.set_nonblocking(true).unwrap();
        let stream = self.poller.watch(stream, self.drips.len(), Interest::Read).unwrap();
        self.drips.push(Some(Drip { stream, bytes: Arc::clone(bytes), sent: 0 }));
    }

    fn count(&self) -> usize {
        self.drips.iter().flatten().count()
    }

    /// Lets a hundredth of a second pass, in which the next byte may be due. This is the attack's own clock.
    fn drip(&mut self) {
        let mut ready = Vec::new();
        self.poller.wait(Some(Duration::from_millis(10)), &mut ready).unwrap();
        for Ready { key, .. } in ready {
            let Some(drip) = &mut self.drips[key] else { continue };
            match (&*drip.stream).read(&mut [0; 1_024]) {
                Ok(0) => self.drips[key] = None,
                Err(error) if error.kind() != ErrorKind::WouldBlock => self.drips[key] = None,
                _ => {}
            }
        }
        if self.next_byte_at <= Instant::now() {
            self.next_byte_at += Duration::from_secs(1);
            for drip in self.drips.iter_mut().flatten() {
                // One that has been closed meanwhile is noticed above.
                let _ = (&*drip.stream).write(&drip.bytes[drip.sent..][..1]);
                drip.sent += 1;
            }
        }
    }
}

#[test]
fn those_who_send_a_byte_a_second_are_closed_and_others_are_answered_all_the_while() {
    const CROWD: usize = 5_000;
    const NEIGHBORS: usize = 100;
    let _alone = alone(CROWD);
    let file = tea();
    let servent = Process::serve(&[file.path()]);
    let mut client = Peer::client(servent.address, ANSWER_PORT);
    // Neighbors that cannot end a frame echo nothing, so what is finished is told later. Answers are not kept for that.
    let mut answered_within = || {
        let asked = Instant::now();
        assert_eq!(client.first_value("tea"), b"green");
        asked.elapsed()
    };
    let mut calm: Vec<Duration> = (0..1_000).map(|_| answered_within()).collect();

    // Half of them say hello like that; others have said it, and never end what they say after it.
    let hello: Arc<[u8]> = [&PREFACE[..], &frame(&client_hello())].concat().into();
    let endless: Arc<[u8]> = [&1_000_u32.to_be_bytes()[..], &[0; 1_000]].concat().into();
    let clients = attach(servent.address, CROWD / 2 - NEIGHBORS);
    let neighbors = (0..NEIGHBORS).map(|_| Peer::neighbor(servent.address));
    let mut drips = Drips::start();
    clients.into_iter().chain(neighbors).for_each(|peer| drips.add(peer.into_stream(), &endless));
    (0..CROWD / 2).for_each(|_| drips.add(TcpStream::connect(servent.address).unwrap(), &hello));

    let (started, ticks) = (Instant::now(), servent.ticks());
    let mut during = Vec::new();
    while drips.count() > 0 {
        assert!(started.elapsed() < PATIENCE, "{} are not closed", drips.count());
        drips.drip();
        during.push(answered_within());
    }
    let (elapsed, ticks) = (started.elapsed(), servent.ticks() - ticks);
    calm.sort_unstable();
    during.sort_unstable();
    let (slowest, median) = (during[during.len() - 1], during[during.len() / 2]);
    eprintln!(
        "all closed in {elapsed:?}, {ticks} ticks; an answer took {:?} before and {median:?} meanwhile, {:?} and \
         {slowest:?} at most, of {} asked for",
        calm[calm.len() / 2],
        calm[calm.len() - 1],
        during.len(),
    );
}
