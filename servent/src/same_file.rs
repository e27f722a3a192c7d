//! Whether two paths lead to one file, whether it is there yet or not. Nothing is opened.
//!
//! What is not told apart is what no path shows: one directory that is mounted twice, for a file that is not there yet.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf, absolute};

/// Whether what is written to one would be written to the other. Of a device, a FIFO or the like it would not: each who
/// opens one may have it for itself.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino()),
        (Err(_), Err(_)) => place_of(one) == place_of(other),
        _ => false,
    }
}

/// Whether something is in a directory or below it, or is that directory, or would be once it is made.
pub(crate) fn is_beneath(path: &Path, directory: &Path) -> bool {
    let Ok(directory) = fs::canonicalize(directory) else { return false };
    fs::canonicalize(path).unwrap_or_else(|_| place_of(path)).starts_with(directory)
}

/// Where a file would be made: the directory as it is called without any links, and a name in it.
fn place_of(path: &Path) -> PathBuf {
    let path = absolute(path).unwrap_or_else(|_| path.to_owned());
    match (path.parent().map(fs::canonicalize), path.file_name()) {
        (Some(Ok(directory)), Some(name)) => directory.join(name),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_beneath_a_directory_is_so_by_every_path() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir_all(at("here/deep")).unwrap();
        fs::create_dir(at("here2")).unwrap();
        symlink(at("here"), at("there")).unwrap();
        symlink(at("here2"), at("here/out")).unwrap();
        for share in ["here", "there", "here2/../here"] {
            for beneath in ["here", "here/deep", "there/nothing", "here/deep/nothing", "here2/../there/deep"] {
                assert!(is_beneath(&at(beneath), &at(share)), "{beneath} {share}");
            }
            for beside in ["here2", "here2/nothing", ".", "here/out", "here/out/nothing", "nothing"] {
                assert!(!is_beneath(&at(beside), &at(share)), "{beside} {share}");
            }
        }
        assert!(!is_beneath(&at("nothing/deep"), &at("nothing")), "it is not there");
    }

    #[test]
    fn a_file_is_the_same_by_every_path_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("here")).unwrap();
        symlink(at("here"), at("there")).unwrap();
        for is_there in [false, true] {
            if is_there {
                fs::write(at("here/a"), "").unwrap();
                symlink(at("here/a"), at("b")).unwrap();
                fs::hard_link(at("here/a"), at("c")).unwrap();
                assert!(is_same_file(&at("b"), &at("here/a")) && is_same_file(&at("c"), &at("b")));
            }
            for other in ["here/a", "here/./a", "there/a", "here/../here/a"] {
                assert!(is_same_file(&at("here/a"), &at(other)), "{other}");
            }
            for other in ["a", "here/b", "here", "here/a/a", ""] {
                assert!(!is_same_file(&at("here/a"), &at(other)), "{other}");
            }
        }
        assert!(is_same_file(Path::new("nobody has this"), Path::new("./nobody has this")));
        assert!(!is_same_file(Path::new("/dev/null"), Path::new("/dev/null")));
    }
}
