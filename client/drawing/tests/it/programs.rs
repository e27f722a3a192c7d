//! What is written for other programs, read by those: `dot` of Graphviz, Mermaid's `mmdc`, and whatever draws an SVG. Where one is not
//! installed that is said.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use drawing::{DrawnOverlay, dot, mermaid, svg};
use sim::shapes::Shape;

use crate::overlays::{everything, named, nasty_names, shaped, shapes};

/// Runs a program with a text at its input. Nothing where there is no such program.
fn run(program: &str, arguments: &[&str], input: &str) -> Option<Output> {
    let piped = Stdio::piped;
    let child = Command::new(program).args(arguments).stdin(piped()).stdout(piped()).stderr(piped()).spawn();
    let Ok(mut child) = child else {
        println!("{program} is not installed: nothing is tried");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || {
        // Whoever ends before all is read says why.
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(output)
}

fn overlays() -> Vec<(String, DrawnOverlay)> {
    let shaped = shapes().map(|shape| (shape.to_string(), shaped(&shape, 12, 4, 1)));
    let others = [("everything".to_owned(), everything()), ("names".to_owned(), named(&nasty_names()))];
    shaped.chain(others).collect()
}

/// What is shown of a name, in XML.
fn in_xml(name: &str) -> String {
    let shown = common::text::Escaped::new(name.as_bytes()).to_string();
    let shown = shown.replace('\u{fffe}', "\\u{fffe}").replace('\u{ffff}', "\\u{ffff}");
    shown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The same whatever entities were chosen.
fn plain(xml: &str) -> String {
    let entities = [
        ("&#45;", "-"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#160;", " "),
        ("&#xa0;", " "),
        ("\u{a0}", " "),
        ("\u{200b}", ""),
    ];
    entities.iter().fold(xml.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

#[test]
fn graphviz_reads_what_is_written_for_it() {
    for (what, overlay) in overlays() {
        let text = dot(&overlay);
        let Some(output) = run("dot", &["-Tsvg"], &text) else { return };
        // What it says of fonts is nobody's business.
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("yntax") && !said.contains("arning: node"), "{what}: {said}");
        let picture = plain(&String::from_utf8(output.stdout).unwrap());
        assert_eq!(picture.matches("class=\"node\"").count(), overlay.servents().len(), "{what}");
        assert_eq!(picture.matches("class=\"edge\"").count(), overlay.links().len(), "{what}");
        for name in overlay.servents().iter().filter_map(|servent| servent.name.as_deref()) {
            assert!(picture.contains(&format!(">{}<", in_xml(name))), "{what}: {name:?} in {picture}");
        }
    }
}

#[test]
fn mermaid_reads_what_is_written_for_it() {
    let directory = tempfile::tempdir().unwrap();
    // Its browser does not begin as root otherwise, and what is shown here is our own.
    let browser = directory.path().join("browser.json");
    fs::write(&browser, r#"{"args":["--no-sandbox"]}"#).unwrap();
    // A browser begins anew for each.
    for (what, overlay) in
        [("everything", everything()), ("names", named(&nasty_names())), ("random", shaped(&Shape::Random, 30, 4, 1))]
    {
        let (from, to) = (directory.path().join("overlay.mmd"), directory.path().join("overlay.svg"));
        fs::write(&from, mermaid(&overlay)).unwrap();
        let [browser, from, to] = [&browser, &from, &to].map(|path| path.to_str().unwrap());
        let Some(_) = run("mmdc", &["-p", browser, "-i", from, "-o", to], "") else { return };
        let picture = plain(&fs::read_to_string(to).unwrap());
        assert_eq!(picture.matches("class=\"node ").count(), overlay.servents().len(), "{what}");
        assert_eq!(picture.matches("data-edge=\"true\"").count(), overlay.links().len(), "{what}");
        for name in overlay.servents().iter().filter_map(|servent| servent.name.as_deref()) {
            // Blanks at an end are nothing to a browser.
            assert!(picture.contains(&format!("{}</p>", in_xml(name).trim_end())), "{what}: {name:?} in {picture}");
        }
    }
}

#[test]
fn a_picture_is_drawn_by_whatever_draws_pictures() {
    for (what, overlay) in overlays() {
        let picture = svg(&overlay, &what);
        let Some(output) = run("rsvg-convert", &["--format", "png"], &picture) else { return };
        assert!(output.stdout.starts_with(b"\x89PNG"), "{what}");
    }
}

#[test]
fn what_is_written_for_programs_is_the_same_each_time() {
    for write in [dot, mermaid] {
        assert_eq!(write(&everything()), write(&everything()));
    }
    let lines = |text: String| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let ring = shaped(&Shape::Ring, 3, 2, 0);
    assert_eq!(
        lines(dot(&ring)),
        [
            "graph overlay {",
            "  graph [fontname=\"monospace\"]",
            "  node [shape=box style=rounded fontname=\"monospace\"]",
            "  edge [fontname=\"monospace\"]",
            "  label=\"3 servents, 3 links, diameter 1, degree 2\"",
            "  \"127.0.0.1:9001\" [label=\"127.0.0.1:9001\" style=\"rounded,bold\" penwidth=3]",
            "  \"127.0.0.1:9002\" [label=\"127.0.0.1:9002\"]",
            "  \"127.0.0.1:9003\" [label=\"127.0.0.1:9003\\nservent 2\"]",
            "  \"127.0.0.1:9001\" -- \"127.0.0.1:9002\"",
            "  \"127.0.0.1:9001\" -- \"127.0.0.1:9003\"",
            "  \"127.0.0.1:9002\" -- \"127.0.0.1:9003\"",
            "}",
        ]
    );
    assert_eq!(
        lines(mermaid(&ring)),
        [
            "flowchart TD",
            "  n0[\"127.0.0.1:9001\"]",
            "  n1[\"127.0.0.1:9002\"]",
            "  n2[\"127.0.0.1:9003<br/>servent 2\"]",
            "  n0 --- n1",
            "  n0 --- n2",
            "  n1 --- n2",
            "  classDef contact stroke-width:4px",
            "  class n0 contact",
        ]
    );
}
