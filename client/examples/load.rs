//! Ten thousand lookups, 64 at once: `cargo run --release --example load -- CONTACT KEY`.

use std::error::Error;
use std::time::Instant;

use client::{Client, Event, Question};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [contact, key] = &words[..] else { return Err("the order is: load CONTACT KEY".into()) };
    let question = Question::key(key)?;
    let mut client = Client::connect(contact)?;
    let (began, mut begun, mut ended) = (Instant::now(), 0, 0);
    let (mut answers, mut missing, mut lost) = (0, 0, 0);
    while ended < 10_000 {
        while begun < 10_000 && client.pending_count() < 64 {
            client.begin(question.clone())?;
            begun += 1;
        }
        if let Some((_, Event::Finished(ending))) = client.next_event()? {
            ended += 1;
            answers += ending.answers;
            missing += ending.missing;
            lost += ending.tally.lost;
        }
    }
    println!("{ended} lookups, {answers} answers, {missing} missing, {lost} lost in {:.1?}", began.elapsed());
    Ok(())
}
