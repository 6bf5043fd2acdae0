//! A full or read-only disk loses nothing and fails no job: it waits, says so, and goes on when there is space. Each test has
//! a small disk of its own, which takes root; without it the test says that it was skipped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use farmhand_protocol::farm::JobState;
use farmhand_tests::{Blender, Farm, FarmPlan, Program, Scene, build_path, eventually, pictures_in};

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

    /// As a system does with a disk on which writing fails.
    fn let_write(&self, may: bool) {
        let option = if may { "remount,rw" } else { "remount,ro" };
        let done = Command::new("mount").args(["-o", option]).arg(&self.0).status();
        assert!(done.unwrap().success(), "mount -o {option}");
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

/// What the farm says in its diary of frames that cannot be written.
async fn what_it_waits_for(farm: &Farm) -> String {
    eventually("the farm says what it waits for", async || {
        let notes = farm.client.farm().await.ok()?.notes;
        let mut told = notes.into_iter().map(|note| note.text);
        told.find(|text| text.contains("waits to be written"))
    })
    .await
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
    let told = what_it_waits_for(&farm).await;
    assert!(told.contains("No space left"), "{told}");
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

#[tokio::test]
async fn an_output_disk_that_becomes_read_only_keeps_frames_on_their_node_until_it_can_be_written() {
    let farm = Farm::start(FarmPlan::agents(1, Blender::Executable)).await;
    let Some(disk) = SmallDisk::mount(&farm.output(), "4m") else {
        return;
    };
    let scene = Scene::BASIC.make(Blender::Executable, &farm.folder().join("scenes"));
    let id = farm.submit(&scene, "1-3", &[]);
    disk.let_write(false);
    let told = what_it_waits_for(&farm).await;
    assert!(told.contains("Read-only"), "{told}");
    assert_eq!(farm.job(id).await.job.counts.delivered, 0);
    disk.let_write(true);
    let ended = farm.ended(id).await;
    assert_eq!(ended.job.state, JobState::Completed, "{:?}", ended.job.reason);
    assert!(ended.attempts.is_empty(), "{:?}", ended.attempts);
    assert_eq!(pictures_in(Path::new(&ended.job.output)).len(), 3);
}

#[tokio::test]
async fn a_farm_whose_journal_cannot_be_written_says_so_and_goes_on_once_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("farm"), "16m") else {
        return;
    };
    let serve = || {
        let mut command = Command::new(build_path("farmhand"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&disk.0)
            .env_remove("FARMHAND_TOKEN");
        Program::start("serve", command, folder.path().join("log"))
    };
    disk.let_write(false);
    let mut refused = serve();
    let status = eventually("it does not start", async || refused.ended()).await;
    assert!(!status.success());
    let said = refused.said();
    assert!(said.contains("Read-only") && said.contains("farm"), "{said}");
    disk.let_write(true);
    let mut works = serve();
    eventually("it starts", async || {
        works.said().contains("data in").then_some(())
    })
    .await;
    let (_, status) = works.terminate(std::time::Duration::from_secs(10));
    assert!(status.success(), "{status}");
}
