//! Killed before each single step that makes something durable (a file synced, renamed, removed), from its first
//! start to the end of a job, neither orchestrator nor agent loses or doubles anything.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use farmhand_client::{PackedScene, pack_scene};
use farmhand_protocol::JobId;
use farmhand_protocol::farm::{JobState, JobView, SubmitJob};
use farmhand_tests::{AgentPlan, Blender, Farm, FarmPlan, Scene, build_path, http, pictures_in};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

const FRAMES: usize = 2;

/// Steps are shared out among so many farms.
const FARMS: u64 = 4;

/// A run has more steps than this, or the program was not watched at all.
const FEWEST_STEPS: u64 = 10;

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Orchestrator,
    Agent,
}

impl Victim {
    /// What has a program of this name killed before its `step`-th step.
    fn environment(self, step: u64) -> Vec<(String, String)> {
        let program = match self {
            Self::Orchestrator => "farmhand",
            Self::Agent => "farmhand-agent",
        };
        let library = build_path("libfarmhand_steps.so").display().to_string();
        [
            ("LD_PRELOAD", library.as_str()),
            ("STEPS_OF", program),
            ("STEPS_UNTIL", &step.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}

/// One slot, and a Blender that is quick.
fn agent() -> AgentPlan {
    let stand_in = build_path("farmhand-stand-in").display().to_string();
    AgentPlan {
        more: vec!["--blender".to_owned(), stand_in],
        environment: vec![("STAND_IN_MS".to_owned(), "1".to_owned())],
        ..AgentPlan::default()
    }
}

struct Run {
    farm: Farm,
    scene: PackedScene,
    job: SubmitJob,
}

impl Run {
    async fn new() -> Self {
        let farm = Farm::start(FarmPlan {
            agents: vec![agent()],
            ..FarmPlan::default()
        })
        .await;
        let file = Scene::BASIC.make(Blender::Executable, &farm.folder().join("scenes"));
        let scene = pack_scene(file, Vec::new(), Vec::new()).await.unwrap();
        let job =
            serde_json::json!({"name": "steps", "scene": scene.hash(), "frames": format!("1-{FRAMES}")});
        Self {
            job: serde_json::from_value(job).unwrap(),
            farm,
            scene,
        }
    }

    /// Renders the job on programs without a past, kills the victim before its `step`-th step, and starts it
    /// again. Says whether there was such a step.
    async fn kill_before(&mut self, victim: Victim, step: u64) -> bool {
        let farm = &mut self.farm;
        farm.orchestrator.kill_nine();
        farm.agents[0].program.kill_nine();
        for folder in [farm.data(), farm.output(), farm.agents[0].data.clone()] {
            fs::remove_dir_all(folder).unwrap();
        }
        let doomed = victim.environment(step);
        let mut plan = agent();
        if victim == Victim::Agent {
            plan.environment.extend(doomed.clone());
        }
        farm.agents[0].begin(plan);
        farm.begin_orchestrator(if victim == Victim::Orchestrator {
            &doomed
        } else {
            &[]
        });

        let mut killed = false;
        let mut id = None;
        let begun = Instant::now();
        loop {
            killed |= self.start_who_was_killed();
            match id {
                None => id = self.submit().await,
                Some(id) if self.is_over(id).await => {
                    self.judge(id, &format!("{victim:?} was killed before step {step}"));
                    return killed;
                }
                Some(_) => {}
            }
            let late = begun.elapsed() > Duration::from_mins(2);
            assert!(
                !late,
                "the job does not end after {victim:?} was killed before step {step}"
            );
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Starts again what has ended; whether anything had.
    fn start_who_was_killed(&mut self) -> bool {
        let killed = |status: ExitStatus| {
            assert_eq!(status.signal(), Some(9), "it ended by itself: {status}");
        };
        let orchestrator = self.farm.orchestrator.ended().map(killed);
        if orchestrator.is_some() {
            self.farm.begin_orchestrator(&[]);
        }
        let of_agent = self.farm.agents[0].program.ended().map(killed);
        if of_agent.is_some() {
            self.farm.agents[0].begin(agent());
        }
        orchestrator.or(of_agent).is_some()
    }

    /// Sends the job, as often as it takes: always the same one.
    async fn submit(&self) -> Option<JobId> {
        let sending = async {
            self.farm.client.upload(&self.scene, |_| ()).await.ok()?;
            let job = self.farm.client.submit(&self.job, "the only one").await.ok()?;
            Some(job.id)
        };
        tokio::time::timeout(Duration::from_secs(2), sending).await.ok()?
    }

    /// Whether the job has ended and its agent keeps nothing of it.
    async fn is_over(&self, id: JobId) -> bool {
        let looking = async {
            let detail = self.farm.client.job(id).await.ok()?;
            let batches = format!("{}/v1/batches", self.farm.agents[0].address);
            let batches: Value = http().get(batches).send().await.ok()?.json().await.ok()?;
            Some(detail.job.state.has_ended() && batches.as_array()?.is_empty())
        };
        let looked = tokio::time::timeout(Duration::from_secs(2), looking).await;
        looked.ok().flatten().unwrap_or(false)
    }

    fn judge(&self, id: JobId, when: &str) {
        let said = self.farm.farmhand(["jobs", "--json"]);
        let jobs: Vec<JobView> = serde_json::from_str(&said.out).unwrap();
        assert_eq!(jobs.len(), 1, "one job was submitted; {when}");
        assert_eq!((jobs[0].id, jobs[0].state), (id, JobState::Completed), "{when}");
        let journal = self.farm.data().join("farm.db");
        let journal = Connection::open_with_flags(journal, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let count = |table: &str| -> usize {
            let count: rusqlite::Result<i64> =
                journal.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0));
            usize::try_from(count.unwrap()).unwrap()
        };
        assert_eq!(
            count("facts WHERE fact LIKE '%\"frame_delivered\"%'"),
            FRAMES,
            "{when}"
        );
        assert_eq!(count("delivered"), FRAMES, "{when}");
        let output = PathBuf::from(&jobs[0].output);
        assert_eq!(pictures_in(&output).len(), FRAMES, "{when}");
        assert_eq!(
            files_below(&self.farm.output()),
            FRAMES,
            "nothing but pictures is left; {when}"
        );
        let checked = self
            .farm
            .farmhand(["fsck", "--data", self.farm.data().to_str().unwrap()]);
        assert_eq!(checked.code, Some(0), "{when}: {}", checked.all());
    }
}

fn files_below(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| if path.is_dir() { files_below(&path) } else { 1 })
        .sum()
}

/// Goes through all steps there are, some farms side by side.
async fn kill_before_every_step(victim: Victim) {
    let farms = (1..=FARMS).map(|first| async move {
        let mut run = Run::new().await;
        let mut step = first;
        while run.kill_before(victim, step).await {
            step += FARMS;
        }
        step
    });
    let ends = futures_util::future::join_all(farms).await;
    let steps = ends.iter().min().unwrap() - 1;
    println!("{victim:?} was killed before each of {steps} steps");
    assert!(steps >= FEWEST_STEPS, "{steps} steps: is {victim:?} watched?");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orchestrator_killed_before_any_step_delivers_each_frame_once() {
    kill_before_every_step(Victim::Orchestrator).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_killed_before_any_step_loses_nothing_and_leaves_nothing() {
    kill_before_every_step(Victim::Agent).await;
}
