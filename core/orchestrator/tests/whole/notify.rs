//! Those who asked are told: by signed posts that are tried again, and by a program.

use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use farmhand_orchestrator::{Notify, Secret};
use farmhand_protocol::farm::JobState;
use farmhand_protocol::{Notice, NoticeKind};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::support::{FakeAgent, Farm, until};

const SECRET: &[u8] = b"a-secret-of-some-length";

/// A receiver that has trouble with the first posts.
#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Received>>);

#[derive(Default)]
struct Received {
    refusals: u32,
    taken: Vec<Notice>,
    signatures: Vec<bool>,
}

impl Receiver {
    async fn start(refusals: u32) -> (Self, String) {
        let receiver = Self::default();
        receiver.0.lock().unwrap().refusals = refusals;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = axum::Router::new()
            .route("/hook", axum::routing::post(take))
            .with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (receiver, url)
    }

    fn events(&self) -> Vec<NoticeKind> {
        self.0
            .lock()
            .unwrap()
            .taken
            .iter()
            .map(|notice| notice.event)
            .collect()
    }
}

async fn take(State(server): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut received = server.0.lock().unwrap();
    if received.refusals > 0 {
        received.refusals -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
    mac.update(headers["farmhand-timestamp"].as_bytes());
    mac.update(b".");
    mac.update(&body);
    let mut signature = "v1=".to_owned();
    for byte in mac.finalize().into_bytes() {
        write!(signature, "{byte:02x}").unwrap();
    }
    received
        .signatures
        .push(headers["farmhand-signature"] == signature.as_str());
    let notice: Notice = serde_json::from_slice(&body).unwrap();
    assert_eq!(headers["farmhand-event"], notice.event.name());
    assert_eq!(headers["farmhand-delivery"], notice.id.to_string().as_str());
    received.taken.push(notice);
    StatusCode::NO_CONTENT
}

fn secret(folder: &std::path::Path) -> Secret {
    let file = folder.join("secret");
    std::fs::write(&file, [SECRET, b"\n"].concat()).unwrap();
    Secret::from_file(&file).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_was_away_hears_of_every_jobs_end_once_and_can_tell_who_says_it() {
    let folder = tempfile::tempdir().unwrap();
    let (receiver, url) = Receiver::start(2).await;
    // Nobody listens there: it must not matter to the other one, nor to the farm.
    let notify = Notify {
        webhooks: vec!["http://127.0.0.1:9/".parse().unwrap(), url.parse().unwrap()],
        secret: Some(secret(folder.path())),
        first_retry: Duration::from_millis(20),
        ..Notify::default()
    };
    let (agent, address) = FakeAgent::start().await;
    let nodes = vec![address];
    let farm = Farm::start_with(move |config| {
        config.nodes.clone_from(&nodes);
        config.notify = notify.clone();
    })
    .await;
    let done = farm.submit("castle", "1-3").await;
    assert_eq!(farm.end_of(&done).await, JobState::Completed);
    agent.state().is_held = true;
    let given_up = farm.submit("tower", "1-3").await;
    let cancel = farm
        .post(&format!("/v1/jobs/{given_up}/cancel"), serde_json::json!({}))
        .await;
    assert_eq!(cancel.status(), StatusCode::OK);
    until("both notices are taken", async || receiver.events().len() >= 2).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        receiver.events(),
        [NoticeKind::JobCompleted, NoticeKind::JobCancelled]
    );
    let taken = receiver.0.lock().unwrap();
    assert_eq!(taken.signatures, [true, true]);
    let job = taken.taken[0].job.as_ref().unwrap();
    assert_eq!((job.name.as_str(), job.counts.delivered), ("castle", 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_reads_of_a_node_that_is_lost_and_of_its_return() {
    let folder = tempfile::tempdir().unwrap();
    let (heard, program) = (folder.path().join("heard"), folder.path().join("told"));
    let script = format!("#!/bin/sh\ncat >> '{}'\n", heard.display());
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let agent = FakeAgent::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let listening = agent.serve_at(free).await;
    let command = program.clone();
    let farm = Farm::start_with(move |config| {
        config.nodes = vec![format!("http://{free}")];
        config.policy.lease = Duration::from_millis(800);
        config.notify.command = Some(command.clone());
    })
    .await;
    let events = || -> Vec<NoticeKind> {
        let text = std::fs::read_to_string(&heard).unwrap_or_default();
        let notices = serde_json::Deserializer::from_str(&text).into_iter::<Notice>();
        notices.filter_map(|notice| Some(notice.ok()?.event)).collect()
    };
    let job = farm.submit("castle", "1").await;
    assert_eq!(farm.end_of(&job).await, JobState::Completed);
    until("the job's end is told", async || {
        events() == [NoticeKind::JobCompleted]
    })
    .await;
    tokio::time::sleep(Duration::from_millis(1200)).await; // Seen once while it is there.
    drop(listening);
    until("its loss is told", async || {
        events().last() == Some(&NoticeKind::NodeLost)
    })
    .await;
    let _listening = agent.serve_at(free).await;
    until("its return is told", async || {
        events().last() == Some(&NoticeKind::NodeBack)
    })
    .await;
    assert_eq!(events().len(), 3, "{:?}", events());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_hangs_is_ended_and_the_farm_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("hangs");
    std::fs::write(&program, "#!/bin/sh\nexec sleep 600\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (_agent, address) = FakeAgent::start().await;
    let farm = Farm::start_with(move |config| {
        config.nodes = vec![address.clone()];
        config.notify.command = Some(program.clone());
        config.notify.command_limit = Duration::from_millis(300);
    })
    .await;
    for _ in 0..6 {
        let job = farm.submit("castle", "1").await;
        assert_eq!(farm.end_of(&job).await, JobState::Completed);
    }
    let failed = "farmhand_notices_total{result=\"failed\"} 6";
    until("all six are given up", async || {
        let figures = farm.http.get(farm.url("/metrics")).send().await.unwrap();
        figures.text().await.unwrap().lines().any(|line| line == failed)
    })
    .await;
}
