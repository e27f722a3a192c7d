//! The mind that fetches a content, at its doors: what it asks of whom, what it believes, what is written, and when it is over.
//!
//! Inputs go in, outputs come out, by hand; in `random` a small world of holders and a disk does both, by a seed.

mod blame;
mod holders;
mod limits;
mod random;
mod resume;
mod sizes;

use super::*;
use common::content::block_hashes::{BlockHashes, ContentHasher, block_hash};
use common::content::transfer::{Block, BlocksWanted, HashPart, HashesWanted, Have, Open, Opened, Refusal, Refused};
use common::content::{Blocks, ContentHash};
use common::fetch::{
    BlockSource, ContentFetch, FetchEnd, FetchEnded, FetchReport, FromHolder, HolderDial, HolderNews, Input,
    KeptHashes, Output, SourceRun, ToHolder, Wanted, WhyDropped,
};

const BLOCK: usize = BLOCK_BYTES_MIN;
const WAIT: Duration = HOLDERS_WAIT_DEFAULT;
/// One whose address has this number is first.
const FIRST: u8 = 1;
const SECOND: u8 = 2;

/// A content whose bytes are there.
struct Content {
    bytes: Vec<u8>,
    hash: ContentHash,
    hashes: BlockHashes,
}

impl Content {
    fn new(size: usize) -> Content {
        let bytes: Vec<u8> = (0..=250).cycle().take(size).collect();
        let mut hasher = ContentHasher::new(Blocks::of(size as u64).unwrap());
        hasher.update(&bytes).unwrap();
        let hashed = hasher.finish().unwrap();
        Content { bytes, hash: hashed.hash, hashes: hashed.hashes }
    }

    fn blocks(&self) -> Blocks {
        self.hashes.blocks()
    }

    fn count(&self) -> u32 {
        self.blocks().count()
    }

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn block(&self, block: u32) -> &[u8] {
        let (at, bytes_count) = self.blocks().place(block).unwrap();
        &self.bytes[usize::try_from(at).unwrap()..][..bytes_count]
    }

    fn hashes(&self, first: u32, count: u32) -> Vec<[u8; 32]> {
        self.hashes.as_slice()[first as usize..][..count as usize].to_vec()
    }
}

fn address(number: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(10, 0, 0, number), 9000))
}

/// The mind, and what somebody who drives it by hand keeps in view.
struct Hand {
    mind: ContentFetch,
    now: Time,
    /// What came out and was not looked at.
    out: Vec<Output>,
    links_count: u64,
}

/// A link to a holder, and the number of the fetch there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct There {
    link: LinkId,
    fetch: u32,
}

impl Hand {
    fn new(content: &Content) -> Hand {
        Hand::wanting(Wanted::new(content.hash, WAIT))
    }

    fn wanting(wanted: Wanted) -> Hand {
        let mut out = Vec::new();
        let mind = ContentFetch::new(Time::START, wanted, &mut out);
        let mut hand = Hand { mind, now: Time::START, out, links_count: 0 };
        hand.handle(Input::Asked);
        hand
    }

    /// Whoever is asked who has the content says nothing but what the test says.
    fn handle(&mut self, input: Input) {
        let before = self.out.len();
        self.mind.handle(self.now, input, &mut self.out);
        if self.out[before..].contains(&Output::AskAgain) {
            self.handle(Input::Asked);
        }
    }

    fn tell(&mut self, input: Input) -> Vec<Output> {
        self.handle(input);
        self.look()
    }

    fn look(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.out)
    }

    /// Time goes by, and at each moment the mind wants to hear of it does.
    fn pass(&mut self, time: Duration) -> Vec<Output> {
        let end = self.now + time;
        while let Some(deadline) = self.mind.deadline().filter(|deadline| *deadline <= end) {
            assert!(deadline >= self.now, "a deadline that is over");
            self.now = deadline;
            self.handle(Input::Deadline);
            assert!(self.mind.deadline().is_none_or(|next| next > self.now), "a deadline that has come is another");
        }
        self.now = end;
        self.look()
    }

    fn announce(&mut self, number: u8, have: Have) -> Vec<Output> {
        self.tell(Input::Holder { address: address(number), have })
    }

    /// The dial that was wanted last comes to a link, on which the content is opened.
    #[track_caller]
    fn link(&mut self, outputs: &[Output]) -> There {
        let dial = outputs.iter().find_map(|output| match output {
            Output::Dial { dial, .. } => Some(*dial),
            _ => None,
        });
        let dial = dial.unwrap_or_else(|| panic!("nobody is dialled: {outputs:?}"));
        self.links_count += 1;
        let link = LinkId(self.links_count);
        let outputs = self.tell(Input::Dialled { dial, link });
        let [Output::Send { link: to, message: ToHolder::Open(open) }] = outputs[..] else { panic!("{outputs:?}") };
        assert_eq!(to, link);
        There { link, fetch: open.fetch }
    }

    /// Somebody is said to have all, and is dialled.
    #[track_caller]
    fn meet(&mut self, number: u8, content: &Content) -> There {
        let outputs = self.announce(number, Have::all(content.count()));
        self.link(&outputs)
    }

    fn said(&mut self, there: There, said: FromHolder) -> Vec<Output> {
        self.tell(Input::Received { link: there.link, said })
    }

    fn opened(&mut self, there: There, size: u64, have: Have) -> Vec<Output> {
        self.said(there, FromHolder::Opened(Opened { fetch: there.fetch, size, have }))
    }

    fn opened_all(&mut self, there: There, content: &Content) -> Vec<Output> {
        self.opened(there, content.size(), Have::all(content.count()))
    }

    fn hash_part(&mut self, there: There, content: &Content, first: u32, count: u32) -> Vec<Output> {
        let part = HashPart { fetch: there.fetch, first, hashes: content.hashes(first, count) };
        self.said(there, FromHolder::HashPart(part))
    }

    fn block(&mut self, there: There, content: &Content, block: u32) -> Vec<Output> {
        self.bytes(there, block, content.block(block))
    }

    fn bytes(&mut self, there: There, block: u32, bytes: &[u8]) -> Vec<Output> {
        self.said(there, FromHolder::Block(Block { fetch: there.fetch, block, bytes: bytes.to_vec() }))
    }

    fn refused(&mut self, there: There, refusal: Refusal) -> Vec<Output> {
        self.said(there, FromHolder::Refused(Refused { fetch: there.fetch, refusal }))
    }

    fn written(&mut self, block: u32) -> Vec<Output> {
        self.tell(Input::Written { block })
    }

    /// What a holder says that has all and no other thought, until it has nothing more to say; and the disk.
    fn serve(&mut self, there: There, content: &Content, outputs: Vec<Output>) -> Vec<Output> {
        let mut told = Vec::new();
        let mut outputs = std::collections::VecDeque::from(outputs);
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Send { link, message } if link == there.link => match message {
                    ToHolder::Open(_) => outputs.extend(self.opened_all(there, content)),
                    ToHolder::HashesWanted(HashesWanted { first, count, .. }) => {
                        outputs.extend(self.hash_part(there, content, first, count));
                    }
                    ToHolder::BlocksWanted(BlocksWanted { first, count, .. }) => {
                        for block in first..first + count {
                            outputs.extend(self.block(there, content, block));
                        }
                    }
                },
                Output::Write { block, at, bytes } => {
                    assert_eq!(
                        (at, bytes.as_slice()),
                        (content.blocks().place(block).unwrap().0, content.block(block))
                    );
                    outputs.extend(self.written(block));
                }
                Output::Check { blocks, first, count } => {
                    let hashes = (first..first + count).map(|block| block_hash(blocks, block, content.block(block)));
                    let hashes = hashes.collect();
                    outputs.extend(self.tell(Input::Checked { blocks, first, hashes }));
                }
                output => told.push(output),
            }
        }
        told
    }
}

fn open(there: There, content: &Content) -> Output {
    let message = ToHolder::Open(Open { fetch: there.fetch, hash: content.hash });
    Output::Send { link: there.link, message }
}

fn hashes_wanted(there: There, first: u32, count: u32) -> Output {
    let wanted = HashesWanted { fetch: there.fetch, first, count };
    Output::Send { link: there.link, message: ToHolder::HashesWanted(wanted) }
}

fn blocks_wanted(there: There, first: u32, count: u32) -> Output {
    let wanted = BlocksWanted { fetch: there.fetch, first, count };
    Output::Send { link: there.link, message: ToHolder::BlocksWanted(wanted) }
}

fn write(content: &Content, block: u32) -> Output {
    let (at, _) = content.blocks().place(block).unwrap();
    Output::Write { block, at, bytes: content.block(block).to_vec() }
}

fn keep(content: &Content) -> Output {
    Output::KeepHashes(Arc::new(content.hashes.clone()))
}

fn proved(content: &Content) -> Output {
    Output::Tell(FetchReport::Proved(content.blocks()))
}

fn news(number: u8, news: HolderNews) -> Output {
    Output::Tell(FetchReport::Holder { address: address(number), news })
}

fn taken(number: u8) -> Output {
    news(number, HolderNews::Taken)
}

fn dropped(number: u8, why: WhyDropped) -> Output {
    news(number, HolderNews::Dropped(why))
}

fn dial(number: u64, to: u8) -> Output {
    Output::Dial { dial: HolderDial(number), address: address(to) }
}

fn close(there: There) -> Output {
    Output::Close { link: there.link }
}

/// A run of blocks, and the number of the holder it is from.
fn from(number: u8, first: u32, count: u32) -> SourceRun {
    SourceRun { source: BlockSource::Holder(address(number)), first, count }
}

fn from_disk(first: u32, count: u32) -> SourceRun {
    SourceRun { source: BlockSource::Disk, first, count }
}

fn from_nobody(first: u32, count: u32) -> SourceRun {
    SourceRun { source: BlockSource::Nobody, first, count }
}

fn ended(end: FetchEnd, sources: Vec<SourceRun>, wasted_bytes: u64) -> Output {
    Output::Tell(FetchReport::Ended(FetchEnded { end, sources, wasted_bytes }))
}

/// Values of the tree of a content for the blocks of another size: a list that comes to the same root, where there is one.
fn list_under(content: &Content, claimed: u64) -> Vec<[u8; 32]> {
    use blake3::hazmat::{Mode, merge_subtrees_non_root};
    fn left_of(count: usize) -> usize {
        count.next_power_of_two() / 2
    }
    fn value(hashes: &[[u8; 32]]) -> [u8; 32] {
        let [only] = hashes else {
            let (left, right) = hashes.split_at(left_of(hashes.len()));
            return merge_subtrees_non_root(&value(left), &value(right), Mode::Hash);
        };
        *only
    }
    fn fill(hashes: &[[u8; 32]], count: usize, list: &mut Vec<[u8; 32]>) {
        if count == 1 {
            list.push(value(hashes));
        } else if hashes.len() == 1 {
            // What is below a block is not asked for in these tests.
            list.resize(list.len() + count, [7; 32]);
        } else {
            let (left, right) = hashes.split_at(left_of(hashes.len()));
            fill(left, left_of(count), list);
            fill(right, count - left_of(count), list);
        }
    }
    let mut list = Vec::new();
    fill(content.hashes.as_slice(), Blocks::of(claimed).unwrap().count() as usize, &mut list);
    list
}
