//! The pages of `docs/` and the README say what is so. Their ```` ```sh ```` blocks are run, one after the other, by
//! page; `sh background` blocks run until the page's end; `sh example` blocks are not run. Every command of ours in
//! any of them, and in the running text, is shown to the program itself, which must know its verbs and flags.
//!
//! Addresses 10.0.0.N and 127.0.0.1 stand for loopback addresses of this machine while a page is run, and ports for
//! free ones.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use farmhand_tests::{Blender, Program, Scene, build_path, free_port};

/// A page, by its path from the root.
struct Page {
    name: String,
    text: String,
}

/// A block of shell commands.
struct Block {
    /// What stands behind `sh`.
    kind: String,
    code: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn pages() -> Vec<Page> {
    let mut files = vec![root().join("README.md")];
    let docs = root().join("docs").read_dir().unwrap();
    files.extend(
        docs.map(|entry| entry.unwrap().path())
            .filter(|path| path.extension() == Some("md".as_ref())),
    );
    files.sort();
    let page = |path: PathBuf| Page {
        name: path.strip_prefix(root()).unwrap().display().to_string(),
        text: std::fs::read_to_string(path).unwrap(),
    };
    files.into_iter().map(page).collect()
}

impl Page {
    fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            let fence = line.trim_start();
            let Some(kind) = fence.strip_prefix("```") else {
                continue;
            };
            let indent = line.len() - fence.len();
            let code: Vec<&str> = lines
                .by_ref()
                .take_while(|line| line.trim() != "```")
                .map(|line| line.get(indent..).unwrap_or_default())
                .collect();
            if let Some(kind) = kind
                .strip_prefix("sh")
                .filter(|kind| kind.is_empty() || kind.starts_with(' '))
            {
                blocks.push(Block {
                    kind: kind.trim().to_owned(),
                    code: code.join("\n"),
                });
            }
        }
        blocks
    }

    /// Commands of ours in the running text, between single backquotes.
    fn spans(&self) -> Vec<String> {
        let mut inside = false;
        let text = self.text.lines().filter(|line| {
            let fence = line.trim_start().starts_with("```");
            inside ^= fence;
            !inside && !fence
        });
        let text = text.collect::<Vec<_>>().join("\n");
        let spans = text
            .split('`')
            .skip(1)
            .step_by(2)
            .map(|span| span.replace('\n', " "));
        spans
            .filter(|span| span.starts_with("farmhand ") || span.starts_with("farmhand-agent "))
            .collect()
    }
}

/// The simple commands of a piece of shell, each in its words. Knows as much of the shell as our pages use.
fn commands(code: &str) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let mut word = String::new();
    let mut quote = None;
    let mut around = Vec::new();
    let mut chars = code.chars().peekable();
    let end_word = |word: &mut String, all: &mut Vec<Vec<String>>| {
        if !word.is_empty() {
            all.last_mut().unwrap().push(std::mem::take(word));
        }
    };
    while let Some(char) = chars.next() {
        match (quote, char) {
            (_, '$') if chars.peek() == Some(&'(') => {
                chars.next();
                // A command of its own; what is around it goes on behind it as a word.
                end_word(&mut word, &mut all);
                all.push(Vec::new());
                around.push(quote.take());
            }
            (Some(open), _) if char == open => quote = None,
            (None, '"' | '\'') => quote = Some(char),
            (None, '\\') => {
                chars.next_if_eq(&'\n');
            }
            (None, '#') if word.is_empty() => while chars.next_if(|next| *next != '\n').is_some() {},
            (None, '\n' | ';' | '|' | '&' | '(' | ')') => {
                end_word(&mut word, &mut all);
                all.push(Vec::new());
                if char == ')' {
                    quote = around.pop().flatten();
                }
            }
            (None, _) if char.is_whitespace() => end_word(&mut word, &mut all),
            (Some(_) | None, _) => word.push(char),
        }
    }
    end_word(&mut word, &mut all);
    for command in &mut all {
        let is_prefix =
            |word: &String| word == "sudo" || word.split_once('=').is_some_and(|(name, _)| is_name(name));
        let prefix = command.iter().take_while(|word| is_prefix(word)).count();
        command.drain(..prefix);
    }
    all.retain(|command| !command.is_empty());
    all
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Something that the program can read where a page only says what kind of thing it would be.
fn filled_in(word: &str) -> &str {
    match word {
        "URL" => "http://127.0.0.1:9",
        "ADDRESS" | "ADDRESS:PORT" => "127.0.0.1:9",
        "ID" | "JOB" => "j7",
        "FRAMES" => "1-7",
        "SECONDS" | "N" => "7",
        other => other,
    }
}

/// Whether the program knows what it is asked to do: `--help` at the end keeps it from doing it.
fn must_know(program: &str, words: &[String]) -> Result<(), String> {
    let mut command = Command::new(build_path(program));
    command
        .args(words.iter().map(|word| filled_in(word)))
        .arg("--help")
        .stdin(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FARMHAND_")) {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn every_command_of_a_page_is_one_that_its_program_knows() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let compose = std::fs::read_to_string(root().join("docker-compose.yml")).unwrap();
    let mut checked = 0;
    let mut wrong = Vec::new();
    for page in pages() {
        let blocks = page.blocks();
        for block in &blocks {
            let known = ["", "background", "example"].contains(&block.kind.as_str());
            assert!(known, "{}: no such kind of block: sh {}", page.name, block.kind);
        }
        let code = blocks.iter().map(|block| block.code.clone()).chain(page.spans());
        for command in code.flat_map(|code| commands(&code)) {
            let (program, words) = command.split_first().unwrap();
            let said = match program.rsplit('/').next().unwrap() {
                ours @ ("farmhand" | "farmhand-agent") => must_know(ours, words),
                "make" => words
                    .iter()
                    .find(|word| !makefile.contains(&format!("\n{word}:")))
                    .map_or(Ok(()), |word| Err(format!("there is no target {word}"))),
                "docker" | "docker-compose" => {
                    let services = ["orchestrator", "agent", "dashboard", "prepare", "demo-scene"];
                    let known = services
                        .iter()
                        .all(|service| compose.contains(&format!("\n  {service}:\n")));
                    let wrong = words.iter().any(|word| word.starts_with("agent=") && !known);
                    if wrong {
                        Err("no such service".to_owned())
                    } else {
                        Ok(())
                    }
                }
                _ => continue, // Another's: that its page is run, or is an example, is all that is known of it.
            };
            checked += 1;
            if let Err(said) = said {
                wrong.push(format!("{}: {}: {said}", page.name, command.join(" ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 30, "only {checked} commands were found");
}

#[test]
fn a_wrong_flag_verb_or_target_is_found() {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert!(must_know("farmhand", &words("submit a.blend --frames 1-3 --wait")).is_ok());
    for wrong in ["submit a.blend --framez 1-3", "subnit a.blend", "job notajob"] {
        assert!(must_know("farmhand", &words(wrong)).is_err(), "{wrong}");
    }
    assert!(must_know("farmhand-agent", &words("--listen nowhere")).is_err());
    let code = "a=1 sudo cp \"$(farmhand token)\" x # b\nfarmhand jobs --json | jq . && c \\\n d";
    let found = commands(code)
        .iter()
        .map(|command| command.join(" "))
        .collect::<Vec<_>>();
    assert_eq!(
        found,
        ["cp", "farmhand token", "x", "farmhand jobs --json", "jq .", "c d"]
    );
}

/// A page that is being run.
struct Run {
    folder: tempfile::TempDir,
    farm_port: u16,
    agent_port: u16,
    background: Vec<Program>,
}

impl Run {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scene = Scene::BASIC.make(Blender::Executable, folder.path());
        std::fs::rename(scene, folder.path().join("scene.blend")).unwrap();
        Self {
            folder,
            farm_port: free_port(),
            agent_port: free_port(),
            background: Vec::new(),
        }
    }

    /// The code with addresses of this machine.
    fn here(&self, code: &str) -> String {
        code.replace("10.0.0.", "127.0.6.")
            .replace("127.0.0.1", "127.0.7.1")
            .replace(":4000", &format!(":{}", self.farm_port))
            .replace(":3001", &format!(":{}", self.agent_port))
    }

    fn command(&self, code: &str, home: &str) -> Command {
        let programs = build_path("farmhand");
        let programs = programs.parent().unwrap().display();
        let home = self.folder.path().join(home);
        std::fs::create_dir_all(&home).unwrap();
        let mut command = Command::new("bash");
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FARMHAND_"))
        {
            command.env_remove(name);
        }
        command
            .args(["-euo", "pipefail", "-c", &self.here(code)])
            .env("PATH", format!("{programs}:{}", std::env::var("PATH").unwrap()))
            .env("HOME", home)
            .env_remove("XDG_DATA_HOME")
            .env("FARMHAND_BLENDER", Blender::Executable.argument())
            .current_dir(self.folder.path());
        command
    }

    /// Starts what a page leaves running, and waits until it answers where it says that it listens.
    async fn start(&mut self, code: &str) {
        let number = self.background.len();
        // Each agent is another machine; the farm and who looks at it are one.
        let home = if code.contains("farmhand-agent") {
            format!("machine-{number}")
        } else {
            "home".into()
        };
        let command = self.command(&format!("exec {code}"), &home);
        let log = self.folder.path().join(format!("background-{number}.log"));
        let mut program = Program::start(&format!("block {number}"), command, log);
        let code = self.here(code);
        let mut words = code.split_whitespace().skip_while(|word| *word != "--listen");
        let listen = words
            .nth(1)
            .expect("what runs in the background says where it listens");
        program.until_healthy(&format!("http://{listen}")).await;
        self.background.push(program);
    }

    fn run(&self, page: &str, code: &str) {
        let mut command = self.command(code, "home");
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(
            output.status.success(),
            "{page}: {code}\nended with {}:\n{said}",
            output.status
        );
    }
}

#[tokio::test]
async fn every_page_works_as_it_is_written() {
    let mut ran = 0;
    for page in pages() {
        let blocks = page.blocks();
        if blocks.iter().all(|block| block.kind == "example") {
            continue;
        }
        let mut run = Run::new();
        for block in blocks {
            match block.kind.as_str() {
                "" => run.run(&page.name, &block.code),
                "background" => run.start(&block.code).await,
                _ => continue,
            }
            ran += 1;
        }
    }
    assert!(ran >= 10, "only {ran} blocks were run");
}
