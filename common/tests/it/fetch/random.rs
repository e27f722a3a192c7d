//! A small world of holders, links and a disk, drawn by a seed: some holders lie, each in a way of its own, some die, fall silent
//! or are busy, and the file may have been begun. At every event: nothing false is written and nothing twice, what is held and
//! asked for is within its limits, and nobody is called a liar who is none. If a holder that stays has all, all arrives.
//!
//! `FETCH_SEEDS=7..8` runs one seed, `FETCH_SEEDS=0..20000` more than usual.

use std::collections::VecDeque;

use super::*;
use common::fetch::CHECKING_MAX;
use sim::random::Random;

/// How many seeds are run where nobody says how many.
const SEEDS: std::ops::Range<u64> = 0..400;
const EVENTS_MAX: u64 = 60_000;

/// What is the matter with a holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Nothing: it stays, and has all.
    None,
    /// It has some blocks alone.
    Partial,
    /// Nobody can connect.
    Undialled,
    /// Nobody hears whether somebody could.
    DialHangs,
    /// It is too busy, so many times.
    Busy(u8),
    Gone,
    /// The file is changed after so many messages.
    Changes(u32),
    /// Its link is lost after so many, and it is dead.
    Dies(u32),
    /// The same, and it is not.
    Drops(u32),
    /// It says nothing after so many messages.
    FallsSilent(u32),
    /// After so many it takes longer than anybody waits for, once.
    Halts(u32),
    /// The others are lies. This block is changed.
    FalseBlock(u32),
    ShortBlock(u32),
    LongBlock(u32),
    /// It comes twice.
    Twice(u32),
    /// Another comes for it.
    OtherBlock(u32),
    FalseHashes,
    ShortPart,
    /// A size that is not the true one, with hashes that come to the root if there are such.
    FalseSize(u64),
    FalseHave,
    OtherFetch,
    Babbles,
    OpensTwice,
}

impl Trouble {
    fn is_lie(self) -> bool {
        !matches!(
            self,
            Trouble::None
                | Trouble::Partial
                | Trouble::Undialled
                | Trouble::DialHangs
                | Trouble::Busy(_)
                | Trouble::Gone
                | Trouble::Changes(_)
                | Trouble::Dies(_)
                | Trouble::Drops(_)
                | Trouble::FallsSilent(_)
                | Trouble::Halts(_)
        )
    }

    fn drawn(random: &mut Random, content: &Content) -> Trouble {
        let count = u64::from(content.count());
        let block = |random: &mut Random| u32::try_from(random.below(count)).unwrap();
        // At the beginning, half-way, or with a few messages to go.
        let messages = |random: &mut Random| {
            let percent = [1, 10, 50, 90, 99][random.index(5)];
            u32::try_from(count * percent / 100 + random.below(4)).unwrap()
        };
        match random.below(23) {
            0 => Trouble::Partial,
            1 => Trouble::Undialled,
            2 => Trouble::DialHangs,
            3 => Trouble::Busy(u8::try_from(random.within(1, 4)).unwrap()),
            4 => Trouble::Gone,
            5 => Trouble::Changes(messages(random)),
            6 => Trouble::Dies(messages(random)),
            7 => Trouble::Drops(messages(random)),
            8 => Trouble::FallsSilent(messages(random)),
            9 => Trouble::Halts(messages(random)),
            10 => Trouble::FalseBlock(block(random)),
            11 => Trouble::ShortBlock(block(random)),
            12 => Trouble::LongBlock(block(random)),
            13 => Trouble::Twice(block(random)),
            14 => Trouble::OtherBlock(block(random)),
            15 => Trouble::FalseHashes,
            16 => Trouble::ShortPart,
            17..20 => Trouble::FalseSize(false_size(random, content)),
            20 => Trouble::FalseHave,
            21 => Trouble::OtherFetch,
            _ => [Trouble::Babbles, Trouble::OpensTwice][random.index(2)],
        }
    }
}

fn false_size(random: &mut Random, content: &Content) -> u64 {
    let (size, block) = (content.size(), BLOCK as u64);
    let choices = [
        size + 1,
        size.saturating_sub(1),
        size.next_multiple_of(block),
        size / 2,
        size * 2,
        random.below(size + 2),
        block * random.within(1, u64::from(content.count())),
        0,
        CONTENT_BYTES_MAX + 1,
    ];
    let choice = choices[random.index(choices.len())];
    if choice == size { size + 1 } else { choice }
}

#[derive(Debug)]
struct WorldHolder {
    trouble: Trouble,
    /// What it says to have, whether that is true or not.
    size: u64,
    have: Have,
    /// How long each of its messages takes.
    pace: Duration,
    said_count: u32,
    is_dead: bool,
    has_halted: bool,
    /// Whether it is told of from the beginning, or only when it is asked again.
    is_early: bool,
}

#[derive(Debug)]
struct WorldLink {
    holder: usize,
    fetch: u32,
    /// What is to be said, each with the moment from which on it may.
    free_at: Time,
    blocks_asked: VecDeque<u32>,
    hashes_asked: usize,
    is_open: bool,
}

#[derive(Debug)]
enum Event {
    Tell(Input),
    Dialled(HolderDial, usize),
    Say(LinkId, FromHolder),
    Lose(LinkId),
    Announce,
}

struct World {
    random: Random,
    content: Content,
    holders: Vec<WorldHolder>,
    links: BTreeMap<LinkId, WorldLink>,
    mind: ContentFetch,
    now: Time,
    events: BTreeMap<(Time, u64), Event>,
    events_count: u64,
    links_count: u64,
    /// What is in the place of each block in the file.
    file: Vec<Option<Vec<u8>>>,
    was_good: BTreeSet<u32>,
    written: BTreeSet<u32>,
    /// Blocks on their way into the file, and in the end who gave which.
    writing_bytes: usize,
    given_by: BTreeMap<u32, SocketAddr>,
    checking: u32,
    /// Whether hashes were kept before, and how often they were wanted kept.
    were_kept: bool,
    kept_count: u32,
    seen_liars: BTreeSet<SocketAddr>,
    ended: Option<FetchEnded>,
}

fn at(holder: usize) -> SocketAddr {
    address(u8::try_from(holder + 1).unwrap())
}

impl World {
    fn new(seed: u64) -> World {
        let mut random = Random::of(seed, 1);
        let sizes = [0, 1, BLOCK, BLOCK + 1, 2 * BLOCK, 5 * BLOCK + 7, 8 * BLOCK, 33 * BLOCK + 1, 129 * BLOCK];
        let drawn = random.index(12 * BLOCK);
        let size = *sizes.get(random.index(sizes.len() + 4)).unwrap_or(&drawn);
        let content = Content::new(size);
        let count = content.count();
        let honest = random.chance(70);
        let holders_count = random.within(1, 6);
        let mut holders: Vec<WorldHolder> = (0..holders_count)
            .map(|number| {
                let is_first_honest = honest && number == 0;
                let trouble = if is_first_honest || random.chance(15) {
                    Trouble::None
                } else {
                    Trouble::drawn(&mut random, &content)
                };
                let size = if let Trouble::FalseSize(size) = trouble { size } else { content.size() };
                let claimed = Blocks::of(size).map_or(1, Blocks::count);
                let have = match trouble {
                    Trouble::FalseHave => Have::all(claimed + 1),
                    Trouble::Partial => {
                        let first = u32::try_from(random.below(u64::from(count))).unwrap();
                        Have::Runs(vec![(first, 1 + u32::try_from(random.below(u64::from(count - first))).unwrap())])
                    }
                    _ => Have::all(claimed),
                };
                let slowest = [2, 20, 600, 2_500][random.index(4)];
                let pace = random.duration(Duration::from_millis(slowest));
                let (is_early, is_dead, has_halted) = (random.chance(70), false, false);
                WorldHolder { trouble, size, have, pace, said_count: 0, is_dead, has_halted, is_early }
            })
            .collect();
        // The one that stays need not be the first that is heard of.
        let swap = random.index(holders.len());
        holders.swap(0, swap);
        let mut file = vec![None; count as usize];
        let (mut was_good, mut on_disk) = (BTreeSet::new(), Vec::new());
        let resumes = size > 0 && random.chance(40);
        for block in 0..if resumes { count } else { 0 } {
            let (place, bytes_count) = content.blocks().place(block).unwrap();
            match random.below(10) {
                0..5 => {
                    was_good.insert(block);
                    file[block as usize] = Some(content.block(block).to_vec());
                }
                5 => file[block as usize] = Some(vec![9; bytes_count]),
                _ => continue,
            }
            on_disk.push(place..place + bytes_count as u64);
        }
        let kept = (resumes && random.chance(50))
            .then(|| KeptHashes { size: content.size(), hashes: content.hashes.as_slice().to_vec() });
        let were_kept = kept.is_some();
        let mut out = Vec::new();
        let wanted = Wanted { kept, on_disk, ..Wanted::new(content.hash, WAIT) };
        let mind = ContentFetch::new(Time::START, wanted, &mut out);
        let mut world = World {
            random,
            content,
            holders,
            links: BTreeMap::new(),
            mind,
            now: Time::START,
            events: BTreeMap::new(),
            events_count: 0,
            links_count: 0,
            file,
            was_good,
            written: BTreeSet::new(),
            writing_bytes: 0,
            given_by: BTreeMap::new(),
            checking: 0,
            were_kept,
            kept_count: 0,
            seen_liars: BTreeSet::new(),
            ended: None,
        };
        world.perform(out);
        world.later(Duration::from_secs(1), Event::Tell(Input::Asked));
        for holder in 0..world.holders.len() {
            if world.holders[holder].is_early {
                let delay = world.random.duration(Duration::from_secs(1));
                let have = world.announced(holder);
                world.later(delay, Event::Tell(Input::Holder { address: at(holder), have }));
            }
        }
        world
    }

    /// What is told of a holder by others: all, some of the time more than it has.
    fn announced(&mut self, holder: usize) -> Have {
        match self.random.below(10) {
            0 => Have::Partly,
            1 => Have::all(self.content.count()),
            _ => self.holders[holder].have.clone(),
        }
    }

    fn later(&mut self, delay: Duration, event: Event) {
        self.events_count += 1;
        self.events.insert((self.now + delay, self.events_count), event);
    }

    fn run(&mut self) {
        let mut steps = 0;
        while self.ended.is_none() {
            steps += 1;
            assert!(steps < EVENTS_MAX, "it does not end");
            let next = self.events.keys().next().copied();
            let deadline = self.mind.deadline();
            match (next, deadline) {
                (Some((time, _)), deadline) if deadline.is_none_or(|deadline| time <= deadline) => {
                    self.now = self.now.max(time);
                    let event = self.events.remove(&next.unwrap()).unwrap();
                    self.happen(event);
                }
                (_, Some(deadline)) => {
                    assert!(deadline >= self.now);
                    self.now = deadline;
                    self.tell(Input::Deadline);
                    let next = self.mind.deadline();
                    assert!(next.is_none_or(|next| next > deadline), "a deadline that has come is another");
                }
                (Some(_), None) => unreachable!(),
                (None, None) => panic!("nothing goes on, and it is not over"),
            }
        }
        self.judge_the_end();
    }

    fn tell(&mut self, input: Input) {
        let mut out = Vec::new();
        self.mind.handle(self.now, input, &mut out);
        assert!(out.len() < CHECKING_MAX as usize + 300, "{} outputs at once", out.len());
        self.perform(out);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Tell(input) => {
                if let Input::Written { block } = &input {
                    self.writing_bytes -= self.content.block(*block).len();
                }
                if let Input::Checked { hashes, .. } = &input {
                    self.checking -= u32::try_from(hashes.len()).unwrap();
                }
                self.tell(input);
            }
            Event::Dialled(dial, holder) => {
                if self.holders[holder].is_dead {
                    self.tell(Input::DialFailed { dial, reason: "refused".to_owned() });
                    return;
                }
                self.links_count += 1;
                let link = LinkId(self.links_count);
                let row = WorldLink {
                    holder,
                    fetch: u32::MAX,
                    free_at: self.now,
                    blocks_asked: VecDeque::new(),
                    hashes_asked: 0,
                    is_open: true,
                };
                self.links.insert(link, row);
                self.tell(Input::Dialled { dial, link });
            }
            Event::Say(link, said) => {
                let Some(row) = self.links.get_mut(&link).filter(|row| row.is_open) else { return };
                let holder = row.holder;
                match &said {
                    FromHolder::Block(_) => drop(row.blocks_asked.pop_front()),
                    FromHolder::HashPart(_) => row.hashes_asked -= usize::from(row.hashes_asked > 0),
                    _ => {}
                }
                if let FromHolder::Block(Block { block, .. }) = &said
                    && !self.given_by.contains_key(block)
                {
                    let block = *block;
                    let before = self.written.len();
                    self.tell(Input::Received { link, said });
                    if self.written.len() > before {
                        self.given_by.insert(block, at(holder));
                    }
                    return;
                }
                if self.random.chance(10) {
                    self.tell(Input::Heard { link });
                }
                self.tell(Input::Received { link, said });
            }
            Event::Lose(link) => {
                if let Some(row) = self.links.get_mut(&link).filter(|row| row.is_open) {
                    row.is_open = false;
                    self.tell(Input::Closed { link, reason: "reset".to_owned() });
                }
            }
            Event::Announce => {
                for holder in 0..self.holders.len() {
                    if !self.holders[holder].is_dead {
                        let have = self.announced(holder);
                        self.tell(Input::Holder { address: at(holder), have });
                    }
                }
                self.tell(Input::Asked);
            }
        }
    }

    fn perform(&mut self, out: Vec<Output>) {
        for output in out {
            assert!(self.ended.is_none(), "{output:?} behind the end");
            match output {
                Output::Dial { dial, address } => self.on_dial(dial, address),
                Output::Send { link, message } => self.on_send(link, message),
                Output::Close { link } => {
                    let row = self.links.get_mut(&link).unwrap();
                    assert!(std::mem::take(&mut row.is_open), "{link} is closed twice");
                }
                Output::Write { block, at, bytes } => {
                    assert_eq!(self.content.blocks().place(block), Some((at, bytes.len())), "block {block}");
                    assert!(bytes == self.content.block(block), "a false block {block} is written");
                    assert!(self.written.insert(block), "block {block} is written twice");
                    assert!(!self.was_good.contains(&block), "block {block} was here");
                    self.writing_bytes += bytes.len();
                    assert!(self.writing_bytes <= BLOCKS_HELD_BYTES_MAX, "{} bytes are held", self.writing_bytes);
                    self.file[block as usize] = Some(bytes);
                    let slowest = [1, 10, 1_000][self.random.index(3)];
                    let delay = self.random.duration(Duration::from_millis(slowest));
                    self.later(delay, Event::Tell(Input::Written { block }));
                }
                Output::Check { blocks, first, count } => {
                    self.checking += count;
                    assert!(self.checking <= CHECKING_MAX);
                    let hash = |block: u32| {
                        let bytes = self.file.get(block as usize)?.as_ref()?;
                        block_hash(blocks, block, bytes)
                    };
                    let hashes: Vec<_> = (first..first + count).map(hash).collect();
                    let pieces = self.random.index(hashes.len()) + 1;
                    let mut begin = first;
                    let mut delay = Duration::ZERO;
                    for piece in hashes.chunks(pieces) {
                        delay += self.random.duration(Duration::from_millis(50));
                        let checked = Input::Checked { blocks, first: begin, hashes: piece.to_vec() };
                        self.later(delay, Event::Tell(checked));
                        begin += u32::try_from(piece.len()).unwrap();
                    }
                }
                Output::KeepHashes(hashes) => {
                    self.kept_count += 1;
                    assert_eq!(self.kept_count, 1, "hashes are proved once");
                    assert_eq!(*hashes, self.content.hashes);
                }
                Output::AskAgain => {
                    let delay = self.random.duration(Duration::from_millis(500));
                    self.later(delay, Event::Announce);
                }
                Output::Tell(FetchReport::KeptIsFalse) => panic!("what is kept is true"),
                Output::Tell(FetchReport::Proved(blocks)) => assert_eq!(blocks, self.content.blocks()),
                Output::Tell(FetchReport::Holder { address, news }) => self.on_news(address, &news),
                Output::Tell(FetchReport::Ended(ended)) => self.ended = Some(ended),
            }
        }
        let asked = self.links.values().filter(|row| row.is_open);
        for row in asked {
            let bytes: usize = row.blocks_asked.iter().map(|_| BLOCK).sum();
            assert!(bytes <= BLOCKS_ASKED_BYTES_MAX, "{bytes} bytes are asked for");
            assert!(row.hashes_asked <= HASH_PARTS_ASKED_MAX);
        }
    }

    fn on_news(&mut self, address: SocketAddr, news: &HolderNews) {
        let holder = (0..self.holders.len()).find(|holder| at(*holder) == address).unwrap();
        let trouble = self.holders[holder].trouble;
        assert!(!self.seen_liars.contains(&address), "{address}, a liar, is {news:?} again");
        if let HolderNews::Dropped(why) = news
            && why.is_false()
        {
            assert!(trouble.is_lie(), "{trouble:?} is said to lie: {why}");
            self.seen_liars.insert(address);
        }
    }

    fn on_dial(&mut self, dial: HolderDial, address: SocketAddr) {
        let holder = (0..self.holders.len()).find(|holder| at(*holder) == address).unwrap();
        assert!(!self.seen_liars.contains(&address), "a liar is dialled");
        let open = self.links.values().filter(|row| row.is_open && row.holder == holder);
        assert_eq!(open.count(), 0, "there is a link to {address}");
        let delay = self.random.duration(Duration::from_millis(300));
        match self.holders[holder].trouble {
            Trouble::Undialled => {
                self.later(delay, Event::Tell(Input::DialFailed { dial, reason: "refused".to_owned() }));
            }
            // A shell gives up as well, and late.
            Trouble::DialHangs => {
                let reason = "it takes too long".to_owned();
                self.later(Duration::from_secs(20), Event::Tell(Input::DialFailed { dial, reason }));
            }
            _ => self.later(delay, Event::Dialled(dial, holder)),
        }
    }

    fn on_send(&mut self, link: LinkId, message: ToHolder) {
        let row = self.links.get_mut(&link).unwrap();
        assert!(row.is_open, "{message:?} on a link that is closed");
        let holder = row.holder;
        match message {
            ToHolder::Open(Open { fetch, hash }) => {
                assert_eq!((hash, row.fetch), (self.content.hash, u32::MAX));
                row.fetch = fetch;
                self.say_opened(link, holder, fetch);
            }
            ToHolder::HashesWanted(HashesWanted { fetch, first, count }) => {
                assert!(fetch == row.fetch && count > 0 && count <= HASHES_MAX);
                row.hashes_asked += 1;
                let list = list_under(&self.content, self.holders[holder].size);
                let mut hashes = list[first as usize..][..count as usize].to_vec();
                match self.holders[holder].trouble {
                    Trouble::FalseHashes => hashes[0][0] ^= 1,
                    Trouble::ShortPart => drop(hashes.pop()),
                    _ => {}
                }
                self.say(link, FromHolder::HashPart(HashPart { fetch, first, hashes }));
            }
            ToHolder::BlocksWanted(BlocksWanted { fetch, first, count }) => {
                assert!(fetch == row.fetch && count > 0 && count <= BLOCKS_WANTED_MAX);
                let have = &self.holders[holder].have;
                for block in first..first + count {
                    assert!(have.may_include(block), "{block} is not there");
                    assert!(!row.blocks_asked.contains(&block), "{block} is asked for twice");
                    row.blocks_asked.push_back(block);
                }
                for block in first..first + count {
                    self.say_block(link, holder, fetch, block);
                }
            }
        }
    }

    fn say_opened(&mut self, link: LinkId, holder: usize, fetch: u32) {
        let WorldHolder { trouble, size, have, .. } = &mut self.holders[holder];
        let refuse = |refusal| FromHolder::Refused(Refused { fetch, refusal });
        let opened = FromHolder::Opened(Opened { fetch, size: *size, have: have.clone() });
        match trouble {
            Trouble::Busy(times) if *times > 0 => {
                *times -= 1;
                self.say(link, refuse(Refusal::Busy));
            }
            Trouble::Gone => self.say(link, refuse(Refusal::Gone)),
            Trouble::OtherFetch => {
                let opened = Opened { fetch: fetch + 1, size: *size, have: have.clone() };
                self.say(link, FromHolder::Opened(opened));
            }
            Trouble::OpensTwice => {
                self.say(link, opened.clone());
                self.say(link, opened);
            }
            Trouble::Babbles => {
                self.say(link, opened);
                self.say(link, FromHolder::Other("finished"));
            }
            _ => self.say(link, opened),
        }
    }

    fn say_block(&mut self, link: LinkId, holder: usize, fetch: u32, block: u32) {
        let WorldHolder { trouble, size, .. } = self.holders[holder];
        let (at, bytes_count) = Blocks::of(size).unwrap().place(block).unwrap();
        // Of a size that is not the true one it has what is there, and invents the rest.
        let there = usize::try_from(at).ok().and_then(|at| self.content.bytes.get(at..)).unwrap_or_default();
        let mut bytes = there[..there.len().min(bytes_count)].to_vec();
        bytes.resize(bytes_count, 0);
        let mut said = block;
        match trouble {
            Trouble::FalseBlock(lie) if lie == block && !bytes.is_empty() => bytes[0] ^= 1,
            Trouble::ShortBlock(lie) if lie == block => drop(bytes.pop()),
            Trouble::LongBlock(lie) if lie == block => bytes.push(0),
            Trouble::OtherBlock(lie) if lie == block => said += 1,
            _ => {}
        }
        let message = FromHolder::Block(Block { fetch, block: said, bytes });
        if trouble == Trouble::Twice(block) {
            self.say(link, message.clone());
        }
        self.say(link, message);
    }

    /// Puts a message behind those that this holder says on this link, unless something befalls it.
    fn say(&mut self, link: LinkId, message: FromHolder) {
        let latency = self.random.duration(Duration::from_millis(40));
        let Some(row) = self.links.get_mut(&link) else { return };
        let holder = &mut self.holders[row.holder];
        holder.said_count += 1;
        row.free_at = row.free_at.max(self.now) + holder.pace;
        match holder.trouble {
            Trouble::FallsSilent(after) if holder.said_count > after => return,
            Trouble::Halts(after) if holder.said_count > after && !holder.has_halted => {
                holder.has_halted = true;
                row.free_at = row.free_at + Duration::from_millis(self.random.within(3_000, 9_000));
            }
            _ => {}
        }
        let delay = row.free_at.since(self.now) + latency;
        row.free_at = self.now + delay;
        let fetch = row.fetch;
        match holder.trouble {
            Trouble::Dies(after) | Trouble::Drops(after) if holder.said_count > after => {
                holder.is_dead = matches!(holder.trouble, Trouble::Dies(_));
                holder.said_count = 0;
                self.later(delay, Event::Lose(link));
            }
            Trouble::Changes(after) if holder.said_count > after => {
                let refused = FromHolder::Refused(Refused { fetch, refusal: Refusal::Changed });
                self.later(delay, Event::Say(link, refused));
            }
            _ => self.later(delay, Event::Say(link, message)),
        }
    }

    fn judge_the_end(&self) {
        let FetchEnded { end, sources, wasted_bytes } = self.ended.as_ref().unwrap();
        let progress = self.mind.progress();
        assert!(*wasted_bytes <= progress.came_bytes);
        assert!(self.links.values().all(|row| !row.is_open), "a link is left");
        assert_eq!(self.mind.deadline(), None);
        let mut next = 0;
        for SourceRun { source, first, count } in sources {
            assert_eq!((*first, *count > 0), (next, true), "{sources:?}");
            next = first + count;
            for block in *first..next {
                match source {
                    BlockSource::Holder(address) => assert_eq!(self.given_by.get(&block), Some(address), "{block}"),
                    BlockSource::Disk => assert!(self.was_good.contains(&block), "{block}"),
                    BlockSource::Nobody => assert!(!self.written.contains(&block), "{block}"),
                }
            }
        }
        let stays = |holder: &WorldHolder| holder.trouble == Trouble::None;
        if self.holders.iter().any(stays) || *end == FetchEnd::Done {
            assert_eq!(*end, FetchEnd::Done);
            assert_eq!(next, self.content.count());
            assert!(sources.iter().all(|run| run.source != BlockSource::Nobody));
            for block in 0..self.content.count() {
                assert_eq!(self.file[block as usize].as_deref(), Some(self.content.block(block)), "{block}");
            }
            assert!(self.were_kept || self.kept_count == 1, "hashes are kept");
        }
    }
}

// Which seeds are run is for whoever runs the test, and what came of them too.
#[allow(clippy::disallowed_methods, clippy::disallowed_macros)]
#[test]
fn whatever_befalls_holders_nothing_false_is_written_and_all_arrives_if_one_stays() {
    let seeds = std::env::var("FETCH_SEEDS").map_or(SEEDS, |text| {
        let (first, end) = text.split_once("..").expect("a range of seeds");
        first.parse().unwrap()..end.parse().unwrap()
    });
    let (mut done, mut missing, mut lies) = (0, 0, 0);
    for seed in seeds {
        let run = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            world.run();
            (world.ended.unwrap().end, world.seen_liars.len())
        });
        let Ok((end, liars)) = run else { panic!("FETCH_SEEDS={seed}..{}", seed + 1) };
        lies += liars;
        if end == FetchEnd::Done { done += 1 } else { missing += 1 }
    }
    println!("{done} done, {missing} missing, {lies} liars named");
    assert!(done > 0, "nothing was fetched");
}
