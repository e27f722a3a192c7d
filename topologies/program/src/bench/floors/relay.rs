//! A floor that passes on what it hears, and may answer: alone it is ping-pong, in a row the chain, with many behind it
//! the star.
//!
//! It remembers nothing: what comes in goes out, to every next one and, where it answers, to the client.

use std::net::SocketAddr;

use clap::{Args, ValueEnum};

use super::answers::{AnswerLink, say_listening};
use super::links::{FloorLinks, READ_BYTES, SOMEBODY_COMES};
use super::wait::{Epoll, Polling, WaitKind, Waits};
use super::wire::{FloorMessage, Head};

/// How a floor answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Answering {
    /// Others do.
    Never,
    /// Over the connection the message came by.
    Back,
    /// Over a connection to the client that stays.
    Kept,
    /// Over a connection for each.
    Fresh,
    /// Others do, over the connection they were asked by; what comes goes on to whoever asked last.
    Carry,
}

/// Its command line.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where it listens
    #[arg(long)]
    listen: SocketAddr,
    /// Whom it passes messages on to
    #[arg(long)]
    next: Vec<SocketAddr>,
    /// What it waits with
    #[arg(long, value_enum)]
    wait: WaitKind,
    /// How it answers
    #[arg(long, value_enum)]
    answers: Answering,
    /// How long what it hears is
    #[arg(long)]
    hears: usize,
    /// How long what it passes on is
    #[arg(long)]
    says: usize,
    /// How long an answer is
    #[arg(long)]
    answer: usize,
}

impl Options {
    /// The words that are read as this.
    #[must_use]
    pub fn words(
        listen: SocketAddr,
        next: &[SocketAddr],
        wait: WaitKind,
        answers: Answering,
        [hears, says, answer]: [usize; 3],
    ) -> Vec<String> {
        let word =
            |value: Option<clap::builder::PossibleValue>| value.map_or_else(String::new, |v| v.get_name().to_owned());
        let mut words = vec!["relay".to_owned(), format!("--listen={listen}")];
        words.extend(next.iter().map(|next| format!("--next={next}")));
        words.push(format!("--wait={}", word(wait.to_possible_value())));
        words.push(format!("--answers={}", word(answers.to_possible_value())));
        words.extend([("hears", hears), ("says", says), ("answer", answer)].map(|(name, n)| format!("--{name}={n}")));
        words
    }
}

/// Passes on until it is ended.
pub fn run(options: &Options) -> anyhow::Result<()> {
    match options.wait {
        WaitKind::Epoll => relay::<Epoll>(options),
        WaitKind::Polling => relay::<Polling>(options),
    }
}

fn relay<W: Waits>(options: &Options) -> anyhow::Result<()> {
    // Those that are passed on to come first, and only where answers are carried does anything come from them.
    let mut links = FloorLinks::<W>::open(options.listen, &options.next)?;
    let mut client = AnswerLink::default();
    say_listening(links.address)?;

    let (mut keys, mut chunk) = (Vec::new(), vec![0; READ_BYTES]);
    let mut asked_by = None;
    loop {
        links.waits.wait(&mut keys)?;
        for key in &keys {
            if *key == SOMEBODY_COMES {
                links.accept()?;
                continue;
            }
            let Some(mut link) = links.all[*key].take() else { continue };
            if !link.read(&mut chunk) {
                continue;
            }
            if *key < options.next.len() {
                let asker = asked_by.and_then(|asker: usize| links.all[asker].as_mut());
                if let (Answering::Carry, Some(asker)) = (options.answers, asker) {
                    while let Some(answer) = link.came.next(|_| options.answer) {
                        answer.write(options.answer, &mut asker.out);
                    }
                    asker.write();
                }
                links.all[*key] = Some(link);
                continue;
            }
            asked_by = Some(*key);
            while let Some(head) = link.came.next(|_| options.hears) {
                let query = Head { kind: FloorMessage::Query, ..head };
                for next in links.all[..options.next.len()].iter_mut().flatten() {
                    query.write(options.says, &mut next.out);
                }
                let answer = Head { kind: FloorMessage::Answer, ..head };
                match options.answers {
                    Answering::Never | Answering::Carry => {}
                    Answering::Back => answer.write(options.answer, &mut link.out),
                    Answering::Kept => client.keep(answer, options.answer),
                    Answering::Fresh => AnswerLink::tell_alone(answer, options.answer),
                }
            }
            if link.write() {
                links.all[*key] = Some(link);
            }
        }
        for next in links.all[..options.next.len()].iter_mut().flatten() {
            next.write();
        }
        client.write();
    }
}
