//! What tests of the core share. No test is here.

#![allow(dead_code, reason = "each program of tests has use for some of it")]

pub(crate) mod frames;
pub(crate) mod mind;
