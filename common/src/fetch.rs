//! The client's mind for one content that is fetched: whom of its holders to ask for what, what to believe of it, and when to
//! give up.
//!
//! Each block is verified before it comes out as [`Output::Write`], whoever gave it, and whoever gave a false one is not asked
//! again. What a list of hashes proves, and what it does not, stands in [`block_hashes`](crate::content::block_hashes). So the
//! size a holder claims is believed of that holder alone until the last block is here, which is asked for first: it is judged by
//! the hashes that are right under the size it said, and of those who say the same each is right if one is. One holder is asked
//! at a time. The mind does not know a socket, a file or how a report is shown, and does not find out who has the content: whoever
//! performs its outputs does.

mod asking;
mod assignment;
mod doors;
mod hash_list;
mod holders;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::content::block_hashes::BlockHashes;
use crate::content::transfer::{Block, HashPart, Have, Open, Opened, Refusal, Refused};
use crate::content::{Blocks, ContentHash};
use crate::limits::{ASK_AGAIN_PAUSE, BLOCKS_HELD_BYTES_MAX, HAVE_RUNS_MAX, HOLDER_QUIET, HOLDER_QUIET_MAX};
use crate::link::LinkId;
use crate::time::Time;

use assignment::{Assignment, BlockState, HolderNumber};
use hash_list::HashList;
use holders::{Holder, HolderStage, Holders, OpenedThere, Talk};

pub use doors::{
    BlockSource, FetchEnd, FetchEnded, FetchProgress, FetchReport, FromHolder, HolderDial, HolderNews, Input,
    KeptHashes, Output, SourceRun, ToHolder, Wanted, WhyDropped,
};

/// Blocks that are being checked at once: enough that whoever checks them always has some before it.
pub const CHECKING_MAX: u32 = 2_048;
/// With no more than these, more are to be checked.
const CHECKING_LOW: u32 = CHECKING_MAX / 2;

/// The client's mind for one content.
#[derive(Debug)]
pub struct ContentFetch {
    hash: ContentHash,
    wait: Duration,
    on_disk: Vec<Range<u64>>,
    in_order: bool,
    now: Time,
    holders: Holders,
    /// The holder that is asked.
    active: Option<HolderNumber>,
    /// Whether another may be chosen since that was tried last.
    may_choose: bool,
    list: Option<HashList>,
    /// When something came that was not known before.
    progress_at: Time,
    /// When it was asked last who has the content, and whether that is still being asked.
    asked_at: Time,
    is_asking: bool,
    came_bytes: u64,
    wasted_bytes: u64,
    dials_count: u64,
    fetches_count: u32,
    is_over: bool,
}

impl ContentFetch {
    /// A mind that knows of no holder yet. Who has the content is being asked just now.
    #[must_use]
    pub fn new(now: Time, wanted: Wanted, out: &mut Vec<Output>) -> ContentFetch {
        let Wanted { hash, wait, holders, kept, on_disk, in_order } = wanted;
        let mut fetch = ContentFetch {
            hash,
            wait,
            on_disk,
            in_order,
            now,
            holders: Holders::default(),
            active: None,
            may_choose: true,
            list: None,
            progress_at: now,
            asked_at: now,
            is_asking: true,
            came_bytes: 0,
            wasted_bytes: 0,
            dials_count: 0,
            fetches_count: 0,
            is_over: false,
        };
        holders.into_iter().for_each(|(address, have)| fetch.holders.on_told(now, address, have));
        if let Some(KeptHashes { size, hashes }) = kept {
            let proved = Blocks::of(size).ok().and_then(|blocks| BlockHashes::proved(hash, blocks, hashes).ok());
            match proved {
                Some(hashes) => fetch.take_list(hashes, true),
                None => out.push(Output::Tell(FetchReport::KeptIsFalse)),
            }
        }
        fetch.go_on(out);
        fetch
    }

    /// Takes one input and appends what is to be done about it. It cannot fail and never waits.
    pub fn handle(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        let before = std::mem::replace(&mut self.now, now);
        if self.is_over {
            if let Input::Dialled { link, .. } = input {
                out.push(Output::Close { link });
            }
            return;
        }
        match input {
            Input::Holder { address, have } => {
                self.holders.on_told(now, address, have);
                self.may_choose = true;
            }
            Input::Dialled { dial, link } => self.on_dialled(dial, link, out),
            Input::DialFailed { dial, reason } => {
                if let Some(number) = self.holders.dialled_by(dial) {
                    self.drop_holder(number, WhyDropped::Undialled(reason), out);
                }
            }
            Input::Received { link, said } => self.on_received(link, said, out),
            Input::Heard { link } => {
                self.on_heard(link);
            }
            Input::Closed { link, reason } => {
                if let Some(number) = self.holders.at_link(link) {
                    self.let_go(number);
                    self.drop_holder(number, WhyDropped::Lost(reason), out);
                }
            }
            Input::Checked { blocks, first, hashes } => self.on_checked(blocks, first, &hashes, out),
            Input::Written { block } => self.on_written(block),
            Input::WriteFailed { reason } => self.end(FetchEnd::Unwritten(reason), out),
            Input::Asked => self.is_asking = false,
            Input::Deadline => {}
        }
        // Whose pause ends meanwhile may be asked, whatever it is that came.
        let has_paused =
            |holder: &Holder| matches!(holder.stage, HolderStage::Waiting(from) if before < from && from <= now);
        self.may_choose |= self.holders.iter().any(|(_, holder)| has_paused(holder));
        self.go_on(out);
    }

    /// When the mind next wants to hear [`Input::Deadline`].
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        if self.is_over {
            return None;
        }
        let is_active = |number| self.active == Some(number);
        let of_holders = self.holders.iter().filter_map(|(number, holder)| {
            if let HolderStage::Waiting(from) = holder.stage {
                return Some(from).filter(|_| self.wants_another());
            }
            let is_asked = is_active(number) && !holder.is_silent();
            let patience = if is_asked { HOLDER_QUIET } else { HOLDER_QUIET_MAX };
            let slow_at = holder.slow_at().filter(|_| is_asked);
            [holder.waited_for_since().map(|since| since + patience), slow_at].into_iter().flatten().min()
        });
        let of_all = [self.asked_at + ASK_AGAIN_PAUSE, self.progress_at + self.wait];
        let of_all = of_all.into_iter().filter(|_| self.wants_another());
        // What has come is done as far as it can be: it waits for something else.
        of_holders.chain(of_all).filter(|time| *time > self.now).min()
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> FetchProgress {
        let assignment = self.list.as_ref().map(|list| &list.assignment);
        FetchProgress {
            size: self.list.as_ref().map(|list| list.blocks().size()),
            is_size_proved: self.list.as_ref().is_some_and(|list| list.is_proved),
            here_bytes: assignment.map_or(0, Assignment::here_bytes),
            unchecked_count: assignment.map_or(0, Assignment::unchecked_count),
            came_bytes: self.came_bytes,
            wasted_bytes: self.wasted_bytes,
            holder: self.active.and_then(|number| self.holders.get(number)).map(|holder| holder.address),
            holders_count: self.holders.len(),
            is_waiting: self.is_waiting(),
        }
    }

    /// Whether something is missing and nothing is under way that could bring it: it is waited for somebody who has it.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        let is_awaited = || self.holders.iter().any(|(_, holder)| holder.waited_for_since().is_some());
        let is_disk_at_work = || self.list.as_ref().is_some_and(|list| list.assignment.is_disk_at_work());
        !self.is_over && self.wants_another() && !is_awaited() && !is_disk_at_work()
    }

    /// Where each block is from, in order; nothing while there is no list of their hashes.
    #[must_use]
    pub fn sources(&self) -> Vec<SourceRun> {
        let Some(list) = &self.list else { return Vec::new() };
        let source = |state| match state {
            BlockState::Written(number) => {
                let holder = self.holders.get(number);
                holder.map_or(BlockSource::Nobody, |holder| BlockSource::Holder(holder.address))
            }
            BlockState::Found => BlockSource::Disk,
            BlockState::Missing
            | BlockState::Unchecked
            | BlockState::Checking
            | BlockState::Asked(_)
            | BlockState::Writing(_) => BlockSource::Nobody,
        };
        let runs = list.assignment.runs(source);
        runs.into_iter().map(|(source, first, count)| SourceRun { source, first, count }).collect()
    }

    // ---- links to holders ----

    fn on_dialled(&mut self, dial: HolderDial, link: LinkId, out: &mut Vec<Output>) {
        let number = self.holders.dialled_by(dial);
        let Some(number) = number.filter(|number| self.active == Some(*number)) else {
            // Another was taken meanwhile, or it had its time.
            out.push(Output::Close { link });
            if let Some(holder) = number.and_then(|number| self.holders.get_mut(number)) {
                holder.stage = HolderStage::Waiting(self.now);
                self.may_choose = true;
            }
            return;
        };
        let fetch = self.fetches_count;
        self.fetches_count = fetch.wrapping_add(1);
        self.holders.on_linked(number, Talk::new(self.now, link, fetch));
        let open = ToHolder::Open(Open { fetch, hash: self.hash });
        out.push(Output::Send { link, message: open });
    }

    /// Something came from the holder at this link, if there is one.
    fn on_heard(&mut self, link: LinkId) -> Option<HolderNumber> {
        let number = self.holders.at_link(link)?;
        let talk = self.holders.talk_mut(number)?;
        talk.heard = self.now;
        self.may_choose |= std::mem::take(&mut talk.is_silent);
        Some(number)
    }

    fn on_received(&mut self, link: LinkId, said: FromHolder, out: &mut Vec<Output>) {
        let Some(number) = self.on_heard(link) else { return };
        let now = self.now;
        self.may_choose |= self.holders.talk_mut(number).is_some_and(|talk| talk.on_said(now));
        let said = match said {
            FromHolder::Opened(opened) => self.on_opened(number, opened),
            FromHolder::Refused(refused) => self.on_refused(number, refused, out),
            FromHolder::HashPart(part) => self.on_hash_part(number, &part),
            FromHolder::Block(block) => self.on_block(number, block, out),
            FromHolder::Other(name) => Err(WhyDropped::Unasked(name)),
        };
        if let Err(why) = said {
            self.drop_holder(number, why, out);
        }
    }

    /// The talk with a holder, if that is the fetch it speaks of.
    fn talk_of(&mut self, number: HolderNumber, fetch: u32, said: &'static str) -> Result<&mut Talk, WhyDropped> {
        let talk = self.holders.talk_mut(number).filter(|talk| talk.fetch == fetch);
        talk.ok_or(WhyDropped::Unasked(said))
    }

    fn on_opened(&mut self, number: HolderNumber, opened: Opened) -> Result<(), WhyDropped> {
        const NAME: &str = "opened";
        let Opened { fetch, size, have } = opened;
        let talk = self.talk_of(number, fetch, NAME)?;
        if talk.opened.is_some() {
            return Err(WhyDropped::Unasked(NAME));
        }
        let blocks = Blocks::of(size).map_err(|_| WhyDropped::FalseSize(size))?;
        if !is_possible(&have, blocks) {
            return Err(WhyDropped::FalseHave);
        }
        talk.opened = Some(OpenedThere { blocks, have });
        if let Some(holder) = self.holders.get_mut(number) {
            holder.on_opened();
        }
        self.judge_size(blocks)?;
        // Nobody knows yet who of two is right: first those are asked who may say the same as was heard before.
        let disagrees = self.list.as_ref().is_some_and(|list| list.blocks() != blocks);
        if disagrees && self.active == Some(number) && self.best_other(|rank| !rank.disagrees).is_some() {
            self.active = None;
            self.may_choose = true;
        }
        Ok(())
    }

    /// Whether the content may have these blocks, as far as is known.
    fn judge_size(&self, blocks: Blocks) -> Result<(), WhyDropped> {
        let is_false = self
            .list
            .as_ref()
            .is_some_and(|list| list.blocks() != blocks && (list.is_proved || list.assignment.contradict(blocks)));
        if is_false { Err(WhyDropped::FalseSize(blocks.size())) } else { Ok(()) }
    }

    fn on_refused(&mut self, number: HolderNumber, refused: Refused, out: &mut Vec<Output>) -> Result<(), WhyDropped> {
        let Refused { fetch, refusal } = refused;
        let owes = self.talk_of(number, fetch, "refused")?.owes();
        match refusal {
            Refusal::Gone => Err(WhyDropped::Gone),
            Refusal::Changed => Err(WhyDropped::Changed),
            // Nothing was wanted of it for long, and others may have its place meanwhile: it is asked again as before.
            Refusal::Busy if !owes => {
                self.close(number, out);
                let now = self.now;
                if let Some(holder) = self.holders.get_mut(number) {
                    holder.stage = HolderStage::Waiting(now);
                }
                Ok(())
            }
            Refusal::Busy => {
                self.close(number, out);
                let now = self.now;
                if let Some(holder) = self.holders.get_mut(number) {
                    holder.on_busy(now);
                }
                self.tell(number, HolderNews::Busy, out);
                Ok(())
            }
        }
    }

    fn on_hash_part(&mut self, number: HolderNumber, part: &HashPart) -> Result<(), WhyDropped> {
        const NAME: &str = "hash part";
        let HashPart { fetch, first, hashes } = part;
        let hash = self.hash;
        let talk = self.talk_of(number, *fetch, NAME)?;
        let asked = talk.hashes_asked.pop_front();
        if asked.is_none_or(|(begin, count)| begin != *first || count as usize != hashes.len()) {
            return Err(WhyDropped::Unasked(NAME));
        }
        let Some(gathering) = &mut talk.gathering else { return Ok(()) };
        gathering.push(hashes);
        if !gathering.is_complete() {
            return Ok(());
        }
        let Some(gathering) = talk.gathering.take() else { return Ok(()) };
        let hashes = gathering.finish(hash).map_err(|_| WhyDropped::FalseHashes)?;
        self.judge_size(hashes.blocks())?;
        // Of two lists that nothing proves the one of whoever is asked is followed.
        let is_known = self.list.as_ref().is_some_and(|list| list.blocks() == hashes.blocks());
        if !is_known && (self.list.is_none() || self.active == Some(number)) {
            self.take_list(hashes, false);
        }
        Ok(())
    }

    fn on_block(&mut self, number: HolderNumber, block: Block, out: &mut Vec<Output>) -> Result<(), WhyDropped> {
        const NAME: &str = "block";
        let Block { fetch, block, bytes } = block;
        self.came_bytes += bytes.len() as u64;
        let taken = self.take_block(number, fetch, block, bytes.len(), NAME).and_then(|is_wanted| {
            let list = self.list.as_ref().filter(|_| is_wanted);
            let Some(list) = list else { return Ok(false) };
            if list.hashes.is_block(block, &bytes) { Ok(true) } else { Err(WhyDropped::FalseBlock(block)) }
        });
        if taken != Ok(true) {
            self.wasted_bytes += bytes.len() as u64;
            return taken.map(|_| ());
        }
        self.progress_at = self.now;
        if let Some(holder) = self.holders.get_mut(number) {
            holder.on_given();
        }
        if let Some(list) = &mut self.list
            && let Some((at, _)) = list.blocks().place(block)
        {
            list.assignment.set(block, BlockState::Writing(number));
            out.push(Output::Write { block, at, bytes });
        }
        self.on_true(block, out);
        Ok(())
    }

    /// Whether a block that came is wanted, which it may not be any more though it was asked for.
    fn take_block(
        &mut self,
        number: HolderNumber,
        fetch: u32,
        block: u32,
        bytes_count: usize,
        name: &'static str,
    ) -> Result<bool, WhyDropped> {
        let is_active = self.active == Some(number);
        let active_bytes = self.active.and_then(|number| self.holders.get(number)).and_then(Holder::talk);
        let active_bytes = active_bytes.map_or(0, |talk| talk.asked_bytes);
        let talk = self.talk_of(number, fetch, name)?;
        if talk.blocks_asked.front() != Some(&block) {
            return Err(WhyDropped::Unasked(name));
        }
        talk.blocks_asked.pop_front();
        let blocks = talk.opened.as_ref().map(|opened| opened.blocks);
        let due = blocks.and_then(|blocks| blocks.place(block)).map_or(0, |(_, due)| due);
        talk.asked_bytes -= due;
        let Some(list) = self.list.as_mut().filter(|list| Some(list.blocks()) == blocks) else { return Ok(false) };
        // Whatever becomes of it, this holder does not owe it any more.
        list.assignment.give_back(std::iter::once(block), number);
        if bytes_count != due {
            return Err(WhyDropped::BlockLength(block));
        }
        let is_here = list.assignment.get(block).is_none_or(BlockState::is_true);
        // For what comes late there is no room of its own.
        let others_bytes = if is_active { 0 } else { active_bytes };
        let has_room = list.assignment.writing_bytes() + others_bytes + bytes_count <= BLOCKS_HELD_BYTES_MAX;
        Ok(!is_here && has_room)
    }

    // ---- the file ----

    fn on_checked(&mut self, blocks: Blocks, first: u32, hashes: &[Option<[u8; 32]>], out: &mut Vec<Output>) {
        for (block, hash) in (first..).zip(hashes) {
            let Some(list) = self.list.as_mut().filter(|list| list.blocks() == blocks) else { return };
            if list.assignment.get(block) != Some(BlockState::Checking) {
                continue;
            }
            if hash.is_some() && hash.as_ref() == list.hashes.get(block) {
                list.assignment.set(block, BlockState::Found);
                self.progress_at = self.now;
                self.on_true(block, out);
            } else {
                list.assignment.set(block, BlockState::Missing);
                self.may_choose = true;
            }
        }
    }

    fn on_written(&mut self, block: u32) {
        if let Some(list) = &mut self.list
            && let Some(BlockState::Writing(number)) = list.assignment.get(block)
        {
            list.assignment.set(block, BlockState::Written(number));
            // Where nobody is asked, others may be asked for now.
            self.may_choose |= self.active.is_none();
            // As long as what is here has to be written first nobody was looked for.
            if self.in_order {
                self.progress_at = self.now;
            }
        }
    }

    /// A block is known to be true.
    fn on_true(&mut self, block: u32, out: &mut Vec<Output>) {
        let Some(list) = self.list.as_mut().filter(|list| block == list.assignment.last()) else {
            return;
        };
        list.is_proved = true;
        let blocks = list.blocks();
        if !list.is_kept {
            out.push(Output::KeepHashes(Arc::clone(&list.hashes)));
        }
        out.push(Output::Tell(FetchReport::Proved(blocks)));
        let said_otherwise = |holder: &Holder| {
            let opened = holder.talk().and_then(|talk| talk.opened.as_ref());
            opened.map(|opened| opened.blocks).filter(|said| *said != blocks)
        };
        let liars: Vec<_> = (self.holders.iter())
            .filter_map(|(number, holder)| Some((number, said_otherwise(holder)?.size())))
            .collect();
        for (number, size) in liars {
            self.drop_holder(number, WhyDropped::FalseSize(size), out);
        }
    }

    /// These hashes are what is judged by, until others are.
    fn take_list(&mut self, hashes: BlockHashes, is_kept: bool) {
        let blocks = hashes.blocks();
        let assignment = match &self.list {
            Some(list) => list.assignment.reshaped(blocks, &self.on_disk),
            None if self.in_order => Assignment::in_order(blocks),
            None => Assignment::new(blocks, &self.on_disk),
        };
        self.list = Some(HashList { hashes: Arc::new(hashes), is_proved: false, is_kept, assignment });
        if let Some(number) = self.active {
            self.take_again(number);
        }
        self.progress_at = self.now;
        self.may_choose = true;
    }

    // ---- what is to be done ----

    /// Does whatever is to be done now.
    fn go_on(&mut self, out: &mut Vec<Output>) {
        if self.is_over {
            return;
        }
        self.look_at_the_time(out);
        self.choose(out);
        while self.advance(out) {
            self.choose(out);
        }
        self.check(out);
        self.end_or_ask_again(out);
    }

    /// Who has been silent for too long.
    fn look_at_the_time(&mut self, out: &mut Vec<Output>) {
        let now = self.now;
        let is_overdue =
            |holder: &Holder| holder.waited_for_since().is_some_and(|since| now.since(since) >= HOLDER_QUIET_MAX);
        let overdue = self.holders.iter().filter(|(_, holder)| is_overdue(holder)).map(|(number, _)| number);
        for number in overdue.collect::<Vec<_>>() {
            self.drop_holder(number, WhyDropped::Silent, out);
        }
        if let Some(number) = self.active
            && let Some(holder) = self.holders.get_mut(number)
            && !holder.is_silent()
        {
            let is_quiet = holder.waited_for_since().is_some_and(|since| now.since(since) >= HOLDER_QUIET);
            // Whoever sends a byte now and then must not keep everybody else from being asked.
            let is_slow = holder.slow_at().is_some_and(|at| at <= now);
            match (is_quiet, is_slow) {
                (true, _) => holder.set_silent(),
                (false, true) => holder.set_slow(),
                (false, false) => return,
            }
            self.may_choose = true;
            self.tell(number, HolderNews::Silent, out);
        }
    }

    /// Has the file checked, as far as that can be judged.
    fn check(&mut self, out: &mut Vec<Output>) {
        let Some(list) = &mut self.list else { return };
        let blocks = list.blocks();
        let may_check = list.may_check();
        let (last, assignment) = (list.assignment.last(), &mut list.assignment);
        if !list.is_proved && assignment.get(last) == Some(BlockState::Unchecked) {
            assignment.set(last, BlockState::Checking);
            out.push(Output::Check { blocks, first: last, count: 1 });
        }
        if !may_check || assignment.checking_count() > CHECKING_LOW {
            return;
        }
        while let Some((first, count)) = assignment.check_next(CHECKING_MAX.saturating_sub(assignment.checking_count()))
        {
            out.push(Output::Check { blocks, first, count });
        }
    }

    fn end_or_ask_again(&mut self, out: &mut Vec<Output>) {
        if self.list.as_ref().is_some_and(|list| list.assignment.is_complete()) {
            self.end(FetchEnd::Done, out);
            return;
        }
        if !self.wants_another() || self.is_asking {
            return;
        }
        if self.now.since(self.asked_at) >= ASK_AGAIN_PAUSE {
            self.asked_at = self.now;
            self.is_asking = true;
            out.push(Output::AskAgain);
            return;
        }
        if self.is_waiting() && self.now.since(self.progress_at) >= self.wait {
            self.end(FetchEnd::Missing, out);
        }
    }

    // ---- the end of things ----

    fn give_back(&mut self, number: HolderNumber) {
        if let Some(list) = &mut self.list
            && let Some(talk) = self.holders.get(number).and_then(Holder::talk)
        {
            list.assignment.give_back(talk.blocks_asked.iter().copied(), number);
        }
    }

    fn take_again(&mut self, number: HolderNumber) {
        if let Some(list) = &mut self.list
            && let Some(talk) = self.holders.get(number).and_then(Holder::talk)
            && talk.opened.as_ref().is_some_and(|opened| opened.blocks == list.blocks())
        {
            list.assignment.take_again(talk.blocks_asked.iter().copied(), number);
        }
    }

    /// Nothing comes from it any more. The link, if there was one.
    fn let_go(&mut self, number: HolderNumber) -> Option<LinkId> {
        self.give_back(number);
        if self.active == Some(number) {
            self.active = None;
        }
        self.may_choose = true;
        self.holders.on_unlinked(number).map(|talk| talk.link)
    }

    fn close(&mut self, number: HolderNumber, out: &mut Vec<Output>) {
        if let Some(link) = self.let_go(number) {
            out.push(Output::Close { link });
        }
    }

    fn drop_holder(&mut self, number: HolderNumber, why: WhyDropped, out: &mut Vec<Output>) {
        self.close(number, out);
        let now = self.now;
        if let Some(holder) = self.holders.get_mut(number) {
            holder.on_dropped(now, &why);
        }
        self.tell(number, HolderNews::Dropped(why), out);
    }

    fn tell(&self, number: HolderNumber, news: HolderNews, out: &mut Vec<Output>) {
        if let Some(holder) = self.holders.get(number) {
            out.push(Output::Tell(FetchReport::Holder { address: holder.address, news }));
        }
    }

    fn end(&mut self, end: FetchEnd, out: &mut Vec<Output>) {
        self.is_over = true;
        out.extend(self.holders.links().map(|(link, _)| Output::Close { link }));
        let ended = FetchEnded { end, sources: self.sources(), wasted_bytes: self.wasted_bytes };
        out.push(Output::Tell(FetchReport::Ended(ended)));
    }
}

/// Whether somebody can have these of so many blocks: runs in order, and apart.
fn is_possible(have: &Have, blocks: Blocks) -> bool {
    let Have::Runs(runs) = have else { return true };
    let mut free_from = 0;
    let is_run = |(first, count): &(u32, u32)| {
        let end = first.checked_add(*count);
        let fits = *count > 0 && *first >= free_from && end.is_some_and(|end| end <= blocks.count());
        free_from = end.and_then(|end| end.checked_add(1)).unwrap_or(u32::MAX);
        fits
    };
    runs.len() <= HAVE_RUNS_MAX && runs.iter().all(is_run)
}
