//! A full disk loses nothing and fails no job: it waits, says so, and goes on when there is space. Each test has
//! a small disk of its own, which takes root; without it the test says that it was skipped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use farmhand_protocol::farm::JobState;
use farmhand_tests::{Blender, Farm, FarmPlan, Scene, eventually, pictures_in};

/// A disk of a few megabytes in memory, gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Nothing where this user may not mount one.
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mut command = Command::new("mount");
        command
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(at);
        let mounted = command.output().is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("SKIPPED: no small disk can be mounted here; it takes root");
        }
        mounted.then(|| Self(at.to_owned()))
    }

    /// Leaves so many bytes free at most.
    fn fill_but(&self, bytes: u64) {
        let free = nix::sys::statvfs::statvfs(&self.0).unwrap();
        let free = free.blocks_available() * free.fragment_size();
        let filler = usize::try_from(free.saturating_sub(bytes)).unwrap();
        fs::write(self.0.join("filler"), vec![1; filler]).unwrap();
    }

    fn make_space(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _its_folder_goes_all_the_same = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_output_disk_keeps_frames_on_their_node_until_there_is_space() {
    let farm = Farm::start(FarmPlan::agents(1, Blender::Executable)).await;
    let Some(disk) = SmallDisk::mount(&farm.output(), "4m") else {
        return;
    };
    let scene = Scene::BASIC.make(Blender::Executable, &farm.folder().join("scenes"));
    let id = farm.submit(&scene, "1-3", &[]);
    disk.fill_but(0);
    let told = eventually("the farm says what it waits for", async || {
        let notes = farm.client.farm().await.ok()?.notes;
        notes
            .into_iter()
            .find(|note| note.text.contains("waits to be written"))
    })
    .await;
    assert!(told.text.contains("No space left"), "{}", told.text);
    let waiting = farm.job(id).await;
    assert_eq!(
        (waiting.job.counts.delivered, waiting.attempts.len()),
        (0, 0),
        "{waiting:?}"
    );
    disk.make_space();
    let ended = farm.ended(id).await;
    assert_eq!(ended.job.state, JobState::Completed, "{:?}", ended.job.reason);
    assert_eq!(pictures_in(Path::new(&ended.job.output)).len(), 3);
}

#[tokio::test]
async fn a_full_spool_disk_lets_the_job_wait_without_a_failed_attempt() {
    let farm = Farm::start(FarmPlan::agents(1, Blender::Executable)).await;
    farm.agents[0].until_probed().await;
    let Some(disk) = SmallDisk::mount(&farm.agents[0].data.join("spool"), "24m") else {
        return;
    };
    disk.fill_but(1 << 20);
    let scene = Scene::BASIC.make(Blender::Executable, &farm.folder().join("scenes"));
    let id = farm.submit(&scene, "1-3", &[]);
    let reason = eventually("the job waits for space", async || {
        let job = farm.job(id).await.job;
        job.reason
            .filter(|words| job.state == JobState::Waiting && words.contains("no space"))
    })
    .await;
    assert!(reason.contains("disk"), "{reason}");
    assert!(farm.job(id).await.attempts.is_empty());
    disk.make_space();
    let ended = farm.ended(id).await;
    assert_eq!(ended.job.state, JobState::Completed, "{:?}", ended.job.reason);
    assert!(ended.attempts.is_empty());
}
