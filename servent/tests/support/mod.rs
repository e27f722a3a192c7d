//! Peers made by hand for the tests of the servent program: they say what they are told, whole or byte by byte, and
//! hear what the servent says.
//!
//! A peer decides nothing: it does not flood, echo or answer. Nothing here sleeps; [`PATIENCE`] bounds every wait, so
//! that what never comes fails a test instead of hanging it.

// Each of the test programs takes what it needs.
#![allow(dead_code)]

pub(crate) mod tp3;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::{Deref, DerefMut};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use common::address::AnswerAddress;
use common::dialect::Dialect;
use common::key::Key;
use common::limits::SILENCE_DEFAULT;
use common::link::{Link, Purpose};
use common::message::{Finished, Goodbye, Hello, Message, Request, Role, ServentId};
use common::query::{Answer, AnswerBody, Ask, Path, Query};
use common::wire::{Frame, Position};
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};
use tempfile::TempDir;
use topologies::fleet::{Servent, program};

/// The longest anything may take: long after every limit of the servent that a test waits for, on a machine with much
/// else to do, and before [`common::limits::ANSWER_IDLE_MAX`], for which none waits.
pub(crate) const PATIENCE: Duration = Duration::from_secs(50);

/// The receive buffer of those that do not read: the less the system takes in for them, the sooner the servent is
/// left with the rest.
const SMALL_BUFFER_BYTES: usize = 4 * 1024;

/// A port nobody listens on, for clients whose answers all come over the link to their contact.
pub(crate) const ANSWER_PORT: u16 = 9;

// ---- names that nobody else uses ----

/// A number no other peer of this process uses.
fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// An address on which nobody listens, on an ip of its own: its port can be given up and taken again without another
/// test getting it in between.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let [.., process_high, process_low] = std::process::id().to_be_bytes();
    let place = u8::try_from(NEXT.fetch_add(1, Ordering::Relaxed)).expect("fewer than 256 addresses in one crate");
    // 127.0.x.x is left to those who name their addresses themselves.
    let ip = Ipv4Addr::new(127, 1 + process_high % 100, process_low, place);
    TcpListener::bind((ip, 0)).and_then(|listener| listener.local_addr()).expect("a free port")
}

/// Listens on a port of 127.0.0.1 that nobody in this process had before: what is still on its way to somebody who has left
/// comes to nobody else.
pub(crate) fn listen_anew() -> TcpListener {
    static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    // Those that somebody had are kept until there is another, so that the system names others.
    let mut had = Vec::new();
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        if TAKEN.lock().unwrap().insert(listener.local_addr().unwrap().port()) {
            return listener;
        }
        had.push(listener);
    }
}

// ---- the servent ----

/// Starts a servent on a free port of 127.0.0.1 that logs what becomes of clients too. `arguments` follow the port.
pub(crate) fn serve(arguments: &[&str]) -> Servent {
    serve_on("127.0.0.1:0", arguments)
}

/// The same on an address of one's choice.
pub(crate) fn serve_on(address: &str, arguments: &[&str]) -> Servent {
    Servent::start(&[&[address], arguments, &["-v"]].concat()).unwrap()
}

/// Starts one that is to hear very many queries: it logs no line for each, among which others would be lost.
pub(crate) fn serve_many(arguments: &[&str]) -> Servent {
    Servent::start(&[&["127.0.0.1:0"], arguments].concat()).unwrap()
}

/// A servent that holds [`tea`], which is gone with it.
pub(crate) struct Holder {
    servent: Servent,
    _file: DataFile,
}

impl Deref for Holder {
    type Target = Servent;

    fn deref(&self) -> &Servent {
        &self.servent
    }
}

impl DerefMut for Holder {
    fn deref_mut(&mut self) -> &mut Servent {
        &mut self.servent
    }
}

/// Starts a servent that holds [`tea`], as [`serve`] does. `options` follow the data.
pub(crate) fn serve_tea(options: &[&str]) -> Holder {
    let file = tea();
    Holder { servent: serve(&[&[file.path()], options].concat()), _file: file }
}

/// Runs a servent that is expected to end by itself.
pub(crate) fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(program("servent").unwrap());
    command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let pid = Pid::from_child(&child);
    let (sender, ended) = channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    ended.recv_timeout(PATIENCE).map(Result::unwrap).unwrap_or_else(|_| {
        kill_process(pid, Signal::KILL).unwrap();
        panic!("`servent {}` does not end", arguments.join(" "))
    })
}

/// What a program said on stderr.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a program said on stdout.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits until the log has a line that contains `text`, early or late, and returns that line.
pub(crate) fn logged(servent: &mut Servent, text: &str) -> String {
    let so_far = servent.log_text();
    match so_far.lines().find(|line| line.contains(text)) {
        Some(line) => line.to_owned(),
        None => servent.wait_for_log(text).unwrap(),
    }
}

/// A servent under a command of one's choice, for what [`Servent`] does not show: its process id and its stdout.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<Line>,
    pub(crate) out: Vec<String>,
    pub(crate) log: Vec<String>,
    pub(crate) address: SocketAddr,
}

enum Line {
    Out(String),
    Log(String),
}

impl Process {
    /// Starts it and waits until it says on stdout where it listens.
    pub(crate) fn start(command: &mut Command) -> Process {
        Process::start_told(command, |_| {})
    }

    /// The same of one that is told something before it listens.
    pub(crate) fn start_told(command: &mut Command, tell: impl FnOnce(&Child)) -> Process {
        if !command.get_envs().any(|(name, _)| name == "RUST_LOG") {
            command.env_remove("RUST_LOG");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let (out, log) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let log_sender = sender.clone();
        thread::spawn(move || BufReader::new(out).lines().try_for_each(|line| sender.send(Line::Out(line.unwrap()))));
        thread::spawn(move || {
            BufReader::new(log).lines().try_for_each(|line| log_sender.send(Line::Log(line.unwrap())))
        });
        tell(&child);
        let mut process = Process { child, lines, out: Vec::new(), log: Vec::new(), address: ([0; 4], 0).into() };
        while process.out.is_empty() {
            process.hear();
        }
        process.address = process.out[0].strip_prefix("listening on ").unwrap().parse().unwrap();
        process
    }

    /// Starts a servent on a free port of 127.0.0.1. `arguments` follow the port.
    pub(crate) fn serve(arguments: &[&str]) -> Process {
        Process::start(Command::new(program("servent").unwrap()).arg("127.0.0.1:0").args(arguments))
    }

    /// The same for one that logs every line but those of queries: at the default level what happens often is counted, and
    /// a line for each query would slow it down.
    pub(crate) fn serve_saying_all(arguments: &[&str]) -> Process {
        let mut command = Command::new("env");
        command.arg("RUST_LOG=debug,query=off").arg(program("servent").unwrap()).arg("127.0.0.1:0").args(arguments);
        Process::start(&mut command)
    }

    /// Starts one that may have so many descriptors and no more.
    pub(crate) fn serve_with_descriptors(count: u32, arguments: &[&str]) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {count}; exec \"$0\" 127.0.0.1:0 \"$@\"")]);
        Process::start(command.arg(program("servent").unwrap()).args(arguments))
    }

    /// Waits until this many lines of its log contain `text`.
    pub(crate) fn wait_for_log(&mut self, text: &str, count: usize) {
        while self.log.iter().filter(|line| line.contains(text)).count() < count {
            self.hear();
        }
    }

    /// What it has logged by now.
    pub(crate) fn log_so_far(&mut self) -> &[String] {
        while let Ok(line) = self.lines.try_recv() {
            self.keep(line);
        }
        &self.log
    }

    /// What it has logged of all it did so far, if it says all ([`Process::serve_saying_all`]). It is told to read its data anew: the line it says then is its last.
    pub(crate) fn log_by_now(&mut self) -> &[String] {
        let is_read = |line: &&String| line.contains("] serving ");
        let count = self.log_so_far().iter().filter(is_read).count();
        self.signal(Signal::HUP);
        while self.log.iter().filter(is_read).count() == count {
            self.hear();
        }
        &self.log
    }

    /// The memory it has now, and the most it ever had, in KiB.
    pub(crate) fn resident_kib(&self) -> (u64, u64) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
        };
        (field("VmRSS:"), field("VmHWM:"))
    }

    /// The processor time it has used, in clock ticks.
    pub(crate) fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The second field is the program's name in brackets; user and system time are the 14th and 15th.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Bytes of memory it has asked for, in use or not.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Bytes of memory it has in use.
    pub(crate) fn resident_bytes(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// Its threads, by name.
    pub(crate) fn threads(&self) -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        // One that has just ended has no name any more.
        let name = |task: io::Result<fs::DirEntry>| fs::read_to_string(task.ok()?.path().join("comm")).ok();
        let mut names: Vec<String> = tasks.filter_map(name).map(|name| name.trim_end().to_owned()).collect();
        names.sort_unstable();
        names
    }

    /// Waits until it has these threads and no others.
    pub(crate) fn wait_for_threads(&self, expected: &[&str]) {
        let until = Instant::now() + PATIENCE;
        while self.threads() != expected {
            assert!(Instant::now() < until, "it has {:?} and not {expected:?}", self.threads());
            thread::yield_now();
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended and everything it said was heard.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.keep(line);
        }
        assert!(Instant::now() < until, "it does not end:\n{}", self.log.join("\n"));
        self.child.wait().unwrap()
    }

    fn hear(&mut self) {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => self.keep(line),
            Err(error) => panic!("{error}; it logged:\n{}", self.log.join("\n")),
        }
    }

    fn keep(&mut self, line: Line) {
        match line {
            Line::Out(line) => self.out.push(line),
            Line::Log(line) => self.log.push(line),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended and was waited for is left alone by `kill`.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// ---- data ----

/// A data file that is gone with this value.
pub(crate) struct DataFile {
    directory: TempDir,
    path: PathBuf,
}

impl DataFile {
    pub(crate) fn new(content: impl AsRef<[u8]>) -> DataFile {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.txt");
        fs::write(&path, content).unwrap();
        DataFile { directory, path }
    }

    /// Puts something else into the file.
    pub(crate) fn write(&self, content: impl AsRef<[u8]>) {
        fs::write(&self.path, content).unwrap();
    }

    pub(crate) fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

/// What most servents of these tests hold: tea is green.
pub(crate) fn tea() -> DataFile {
    DataFile::new("tea green\n")
}

// ---- packets that vanish ----

/// Has the system drop every packet that comes to this socket. Nothing is acknowledged or refused any more, as if the
/// machine behind it had lost its power.
fn swallow(socket: &impl AsFd) {
    try_to_swallow(socket).unwrap();
}

fn try_to_swallow(socket: &impl AsFd) -> io::Result<()> {
    const RETURN_CONSTANT: u16 = 0x06;
    SockRef::from(socket).attach_filter(&[SockFilter::new(RETURN_CONSTANT, 0, 0, 0)])
}

/// Whether this process may have packets dropped. Some systems allow it to the privileged only.
pub(crate) fn may_swallow() -> bool {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
    match try_to_swallow(&socket) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            println!("not run: this system allows a socket filter to the privileged only ({error})");
            false
        }
        Err(error) => panic!("{error}"),
    }
}

// ---- peers ----

/// The other end of a link with a servent.
pub(crate) struct Peer {
    stream: TcpStream,
    link: Link,
    /// Whether a ping is answered, and kept from the test, on its way.
    pongs: bool,
    /// The mark of the servent, once its hello was expected.
    pub(crate) mark: u64,
}

/// What a peer hears.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Message(Message),
    /// The servent has closed the connection.
    End,
}

impl Peer {
    /// Connects, and says nothing.
    pub(crate) fn stranger(to: SocketAddr) -> Peer {
        Peer::over(TcpStream::connect(to).unwrap())
    }

    /// The same from an ip of one's choice.
    pub(crate) fn stranger_from(ip: IpAddr, to: SocketAddr) -> Peer {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.bind(&SocketAddr::new(ip, 0).into()).unwrap();
        socket.connect(&to.into()).unwrap();
        Peer::over(socket.into())
    }

    /// The same for one that is not going to read much.
    pub(crate) fn deaf_stranger(to: SocketAddr) -> Peer {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.set_recv_buffer_size(SMALL_BUFFER_BYTES).unwrap();
        socket.connect(&to.into()).unwrap();
        Peer::over(socket.into())
    }

    pub(crate) fn over(stream: TcpStream) -> Peer {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        // Of all purposes the one that takes the longest frames, whatever part the peer plays.
        Peer { stream, link: Link::new(Dialect::Native, Purpose::Asking), pongs: true, mark: 0 }
    }

    /// A client attached to its contact.
    pub(crate) fn client(contact: SocketAddr, answer_port: u16) -> Peer {
        let mut peer = Peer::stranger(contact);
        peer.greet(Role::Client { answer_port });
        peer
    }

    /// A client that hears answers at this address, and asks from its ip.
    pub(crate) fn client_at(contact: SocketAddr, answers: SocketAddr) -> Peer {
        let mut peer = Peer::stranger_from(answers.ip(), contact);
        peer.greet(Role::Client { answer_port: answers.port() });
        peer
    }

    /// A servent linked with its neighbor.
    pub(crate) fn neighbor(servent: SocketAddr) -> Peer {
        let mut peer = Peer::stranger(servent);
        peer.greet(peer.as_servent());
        peer
    }

    /// A servent in its own words. It goes by the address of its connection, which no other peer has.
    pub(crate) fn as_servent(&self) -> Role {
        Role::Servent { id: ServentId(unique().into()), advertised: self.address() }
    }

    /// Says hello, and hears the servent's.
    pub(crate) fn greet(&mut self, role: Role) -> SocketAddr {
        self.say(&Message::Hello(Hello::new(role)));
        self.expect_hello()
    }

    /// Where the servent sees it.
    pub(crate) fn address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    /// The connection without the peer, which has heard all that has come by now.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// From now on pings are for the test to see, and not answered.
    pub(crate) fn fall_silent(&mut self) {
        self.pongs = false;
    }

    /// From now on its machine is gone: what comes is swallowed, and it can say no more than it does by itself.
    pub(crate) fn vanish(&self) {
        swallow(&self.stream);
    }

    // ---- to the servent ----

    pub(crate) fn say(&mut self, message: &Message) {
        self.link.send(message).unwrap();
        while !self.link.unsent().is_empty() {
            let count = self.stream.write(self.link.unsent()).unwrap();
            self.link.sent(count);
        }
    }

    /// The same where the other end may have gone meanwhile: that is heard, and no failure.
    pub(crate) fn say_to_whoever_is_there(&mut self, message: &Message) {
        self.link.send(message).unwrap();
        while !self.link.unsent().is_empty() {
            match self.stream.write(self.link.unsent()) {
                Ok(count) => self.link.sent(count),
                Err(error) if [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&error.kind()) => {
                    self.link.sent(self.link.unsent().len());
                }
                Err(error) => panic!("nothing can be said: {error}"),
            }
        }
    }

    /// Says what is not for a [`Link`] to say.
    pub(crate) fn say_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Says a message in pieces of one byte.
    pub(crate) fn say_byte_by_byte(&mut self, message: &Message) {
        self.link.send(message).unwrap();
        while let Some(byte) = self.link.unsent().first() {
            self.stream.write_all(&[*byte]).unwrap();
            self.link.sent(1);
        }
    }

    /// Asks as a client does, and returns the sequence.
    pub(crate) fn request(&mut self, ask: Ask) -> u64 {
        let sequence = unique();
        self.say(&Message::Request(Request { sequence, ask }));
        sequence
    }

    /// Passes a query on as a servent does that is the contact of `client`.
    pub(crate) fn pass_on(&mut self, client: SocketAddr, ask: Ask, ttl: u8) -> Query {
        let query = query(client, ask, ttl);
        self.say(&Message::query(query.clone()));
        query
    }

    // ---- from the servent ----

    /// Takes in what has come so far, as much as fits one read, to be heard later.
    pub(crate) fn take_in(&mut self) {
        let mut bytes = [0; 64 * 1024];
        self.stream.set_nonblocking(true).unwrap();
        if let Ok(count) = self.stream.read(&mut bytes) {
            self.link.receive(&bytes[..count]);
        }
        self.stream.set_nonblocking(false).unwrap();
    }

    /// What comes next. Pings are answered on the way.
    pub(crate) fn hear(&mut self) -> Heard {
        let mut bytes = [0; 64 * 1024];
        let until = Instant::now() + PATIENCE;
        loop {
            match self.link.next_message().unwrap() {
                Some(Message::Ping) if self.pongs => {
                    // Pings alone would go on for ever.
                    assert!(Instant::now() < until, "nothing to hear but pings");
                    // It may be an old one, of somebody who has gone since.
                    self.say_to_whoever_is_there(&Message::Pong);
                }
                Some(message) => return Heard::Message(message),
                None => match self.stream.read(&mut bytes) {
                    Ok(0) => return Heard::End,
                    Ok(count) => self.link.receive(&bytes[..count]),
                    // A read that may time out is interrupted whenever this process is stopped and goes on.
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    // What we sent and the servent did not read turns the end into a reset.
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => return Heard::End,
                    Err(error) => panic!("nothing to hear: {error}"),
                },
            }
        }
    }

    pub(crate) fn expect(&mut self) -> Message {
        match self.hear() {
            Heard::Message(message) => message,
            Heard::End => panic!("the servent closed the connection"),
        }
    }

    /// The advertised address in the servent's hello.
    pub(crate) fn expect_hello(&mut self) -> SocketAddr {
        match self.expect() {
            Message::Hello(Hello { role: Role::Servent { id, advertised }, .. }) => {
                self.mark = id.mark();
                advertised
            }
            message => panic!("{message:?} and no hello of a servent"),
        }
    }

    pub(crate) fn expect_query(&mut self) -> Query {
        match self.expect() {
            Message::Query(query) => Arc::unwrap_or_clone(query),
            message => panic!("{message:?} and no query"),
        }
    }

    pub(crate) fn expect_answer(&mut self) -> Answer {
        match self.expect() {
            Message::Answer(answer) => answer,
            message => panic!("{message:?} and no answer"),
        }
    }

    pub(crate) fn expect_finished(&mut self) -> Finished {
        match self.expect() {
            Message::Finished(finished) => finished,
            message => panic!("{message:?} and no finished"),
        }
    }

    /// Last words, and nothing after them.
    pub(crate) fn expect_goodbye(&mut self, farewell: Goodbye) {
        assert_eq!(self.hear(), Heard::Message(Message::Goodbye(farewell)));
        self.expect_end();
    }

    pub(crate) fn expect_end(&mut self) {
        assert_eq!(self.hear(), Heard::End);
    }

    /// Hears whatever is still to come, and the end.
    pub(crate) fn hear_out(&mut self) {
        let until = Instant::now() + PATIENCE;
        while self.hear() != Heard::End {
            assert!(Instant::now() < until, "there is no end");
        }
    }

    /// Everything the servent still sends, as bytes, until it closes the connection.
    pub(crate) fn bytes_until_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("no end: {error}"),
            _ => bytes,
        }
    }

    /// Says one more byte of `bytes` whenever nothing was heard for `pause`, until the servent says something.
    pub(crate) fn drip_until_heard(&mut self, bytes: &[u8], pause: Duration) -> Heard {
        self.stream.set_read_timeout(Some(pause)).unwrap();
        for byte in bytes {
            self.say_bytes(&[*byte]);
            let nothing = [ErrorKind::WouldBlock, ErrorKind::TimedOut, ErrorKind::Interrupted];
            match self.stream.peek(&mut [0]) {
                Err(error) if nothing.contains(&error.kind()) => {}
                _ => break,
            }
        }
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        self.hear()
    }

    // ---- as a client ----

    /// Asks for a key, and returns the values that come over this link until the contact says it has finished.
    pub(crate) fn values(&mut self, key: impl AsRef<[u8]>) -> Vec<Vec<u8>> {
        let sequence = self.request(ask(key));
        let mut values = Vec::new();
        loop {
            match self.expect() {
                Message::Answer(Answer { sequence: answered, body: AnswerBody::Value(value), .. }) => {
                    assert_eq!(answered, sequence);
                    values.push(value);
                }
                Message::Finished(finished) => {
                    assert_eq!(finished.sequence, sequence);
                    return values;
                }
                message => panic!("an unexpected {message:?}"),
            }
        }
    }

    /// Asks for a key, and returns the first value that comes, whatever else is still to come.
    pub(crate) fn first_value(&mut self, key: impl AsRef<[u8]>) -> Vec<u8> {
        let sequence = self.request(ask(key));
        loop {
            match self.expect() {
                Message::Answer(Answer { sequence: answered, body: AnswerBody::Value(value), .. })
                    if answered == sequence =>
                {
                    return value;
                }
                // Of what was asked before.
                Message::Answer(_) | Message::Finished(_) => {}
                message => panic!("an unexpected {message:?}"),
            }
        }
    }
}

/// Asks for a key.
pub(crate) fn ask(key: impl AsRef<[u8]>) -> Ask {
    Ask::Key(Key::new(key.as_ref()).unwrap())
}

/// A query as the contact of `client` would pass it on.
pub(crate) fn query(client: SocketAddr, ask: Ask, ttl: u8) -> Query {
    let client = AnswerAddress { socket: client, dialect: Dialect::Native };
    Query { sequence: unique(), client, contact: None, ttl, hops: 1, ask, path: Path::default() }
}

/// The bytes of a message, without a preface. A hello is what a peer says first.
pub(crate) fn frame(message: &Message) -> Vec<u8> {
    let position = if matches!(message, Message::Hello(_)) { Position::First } else { Position::Later };
    Frame::at(position, Dialect::Native, message).unwrap().as_bytes().to_vec()
}

/// Where a client hears answers.
pub(crate) struct AnswerPort(TcpListener);

impl AnswerPort {
    pub(crate) fn open() -> AnswerPort {
        AnswerPort::over(listen_anew())
    }

    pub(crate) fn open_at(address: SocketAddr) -> AnswerPort {
        AnswerPort::over(TcpListener::bind(address).unwrap())
    }

    fn over(listener: TcpListener) -> AnswerPort {
        // On a listener it bounds how long an accept waits.
        SockRef::from(&listener).set_read_timeout(Some(PATIENCE)).unwrap();
        AnswerPort(listener)
    }

    /// The answer port of one that is not going to read much.
    pub(crate) fn open_deaf() -> AnswerPort {
        let port = AnswerPort::open();
        // Connections inherit it.
        SockRef::from(&port.0).set_recv_buffer_size(SMALL_BUFFER_BYTES).unwrap();
        port
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// From now on it is dark: whoever connects hears nothing, neither yes nor no.
    pub(crate) fn swallow(&self) {
        swallow(&self.0);
    }

    /// The next servent that connects; nothing has been said to it.
    pub(crate) fn accept(&self) -> Peer {
        let (stream, _) = self.0.accept().unwrap();
        Peer::over(stream)
    }

    /// The next servent that connects, and the address it goes by in its hello.
    pub(crate) fn accept_and_greet(&self) -> (Peer, SocketAddr) {
        let mut peer = self.accept();
        let from = peer.greet(Role::Client { answer_port: self.address().port() });
        (peer, from)
    }

    /// That nobody is waiting to be accepted.
    pub(crate) fn expect_nobody(&self) {
        self.0.set_nonblocking(true).unwrap();
        assert_eq!(self.0.accept().map_err(|error| error.kind()).err(), Some(ErrorKind::WouldBlock));
        self.0.set_nonblocking(false).unwrap();
    }
}

impl Drop for AnswerPort {
    fn drop(&mut self) {
        // Dropping the socket is not enough: a process that another test is just starting may hold it open for a moment.
        let _ = SockRef::from(&self.0).shutdown(Shutdown::Both);
    }
}

// ---- under attack ----

/// Somebody who says one thing after the other as fast as it is taken, and hears only how much is said to it.
pub(crate) struct Attack {
    stop: Arc<AtomicBool>,
    heard: Arc<AtomicU64>,
    stream: TcpStream,
    said: JoinHandle<u64>,
}

impl Attack {
    /// Greets in this role, and says whatever `next` makes of the numbers from 0.
    pub(crate) fn start(to: SocketAddr, as_client: bool, next: impl Fn(u64) -> Message + Send + 'static) -> Attack {
        let mut peer = Peer::stranger(to);
        let client = Role::Client { answer_port: 9 };
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
    pub(crate) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// Ends it, and says how many messages it was.
    pub(crate) fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        // It may be waiting to be read; the servent may have closed it already.
        let _ = self.stream.shutdown(Shutdown::Both);
        self.said.join().unwrap()
    }
}

/// An honest client that asks for `tea` and must hear it from so many servents other than its contact, every time.
pub(crate) struct Honest {
    client: Peer,
    links: Vec<Peer>,
    waits: Vec<Duration>,
}

impl Honest {
    pub(crate) fn new(contact: SocketAddr, holders_count: usize) -> Honest {
        let port = AnswerPort::open();
        let mut client = Peer::client(contact, port.address().port());
        client.request(ask("tea"));
        let mut links: Vec<Peer> = (0..holders_count).map(|_| port.accept_and_greet().0).collect();
        links.iter_mut().for_each(|link| drop(link.expect_answer()));
        client.expect_finished();
        Honest { client, links, waits: Vec::new() }
    }

    /// Asks once, and hears every answer.
    pub(crate) fn ask(&mut self) {
        let start = Instant::now();
        let sequence = self.client.request(ask("tea"));
        for link in &mut self.links {
            assert_eq!(link.expect_answer().sequence, sequence);
        }
        self.waits.push(start.elapsed());
    }

    /// Says how long its answers took, and how many came when our client would have given up. That depends on what else
    /// the machine does, so it is for a person to judge; that each came is tested.
    pub(crate) fn report(mut self, what: &str) {
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
