//! Contents and directories of the size one says: `CONTENT_BYTES` is the length of a content, `SHARED_FILES` how many files are
//! shared. Small ones are fetched and listed by `make test`, large ones by `make test-long`, and no more memory is taken for them.

use super::*;
use common::counted::grouped as with_commas;
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use topologies::fleet::Servent;
use topologies::processes::memory_of;

/// What a client or a servent may take for a content, however long that is.
const MEMORY_BYTES_MAX: usize = 48 << 20;

/// What a servent may take for each file that it shares, beside what it takes for none.
const FILE_BYTES_MAX: usize = 700;

/// What the environment says, or this.
fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

/// A file of so many bytes in which there is hardly anything, at its beginning, at its end and somewhere in between.
fn write_sparse(path: &Path, size: u64) {
    let file = File::create(path).unwrap();
    file.set_len(size).unwrap();
    for part in 0..4 {
        let page = content(4_096, part);
        file.write_all_at(&page, (size - 4_096) / 3 * part).unwrap();
    }
    file.write_all_at(b"the end", size - 7).unwrap();
}

/// How many bytes of a file were written: holes are none.
fn written(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| 512 * metadata.blocks())
}

/// That two files are the same, without having them in memory.
fn assert_same(one: &Path, other: &Path) {
    let files = [one, other].map(|path| File::open(path).unwrap());
    let size = files[0].metadata().unwrap().len();
    assert_eq!(files[1].metadata().unwrap().len(), size);
    let mut pieces = [vec![0; 1 << 20], vec![0; 1 << 20]];
    let mut at = 0;
    while at < size {
        let length = usize::try_from(size - at).map_or(1 << 20, |left| left.min(1 << 20));
        for (file, piece) in files.iter().zip(&mut pieces) {
            file.read_exact_at(&mut piece[..length], at).unwrap();
        }
        assert!(pieces[0][..length] == pieces[1][..length], "they differ behind byte {at}");
        at += length as u64;
    }
}

/// A servent that shares a directory, once it does, and what it says of that.
fn share(home: &Path, options: &[&str]) -> (Servent, String) {
    let [files, cache] = ["files", "cache"].map(|name| home.join(name).to_str().unwrap().to_owned());
    let mut servent =
        Servent::start(&[&["127.0.0.1:0", "-", "--share", &files, "--cache", &cache], options].concat()).unwrap();
    let so_far = servent.log_text();
    let line = match so_far.lines().find(|line| line.contains("] sharing ")) {
        Some(line) => line.to_owned(),
        None => servent.wait_for_log("] sharing ").unwrap(),
    };
    (servent, line.split_once("] ").unwrap().1.to_owned())
}

/// The most memory it ever had.
fn peak_bytes(servent: &Servent) -> usize {
    memory_of(servent.pid()).unwrap().most
}

#[test]
fn a_content_of_so_many_bytes_is_fetched_whole_though_its_client_is_killed_half_way() {
    let size = number("CONTENT_BYTES", 20_000_000);
    let (home, here) = (here(), here());
    fs::create_dir(home.path().join("files")).unwrap();
    let source = home.path().join("files/one");
    write_sparse(&source, size);
    let [whole, part] = ["one", "one.part"].map(|name| here.path().join(name));
    // So that there is a half way, where it is small.
    let (slow, said) = share(home.path(), &["--share-rate", &(size / 4).to_string()]);
    assert!(said.ends_with(" (1 hashed anew)"), "{said}");
    let client = Client::start_in(here.path(), [&*slow.address().to_string(), "-c", "get one"]);
    wait_until("half of it is here", || written(&part) > size / 2);
    let (client_peak, servent_peak) = (client.peak_bytes(), peak_bytes(&slow));
    client.kill();
    assert!(part.exists() && !whole.exists(), "it came to the whole before it was killed");
    drop(slow);

    let (servent, said) = share(home.path(), &[]);
    assert!(said.ends_with(" (0 hashed anew)"), "{said}");
    let before = written(&part);
    let began = Instant::now();
    let mut client = Client::start_in(here.path(), [&*servent.address().to_string(), "--json"]);
    client.write("get one --sources s\n");
    wait_until("a block more is here", || written(&part) > before || whole.exists());
    let first_new = began.elapsed();
    let fetched = loop {
        let line = client.next_json();
        if line["type"] != "progress" {
            break line;
        }
    };
    let all = began.elapsed();
    assert_eq!(picked(&fetched, ["type", "is_verified", "size", "wasted_bytes"]), json!(["fetched", true, size, 0]));
    // It waits for the next command.
    let peaks = [client_peak.max(client.peak_bytes()), servent_peak.max(peak_bytes(&servent))];
    println!(
        "{} bytes, of which {} were here: the first new block after {first_new:?}, all after {all:?}; \
         at most {} KiB in the client, {} KiB in the servent",
        with_commas(size),
        with_commas(before),
        peaks[0] >> 10,
        peaks[1] >> 10
    );
    assert!(peaks.iter().all(|peak| *peak <= MEMORY_BYTES_MAX), "{peaks:?} bytes of memory");
    assert_eq!(client.finish(), quiet("", 0));
    assert_same(&source, &whole);
    let sources = fs::read_to_string(here.path().join("s")).unwrap();
    assert!(sources.lines().any(|line| line.starts_with("file - ")), "what was here is fetched again: {sources}");
    assert_eq!(names_in(here.path()), ["one", "s"]);
}

#[test]
fn so_many_files_are_listed_and_found_and_a_start_hashes_none_of_them_again() {
    let count = number("SHARED_FILES", 300);
    let home = here();
    let name = |number: u64| format!("{:04}/file {number:07}", number / 100);
    let bytes = |number: u64| format!("the content of {number:07}");
    for number in 0..count {
        let path = home.path().join("files").join(name(number));
        if number % 100 == 0 {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
        }
        fs::write(path, bytes(number)).unwrap();
    }
    let began = Instant::now();
    let (servent, said) = share(home.path(), &[]);
    let files = format!("sharing {} files, ", with_commas(count));
    let all = format!(" ({} hashed anew)", with_commas(count));
    assert!(said.starts_with(&files) && said.ends_with(&all), "{said}");
    let (hashed, hashed_peak) = (began.elapsed(), peak_bytes(&servent));
    drop(servent);
    let began = Instant::now();
    let (servent, said) = share(home.path(), &[]);
    assert!(said.starts_with(&files) && said.ends_with(" (0 hashed anew)"), "{said}");
    let started = began.elapsed();

    let contact = servent.address().to_string();
    let began = Instant::now();
    let run = Client::run([&*contact, "-c", "ls"], "");
    let listed = began.elapsed();
    let expected = (0..count).map(|number| {
        let bytes = bytes(number).into_bytes();
        format!("{}\t{}\t{}\t", name(number), bytes.len(), hash_of(&bytes))
    });
    assert!(run.out.lines().eq(expected), "{} lines of {count}", run.out.lines().count());
    assert_eq!((&*run.log, run.code), ("", 0));

    let one = count * 2 / 3;
    let began = Instant::now();
    let run = Client::run([&*contact, "-c", &format!("find FILE {one:07}")], "");
    let found = began.elapsed();
    let (size, hash) = (bytes(one).len(), hash_of(bytes(one).as_bytes()));
    assert_eq!(run, quiet(format!("{}\t{size}\t{hash}\t1\t\n", name(one)), 0));
    println!(
        "{} files: hashed after {hashed:?}, known after {started:?}, listed after {listed:?}, one found after {found:?}; \
         at most {} KiB in the servent that hashed them, {} KiB in the one that knew them",
        with_commas(count),
        hashed_peak >> 10,
        peak_bytes(&servent) >> 10
    );
    let most = hashed_peak.max(peak_bytes(&servent));
    assert!(most <= (12 << 20) + FILE_BYTES_MAX * usize::try_from(count).unwrap(), "{most} bytes of memory");
}
