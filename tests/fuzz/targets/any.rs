//! The target that this program is named after.

#![no_main]

use std::sync::LazyLock;

use farmhand_tests::fuzzing::{Target, target};
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<Target> = LazyLock::new(|| target(env!("CARGO_BIN_NAME")));

fuzz_target!(|bytes: &[u8]| {
    (TARGET.read)(bytes);
});
