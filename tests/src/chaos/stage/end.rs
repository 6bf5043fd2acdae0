//! The farm is stopped, and what is left of it is judged.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use farmhand_protocol::farm::JobView;

use super::super::checker::{Evidence, judge, read_record};
use super::super::ledger::stored_files;
use super::super::report::Report;
use super::super::run::Sabotage;
use super::Stage;
use crate::owned_by;

/// No process of ours needs more, in bytes.
const MOST_MEMORY: u64 = 400 << 20;

impl Stage {
    pub(in super::super) fn end(mut self, sabotage: Option<Sabotage>) -> Report {
        let mut orphan = None;
        match sabotage {
            Some(Sabotage::Orphan) => orphan = Some(self.make_orphan()),
            Some(Sabotage::Lose | Sabotage::Corrupt) => {
                self.spoil_a_picture(sabotage == Some(Sabotage::Lose));
            }
            Some(Sabotage::Double) | None => {}
        }
        for player in &mut self.players {
            player.stop();
        }
        if let Some(mut program) = self.orchestrator.take() {
            program.terminate(Duration::from_secs(20));
        }
        if sabotage == Some(Sabotage::Double) {
            self.deliver_twice();
        }
        self.judge();
        for left in owned_by(self.folder.path()) {
            let said = format!(
                "process {} ({}) is an orphan: everything was stopped",
                left.pid, left.name
            );
            self.report.violations.push(said);
        }
        if let Some(mut orphan) = orphan {
            let _gone = orphan.kill();
            let _gone = orphan.wait();
        }
        self.report
    }

    fn judge(&mut self) {
        let journal = self.journal();
        if let Err(error) = self.ledger.catch_up(&journal) {
            self.report
                .violations
                .push(format!("the journal cannot be read: {error}"));
        }
        let stored = stored_files(&journal).unwrap_or_default();
        let jobs: Vec<JobView> = self.jobs.values().cloned().collect();
        let records = self
            .players
            .iter()
            .map(|player| std::fs::read_to_string(player.record()));
        let evidence = Evidence {
            ledger: &self.ledger,
            stored,
            jobs: &jobs,
            rendered: records
                .flat_map(|text| read_record(&text.unwrap_or_default()))
                .collect(),
        };
        let verdict = judge(&evidence);
        self.report.jobs = jobs.len();
        self.report.frames = verdict.frames;
        self.report.facts = self.ledger.len();
        self.report.handed_on = verdict.handed_on;
        self.report.failed_attempts = verdict.failed_attempts;
        self.report.violations.extend(verdict.violations);
        if verdict.frames == 0 {
            self.report
                .violations
                .push("nothing was rendered at all".to_owned());
        }
        let memory = &self.report.memory;
        let mut grown = memory.grown();
        if memory.most() > MOST_MEMORY {
            grown.push(format!("a process has grown to {} MB", memory.most() >> 20));
        }
        self.report.violations.extend(grown);
    }

    fn spoil_a_picture(&self, lose: bool) {
        let files = stored_files(&self.journal()).expect("the journal can be read");
        let file = files.first().expect("something was delivered");
        let job = &self.jobs[&file.job];
        let path = PathBuf::from(&job.output).join(&file.path);
        let done = if lose {
            std::fs::remove_file(path)
        } else {
            std::fs::write(path, b"no picture")
        };
        done.expect("a delivered picture can be spoilt");
    }

    /// Adds a delivered fact a second time, under the next number.
    fn deliver_twice(&self) {
        let db = rusqlite::Connection::open(self.journal()).expect("the journal can be opened");
        let added = db.execute(
            "INSERT INTO facts (seq, fact) SELECT (SELECT max(seq) + 1 FROM facts), fact FROM facts \
             WHERE fact LIKE '%\"frame_delivered\"%' LIMIT 1",
            [],
        );
        assert_eq!(added.expect("the journal can be written"), 1, "a fact is doubled");
    }

    fn make_orphan(&self) -> std::process::Child {
        Command::new("sleep")
            .arg("1000")
            .env("STAND_IN_RECORD", self.players[0].record())
            .spawn()
            .expect("sleep can be started")
    }
}
