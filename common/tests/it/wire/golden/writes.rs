//! The golden bytes of what is said of writes.

use super::*;
use common::write::{Change, Changed, Unwatch, Watch, Write, WriteOutcome, WriteRefusal, Written};

pub(super) fn golden_messages() -> Vec<Golden> {
    let golden = |name, hex, message| Golden { name, hex, message, position: Position::Later };
    let write = |change| Message::Write(Write { sequence: SEQUENCE, change });
    let written = |outcome| Message::Written(Written { sequence: 7, outcome });
    let refused = |refusal| written(WriteOutcome::Refused(refusal));
    let changed = |value: Option<&[u8]>| Message::Changed(Changed { sequence: 7, value: value.map(Into::into) });
    vec![
        golden(
            "put",
            "00000016  00  19  fd 0123456789abcdef  00 03 746561 05 677265656e",
            write(Change::Put { key: key_of("tea"), value: b"green"[..].into() }),
        ),
        golden(
            "put of no bytes",
            "00000011  00  19  fd 0123456789abcdef  00 03 746561 00",
            write(Change::Put { key: key_of("tea"), value: b""[..].into() }),
        ),
        golden(
            "delete",
            "00000010  00  19  fd 0123456789abcdef  01 03 746561",
            write(Change::Delete { key: key_of("tea") }),
        ),
        golden(
            "publish",
            "0000001e  00  19  fd 0123456789abcdef  02 09 6661726f6c2e6d7034 07 6174206475736b",
            write(Change::Publish { name: file_name(b"farol.mp4"), text: b"at dusk"[..].into() }),
        ),
        golden(
            "unpublish",
            "00000016  00  19  fd 0123456789abcdef  03 09 6661726f6c2e6d7034",
            write(Change::Unpublish { name: file_name(b"farol.mp4") }),
        ),
        golden("written, stored", "00000004  00  1a  07  00", written(WriteOutcome::Stored)),
        golden("written, replaced", "00000004  00  1a  07  01", written(WriteOutcome::Replaced)),
        golden("written, deleted", "00000004  00  1a  07  02", written(WriteOutcome::Deleted)),
        golden("written, absent", "00000004  00  1a  07  03", written(WriteOutcome::Absent)),
        golden("written, present", "00000004  00  1a  07  04", written(WriteOutcome::Present)),
        golden("written, refused, no store", "00000005  00  1a  07  05 00", refused(WriteRefusal::NoStore)),
        golden("written, refused, not from here", "00000005  00  1a  07  05 01", refused(WriteRefusal::NotFromHere)),
        golden("written, refused, store full", "00000005  00  1a  07  05 02", refused(WriteRefusal::StoreFull)),
        golden("written, refused, disk full", "00000005  00  1a  07  05 03", refused(WriteRefusal::DiskFull)),
        golden("written, refused, disk failed", "00000005  00  1a  07  05 04", refused(WriteRefusal::DiskFailed)),
        golden("written, refused, nothing shared", "00000005  00  1a  07  05 05", refused(WriteRefusal::NothingShared)),
        golden("written, refused, busy", "00000005  00  1a  07  05 06", refused(WriteRefusal::Busy)),
        golden("written, refused, read only", "00000005  00  1a  07  05 07", refused(WriteRefusal::ReadOnly)),
        golden(
            "watch",
            "0000000a  00  1b  07  06 6b65726e656c",
            Message::Watch(Watch { sequence: 7, key: key_of("kernel") }),
        ),
        golden("unwatch", "00000003  00  1c  07", Message::Unwatch(Unwatch { sequence: 7 })),
        golden("changed", "0000000a  00  1d  07  01 05 362e322e30", changed(Some(b"6.2.0"))),
        golden("changed, no value", "00000004  00  1d  07  00", changed(None)),
    ]
}
