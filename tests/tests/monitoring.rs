//! What a Prometheus makes of a farm's figures, and whether the board that we ship finds its data.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::time::Duration;

use farmhand_tests::{
    AgentPlan, Blender, Farm, FarmPlan, Prometheus, Scene, http, prometheus_program, promtool_says, within,
};
use serde_json::Value;

const TOKEN: &str = "correct-horse-battery-staple-0123456789";
const BOARD: &str = include_str!("../../assets/monitoring/boards/farmhand.json");

/// A farm of one agent, both with a token, and the token's file.
async fn farm(tokens: &std::path::Path) -> (Farm, PathBuf) {
    let file = tokens.join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let token_file = vec!["--token-file".to_owned(), file.display().to_string()];
    let plan = FarmPlan {
        agents: vec![AgentPlan {
            more: token_file.clone(),
            ..AgentPlan::with(Blender::Executable)
        }],
        more: token_file,
        ..FarmPlan::default()
    };
    (Farm::start(plan).await, file)
}

fn queries() -> Vec<String> {
    let board: Value = serde_json::from_str(BOARD).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    targets
        .map(|target| target["expr"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_prometheus_scrapes_both_programs_and_the_board_finds_its_data() {
    let (Some(prometheus), Some(promtool)) =
        (prometheus_program("prometheus"), prometheus_program("promtool"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (farm, token_file) = farm(folder.path()).await;
    let targets = [
        ("orchestrator", farm.address.as_str()),
        ("agent", farm.agents[0].address.as_str()),
    ];
    let mut prometheus = Prometheus::start(&prometheus, folder.path(), &token_file, &targets);
    within(Duration::from_mins(1), "both targets are up", async || {
        (prometheus.ask("sum(up)").await? == [2.0]).then_some(())
    })
    .await;

    // While it looks, a job runs and ends.
    let scene = Scene::LIGHT.make(Blender::Executable, &farm.folder().join("scenes"));
    let token = ["--token-file", token_file.to_str().unwrap()];
    let submitted = farm.farmhand(
        ["submit", scene.to_str().unwrap(), "--frames", "1-4", "--wait"]
            .iter()
            .chain(&token),
    );
    assert_eq!(submitted.code, Some(0), "{}", submitted.all());

    for query in queries() {
        let what = format!("{query} has data");
        within(Duration::from_mins(1), &what, async || {
            let values = prometheus.ask(&query).await?;
            values.iter().any(|value| value.is_finite()).then_some(())
        })
        .await;
    }
    for (query, least) in [
        ("farmhand_jobs_total{status=\"completed\"}", 1.0),
        ("farmhand_frames_total{state=\"delivered\"}", 4.0),
        ("farmhand_frame_render_seconds_count", 4.0),
        ("farmhand_transfer_bytes_total{direction=\"from_clients\"}", 1.0),
        ("farmhand_transfer_bytes_total{direction=\"to_nodes\"}", 1.0),
        ("farmhand_transfer_bytes_total{direction=\"from_nodes\"}", 1.0),
        ("farmhand_agent_frames_total{result=\"finished\"}", 4.0),
        ("farmhand_agent_scene_loads_total", 1.0),
        ("farmhand_agent_warm_frames_total", 3.0),
        ("farmhand_agent_transfer_bytes_total{direction=\"in\"}", 1.0),
        ("farmhand_agent_transfer_bytes_total{direction=\"out\"}", 1.0),
    ] {
        // What was scraped while the job ran is on its way up.
        within(
            Duration::from_secs(30),
            &format!("{query} is at least {least}"),
            async || {
                let values = prometheus.ask(query).await?;
                values.iter().any(|value| *value >= least).then_some(())
            },
        )
        .await;
    }
    for (program, address) in targets {
        let answer = http()
            .get(format!("{address}/metrics"))
            .bearer_auth(TOKEN)
            .send()
            .await;
        let figures = answer.unwrap().text().await.unwrap();
        assert_eq!(promtool_says(&promtool, &figures), "", "the figures of {program}");
    }
}
