//! Asks one key: `cargo run --example ask -- CONTACT KEY`.

use std::error::Error;

use client::{AnswerBody, Client, Event};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [contact, key] = &words[..] else { return Err("the order is: ask CONTACT KEY".into()) };
    let mut client = Client::connect(contact)?;
    for event in client.ask(key)? {
        match event? {
            Event::Answer { from, body: AnswerBody::Value(value), .. } => println!("{from}: {}", value.escape_ascii()),
            Event::Finished(ending) => println!("answers: {}, missing: {}", ending.answers, ending.missing),
            other => eprintln!("{other:?}"),
        }
    }
    Ok(())
}
