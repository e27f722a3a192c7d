//! A disk that fails while a file is given: the system says so of each read of it, as long as strace, where it is installed, has
//! it say that.

use super::*;
use std::process::ChildStderr;
use topologies::processes;

/// Whoever has reads of a file fail. They go on as before once it is dropped.
struct FailingDisk {
    _strace: processes::Process,
    /// What it says of threads that come later has somewhere to go.
    _said: BufReader<ChildStderr>,
}

impl FailingDisk {
    /// Nothing, where nobody may do that here.
    fn under(servent: &Process, path: &str) -> Option<FailingDisk> {
        let mut command = Command::new("strace");
        let pid = servent.pid().to_string();
        command.args(["-f", "-o", "/dev/null", "-e", "trace=pread64", "-e", "inject=pread64:error=EIO"]);
        command.args(["-P", path, "-p", &pid]).stdin(Stdio::null()).stderr(Stdio::piped());
        let mut strace = match processes::Process::start(&mut command) {
            Ok(strace) => strace,
            Err(error) => {
                println!("not run: there is no strace to have reads fail with: {error}");
                return None;
            }
        };
        let (mut lines, mut said) = (BufReader::new(strace.take_stderr().unwrap()), String::new());
        lines.read_line(&mut said).unwrap();
        if !said.contains(" attached") {
            println!("not run: system calls cannot be changed here: {said}");
            return None;
        }
        Some(FailingDisk { _strace: strace, _said: lines })
    }
}

#[test]
fn a_file_that_cannot_be_read_is_given_no_more_and_others_are() {
    let file = content(9 * BLOCK_BYTES_MIN);
    let (shared, servent, mut peers) = half_given(&file, "-");
    let [peer, idle] = &mut peers;
    let path = fs::canonicalize(shared.at("film")).unwrap();
    let Some(disk) = FailingDisk::under(&servent, path.to_str().unwrap()) else { return };
    want_blocks(peer, 7, 1, 4);
    for peer in [&mut *peer, idle] {
        assert_eq!(peer.expect(), refused(7, Refusal::Gone));
        assert_eq!(open(peer, 8, hash_of(&file)), refused(8, Refusal::Gone));
        assert_eq!(names_listed(peer), ["other"]);
        assert_eq!(fetch(peer, 9, hash_of(b"other")), b"other");
    }
    drop(disk);
    // Once it was looked at again it may be tried again.
    servent.signal(Signal::HUP);
    wait_until("it is shared again", || names_listed(peer) == ["film", "other"]);
    assert!(fetch(peer, 10, hash_of(&file)) == file);
    let log = ended(servent);
    assert!(
        log.contains("film cannot be read: Input/output error (os error 5); it is not shared for a while"),
        "{log}"
    );
}
