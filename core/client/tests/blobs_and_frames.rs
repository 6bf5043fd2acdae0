//! Uploading scenes and fetching frames, against a small farm of HTTP routes.

#![expect(clippy::unwrap_used, reason = "helpers of a test fail as it does")]

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, head};
use farmhand_client::{FarmClient, FetchError, FrameFetcher, Upload, UploadError, pack_scene};
use farmhand_protocol::agent::{FrameFile, Proof};
use farmhand_protocol::farm::{FrameState, FrameView, Page};
use farmhand_protocol::{BlobHash, Frame, JobId, Manifest};

#[derive(Clone, Default)]
struct Farm(Arc<Mutex<Shelves>>);

#[derive(Default)]
struct Shelves {
    blobs: BTreeMap<String, Bytes>,
    /// Calls that are answered by 503 before one works.
    trouble: u32,
    puts: u32,
    frames: Vec<FrameView>,
    pictures: BTreeMap<String, Vec<u8>>,
    gets: u32,
}

impl Farm {
    async fn start(&self) -> FarmClient {
        let router = Router::new()
            .route("/v1/blobs/{hash}", head(has).put(put))
            .route("/v1/jobs/j1/frames", get(frames))
            .route("/v1/jobs/j1/frames/{frame}/image", get(image))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        FarmClient::new(address.parse().unwrap(), None)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Shelves) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    fn deliver(&self, number: i64, path: &str, content: &str) {
        let file = FrameFile {
            path: path.parse().unwrap(),
            hash: BlobHash::of(content.as_bytes()),
            size: content.len() as u64,
            proof: Proof::Decoded,
        };
        self.with(|shelves| {
            shelves
                .pictures
                .insert(path.to_owned(), content.as_bytes().to_vec());
            shelves.frames.push(FrameView {
                frame: Frame::try_from(number).unwrap(),
                state: FrameState::Delivered,
                attempts: 0,
                failure: None,
                files: vec![file],
                node: None,
                render_ms: None,
            });
        });
    }
}

async fn has(State(farm): State<Farm>, Path(hash): Path<String>) -> StatusCode {
    let known = farm.with(|shelves| shelves.blobs.contains_key(&hash));
    if known {
        StatusCode::OK
    } else {
        StatusCode::NOT_FOUND
    }
}

async fn put(State(farm): State<Farm>, Path(hash): Path<String>, body: Bytes) -> StatusCode {
    farm.with(|shelves| {
        if shelves.trouble > 0 {
            shelves.trouble -= 1;
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        if BlobHash::of(&body).to_string() != hash {
            return StatusCode::BAD_REQUEST;
        }
        shelves.puts += 1;
        shelves.blobs.insert(hash, body);
        StatusCode::CREATED
    })
}

async fn frames(
    State(farm): State<Farm>,
    Query(query): Query<BTreeMap<String, String>>,
) -> axum::Json<Page<FrameView>> {
    // Pages of one, so that every reader must turn them.
    let at: usize = query.get("cursor").map_or(0, |cursor| cursor.parse().unwrap());
    farm.with(|shelves| {
        let items = shelves.frames.get(at).cloned().into_iter().collect();
        let next = (at + 1 < shelves.frames.len()).then(|| (at + 1).to_string());
        axum::Json(Page { items, next })
    })
}

async fn image(State(farm): State<Farm>, Query(query): Query<BTreeMap<String, String>>) -> Vec<u8> {
    farm.with(|shelves| {
        shelves.gets += 1;
        shelves.pictures[&query["file"]].clone()
    })
}

fn scene() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("t")).unwrap();
    fs::write(folder.path().join("a.blend"), vec![7; 700_000]).unwrap();
    for name in ["t/x.png", "t/y.png", "t/same-as-y.png"] {
        fs::write(folder.path().join(name), &name[name.len() - 5..]).unwrap();
    }
    folder
}

#[tokio::test]
async fn only_what_the_farm_lacks_is_sent_and_the_manifest_last_of_all() {
    let farm = Farm::default();
    let client = farm.start().await;
    let folder = scene();
    let packed = pack_scene(
        folder.path().join("a.blend"),
        vec![folder.path().join("t")],
        Vec::new(),
    )
    .await
    .unwrap();
    farm.with(|shelves| {
        shelves
            .blobs
            .insert(BlobHash::of(b"x.png").to_string(), Bytes::from_static(b"x.png"));
        shelves.trouble = 2; // A farm that starts again in the middle.
    });
    let seen: Mutex<Vec<Upload>> = Mutex::default();
    let sent = client
        .upload(&packed, |upload| seen.lock().unwrap().push(upload))
        .await
        .unwrap();
    // Two files have one content.
    assert_eq!((sent.known, sent.files, sent.sent), (1, 2, 2));
    assert_eq!((sent.bytes, sent.sent_bytes), (700_005, 700_005));
    assert_eq!(seen.lock().unwrap().last(), Some(&sent));
    farm.with(|shelves| {
        let manifest = &shelves.blobs[&packed.hash().to_string()];
        assert_eq!(Manifest::decode(manifest).unwrap(), *packed.manifest());
        for file in packed.manifest().files().values() {
            assert!(shelves.blobs.contains_key(&file.hash.to_string()));
        }
    });
    let puts = farm.with(|shelves| shelves.puts);
    let again = client.upload(&packed, |_| ()).await.unwrap();
    assert_eq!((again.known, again.files), (3, 0));
    assert_eq!(farm.with(|shelves| shelves.puts), puts + 1, "the manifest alone");
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_sent_is_an_error_that_names_it() {
    let farm = Farm::default();
    let client = farm.start().await;
    let folder = scene();
    let main = folder.path().join("a.blend");
    let packed = pack_scene(main.clone(), vec![], vec![]).await.unwrap();
    fs::write(&main, vec![8; 700_000]).unwrap();
    let error = client.upload(&packed, |_| ()).await.unwrap_err();
    assert!(matches!(error, UploadError::Call { .. }));
    assert!(error.to_string().contains("a.blend"), "{error}");
}

#[tokio::test]
async fn fetching_brings_what_is_new_and_mends_what_is_broken() {
    let farm = Farm::default();
    let client = farm.start().await;
    farm.deliver(1, "demo_0001.png", "one");
    farm.deliver(2, "depth/0002.exr", "two");
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("deep/home");
    let mut fetcher = FrameFetcher::new(client.clone(), JobId(1), home.clone());
    assert_eq!(fetcher.pass(|_| ()).await.unwrap().files, 2);
    assert_eq!(fs::read_to_string(home.join("depth/0002.exr")).unwrap(), "two");

    farm.deliver(3, "demo_0003.png", "three");
    assert_eq!(fetcher.pass(|_| ()).await.unwrap().files, 1);

    // Another run, after one file was cut short.
    fs::write(home.join("demo_0001.png"), "on").unwrap();
    let mut fetcher = FrameFetcher::new(client, JobId(1), home.clone());
    let second = fetcher.pass(|_| ()).await.unwrap();
    assert_eq!((second.files, second.known), (1, 2));
    assert_eq!(fs::read_to_string(home.join("demo_0001.png")).unwrap(), "one");
    assert_eq!(farm.with(|shelves| shelves.gets), 4);
}

#[tokio::test]
async fn what_arrives_damaged_never_gets_a_pictures_name() {
    let farm = Farm::default();
    let client = farm.start().await;
    farm.deliver(1, "demo_0001.png", "one");
    farm.with(|shelves| {
        shelves
            .pictures
            .insert("demo_0001.png".to_owned(), b"oops".to_vec())
    });
    let folder = tempfile::tempdir().unwrap();
    let mut fetcher = FrameFetcher::new(client, JobId(1), folder.path().to_owned());
    let error = fetcher.pass(|_| ()).await.unwrap_err();
    assert!(matches!(error, FetchError::Damaged { .. }), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
