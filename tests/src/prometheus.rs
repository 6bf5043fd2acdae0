//! A real Prometheus, where the machine has one.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{Program, free_port, http};

/// Where Prometheus' programs are: on the PATH, or where `.ci/setup tools` puts them.
///
/// Without them it says so and how to get them, and there is nothing to test with.
pub fn prometheus_program(name: &str) -> Option<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share")));
    let tools = data.map(|data| data.join("farmhand/tools/prometheus/usr/bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(tools)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: there is no {name} on this machine; `.ci/setup tools` gets it");
    }
    found
}

/// What `promtool check metrics` has to say about figures; nothing when they are as they should be.
///
/// # Panics
/// When it cannot be run.
pub fn promtool_says(promtool: &Path, figures: &str) -> String {
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool can be started");
    let mut input = child.stdin.take().expect("its input is a pipe");
    input.write_all(figures.as_bytes()).expect("promtool reads");
    drop(input);
    let output = child.wait_with_output().expect("promtool ends");
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        said.push_str(&output.status.to_string());
    }
    said
}

/// A running Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    program: Program,
    address: String,
}

impl Prometheus {
    /// Starts one that scrapes every second: `targets` are job names with addresses, shown the token of a file.
    ///
    /// # Panics
    /// When its folder cannot be written.
    pub fn start(prometheus: &Path, folder: &Path, token_file: &Path, targets: &[(&str, &str)]) -> Self {
        let config = folder.join("prometheus.yml");
        let mut text = "global:\n  scrape_interval: 1s\nscrape_configs:\n".to_owned();
        for (job, address) in targets {
            let address = address.trim_start_matches("http://");
            let _infallible = write!(
                text,
                "  - job_name: {job}\n    authorization:\n      credentials_file: {}\n    \
                 static_configs:\n      - targets: [\"{address}\"]\n",
                token_file.display()
            );
        }
        fs::write(&config, text).expect("a temporary folder can be written");
        let listen = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(prometheus);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
            .arg(format!("--web.listen-address={listen}"));
        Self {
            program: Program::start("prometheus", command, folder.join("prometheus.log")),
            address: format!("http://{listen}"),
        }
    }

    /// The values that a query gives now; nothing while Prometheus does not answer.
    ///
    /// # Panics
    /// When it has ended, or refuses the query.
    pub async fn ask(&mut self, query: &str) -> Option<Vec<f64>> {
        if let Some(status) = self.program.ended() {
            panic!("prometheus ended with {status}:\n{}", self.program.said());
        }
        let url = format!("{}/api/v1/query", self.address);
        let answer = http().get(url).query(&[("query", query)]).send().await.ok()?;
        let status = answer.status();
        let text = answer.text().await.ok()?;
        if status == 503 {
            return None; // It still starts.
        }
        assert!(status.is_success(), "{query}: {status} {text}");
        let answer: Value = serde_json::from_str(&text).expect("Prometheus answers JSON");
        let results = answer["data"]["result"].as_array().expect("a query has results");
        let value = |result: &Value| result["value"][1].as_str()?.parse().ok();
        Some(results.iter().filter_map(value).collect())
    }
}
