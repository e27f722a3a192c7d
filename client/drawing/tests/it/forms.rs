//! What every form has to say, each in its own way.

use drawing::Discovery;

use crate::overlays::{address, in_every_form, named};

/// Anybody may go by any name: who is who is told by addresses alone.
#[test]
fn five_hundred_that_all_claim_one_name_are_told_apart() {
    let overlay = named(&vec!["kitchen".to_owned(); 500]);
    for (form, text) in in_every_form(&overlay) {
        let times = if form == "svg" { 2 } else { 1 };
        assert_eq!(text.matches("kitchen").count(), times * 500, "{form}");
        let missing = (0..500).find(|place| !text.contains(&format!(":{}", address(*place).port())));
        assert_eq!(missing, None, "{form}");
    }
}

/// One says that it has a neighbor, and that one, who says whom it has, does not name it.
#[test]
fn a_link_that_one_end_alone_tells_of_is_drawn_with_a_question_mark() {
    let told = |third: &[usize], fourth: Option<&[usize]>| {
        let mut discovery = Discovery::at(address(0));
        let addresses = |places: &[usize]| places.iter().map(|place| address(*place)).collect::<Vec<_>>();
        let mut add = |path: &[usize], neighbors: Option<&[usize]>| {
            let path = addresses(path);
            discovery.add(path[path.len() - 1], None, &path, neighbors.map(addresses).as_deref());
        };
        add(&[0], Some(&[1, 2]));
        add(&[0, 1], Some(&[0, 3]));
        add(&[0, 2], Some(third));
        add(&[0, 1, 3], fourth);
        in_every_form(&discovery.overlay().unwrap())
    };
    let as_one = told(&[0, 3], Some(&[1, 2]));
    let denied = told(&[0, 3], Some(&[1]));
    // Who tells of nobody denies nobody.
    let silent = told(&[0, 3], None);
    for ((form, text), ((_, as_one), (_, silent))) in denied.iter().zip(as_one.iter().zip(&silent)) {
        // Outside of the words that say what it means.
        let marks = |text: &str| {
            let lines = text.lines().filter(|line| !line.contains(" does not "));
            lines.map(|line| line.matches('?').count()).sum::<usize>()
        };
        // In a picture it stands at the stroke that is explained as well.
        let expected = if *form == "svg" { 2 } else { 1 };
        assert_eq!((marks(text), marks(as_one), marks(silent)), (expected, 0, 0), "{form}\n{text}");
    }
}
