#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::check("drawing", bytes));
