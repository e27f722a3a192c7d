//! Where commands come from (arguments, a script, a person at a terminal) and what becomes of each.
//!
//! Prompt or collect, never both: while a line is edited nothing is printed (but that the contact is gone, which the line
//! editor shows above the line), while a query is pending nothing is read.

mod every;
mod files;
mod get;
mod topology;
mod writes;

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use common::address::parse_servent;
use common::counted::{counted, grouped};
use common::dialect::{Dialect, Manners};
use common::limits::COMMAND_BYTES_MAX;
use drawing::Discovery;
use servent::patient;
use servent::signals::is_ignored;
use servent::sockets::{raise_descriptor_limit, resolve};
use signal_hook::consts::SIGINT;

use crate::program::command::{Command, HELP};
use crate::program::contents::Found;
use crate::program::hello::{AddressesTried, complaint};
use crate::program::hint::{DOUBTFUL, Whereabouts, lost_on_the_way, not_arrived, not_understood};
use crate::program::members::{ListingSoFar, MEMBERS, tells_no_members, unattached, unfinished};
use crate::program::names::NamesHeard;
use crate::program::options::{AnswersVia, Options};
use crate::program::outcome::Outcome;
use crate::program::prompt::{Entered, Prompt};
use crate::program::render::{Renderer, humane};
use crate::program::script::{Script, ScriptLine};
use crate::{
    Ask, AskError, Client, ClientError, ConnectError, EndReason, Ending, Event, GreetEnd, GreetingEnded, ListingEnd,
    MembersListed, QueryNumber, Question, Via,
};

/// Queries of which it is kept what they asked for, for what comes of them late.
const ASKED_KEPT: usize = 64;

/// Attaches to the contact and runs commands until there are no more.
pub(crate) fn run(options: &Options) -> anyhow::Result<Outcome> {
    // Everybody who answers connects.
    raise_descriptor_limit();
    let mut client = match options.via {
        AnswersVia::Auto => Client::connect_from(&options.contact, options.answer_port.unwrap_or(0))?,
        AnswersVia::Back => Client::connect_without_port(&options.contact)?,
    };
    let (interrupt, on_interrupt) = UnixStream::pair().context("cannot make a pipe for interrupts")?;
    interrupt.set_nonblocking(true)?;
    client.interrupt_on(interrupt.try_clone()?, "Ctrl-C")?;
    let side = (!options.json && !options.quiet && io::stderr().is_terminal()).then(patient::stderr);
    let renderer = Renderer {
        out: io::BufWriter::new(patient::stdout()),
        side,
        json: options.json,
        columns: !options.json && io::stdout().is_terminal(),
        silence_max: options.timeout,
        listing: ListingSoFar::default(),
        found: Found::default(),
        found_last: Vec::new(),
        beyond_last: None,
        files_from: None,
        names: NamesHeard::default(),
        discovery: Discovery::default(),
    };
    let place = Whereabouts {
        contact: options.contact.clone(),
        contact_address: client.contact_address(),
        contact_goes_by: client.contact_goes_by(),
        answers_at: client.answers_at(),
        port_was_named: options.answer_port.is_some_and(|port| port != 0),
    };
    let is_told = !options.commands.is_empty() || options.topology.is_some();
    let interactive = !is_told && io::stdin().is_terminal() && io::stdout().is_terminal();
    let mut repl = Repl {
        client,
        interrupt,
        renderer,
        worst: Outcome::Answered,
        place,
        is_quiet: options.quiet,
        silence_max: options.timeout,
        answers_wanted: options.answers,
        asked: VecDeque::new(),
        attaches_again: interactive || options.every.is_some(),
        asks_again: options.every.is_some(),
        is_missed: false,
        wonders_why_back: interactive && options.via == AnswersVia::Auto,
        has_come_back: false,
        unfetched_count: 0,
        is_lost: false,
        is_told: false,
        machine_failed: false,
    };

    repl.note_contact_name();

    // Between the commands of a script Ctrl-C ends the program; during a query, and at a prompt, the query.
    let idle = Arc::new(AtomicBool::new(!interactive));
    // Whoever started us where SIGINT is ignored, as a shell does behind `&`, does not want it heard.
    if !is_ignored(SIGINT) {
        signal_hook::flag::register_conditional_shutdown(
            SIGINT,
            i32::from(Outcome::Interrupted.exit_code()),
            Arc::clone(&idle),
        )
        .and_then(|_| signal_hook::low_level::pipe::register(SIGINT, on_interrupt.try_clone()?))
        .context("cannot watch for Ctrl-C")?;
    }

    if interactive {
        return repl.run_interactive(options.hint.as_deref());
    }
    if options.topology.is_some() || options.every.is_some() {
        idle.store(false, Ordering::SeqCst);
        let next = match (&options.every, options.topology) {
            (Some((ask, every)), _) => repl.follow(ask, *every)?,
            (None, Some(form)) => repl.write_topology(form, options.output.as_deref())?,
            (None, None) => Next::Continue,
        };
        if next == Next::Interrupted {
            repl.worsen(Outcome::Interrupted);
        }
        return Ok(repl.worst);
    }
    if options.commands.is_empty() {
        repl.run_script(io::BufReader::new(patient::stdin()), &idle)?;
    }
    for command in &options.commands {
        if !repl.run_script(command.as_bytes(), &idle)? {
            break;
        }
    }
    Ok(repl.worst)
}

struct Repl<Out: Write, Side: Write> {
    client: Client,
    /// Readable after Ctrl-C, until that is taken note of.
    interrupt: UnixStream,
    renderer: Renderer<Out, Side>,
    worst: Outcome,
    place: Whereabouts,
    is_quiet: bool,
    silence_max: Duration,
    answers_wanted: Option<u64>,
    /// What was asked, the last one last.
    asked: VecDeque<(QueryNumber, Ask)>,
    /// Whether a contact that is lost is attached to again.
    attaches_again: bool,
    /// Whether one command is asked again and again.
    asks_again: bool,
    /// It was said that the contact is not there, and holds still.
    is_missed: bool,
    /// Whether it is to be said why answers come back, once.
    wonders_why_back: bool,
    /// Since a query last ended, an answer came back.
    has_come_back: bool,
    /// Of how many answers it was said since then that they could not be fetched.
    unfetched_count: u64,
    /// There is no contact now.
    is_lost: bool,
    /// The person knows that already.
    is_told: bool,
    /// Since a query last ended, this machine could not take all answers.
    machine_failed: bool,
}

/// What is said of a line that is too long, with what to do instead.
fn too_long_a_line() -> String {
    let most = grouped(COMMAND_BYTES_MAX);
    format!("the line is too long, {most} bytes are the most: a longer value is put from a file, put KEY @FILE")
}

/// What a command leaves to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Continue,
    Interrupted,
    /// The contact is gone.
    Lost,
    Leave,
}

impl<Out: Write, Side: Write> Repl<Out, Side> {
    /// Runs a script; false when nothing is to be run after it.
    fn run_script(&mut self, source: impl BufRead, idle: &AtomicBool) -> anyhow::Result<bool> {
        let mut script = Script::new(source);
        while let Some(line) = script.next()? {
            if !self.run_scripted(line, idle)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Runs one command of a script; false when it was the last.
    fn run_scripted(&mut self, line: ScriptLine, idle: &AtomicBool) -> anyhow::Result<bool> {
        idle.store(false, Ordering::SeqCst);
        let next = match line {
            ScriptLine::Whole(line) => self.run_command(&line)?,
            ScriptLine::TooLong => self.refuse_long_line()?,
        };
        idle.store(true, Ordering::SeqCst);
        // From here on Ctrl-C ends the program at once; one that came before is in the pipe.
        if next == Next::Interrupted || self.take_interrupt() {
            self.worst = Outcome::Interrupted;
            return Ok(false);
        }
        Ok(next == Next::Continue)
    }

    /// Runs what a person enters until that person leaves, which is no failure whatever came of it.
    fn run_interactive(&mut self, hint: Option<&str>) -> anyhow::Result<Outcome> {
        let mut prompt = Prompt::new(self.interrupt.try_clone()?)?;
        self.say_attached("");
        self.renderer.show_help();
        hint.inspect(|hint| self.renderer.show_aside(hint));
        let notice = format!("client: contact {} is lost; the next line attaches again", self.place.contact);
        loop {
            self.catch_up(Some(&notice))?;
            let (entered, is_told) = prompt.read(self.client.contact_socket(), &notice)?;
            self.is_told = is_told;
            // What came at the prompt was for the line, and there is a new one.
            self.take_interrupt();
            let entered = match entered {
                Entered::Text(entered) => entered,
                Entered::Dropped => continue,
                Entered::Garbled => {
                    say("client: that was not UTF-8; it is dropped, and not asked");
                    continue;
                }
                Entered::End => return Ok(Outcome::Answered),
            };
            // A bracketed paste arrives as one text of many lines. What comes of each is to stand below it.
            let is_many = entered.contains(&b'\n');
            if is_many && let Ok(text) = str::from_utf8(&entered) {
                prompt.take_back(text)?;
            }
            for line in entered.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
                if is_many {
                    prompt.show(line)?;
                }
                prompt.remember(line)?;
                let next =
                    if line.len() > COMMAND_BYTES_MAX { self.refuse_long_line()? } else { self.run_command(line)? };
                match next {
                    // To whom there is no contact, the lines after it would be in vain as well.
                    Next::Interrupted | Next::Lost => break,
                    Next::Continue if self.take_interrupt() => break,
                    Next::Continue => {}
                    Next::Leave => return Ok(Outcome::Answered),
                }
            }
        }
    }

    fn run_command(&mut self, line: &[u8]) -> anyhow::Result<Next> {
        let command = Command::parse(line);
        match &command {
            Command::Nothing => {}
            Command::Quit => return Ok(Next::Leave),
            Command::Ask(ask) => return self.ask(ask),
            Command::Members(None) => return self.list(),
            Command::Members(Some(contact)) => return self.list_elsewhere(contact),
            Command::Greet(servent) => return self.greet(servent),
            Command::Get(options) => return self.get(options),
            Command::GetFound(words) => return self.get_found(line, words),
            Command::Write(change) => return self.write(change),
            Command::PutFile { key, file } => return self.put_file(key, file),
            Command::Watch(keys) => return self.watch(keys),
            Command::Files { servent, prefix } => return self.list_files(servent.as_deref(), prefix),
            Command::Help => say(HELP.trim_end()),
            Command::HelpOf(usage) => say(usage.text().trim_end()),
            Command::Unknown => {
                self.renderer.show_unknown(line)?;
                self.renderer.show_help();
                self.worsen(Outcome::Usage);
            }
            Command::ManyWords | Command::Prefix => {
                self.refuse(line, &command.fault().unwrap_or_default())?;
            }
            // It is a command, and known.
            Command::BadAddress(fault) | Command::BadWords(fault) => {
                self.renderer.show_refused(line)?;
                self.complain(fault);
            }
            Command::BadKey(error) => {
                self.renderer.show_refused(line)?;
                self.complain(&error.to_string());
            }
        }
        Ok(Next::Continue)
    }

    /// A line has more bytes than any may have: whatever it begins with, it is not carried out.
    fn refuse_long_line(&mut self) -> anyhow::Result<Next> {
        self.renderer.show_refused(b"(a line too long)")?;
        self.complain(&too_long_a_line());
        Ok(Next::Continue)
    }

    /// Says that a line is no command, and why.
    fn refuse(&mut self, line: &[u8], fault: &str) -> anyhow::Result<()> {
        self.renderer.show_unknown(line)?;
        self.complain(fault);
        Ok(())
    }

    fn complain(&mut self, fault: &str) {
        say(format_args!("client: {fault}"));
        self.worsen(Outcome::Usage);
    }

    /// Asks the contact for something, after there is one again. What is next, where it was not asked.
    fn begin(
        &mut self,
        begin: impl FnOnce(&mut Client) -> Result<QueryNumber, AskError>,
    ) -> anyhow::Result<Result<QueryNumber, Next>> {
        self.begin_about("", begin)
    }

    /// The same, with what is said before a refusal: what it is about.
    fn begin_about(
        &mut self,
        about: &str,
        begin: impl FnOnce(&mut Client) -> Result<QueryNumber, AskError>,
    ) -> anyhow::Result<Result<QueryNumber, Next>> {
        self.catch_up(None)?;
        if self.is_lost
            && let Err(next) = self.attach_again()?
        {
            return Ok(Err(next));
        }
        if self.take_interrupt() {
            return Ok(Err(Next::Interrupted));
        }
        match begin(&mut self.client) {
            Ok(query) => Ok(Ok(query)),
            Err(AskError::ContactLost) => {
                // In the words of the contact's end, which came with it.
                self.tell_all(None)?;
                self.worsen(Outcome::ContactLost);
                Ok(Err(Next::Lost))
            }
            Err(error) => {
                self.on_refused_about(about, &error);
                Ok(Err(Next::Continue))
            }
        }
    }

    fn on_refused(&mut self, error: &AskError) {
        self.on_refused_about("", error);
    }

    fn on_refused_about(&mut self, about: &str, error: &AskError) {
        say(format_args!("client: {about}{error}"));
        self.worsen(Outcome::of_refusal(error));
    }

    fn ask(&mut self, ask: &Ask) -> anyhow::Result<Next> {
        let query = match self.begin_query(ask)? {
            Ok(query) => query,
            Err(next) => return Ok(next),
        };
        let end_of = |event| if let Event::Finished(ending) = event { Some(ending) } else { None };
        let ending = self.tell_until(query, end_of)?;
        Ok(ending.map_or(Next::Continue, |ending| self.on_query_over(&ending)))
    }

    /// Begins a query as the command line has it. What is next, where it was not asked.
    fn begin_query(&mut self, ask: &Ask) -> anyhow::Result<Result<QueryNumber, Next>> {
        let (silence_max, answers_wanted) = (self.silence_max, self.answers_wanted);
        let question = Question { silence_max, answers_wanted, ..Question::new(ask.clone()) };
        let begun = self.begin(|client| client.begin(question))?;
        if let Ok(query) = begun {
            (self.has_come_back, self.unfetched_count) = (false, 0);
            self.renderer.discovery = Discovery::at(self.client.contact_goes_by());
            self.asked.push_back((query, ask.clone()));
            if self.asked.len() > ASKED_KEPT {
                self.asked.pop_front();
            }
        }
        Ok(begun)
    }

    /// Says what there is to say of a query that is over, and what that comes to.
    fn on_query_over(&mut self, ending: &Ending) -> Next {
        if let Some(beyond) = self.renderer.beyond_last.take()
            && !self.is_quiet
            && !self.renderer.json
        {
            say(format_args!("client: {beyond}"));
        }
        let machine_failed = std::mem::take(&mut self.machine_failed);
        let unfetched_count = std::mem::take(&mut self.unfetched_count);
        if std::mem::take(&mut self.has_come_back) && std::mem::take(&mut self.wonders_why_back) {
            self.renderer.show_aside(format_args!("{}", self.place.why_back()));
        }
        self.worsen(Outcome::of_query(ending, self.is_lost));
        if machine_failed {
            self.worsen(Outcome::MachineFailed);
        }
        if ending.reason == EndReason::NotUnderstood {
            say(format_args!("client: {}", not_understood(&self.place.contact)));
        }
        if matches!(ending.reason, EndReason::Silence | EndReason::Incomplete) && !self.is_quiet {
            // What was lost stands in the summary, where there is one.
            if self.renderer.side.is_none() && !self.is_lost {
                lost_on_the_way(ending).into_iter().for_each(say);
            }
            if ending.doubtful {
                say(DOUBTFUL.to_owned());
            }
            if ending.missing > 0 {
                let is_explained = machine_failed || unfetched_count >= ending.missing;
                say(if is_explained { not_arrived(ending) } else { self.place.hint(ending) });
            }
        }
        match ending.reason {
            _ if self.is_lost && !self.attaches_again => Next::Lost,
            EndReason::Cancelled => Next::Interrupted,
            _ => Next::Continue,
        }
    }

    /// Tells what comes until what goes by this number is over, and gives how, as `end_of` finds it.
    fn tell_until<End>(
        &mut self,
        number: QueryNumber,
        end_of: impl Fn(Event) -> Option<End>,
    ) -> anyhow::Result<Option<End>> {
        while let Some((of, event)) = self.next_event(number)? {
            self.tell(of, &event, None)?;
            if let Some(end) = end_of(event) {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    /// What comes next, while what goes by this number is pending; Ctrl-C ends that.
    fn next_event(&mut self, number: QueryNumber) -> anyhow::Result<Option<(Option<QueryNumber>, Event)>> {
        loop {
            match self.client.next_event() {
                Ok(told) => return Ok(told),
                Err(ClientError::Interrupted) => {
                    self.take_interrupt();
                    self.client.cancel(number);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Shows the members that the contact knows.
    fn list(&mut self) -> anyhow::Result<Next> {
        let silence_max = self.silence_max;
        let listing = match self.begin(|client| client.begin_members(silence_max))? {
            Ok(listing) => listing,
            Err(next) => return Ok(next),
        };
        let end_of = |event| if let Event::Listed(listed) = event { Some(listed) } else { None };
        let Some(listed) = self.tell_until(listing, end_of)? else { return Ok(Next::Continue) };
        let (contact, from) = (self.place.contact.clone(), self.place.contact_goes_by);
        let next = self.on_listed(&format!("contact {contact}"), from, &listed)?;
        Ok(if self.is_lost && !self.attaches_again { Next::Lost } else { next })
    }

    /// Has the contact greet a servent, at each address of its name until somebody is there, and shows what came of that.
    fn greet(&mut self, servent: &str) -> anyhow::Result<Next> {
        let addresses = match resolve(servent) {
            Ok(found) => found.addresses,
            Err(error) => {
                let cause = error.of_the_system().map_or_else(String::new, |cause| format!(": {cause}"));
                say(format_args!("client: {error}{cause}"));
                self.worsen(Outcome::of_error(&ConnectError::unresolved(servent, error).into()));
                return Ok(Next::Continue);
            }
        };
        let silence_max = self.silence_max;
        let mut tried = AddressesTried::default();
        for address in addresses {
            let greeting = match self.begin(|client| client.begin_greeting(address, silence_max))? {
                Ok(greeting) => greeting,
                Err(next) => return Ok(next),
            };
            let end_of = |event| if let Event::Greeted(greeting) = event { Some(greeting) } else { None };
            let Some(greeting) = self.tell_until(greeting, end_of)? else { return Ok(Next::Continue) };
            if !tried.note(greeting) {
                break;
            }
        }
        for greeting in tried.to_show() {
            self.on_greeted(greeting)?;
        }
        Ok(match tried.to_show().last().map(|greeting| greeting.end) {
            _ if self.is_lost && !self.attaches_again => Next::Lost,
            Some(GreetEnd::Cancelled) => Next::Interrupted,
            _ => Next::Continue,
        })
    }

    fn on_greeted(&mut self, greeting: &GreetingEnded) -> anyhow::Result<()> {
        self.renderer.show_greeted(greeting)?;
        self.worsen(Outcome::of_greeting(greeting.end));
        if greeting.end != GreetEnd::Silence || !self.is_quiet {
            let contact = format!("contact {}", self.place.contact);
            let complaint = complaint(&contact, self.place.contact_address, greeting, self.silence_max);
            complaint.into_iter().for_each(|complaint| say(format_args!("client: {complaint}")));
        }
        Ok(())
    }

    /// Attaches to another servent, for what it can list. What is next, where that came to nothing.
    fn connect_beside(&mut self, servent: &str, what: &str) -> anyhow::Result<Result<Client, Next>> {
        self.catch_up(None)?;
        if self.take_interrupt() {
            return Ok(Err(Next::Interrupted));
        }
        match self.client.connect_beside(servent) {
            Ok(other) => Ok(Ok(other)),
            Err(error) => {
                if self.take_interrupt() {
                    // The terminal has shown ^C and left the cursor behind it.
                    self.renderer.show_aside("");
                    return Ok(Err(Next::Interrupted));
                }
                let said = unattached(&self.place.contact, servent, what, &error);
                // A dialect in which no answers come back has nothing to list either.
                let tells_none = matches!(error, ConnectError::NoWayBack { .. });
                let error = anyhow::Error::from(error);
                say(format_args!("client: {}", said.unwrap_or_else(|| format!("{error:#}"))));
                self.worsen(match tells_none {
                    true => Outcome::of_listing(ListingEnd::NotUnderstood),
                    false => Outcome::of_error(&error),
                });
                Ok(Err(Next::Continue))
            }
        }
    }

    /// Tells what comes of another servent until what goes by this number is over, and gives how, as `end_of` finds it.
    fn tell_of_other<End>(
        &mut self,
        other: &mut Client,
        called: &str,
        number: QueryNumber,
        end_of: impl Fn(Event) -> Option<End>,
    ) -> anyhow::Result<Option<End>> {
        loop {
            match other.next_event() {
                Ok(Some((_, Event::ContactLost { reason }))) => {
                    say(format_args!("client: {called} is lost: {reason}"));
                }
                Ok(Some((_, event))) => {
                    self.renderer.show(None, &event)?;
                    if let Some(end) = end_of(event) {
                        return Ok(Some(end));
                    }
                }
                Ok(None) => return Ok(None),
                Err(ClientError::Interrupted) => {
                    self.take_interrupt();
                    other.cancel(number);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Shows the members that another servent knows: it is attached to for that, and let go.
    fn list_elsewhere(&mut self, contact: &str) -> anyhow::Result<Next> {
        let mut other = match self.connect_beside(contact, MEMBERS)? {
            Ok(other) => other,
            Err(next) => return Ok(next),
        };
        let listing = match other.begin_members(self.silence_max) {
            Ok(listing) => listing,
            Err(error) => {
                self.on_refused(&error);
                return Ok(Next::Continue);
            }
        };
        let end_of = |event| if let Event::Listed(listed) = event { Some(listed) } else { None };
        let listed = self.tell_of_other(&mut other, contact, listing, end_of)?;
        listed.map_or(Ok(Next::Continue), |listed| self.on_listed(contact, other.contact_goes_by(), &listed))
    }

    /// A listing of members is over, of whoever is called this.
    fn on_listed(&mut self, contact: &str, from: SocketAddr, listed: &MembersListed) -> anyhow::Result<Next> {
        self.renderer.show_listed(contact, from, listed)?;
        self.worsen(Outcome::of_listing(listed.reason));
        let is_said = self.is_quiet || self.renderer.side.is_some();
        match listed.reason {
            ListingEnd::Cancelled => return Ok(Next::Interrupted),
            ListingEnd::NotUnderstood => say(format_args!("client: {}", tells_no_members(contact))),
            ListingEnd::Silence | ListingEnd::Disordered if !is_said => {
                unfinished(contact, listed, self.silence_max).into_iter().for_each(say);
            }
            _ => {}
        }
        Ok(Next::Continue)
    }

    /// Tells what there is to tell of the time since the last query; that the contact is lost, in the words of the prompt
    /// where there is one.
    fn catch_up(&mut self, notice: Option<&str>) -> anyhow::Result<()> {
        match self.client.ready() {
            // Whoever runs the command, or edits the line, takes note of that.
            Ok(_) | Err(ClientError::Interrupted) => self.tell_all(notice),
            Err(error) => Err(error.into()),
        }
    }

    /// Tells what came.
    fn tell_all(&mut self, notice: Option<&str>) -> anyhow::Result<()> {
        while let Some((query, event)) = self.client.take_event() {
            self.tell(query, &event, notice)?;
        }
        Ok(())
    }

    fn tell(&mut self, query: Option<QueryNumber>, event: &Event, notice: Option<&str>) -> anyhow::Result<()> {
        let ask = self.asked.iter().rev().find(|(asked, _)| Some(*asked) == query).map(|(_, ask)| ask);
        self.renderer.show(ask, event)?;
        let reason = match event {
            Event::Answer { via: Via::Back, .. } => {
                self.has_come_back = true;
                return Ok(());
            }
            Event::Unfetched { from, bytes_count, reason } => {
                self.unfetched_count += 1;
                if !self.is_quiet && !self.renderer.json {
                    let bytes = counted(*bytes_count, "byte");
                    let from = self.renderer.called(*from);
                    say(format_args!("client: the value of {from} ({bytes}) could not be fetched: {reason}"));
                }
                return Ok(());
            }
            Event::ContactLost { reason } => reason,
            Event::NotListening { .. } => {
                self.machine_failed = true;
                return Ok(());
            }
            Event::MoreUnexpected { count } if !self.is_quiet && !self.renderer.json => {
                say(format_args!("client: {} not shown", counted(*count, "more unexpected message")));
                return Ok(());
            }
            _ => return Ok(()),
        };
        if let (false, Some(notice)) = (self.is_told, notice) {
            say(notice);
        } else if !self.is_told {
            let spoken = parse_servent(&self.place.contact).map_or(Dialect::OWN, |(dialect, _)| dialect);
            let Manners { name, option, .. } = spoken.manners();
            // A servent that does not speak it closes without a word: it has none in that dialect.
            let hint = if option.is_empty() {
                String::new()
            } else {
                format!(" (does it speak {name}? a servent does with {option})")
            };
            say(format_args!("client: contact {} is lost: {reason}{hint}", self.place.contact));
        }
        self.is_lost = true;
        self.worsen(Outcome::ContactLost);
        Ok(())
    }

    /// Attaches again to a contact that is lost, where that is wanted. What is next, if there is still none.
    fn attach_again(&mut self) -> anyhow::Result<Result<(), Next>> {
        if !self.attaches_again {
            return Ok(Err(Next::Lost));
        }
        let attached = self.client.reconnect();
        if attached.is_ok() {
            (self.is_lost, self.is_told) = (false, false);
            (self.place.contact_address, self.place.answers_at) =
                (self.client.contact_address(), self.client.answers_at());
            self.place.contact_goes_by = self.client.contact_goes_by();
        }
        self.tell_all(None)?;
        if let Err(error) = attached {
            let is_interrupted = self.take_interrupt();
            if is_interrupted {
                // The terminal has shown ^C and left the cursor behind it.
                self.renderer.show_aside("");
            }
            // Whoever asks again and again is told once.
            if !std::mem::replace(&mut self.is_missed, self.asks_again) {
                let not_asked = if self.asks_again { "it is tried again" } else { "the line was not asked" };
                say(format_args!("client: {:#}; {not_asked}", anyhow::Error::from(error)));
            }
            return Ok(Err(if is_interrupted { Next::Interrupted } else { Next::Lost }));
        }
        // Whoever was told that it is missed is told that it is there, also where there is no terminal.
        if std::mem::take(&mut self.is_missed) && self.renderer.side.is_none() && !self.is_quiet {
            say(format_args!("client: attached to {} again", self.place.contact));
        }
        self.say_attached(" again");
        Ok(Ok(()))
    }

    /// The contact as it was named, and its name.
    fn say_attached(&mut self, again: &str) {
        let name = self.client.contact_name().map(|name| format!(" ({name})")).unwrap_or_default();
        self.note_contact_name();
        self.renderer.show_aside(format_args!("attached to {}{name}{again}", self.place.contact));
    }

    fn note_contact_name(&mut self) {
        let (contact, name) = (self.client.contact_goes_by(), self.client.contact_name());
        self.renderer.names.note(contact, name);
    }

    /// Whether Ctrl-C came since this was last told.
    fn take_interrupt(&mut self) -> bool {
        let mut is_interrupted = false;
        while self.interrupt.read(&mut [0; 64]).is_ok_and(|count| count > 0) {
            is_interrupted = true;
        }
        is_interrupted
    }

    fn worsen(&mut self, outcome: Outcome) {
        self.worst = self.worst.max(outcome);
    }
}

/// Says something on stderr. What cannot be said there is not: it changes nothing about what was found.
fn say(text: impl Display) {
    let _ = patient::stderr().write_all(format!("{text}\n").as_bytes());
}
