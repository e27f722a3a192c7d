//! Real servents on loopback for a client to ask, each on a port the system chose.
//!
//! They are small: overlays of every shape are brought up by the tests of `topologies`.

use std::net::SocketAddr;
use std::time::Instant;

use common::limits::SILENCE_DEFAULT;
use peers::PATIENCE;
use tempfile::TempDir;
use topologies::asking::{self, Asked};
use topologies::fleet::Servent;

/// Servents in a chain, or in a star where that is said, the first of them the contact. Ended when dropped.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) servents: Vec<Servent>,
    _data: TempDir,
}

impl Chain {
    /// Starts one servent for each text, which is its data, and waits until they are linked.
    pub(crate) fn start<Text: AsRef<[u8]>>(texts: impl IntoIterator<Item = Text>) -> Chain {
        Chain::start_on("127.0.0.1:0", texts)
    }

    /// The same on another address.
    pub(crate) fn start_on<Text: AsRef<[u8]>>(listen: &str, texts: impl IntoIterator<Item = Text>) -> Chain {
        Chain::start_linked(listen, texts, <[Servent]>::last)
    }

    /// The same in a star: all others are neighbors of the first.
    pub(crate) fn start_star<Text: AsRef<[u8]>>(texts: impl IntoIterator<Item = Text>) -> Chain {
        Chain::start_linked("127.0.0.1:0", texts, <[Servent]>::first)
    }

    /// Each has for its neighbor one of those before it.
    fn start_linked<Text: AsRef<[u8]>>(
        listen: &str,
        texts: impl IntoIterator<Item = Text>,
        neighbor: fn(&[Servent]) -> Option<&Servent>,
    ) -> Chain {
        let data = TempDir::new().unwrap();
        let mut servents: Vec<Servent> = Vec::new();
        for (place, text) in texts.into_iter().enumerate() {
            let path = data.path().join(format!("{place}.txt"));
            std::fs::write(&path, text).unwrap();
            let mut arguments = vec![listen.to_owned(), path.display().to_string()];
            arguments.extend(neighbor(&servents).map(|neighbor| neighbor.address().to_string()));
            servents.push(Servent::start(&arguments).unwrap());
        }
        let chain = Chain { servents, _data: data };
        wait_until_reached(chain.address(0), chain.servents.len());
        chain
    }

    /// The address of a servent.
    pub(crate) fn address(&self, place: usize) -> SocketAddr {
        self.servents[place].address()
    }

    /// The first servent, as an argument.
    pub(crate) fn contact(&self) -> String {
        self.address(0).to_string()
    }
}

/// Waits until so many servents are within reach of a contact.
pub(crate) fn wait_until_reached(contact: SocketAddr, count: usize) {
    let until = Instant::now() + PATIENCE;
    loop {
        let asked = Asked::at(contact, asking::topology(SILENCE_DEFAULT)).unwrap();
        if asked.answers.len() == count {
            return;
        }
        assert!(Instant::now() < until, "the servents do not link: {asked:?}");
    }
}
