//! A farm's token changes while the farm works.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use farmhand_protocol::farm::JobState;
use farmhand_tests::{AgentPlan, Blender, Farm, FarmPlan, Scene, build_path, eventually, http};
use reqwest::StatusCode;

const OLD: &str = "the-old-token-the-old-token-the-old";
const NEW: &str = "the-new-token-the-new-token-the-new";

async fn status(base: &str, token: &str) -> StatusCode {
    let call = http().get(format!("{base}/metrics")).bearer_auth(token);
    call.send().await.unwrap().status()
}

/// Calls that a program has refused for want of a token.
async fn refused(base: &str, token: &str) -> usize {
    let figures = http().get(format!("{base}/metrics")).bearer_auth(token);
    let figures = figures.send().await.unwrap().text().await.unwrap();
    let lines = figures.lines();
    lines
        .filter(|line| line.starts_with("farmhand_http_requests_total") && line.contains("status=\"401\""))
        .count()
}

#[tokio::test]
async fn a_token_is_changed_while_a_job_renders_and_nobody_of_the_farm_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    write(OLD);
    let token_file = vec!["--token-file".to_owned(), file.display().to_string()];
    let stand_in = build_path("farmhand-stand-in").display().to_string();
    let agent = AgentPlan {
        more: [token_file.clone(), vec!["--blender".to_owned(), stand_in]].concat(),
        environment: vec![("STAND_IN_MS".to_owned(), "300".to_owned())],
        ..AgentPlan::default()
    };
    let farm = Farm::start(FarmPlan {
        agents: vec![agent],
        more: token_file.clone(),
        ..FarmPlan::default()
    })
    .await;
    let token = farmhand_http::Tokens::from_file(&file).unwrap();
    tokio::spawn(token.clone().keep_fresh());
    let client = farmhand_client::FarmClient::new(farm.address.parse().unwrap(), Some(token));
    let scene = Scene::BASIC.make(Blender::Executable, &farm.folder().join("scenes"));
    let job = farm.submit(
        &scene,
        "1-60",
        &["--batch-size", "2", "--token-file", file.to_str().unwrap()],
    );
    let bases = [farm.address.clone(), farm.agents[0].address.clone()];
    // Accepted everywhere before anyone sends it, sent before the old one goes.
    write(&format!("{OLD}\n{NEW}\n"));
    for base in &bases {
        eventually("the new token is accepted", async || {
            // Found in the figures without counting as refused: only a look with the old one is made.
            let both = farm.orchestrator.said().contains("the token file has changed")
                && farm.agents[0]
                    .program
                    .said()
                    .contains("the token file has changed");
            both.then_some(())
        })
        .await;
        assert_eq!(status(base, NEW).await, StatusCode::OK);
    }
    write(&format!("{NEW}\n{OLD}\n"));
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    // A slip of the pen locks nobody out.
    write("");
    eventually("both say that the file holds none", async || {
        let says = |said: String| said.contains("holds no token").then_some(());
        says(farm.orchestrator.said())?;
        says(farm.agents[0].program.said())
    })
    .await;
    for base in &bases {
        assert_eq!(status(base, OLD).await, StatusCode::OK);
        assert_eq!(refused(base, NEW).await, 0, "{base}");
    }
    write(NEW);
    for base in &bases {
        eventually("the old token is refused", async || {
            (status(base, OLD).await == StatusCode::UNAUTHORIZED).then_some(())
        })
        .await;
        assert_eq!(status(base, NEW).await, StatusCode::OK);
    }
    let ended = eventually("the job ends", async || {
        let detail = client.job(job).await.ok()?;
        detail.job.state.has_ended().then_some(detail)
    })
    .await;
    assert_eq!(ended.job.state, JobState::Completed, "{:?}", ended.job.reason);
    assert!(ended.attempts.is_empty(), "{:?}", ended.attempts);
}
