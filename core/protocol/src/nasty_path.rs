//! Texts that a path must not be, for tests of all that is read as one.

use proptest::prelude::*;

/// Paths made of what attackers and other systems write.
pub(crate) fn nasty_path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("..".to_owned()),
        Just(".".to_owned()),
        Just(String::new()),
        Just("nul".to_owned()),
        Just("COM1.png".to_owned()),
        Just("C:".to_owned()),
        Just("x".repeat(300)),
        Just("end. ".to_owned()),
        "[aAbB]{1,2}",
        "\\PC{0,6}",
        any::<String>(),
    ];
    let separator = prop_oneof![8 => Just("/"), 1 => Just("\\"), 1 => Just("//")];
    proptest::collection::vec((part, separator), 0..6)
        .prop_map(|parts| {
            parts
                .into_iter()
                .flat_map(|(part, separator)| [part, separator.to_owned()])
                .collect()
        })
        .prop_map(|path: String| path.strip_suffix('/').unwrap_or(&path).to_owned())
}
