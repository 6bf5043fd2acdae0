//! An agent that measures how many Blenders render a scene fastest.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use farmhand_agent::Slots;
use farmhand_protocol::JobId;
use farmhand_protocol::farm::JobState;
use farmhand_tests::{
    AgentPlan, Blender, Farm, FarmPlan, Scene, build_path, eventually, http, pictures_in, within,
};

/// A farm of one agent that measures, on two threads.
async fn farm_of(agent: AgentPlan) -> Farm {
    let agent = AgentPlan {
        slots: Some(Slots::Auto),
        threads: Some(2),
        ..agent
    };
    Farm::start(FarmPlan {
        agents: vec![agent],
        ..FarmPlan::default()
    })
    .await
}

/// Waits for a job's end; the numbers of slots that its node had meanwhile, each once, in their order.
async fn slots_until_the_end(farm: &Farm, id: JobId) -> Vec<u32> {
    let mut seen = Vec::new();
    eventually("the job ends", async || {
        let slots = farm.agents[0].node().await.slots;
        if seen.last() != Some(&slots) {
            seen.push(slots);
        }
        farm.job(id).await.job.state.has_ended().then_some(())
    })
    .await;
    let ended = farm.job(id).await;
    assert_eq!(ended.job.state, JobState::Completed, "{ended:?}");
    let pictures = pictures_in(ended.job.output.as_ref()).len();
    assert_eq!(pictures, ended.job.frames.len() as usize);
    seen
}

/// How often the agent's present process has rendered a frame.
async fn frames_rendered(farm: &Farm) -> String {
    let answer = http()
        .get(format!("{}/metrics", farm.agents[0].address))
        .send()
        .await;
    let figures = answer.unwrap().text().await.unwrap();
    let frames = "farmhand_agent_frames_total{result=\"finished\"} ";
    let line = figures.lines().find_map(|line| line.strip_prefix(frames));
    line.unwrap_or_else(|| panic!("{figures}")).to_owned()
}

/// How many Blenders are best for the one scene that the agent knows, by what it keeps.
fn learnt(farm: &Farm) -> u32 {
    let file = farm.agents[0].data.join("slots.json");
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let looks = kept["looks"].as_array().unwrap();
    assert_eq!(looks.len(), 1, "{kept}");
    looks[0]["blenders"]
        .as_u64()
        .and_then(|n| u32::try_from(n).ok())
        .unwrap()
}

#[tokio::test]
async fn an_agent_finds_out_how_many_blenders_are_best_for_a_scene_and_remembers_it() {
    let mut farm = farm_of(AgentPlan::with(Blender::Executable)).await;
    let scene = Scene::LIGHT.make(Blender::Executable, &farm.folder().join("scenes"));
    let seen = slots_until_the_end(&farm, farm.submit(&scene, "1-60", &[])).await;
    assert!(seen.starts_with(&[1, 2]), "{seen:?}");
    assert_eq!(frames_rendered(&farm).await, "60");
    let best = learnt(&farm);
    assert_eq!(farm.agents[0].node().await.slots, best);

    farm.restart_agent(0).await;
    farm.agents[0].until_probed().await;
    assert_eq!(farm.agents[0].node().await.slots, 1, "it has nothing to render");
    let seen = slots_until_the_end(&farm, farm.submit(&scene, "1-20", &[])).await;
    // A machine may render both ways as fast, so either is right; measured again, it would be 1, 2, and that.
    let expected = if best == 1 { vec![1] } else { vec![1, 2] };
    assert!(seen == expected || seen == [best], "{seen:?}");
    assert_eq!(frames_rendered(&farm).await, "20");
    assert_eq!(learnt(&farm), best);
}

/// Renders with a stand-in whose frames take so long; how many Blenders the agent then takes for best, and its farm.
async fn best_where_frames_take(milliseconds: &str) -> (u32, Farm) {
    let stand_in = build_path("farmhand-stand-in").display().to_string();
    let farm = farm_of(AgentPlan {
        more: vec!["--blender".to_owned(), stand_in],
        environment: vec![("STAND_IN_MS".to_owned(), milliseconds.to_owned())],
        ..AgentPlan::default()
    })
    .await;
    let scene = Scene::BASIC.make(Blender::Executable, &farm.folder().join("scenes"));
    let job = farm.submit(&scene, "1-48", &[]);
    slots_until_the_end(&farm, job).await;
    assert_eq!(frames_rendered(&farm).await, "48");
    (learnt(&farm), farm)
}

#[tokio::test]
async fn two_blenders_are_best_where_frames_take_as_long_on_half_the_threads() {
    let (best, mut farm) = best_where_frames_take("200").await;
    assert_eq!(best, 2);

    std::fs::write(farm.agents[0].data.join("slots.json"), "half a fi").unwrap();
    farm.restart_agent(0).await;
    let said = farm.agents[0].program.said();
    assert!(
        said.contains("is measured again"),
        "a file that cannot be read stops nothing: {said}"
    );
}

#[tokio::test]
async fn one_blender_is_best_where_frames_take_three_times_as_long_on_half_the_threads() {
    let (best, farm) = best_where_frames_take("600,200").await;
    assert_eq!(best, 1);
    within(
        Duration::from_mins(1),
        "the second Blender gives its memory back",
        async || (farm.agents[0].blenders().len() == 1).then_some(()),
    )
    .await;
}
