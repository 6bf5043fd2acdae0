//! `demo`: the whole farm on this machine, with a scene of its own.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use color_eyre::eyre::{Result, bail, eyre};
use farmhand_client::FarmClient;
use farmhand_observe::LogArgs;
use farmhand_protocol::farm::JobView;

use super::args::{Common, HostArgs};
use super::print;
use super::submit::conclude;
use super::watch::{Seen, watch};
use crate::agents::LocalAgents;
use crate::dashboard;
use crate::default_scene::make_demo_scene;
use crate::host::{Host, HostPlan};
use crate::new_job::NewJob;
use crate::place::Place;

const AGENTS: usize = 3;

pub(crate) async fn demo(common: &Common, headless: bool) -> Result<()> {
    // Beside the data folder's own farm, never in it.
    let own = Place::new(common.data.clone())?;
    let run = jiff::ZonedDateTime::now().strftime("%Y%m%d-%H%M%S").to_string();
    let folder = own
        .data()
        .join("demo")
        .join(format!("{run}-{}", std::process::id()));
    let place = Place::new(Some(folder.join("farm")))?;
    let headless = headless || !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal();
    let _logs = farmhand_observe::start(&LogArgs::default(), &place.logs(), "demo", false)?;

    let mut agents = LocalAgents::start(&folder, AGENTS)?;
    let ended = tokio::select! {
        ended = with_agents(&mut agents, common, &place, folder.clone(), headless) => ended,
        () = asked_to_stop(), if headless => Err(eyre!("stopped")),
    };
    agents.stop().await;
    ended
}

async fn with_agents(
    agents: &mut LocalAgents,
    common: &Common,
    place: &Place,
    folder: PathBuf,
    headless: bool,
) -> Result<()> {
    if headless {
        print::text("making the demo scene\n")?;
    } else {
        eprintln!("making the demo scene ...");
    }
    let scene_folder = folder.join("scene");
    let scene = make_demo_scene(&scene_folder).await?;
    let args = HostArgs {
        nodes: agents.addresses(),
        output: Some(folder.join("frames")),
        ..HostArgs::default()
    };
    // No token: everything listens on loopback, and a demo must not depend on what lies about.
    let no_token = Common {
        token_file: None,
        ca: None,
        farm: None,
        data: common.data.clone(),
    };
    let mut plan = HostPlan::new(&no_token, place, args)?;
    plan.any_port = true;
    plan.token = None;
    let host = Host::start(plan.clone()).await?;
    let address = host.address()?;
    let farm = FarmClient::new(address, None);
    let new = NewJob {
        with: vec![scene_folder],
        name: Some("demo".to_owned()),
        ..NewJob::of(scene)
    };
    let job = new.submit(&farm, |_| ()).await?;
    if headless {
        let ended = progress_lines(agents, &farm, &job).await;
        let stopped = host.stop().await;
        let ended = ended?;
        stopped?;
        conclude(&ended, true)?;
        print::text(&format!(
            "{} frames in {}\n",
            ended.counts.delivered, ended.output
        ))?;
        return Ok(());
    }
    let output = job.output.clone();
    dashboard::demo(farm, host, plan, place).await?;
    print::text(&format!("frames are in {output}\n"))?;
    Ok(())
}

/// A line for each change worth a line.
async fn progress_lines(agents: &mut LocalAgents, farm: &FarmClient, job: &JobView) -> Result<JobView> {
    print::text(&format!(
        "rendering {} on {AGENTS} agents to {}\n",
        job.frames, job.output
    ))?;
    let started = Instant::now();
    let mut shown = None;
    let watching = watch(farm, job.id, async |seen| {
        if let Seen::Job(job) = seen {
            let line = (job.counts.delivered, job.counts.failed, job.state);
            if shown != Some(line) {
                shown = Some(line);
                let reason = job
                    .reason
                    .as_deref()
                    .map(|reason| format!("  {reason}"))
                    .unwrap_or_default();
                let _closed = print::text(&format!(
                    "{:>6.1} s  {:>2}/{} delivered  {}{reason}\n",
                    started.elapsed().as_secs_f64(),
                    job.counts.delivered,
                    job.counts.total(),
                    job.state.word(),
                ));
            }
        }
    });
    tokio::select! {
        ended = watching => Ok(ended?),
        failure = agent_failure(agents) => bail!(failure),
    }
}

async fn agent_failure(agents: &mut LocalAgents) -> String {
    loop {
        if let Some(failure) = agents.first_failure() {
            return failure;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
