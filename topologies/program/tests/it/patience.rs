//! `topology` writes all it has to say, also where another program has made its stdout non-blocking.

use std::io::{Read, pipe};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::support::sim;

#[test]
fn every_line_of_many_arrives() {
    let (mut reader, writer) = pipe().unwrap();
    fcntl_setfl(&writer, fcntl_getfl(&writer).unwrap() | OFlags::NONBLOCK).unwrap();
    // With the command what it holds of the pipe is gone.
    let mut topology = sim("chain --servents 3 --seeds 0..3000").stdout(writer).spawn().unwrap();
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert!(topology.wait().unwrap().success());
    assert!(text.len() > 2 * 65_536, "a pipe takes it without waiting: {}", text.len());
    let of_seeds: Vec<usize> = text.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    // One is about all of them.
    assert!(of_seeds.iter().copied().take(3000).eq(0..3000), "{} lines", of_seeds.len());
}
