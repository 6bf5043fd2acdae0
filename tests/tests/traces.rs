//! Traces of jobs, as a collector gets them from both programs. The collector of these tests reads with the types of
//! the OpenTelemetry project, so that what it understands others do.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use farmhand_protocol::farm::JobState;
use farmhand_protocol::{JobId, SpanContext};
use farmhand_tests::{AgentPlan, Blender, Farm, FarmPlan, Scene, eventually, free_port, http, within};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

/// A span and who told of it.
#[derive(Debug, Clone)]
struct Told {
    service: String,
    instance: String,
    span: Span,
}

impl Told {
    fn attribute(&self, key: &str) -> Option<String> {
        attribute(&self.span.attributes, key)
    }

    fn error(&self) -> Option<&str> {
        let status = self.span.status.as_ref()?;
        (status.code == StatusCode::Error as i32).then_some(status.message.as_str())
    }
}

fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text.clone()),
        any_value::Value::IntValue(number) => Some(number.to_string()),
        other => panic!("{key} is {other:?}"),
    }
}

#[derive(Debug, Clone, Default)]
struct Collector(Arc<Mutex<Vec<Told>>>);

impl Collector {
    /// Listens; the answer is its address.
    async fn start(&self) -> String {
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    /// What was told of a job so far, by the spans' ids.
    fn of(&self, job: SpanContext) -> BTreeMap<String, Told> {
        let told = self.0.lock().unwrap();
        let of_job = told
            .iter()
            .filter(|told| hex(&told.span.trace_id) == job.trace.to_string());
        of_job
            .map(|told| (hex(&told.span.span_id), told.clone()))
            .collect()
    }

    /// Waits until a job's end is told, and as many stages of that name by that program.
    async fn until(
        &self,
        job: SpanContext,
        (service, name): (&str, &str),
        count: usize,
    ) -> BTreeMap<String, Told> {
        eventually(
            &format!("{count} times {name} of {service} are told"),
            async || {
                let spans = self.of(job);
                let stages = spans
                    .values()
                    .filter(|told| told.service == service && told.span.name == name);
                (spans.contains_key(&job.span.to_string()) && stages.count() >= count).then_some(spans)
            },
        )
        .await
    }
}

async fn take(
    State(collector): State<Collector>,
    Json(request): Json<ExportTraceServiceRequest>,
) -> Json<ExportTraceServiceResponse> {
    for of_program in request.resource_spans {
        let resource = of_program.resource.unwrap();
        let of = |key| attribute(&resource.attributes, key).unwrap();
        let spans = of_program.scope_spans.into_iter().flat_map(|scope| scope.spans);
        collector.0.lock().unwrap().extend(spans.map(|span| Told {
            service: of("service.name"),
            instance: of("service.instance.id"),
            span,
        }));
    }
    Json(ExportTraceServiceResponse::default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").unwrap();
        digits
    })
}

async fn trace_of(farm: &Farm, job: JobId) -> SpanContext {
    let farm = farm.client.farm().await.unwrap().id;
    SpanContext::of_job(farm, job)
}

/// One agent, told of its collector by the environment, as in containers.
fn agent(collector: &str) -> AgentPlan {
    AgentPlan {
        environment: vec![("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), collector.to_owned())],
        ..AgentPlan::with(Blender::Executable)
    }
}

#[tokio::test]
async fn every_frame_is_told_of_by_both_programs_below_its_batch_and_its_job_in_one_trace() {
    let collector = Collector::default();
    let address = collector.start().await;
    let farm = Farm::start(FarmPlan {
        agents: vec![agent(&address)],
        more: vec!["--otlp".to_owned(), address],
        ..FarmPlan::default()
    })
    .await;
    let node = farm.agents[0].node().await.id.to_string();
    let scene = Scene::LIGHT.make(Blender::Executable, &farm.folder().join("scenes"));
    let id = farm.submit(&scene, "1-3", &[]);
    assert_eq!(farm.ended(id).await.job.state, JobState::Completed);
    let job = trace_of(&farm, id).await;
    let spans = collector.until(job, ("farmhand-agent", "verify"), 3).await;

    let parent = |told: &Told| spans.get(&hex(&told.span.parent_span_id));
    let named = |name: &'static str| spans.values().filter(move |told| told.span.name == name);
    for name in ["render", "verify", "transfer", "deliver"] {
        let mut frames = BTreeSet::new();
        for stage in named(name) {
            let frame = parent(stage).unwrap_or_else(|| panic!("{name} is part of a frame: {stage:?}"));
            let batch = parent(frame).unwrap();
            assert_eq!((&*frame.span.name, &*batch.span.name), ("frame", "batch"));
            assert_eq!(hex(&batch.span.parent_span_id), job.span.to_string());
            for (key, of) in [("farmhand.frame", frame), ("farmhand.batch", batch)] {
                assert_eq!(stage.attribute(key), of.attribute(key), "{key} of {name}");
            }
            frames.insert(stage.attribute("farmhand.frame").unwrap());
        }
        assert_eq!(frames, ["1", "2", "3"].map(str::to_owned).into(), "{name}");
    }
    for name in ["prepare scene", "load scene", "bring scene", "dispatch"] {
        assert!(named(name).count() > 0, "{name}");
    }
    for told in spans.values() {
        let span = &told.span;
        let by_agent = ["prepare scene", "start blender", "load scene", "render", "verify"];
        let (service, instance) = if by_agent.contains(&span.name.as_str()) {
            ("farmhand-agent", &node)
        } else {
            ("farmhand", &told.attribute("farmhand.farm").unwrap())
        };
        assert_eq!(
            (&*told.service, &told.instance),
            (service, instance),
            "{}",
            span.name
        );
        assert_eq!(told.attribute("farmhand.job").unwrap(), id.to_string());
        assert!(span.start_time_unix_nano > 0 && span.start_time_unix_nano <= span.end_time_unix_nano);
        assert_eq!(told.error(), None, "{}", span.name);
        if span.name != "job" {
            assert_eq!(told.attribute("farmhand.node").unwrap(), node, "{}", span.name);
        }
    }

    // One that no Blender can open.
    let no_scene = farm.folder().join("no_scene.blend");
    std::fs::write(&no_scene, "this is no scene").unwrap();
    let id = farm.submit_unseen(&no_scene, "1").await;
    assert_eq!(farm.ended(id).await.job.state, JobState::Failed);
    let spans = collector
        .until(trace_of(&farm, id).await, ("farmhand-agent", "load scene"), 1)
        .await;
    for name in ["load scene", "frame", "job"] {
        let told = spans.values().find(|told| told.span.name == name).unwrap();
        assert!(told.error().is_some_and(|reason| !reason.is_empty()), "{told:?}");
        assert_eq!(told.attribute("error.type").unwrap(), "scene_unreadable");
    }
}

#[tokio::test]
async fn a_collector_that_hangs_or_is_away_slows_and_stops_nothing() {
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let away = format!("http://127.0.0.1:{}", free_port());
    let mut farm = Farm::start(FarmPlan {
        agents: vec![agent(&away)],
        more: vec![
            "--otlp".to_owned(),
            format!("http://{}", hangs.local_addr().unwrap()),
        ],
        ..FarmPlan::default()
    })
    .await;
    let scene = Scene::LIGHT.make(Blender::Executable, &farm.folder().join("scenes"));
    let job = farm.submit(&scene, "1-2", &[]);
    assert_eq!(farm.ended(job).await.job.state, JobState::Completed);
    let figures = format!("{}/metrics", farm.agents[0].address);
    within(
        Duration::from_mins(1),
        "the agent counts spans that nobody took",
        async || {
            let text = http().get(&figures).send().await.ok()?.text().await.ok()?;
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("farmhand_agent_spans_total{result=\"failed\"} "))?;
            (line.parse::<u64>().unwrap() > 0).then_some(())
        },
    )
    .await;
    // Neither waits for the collector's answer.
    let limit = Duration::from_secs(30);
    assert!(farm.agents[0].program.terminate(limit).1.success());
    assert!(farm.orchestrator.terminate(limit).1.success());
}

#[tokio::test]
async fn an_empty_variable_for_traces_or_logs_is_as_none_to_both_programs() {
    let empty = [
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "FARMHAND_LOG",
        "FARMHAND_LOG_DIR",
        "FARMHAND_LOG_FORMAT",
    ]
    .map(|name| (name.to_owned(), String::new()));
    let agent = AgentPlan {
        environment: empty.to_vec(),
        ..AgentPlan::default()
    };
    let mut farm = Farm::start(FarmPlan {
        agents: vec![agent],
        ..FarmPlan::default()
    })
    .await;
    farm.orchestrator.kill_nine();
    farm.begin_orchestrator(&empty);
    eventually("the orchestrator answers", async || {
        let ended = farm.orchestrator.ended();
        assert_eq!(ended, None, "{}", farm.orchestrator.said());
        farm.client.farm().await.ok()
    })
    .await;
    assert!(
        farm.data().join("logs").is_dir(),
        "logs are where they always are"
    );
}
