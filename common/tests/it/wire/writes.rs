//! What is said of writes, at its limits.

use super::*;
use common::limits::{DESCRIPTION_BYTES_MAX, FILE_NAME_BYTES_MAX, VALUE_BYTES_MAX};

#[test]
fn what_is_said_of_writes_may_have_its_limits_and_not_one_more() {
    let put = |length| [bytes("19 00 00"), run_of(length, b'k'), bytes("00")].concat();
    assert_limit(KEY_BYTES_MAX, put, "the key has 4097 bytes; 4096 is the most");
    let value = |length| [bytes("19 00 00 01 6b"), run_of(length, 0xff)].concat();
    assert_limit(VALUE_BYTES_MAX, value, "a value of 1048577 bytes, where 1048576 is the most");
    let del = |length| [bytes("19 00 01"), run_of(length, b'k')].concat();
    assert_limit(KEY_BYTES_MAX, del, "the key has 4097 bytes; 4096 is the most");
    let publish = |length| [bytes("19 00 02"), run_of(length, b'n'), bytes("00")].concat();
    assert_limit(FILE_NAME_BYTES_MAX, publish, "the name has 1025 bytes; 1024 is the most");
    let text = |length| [bytes("19 00 02 01 6e"), run_of(length, 0xff)].concat();
    assert_limit(DESCRIPTION_BYTES_MAX, text, "a description of 1025 bytes, where 1024 is the most");
    let unpublish = |length| [bytes("19 00 03"), run_of(length, b'n')].concat();
    assert_limit(FILE_NAME_BYTES_MAX, unpublish, "the name has 1025 bytes; 1024 is the most");
    let watch = |length| [bytes("1b 00"), run_of(length, b'k')].concat();
    assert_limit(KEY_BYTES_MAX, watch, "the key has 4097 bytes; 4096 is the most");
    let changed = |length| [bytes("1d 00 01"), run_of(length, 0xff)].concat();
    assert_limit(VALUE_BYTES_MAX, changed, "a value of 1048577 bytes, where 1048576 is the most");
}

#[test]
fn what_is_said_of_writes_follows_its_rules() {
    for (body, words) in [
        ("19 00 00 00 00", "the key is empty"),
        ("19 00 01 00", "the key is empty"),
        ("19 00 02 00 00", "the name is empty"),
        ("19 00 03 02 0061", "the name has a NUL in it"),
        ("19 00 04 01 61", "a variant is unknown"),
        ("1a 00 05 08", "a write refused for reason 8"),
        ("1a 00 06", "a variant is unknown"),
        ("1b 00 00", "the key is empty"),
        ("1d 00 02", "a variant is unknown"),
    ] {
        assert_eq!(heard_by(&mut greeted(), &framed(&stamped(body))), is_malformed(words), "{body}");
    }
}
