//! Watches a topology: `cargo run --example watch -- CONTACT [TIMES]` says which servents come and go.

use std::collections::BTreeSet;
use std::error::Error;

use client::{Client, Event};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let contact = words.next().ok_or("the order is: watch CONTACT [TIMES]")?;
    let times = words.next().map_or(Ok(usize::MAX), |times| times.parse())?;
    let mut client = Client::connect(&contact)?;
    let mut known = BTreeSet::new();
    for _ in 0..times {
        let mut found = BTreeSet::new();
        for event in client.topology()? {
            if let Event::Answer { from, .. } = event? {
                found.insert(from);
            }
        }
        found.difference(&known).for_each(|servent| println!("+ {servent}"));
        known.difference(&found).for_each(|servent| println!("- {servent}"));
        known = found;
        // A second, or less where something comes meanwhile.
        poll(&mut [PollFd::new(&client, PollFlags::IN)], Some(&Timespec { tv_sec: 1, tv_nsec: 0 }))?;
    }
    Ok(())
}
