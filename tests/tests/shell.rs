//! What shells and `man` are told of the command lines.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Stdio};

use farmhand_tests::build_path;

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(build_path(program)).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn bash_completes_verbs_and_flags_of_both_programs() {
    for (program, typed, offered) in [
        ("farmhand", "farmhand su", "submit"),
        ("farmhand", "farmhand serve --op", "--open-seed"),
        ("farmhand-agent", "farmhand-agent se", "setup"),
        ("farmhand-agent", "farmhand-agent --sl", "--slots"),
    ] {
        // As bash does it when someone presses Tab behind `typed`.
        let words: Vec<&str> = typed.split(' ').collect();
        let function = format!("_{}", program.replace('-', "__"));
        let ask = format!(
            "{}\nCOMP_WORDS=({typed})\nCOMP_CWORD={}\n{function} {program} {} {}\necho \"${{COMPREPLY[*]}}\"",
            said(program, &["completions", "bash"]),
            words.len() - 1,
            words[words.len() - 1],
            words[words.len() - 2],
        );
        let bash = Command::new("bash")
            .args(["-c", &ask])
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        let reply = String::from_utf8(bash.stdout).unwrap();
        assert!(
            reply.split_whitespace().any(|word| word == offered),
            "{typed}<Tab> offers {reply:?}"
        );
    }
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(
            said("farmhand", &["completions", shell]).contains("submit"),
            "{shell}"
        );
        assert!(
            said("farmhand-agent", &["completions", shell]).contains("setup"),
            "{shell}"
        );
    }
}

#[test]
fn every_verb_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    for (program, pages) in [
        (
            "farmhand",
            &["farmhand", "farmhand-serve", "farmhand-submit", "farmhand-why"][..],
        ),
        ("farmhand-agent", &["farmhand-agent", "farmhand-agent-setup"]),
    ] {
        assert!(said(program, &["man"]).contains(".SH NAME"), "{program}");
        let into = folder.path().join(program);
        said(program, &["man", "--dir", into.to_str().unwrap()]);
        for page in pages {
            let text = std::fs::read_to_string(into.join(format!("{page}.1"))).unwrap();
            assert!(text.contains(".SH SYNOPSIS"), "{page}: {text}");
        }
    }
    let serve = std::fs::read_to_string(folder.path().join("farmhand/farmhand-serve.1")).unwrap();
    assert!(serve.contains("discover"), "{serve}");
}
