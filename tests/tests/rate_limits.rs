//! Who calls too often, or guesses tokens, is told when to come back; others never notice.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use farmhand_tests::{Agent, AgentPlan, Farm, FarmPlan, http};
use reqwest::{Response, StatusCode, header};

const TOKEN: &str = "correct-horse-battery-staple-0123456789";

/// A farm without agents, and an agent, both with a token.
async fn guarded(more: &[&str]) -> (Farm, Agent, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, TOKEN).unwrap();
    let mut arguments = vec!["--token-file".to_owned(), file.display().to_string()];
    arguments.extend(more.iter().map(ToString::to_string));
    let plan = AgentPlan {
        more: arguments.clone(),
        ..AgentPlan::default()
    };
    let agent = Agent::start(folder.path(), "agent", plan).await;
    let farm = Farm::start(FarmPlan {
        more: arguments,
        ..FarmPlan::default()
    })
    .await;
    (farm, agent, folder)
}

async fn get(client: &reqwest::Client, url: &str, token: &str) -> Response {
    client.get(url).bearer_auth(token).send().await.unwrap()
}

/// Calls so many times, eight at a time; the answers by their status.
async fn flood(url: &str, token: &'static str, calls: usize) -> BTreeMap<StatusCode, Vec<Response>> {
    let client = http();
    let callers = (0..8).map(|_| {
        let (client, url) = (client.clone(), url.to_owned());
        tokio::spawn(async move {
            let mut answers = Vec::new();
            for _ in 0..calls / 8 {
                answers.push(get(&client, &url, token).await);
            }
            answers
        })
    });
    let mut all: BTreeMap<_, Vec<Response>> = BTreeMap::new();
    for caller in callers.collect::<Vec<_>>() {
        for answer in caller.await.unwrap() {
            all.entry(answer.status()).or_default().push(answer);
        }
    }
    all
}

fn number(answer: &Response, name: impl header::AsHeaderName) -> u32 {
    let value = answer.headers().get(name).unwrap_or_else(|| panic!("{answer:?}"));
    value.to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_flood_of_seed_calls_is_told_when_to_come_back_and_other_calls_go_on() {
    let (farm, agent, _folder) = guarded(&[]).await;
    let seed_calls = [
        (&farm.address, "/status/j9", "/v1/jobs", StatusCode::NOT_FOUND),
        (&agent.address, "/job/9", "/v1/node", StatusCode::BAD_REQUEST),
    ];
    for (base, seed, other, answered) in seed_calls {
        let began = Instant::now();
        let mut answers = flood(&format!("{base}{seed}"), TOKEN, 800).await;
        // Twenty come back each second, and the machine may be slow.
        let most = 200 + 20 * (began.elapsed().as_secs() + 1);
        let let_in = answers.remove(&answered).unwrap().len() as u64;
        assert!(
            (200..=most).contains(&let_in),
            "{base}: {let_in} of at most {most}"
        );
        let refused = answers.remove(&StatusCode::TOO_MANY_REQUESTS).unwrap();
        assert!(answers.is_empty(), "{base}: {:?}", answers.keys());
        for answer in &refused {
            assert_eq!(number(answer, "ratelimit-limit"), 200);
            assert_eq!(number(answer, header::RETRY_AFTER), 1);
        }
        let said = refused.into_iter().next().unwrap().text().await.unwrap();
        assert!(
            said.starts_with("too many calls") && !said.contains('\n'),
            "{said}"
        );
        assert_eq!(get(&http(), &format!("{base}{other}"), TOKEN).await.status(), 200);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(
            get(&http(), &format!("{base}{seed}"), TOKEN).await.status(),
            answered
        );
    }
}

#[tokio::test]
async fn limits_are_settings_and_a_refused_api_call_is_a_problem_for_programs() {
    let (farm, agent, _folder) = guarded(&["--limit-api", "30", "--limit-seed", "0"]).await;
    for (base, path) in [(&farm.address, "/v1/jobs"), (&agent.address, "/v1/node")] {
        let mut answers = flood(&format!("{base}{path}"), TOKEN, 400).await;
        let refused = answers.remove(&StatusCode::TOO_MANY_REQUESTS).unwrap().remove(0);
        assert_eq!(number(&refused, "ratelimit-limit"), 30);
        let problem: serde_json::Value = refused.json().await.unwrap();
        assert_eq!(problem["status"], 429);
        assert!(
            !flood(&format!("{base}/job/9"), TOKEN, 400)
                .await
                .contains_key(&StatusCode::TOO_MANY_REQUESTS)
        );
        assert_eq!(
            http()
                .get(format!("{base}/health"))
                .send()
                .await
                .unwrap()
                .status(),
            200
        );
    }
}

#[tokio::test]
async fn an_address_that_guesses_tokens_is_held_off_and_the_right_token_is_answered() {
    let (farm, agent, _folder) = guarded(&[]).await;
    for (base, path) in [(&farm.address, "/v1/jobs"), (&agent.address, "/v1/node")] {
        let url = format!("{base}{path}");
        let mut guesses = flood(&url, "not-the-token-not-the-token", 400).await;
        let wrong = guesses.remove(&StatusCode::UNAUTHORIZED).unwrap().len();
        assert!(wrong >= 60, "{wrong}");
        let held_off = &guesses[&StatusCode::TOO_MANY_REQUESTS];
        assert!(
            held_off
                .iter()
                .all(|answer| number(answer, header::RETRY_AFTER) >= 1)
        );

        let (client, flooding) = (http(), url.clone());
        let guessing = tokio::spawn(async move {
            flood(&flooding, "not-the-token-not-the-token", 4000)
                .await
                .remove(&StatusCode::TOO_MANY_REQUESTS)
        });
        let mut answered = 0;
        while !guessing.is_finished() || answered < 20 {
            assert_eq!(get(&client, &url, TOKEN).await.status(), 200);
            answered += 1;
        }
        assert!(guessing.await.unwrap().unwrap().len() > 3500);
    }
}
