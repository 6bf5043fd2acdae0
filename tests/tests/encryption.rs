//! A farm with a CA of its own: nobody between its machines reads anything, nodes join with one line, and whoever is
//! not of the farm is told so.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use farmhand_protocol::BlobHash;
use farmhand_protocol::agent::{BlobsPulled, PullBlobs};
use farmhand_protocol::farm::{JobState, JobView};
use farmhand_tests::{
    Agent, AgentPlan, Blender, Encrypted, Farm, FarmPlan, Program, Said, Scene, Sniffer, build_path,
    eventually, free_port, http, within,
};
use farmhand_tls::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

fn submitted(said: &Said) -> JobView {
    assert_eq!(said.code, Some(0), "{}", said.all());
    let first = serde_json::Deserializer::from_str(&said.out).into_iter().next();
    first.unwrap().unwrap()
}

/// Waits for a program that must end by itself, and badly; its last line.
async fn must_end(program: &mut Program) -> String {
    let status = within(Duration::from_secs(20), "it ends", async || program.ended()).await;
    assert!(!status.success(), "{}", program.said());
    program.said().lines().last().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")] // Who listens in works while a command runs.
async fn a_job_is_rendered_by_a_node_that_joined_with_one_line_and_who_listens_in_learns_nothing() {
    let mut farm = Encrypted::start(&[]).await;
    let token = farm.join_token("join-token", &[]);
    let port = free_port();
    // All that the node and the submitter say to the farm, and all that the farm says to the node.
    let (to_farm, to_node) = (Sniffer::before(farm.port).await, Sniffer::before(port).await);
    let (through, advertised) = (
        format!("https://{}", to_farm.address()),
        format!("https://{}", to_node.address()),
    );
    let agent = farm.agent(
        "node",
        port,
        &through,
        Some(&token),
        &["--advertise", &advertised],
    );
    farm.agents.push(agent);
    assert_eq!(farm.reached("node").await.address, advertised);

    let scene = Scene::BASIC.make(Blender::Executable, &farm.folder().join("scenes"));
    let said = farm.elsewhere(
        &through,
        [
            "submit",
            scene.to_str().unwrap(),
            "--frames",
            "1-4",
            "--json",
            "--wait",
        ],
    );
    let job = submitted(&said);
    let detail = farm.client.job(job.id).await.unwrap();
    assert_eq!(detail.job.state, JobState::Completed, "{:?}", detail.job.reason);

    let secret = std::fs::read_to_string(&token).unwrap();
    let secret = secret.trim().rsplit('.').next().unwrap().to_owned();
    let picture = std::fs::read(Path::new(&detail.job.output).join("basic_0002.png")).unwrap();
    let blend = std::fs::read(&scene).unwrap();
    let middle = |bytes: &[u8]| bytes[bytes.len() / 2..][..24].to_vec();
    for (way, name) in [(&to_farm, "to the farm"), (&to_node, "to the node")] {
        assert!(way.bytes() > 10_000, "{name}: {} bytes", way.bytes());
        for (part, what) in [
            (farm.token().into_bytes(), "the token"),
            (secret.clone().into_bytes(), "the join token's secret"),
            (middle(&picture), "a picture"),
            (middle(&blend), "the scene"),
            (b"Bearer".to_vec(), "a header"),
            (b"/v1/".to_vec(), "a path"),
            (b"basic".to_vec(), "a name"),
        ] {
            assert!(!way.heard(&part), "{what} was readable {name}");
        }
    }
    // It does hear what is said in the clear.
    let plain = format!("http://{}/v1/jobs", to_farm.address());
    let answer = http().get(plain).bearer_auth(farm.token()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(to_farm.heard(farm.token().as_bytes()));

    // What it joined with is kept, for it alone; the join token is not needed again.
    for file in ["identity.pem", "ca.pem", "farm-token"] {
        let file = farm.folder().join("node/farm").join(file);
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    farm.agents.clear();
    let agent = farm.agent("node", port, &through, None, &["--advertise", &advertised]);
    farm.agents.push(agent);
    let said = farm.elsewhere(&through, ["retry", &job.id.to_string(), "--frames", "1-2"]);
    assert_eq!(said.code, Some(0), "{}", said.all());
    eventually("the frames are rendered again", async || {
        let job = farm.client.job(job.id).await.ok()?.job;
        (job.state == JobState::Completed).then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_may_not_join_is_told_why_in_one_line() {
    let farm = Encrypted::start(&[]).await;
    let join = async |token: &Path, address: &str, name: &str| {
        let mut agent = farm.agent(name, free_port(), address, Some(token), &[]);
        must_end(&mut agent).await
    };
    let good = farm.join_token("good", &[]);
    let text = std::fs::read_to_string(&good).unwrap();
    let [head, pin, secret] = text.trim().split('.').collect::<Vec<_>>()[..] else {
        panic!("{text}");
    };
    let write = |name: &str, text: String| {
        let file = farm.folder().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    let stranger = write("stranger", format!("{head}.{}.{secret}", "0b".repeat(32)));
    let said = join(&stranger, &farm.address(), "a").await;
    assert!(
        said.starts_with("error: cannot join the farm") && said.contains("join token names"),
        "{said}"
    );

    let unknown = write("unknown", format!("{head}.{pin}.{}", "0b".repeat(32)));
    let said = join(&unknown, &farm.address(), "b").await;
    assert!(said.contains("does not know this join token"), "{said}");

    let none = write("none", "hello".to_owned());
    let said = join(&none, &farm.address(), "c").await;
    assert!(said.contains("holds no join token"), "{said}");

    // A token is used up by the first node, and that one is let in again with the same key.
    let mut first = farm.agent("first", free_port(), &farm.address(), Some(&good), &[]);
    farm.reached("first").await;
    let said = join(&good, &farm.address(), "second").await;
    assert!(said.contains("used as often as it may be (1)"), "{said}");
    assert!(first.ended().is_none());

    let late = farm.join_token("late", &["--uses", "5", "--hours", "1"]);
    for ticket in farm.data().join("ca/join").read_dir().unwrap() {
        let ticket = ticket.unwrap().path();
        let mut kept: Value = serde_json::from_slice(&std::fs::read(&ticket).unwrap()).unwrap();
        kept["expires"] = json!("2020-01-02T03:04:05Z");
        std::fs::write(&ticket, kept.to_string()).unwrap();
    }
    let said = join(&late, &farm.address(), "d").await;
    assert!(said.contains("expired at 2020-01-02T03:04:05Z"), "{said}");

    let withdrawn = farm.join_token("withdrawn", &[]);
    let said = farm.here(["ca", "withdraw"]);
    assert!(said.out.contains("withdrew 1 join tokens"), "{}", said.all());
    let said = join(&withdrawn, &farm.address(), "e").await;
    assert!(said.contains("was withdrawn"), "{said}");

    let plain = Farm::start(FarmPlan::default()).await;
    let said = join(&good, &plain.address.replace("http://", "https://"), "f").await;
    assert!(said.contains("does not speak https: use http://"), "{said}");
    let mut agent = farm.agent("g", free_port(), &farm.address(), None, &[]);
    let said = must_end(&mut agent).await;
    assert!(
        said.contains("give a join token with --join-token-file"),
        "{said}"
    );
}

#[tokio::test]
async fn whoever_asks_the_farm_is_told_what_is_wrong_with_how_they_ask() {
    let farm = Encrypted::start(&[]).await;
    let other = Encrypted::start(&[]).await;
    let said = farm.here(["jobs"]);
    assert_eq!(
        said.code,
        Some(0),
        "on its own machine it needs nothing: {}",
        said.all()
    );
    let said = farm.elsewhere(&farm.address(), ["jobs"]);
    assert_eq!(said.code, Some(0), "{}", said.all());
    let ca = other.ca();
    for (args, words) in [
        (
            vec!["jobs", "--ca", ca.to_str().unwrap()],
            "not from the farm's CA",
        ),
        (
            vec!["jobs", "--ca", "/nonexistent"],
            "cannot read the CA's certificate",
        ),
    ] {
        let said = farm.elsewhere(&farm.address(), &args);
        assert_eq!(
            (said.code, said.err.lines().count()),
            (Some(1), 1),
            "{}",
            said.all()
        );
        assert!(said.err.contains(words), "{args:?}: {}", said.err);
    }
    let plain = farm.address().replace("https://", "http://");
    let said = farm.elsewhere(&plain, ["jobs"]);
    assert!(
        said.err.contains("write https:// in the address"),
        "{}",
        said.all()
    );
    let unencrypted = Farm::start(FarmPlan::default()).await;
    let said = farm.elsewhere(&unencrypted.address.replace("http://", "https://"), ["jobs"]);
    assert!(
        said.err.contains("it does not speak https: use http://"),
        "{}",
        said.all()
    );
    // Someone who was told of no CA.
    let said = unencrypted.farmhand(["jobs", "--farm", &farm.address()]);
    assert!(said.err.contains("--ca FILE"), "{}", said.all());
    let shown = farm.here(["ca", "show", "--json"]);
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown["fingerprint"], farm.anchor().pin().to_string());
    let again = farm.here(["ca", "init"]);
    assert!(
        again.code == Some(1) && again.err.contains("there is a CA"),
        "{}",
        again.all()
    );
}

#[tokio::test]
async fn nodes_give_each_other_files_and_none_of_them_passes_for_the_farm() {
    let mut farm = Encrypted::start(&[]).await;
    let (source, target) = (
        farm.joined_agent("source").await,
        farm.joined_agent("target").await,
    );
    assert!(source.starts_with("https://") && target.starts_with("https://"));
    let bytes = vec![7; 3_000_000];
    let hash = BlobHash::of(&bytes);
    let to_nodes = farm.http(Role::Node);
    let put = to_nodes
        .put(format!("{source}/v1/blobs/{hash}"))
        .bearer_auth(farm.token())
        .body(bytes);
    assert_eq!(put.send().await.unwrap().status(), StatusCode::CREATED);
    let asked = PullBlobs {
        blobs: vec![hash],
        sources: vec![source.clone()],
    };
    let pull = to_nodes
        .post(format!("{target}/v1/blobs"))
        .bearer_auth(farm.token())
        .json(&asked);
    let pulled: BlobsPulled = pull.send().await.unwrap().json().await.unwrap();
    assert_eq!((pulled.missing, pulled.bytes), (vec![], 3_000_000));
    // Where a client of the farm meets a node it does not show the token.
    let to_farm = farm.http(Role::Farm);
    let met = to_farm.get(format!("{source}/health")).send().await;
    assert!(met.is_err(), "{met:?}");
    let said = farm.elsewhere(&source, ["jobs"]);
    assert!(
        said.err.contains("its certificate is for node.farmhand.internal"),
        "{}",
        said.all()
    );
}

#[tokio::test]
async fn an_agent_without_encryption_gets_no_token_of_a_farm_that_has_a_ca_but_on_its_own_machine() {
    let mut farm = Encrypted::start(&[]).await;
    let said = farm.here(["nodes", "--add", "http://10.255.0.9:3000"]);
    assert_eq!(said.code, Some(1));
    assert!(
        said.err.contains("without encryption") && said.err.contains("--join-token-file"),
        "{}",
        said.err
    );
    let token = farm.data().join("token").display().to_string();
    let plan = AgentPlan {
        more: ["--name", "local", "--token-file", &token]
            .map(str::to_owned)
            .into(),
        ..AgentPlan::default()
    };
    let local = Agent::start(farm.folder(), "local", plan).await;
    let said = farm.here(["nodes", "--add", &local.address]);
    assert_eq!(said.code, Some(0), "{}", said.all());
    farm.reached("local").await;

    // One that does not join by itself is given a certificate by hand.
    let folder = farm.folder().join("by-hand-tls");
    let said = farm.here(["ca", "issue", "by-hand", "--to", folder.to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{}", said.all());
    let port = free_port();
    let [certificate, key] = ["cert.pem", "key.pem"].map(|file| folder.join(file).display().to_string());
    let ca = farm.ca().display().to_string();
    let plan = AgentPlan {
        more: [
            "--name",
            "by-hand",
            "--token-file",
            &token,
            "--tls-cert",
            &certificate,
            "--tls-key",
            &key,
            "--ca",
            &ca,
        ]
        .map(str::to_owned)
        .into(),
        ..AgentPlan::default()
    };
    let command = Agent::command(&farm.folder().join("by-hand"), port, plan);
    let agent = Program::start("by-hand", command, farm.folder().join("by-hand.log"));
    farm.agents.push(agent);
    let said = farm.here(["nodes", "--add", &format!("https://127.0.0.1:{port}")]);
    assert_eq!(said.code, Some(0), "{}", said.all());
    farm.reached("by-hand").await;

    let mut serve = Command::new(build_path("farmhand"));
    let other = Encrypted::start(&["--allow-plain-agents"]).await;
    let said = other.here(["nodes", "--add", "http://10.255.0.9:3000"]);
    assert_eq!(said.code, Some(0), "{}", said.all());
    drop(other);
    farm.orchestrator.kill_nine();
    serve
        .args(["serve", "--node", "http://10.255.0.9:3000", "--listen"])
        .arg(format!("127.0.0.1:{}", free_port()))
        .arg("--data")
        .arg(farm.data());
    let mut serve = Program::start("serve", serve, farm.folder().join("refused.log"));
    let said = must_end(&mut serve).await;
    assert!(
        said.contains("http://10.255.0.9:3000 would get its token without encryption"),
        "{said}"
    );
}

#[tokio::test]
async fn beside_health_only_joining_is_open_without_the_token_and_that_asks_for_a_secret() {
    let farm = Encrypted::start(&[]).await;
    let client = farm.http(Role::Farm);
    let url = |path: &str| format!("{}{path}", farm.address());
    let document = client.get(url("/openapi.json")).bearer_auth(farm.token());
    let document: Value = document.send().await.unwrap().json().await.unwrap();
    let mut open = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let status = client
                .request(method.clone(), url(path))
                .send()
                .await
                .unwrap()
                .status();
            if status != StatusCode::UNAUTHORIZED {
                open.push(format!("{method} {path} {}", status.as_u16()));
            }
        }
    }
    assert_eq!(open, ["GET /health 200", "POST /v1/join 400"]);
    let (_key, request) = farmhand_tls::new_request(None).unwrap();
    let asked = json!({ "secret": "0".repeat(64), "name": "stranger", "request": request });
    let mut statuses = Vec::new();
    for _ in 0..80 {
        let answer = client.post(url("/v1/join")).json(&asked).send().await.unwrap();
        statuses.push(answer.status());
    }
    assert_eq!(statuses[0], StatusCode::FORBIDDEN);
    assert!(
        statuses.contains(&StatusCode::TOO_MANY_REQUESTS),
        "guessing is slowed down"
    );
    // Nothing of that is in the log of changes, which would grow by it.
    let audit = farm.here(["audit", "--json"]);
    assert!(!audit.out.contains("/v1/join"), "{}", audit.out);
}

#[tokio::test]
async fn nodes_that_joined_take_over_tokens_that_the_farm_changes() {
    let mut farm = Encrypted::start(&[]).await;
    farm.joined_agent("node").await;
    let kept = farm.folder().join("node/farm/farm-token");
    let (old, new) = (farm.token(), "a-new-token-a-new-token-a-new-token".to_owned());
    let of_farm = farm.data().join("token");
    let change = async |text: String, what: &str| {
        std::fs::write(&of_farm, &text).unwrap();
        eventually(what, async || {
            let has = std::fs::read_to_string(&kept).unwrap();
            (has.trim() == text.trim()).then_some(())
        })
        .await;
    };
    change(format!("{old}\n{new}"), "the node knows both").await;
    change(format!("{new}\n{old}"), "the node sends the new one").await;
    change(new.clone(), "the node takes the new one only").await;
    let node = farm.reached("node").await;
    let ask = async |token: &str| {
        let call = farm.http(Role::Node).get(format!("{}/v1/node", node.address));
        call.bearer_auth(token).send().await.unwrap().status()
    };
    // What is in its file holds a moment later.
    eventually("the node refuses the old one", async || {
        (ask(&old).await == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    assert_eq!(ask(&new).await, StatusCode::OK);
    assert!(farm.agents[0].said().contains("certificate is renewed"));
}
