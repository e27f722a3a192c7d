//! What somebody who does not know an overlay can ask it: keys that are really there.
//!
//! It reads the declared data as `check` does and starts nothing.

use std::collections::BTreeMap;

use crate::check::load_data;
use crate::declared::Topology;
use crate::expected::Expected;

/// The words README asks for: they are suggested where they are.
const WELL_KNOWN: [&str; 2] = ["coffee", "kernel"];

/// Longer words are not typed for the fun of it.
const WORD_BYTES_MAX: usize = 16;

/// Something to ask at the first servent, such as `try: ? coffee   ? kernel   T`: for a key that some hold, and for one
/// that all do or only one does. Of an overlay without data only the topology can be asked.
#[must_use]
pub fn hint(topology: &Topology) -> String {
    let mut asks: Vec<String> = keys(topology).into_iter().map(|key| format!("? {key}")).collect();
    asks.push("T".to_owned());
    format!("try: {}", asks.join("   "))
}

fn keys(topology: &Topology) -> Vec<String> {
    // What cannot be read ends the servent that is to serve it, and is said then.
    let Ok(data) = load_data(topology) else { return Vec::new() };
    let Expected { demanded, .. } = Expected::new(topology, 0);
    let mut holders: BTreeMap<&str, usize> = BTreeMap::new();
    let reached = data.iter().enumerate().filter(|(place, _)| demanded.reaches(*place)).map(|(_, store)| store);
    for store in reached.clone() {
        for key in store.keys().filter_map(|key| std::str::from_utf8(key).ok()).filter(|key| is_easy(key)) {
            *holders.entry(key).or_default() += 1;
        }
    }
    let within = reached.count();
    let pick = |is_fitting: &dyn Fn(usize) -> bool| {
        let fitting = holders.iter().filter(|(_, count)| is_fitting(**count));
        // The fewer answers the easier to read; of several the first in the alphabet.
        fitting.min_by_key(|(key, count)| (!WELL_KNOWN.contains(key), **count)).map(|(key, _)| (*key).to_owned())
    };
    let some = pick(&|count| count > 1 && count < within);
    let all = pick(&|count| count > 1 && count == within);
    let one = pick(&|count| count == 1);
    [some, all, one].into_iter().flatten().take(2).collect()
}

fn is_easy(key: &str) -> bool {
    key.len() <= WORD_BYTES_MAX && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_is_suggested_is_there() {
        for (name, expected) in [
            ("diamond", "try: ? coffee   ? kernel   T"),
            ("chain", "try: ? dns   ? kernel   T"),
            ("star", "try: ? dns   ? kernel   T"),
        ] {
            assert_eq!(hint(&Topology::load(name).unwrap()), expected);
        }
    }

    #[test]
    fn it_is_only_what_a_query_can_reach() {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in [("a", "tea green\nodd-one 1\n"), ("b", "tea black\n"), ("c", "mate bitter\n")] {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        let hint_of = |text: &str| hint(&Topology::parse("test", text, directory.path()).unwrap());
        assert_eq!(hint_of("9001 a 127.0.0.1:9002\n9002 b\n"), "try: ? tea   T", "all hold it");
        assert_eq!(hint_of("9001 a 127.0.0.1:9002\n9002 b 127.0.0.1:9003\n9003 -\n"), "try: ? tea   T", "some do");
        let row = "9001 a 127.0.0.1:9002 --ttl 0\n9002 - 127.0.0.1:9003\n9003 c\n";
        assert_eq!(hint_of(row), "try: ? tea   T", "the last is out of reach");
        assert_eq!(hint_of(&row.replace("--ttl 0", "")), "try: ? mate   T", "one holds it");
        assert_eq!(hint_of("9001 -\n"), "try: T");
        assert_eq!(hint_of("9001 nowhere\n"), "try: T");
        assert!(Topology::parse("test", "9001 a\n", Path::new("/nowhere")).is_ok());
    }
}
