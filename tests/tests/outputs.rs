//! Whatever a scene writes arrives as Blender alone would have written it: names, formats, views, layers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use farmhand_protocol::agent::Proof;
use farmhand_protocol::farm::{FilmState, JobState};
use farmhand_tests::{Blender, Farm, FarmPlan, Scene};

/// What a file shows, without the time of its making, which most formats note.
#[derive(Debug, PartialEq)]
enum Content {
    Pixels(image::DynamicImage),
    Layers(Vec<exr::prelude::Layer<exr::prelude::AnyChannels<exr::prelude::FlatSamples>>>),
    Bytes(Vec<u8>),
}

fn content(path: &Path) -> Content {
    let bytes = fs::read(path).unwrap();
    let begin = || {
        let number = bytes[4..8].try_into().unwrap();
        let swapped = bytes.starts_with(b"XPDS");
        (if swapped {
            u32::from_le_bytes(number)
        } else {
            u32::from_be_bytes(number)
        }) as usize
    };
    match path.extension().unwrap().to_str().unwrap() {
        "exr" => {
            let read = exr::prelude::read_all_flat_layers_from_file(path).unwrap();
            Content::Layers(read.layer_data.into_iter().map(without_dates).collect())
        }
        "dpx" | "cin" => Content::Bytes(bytes[begin()..].to_vec()),
        "jp2" | "rgb" => Content::Bytes(bytes),
        _ => Content::Pixels(image::open(path).unwrap()),
    }
}

fn without_dates<C>(layer: exr::prelude::Layer<C>) -> exr::prelude::Layer<C> {
    let name = layer.attributes.layer_name.clone();
    exr::prelude::Layer {
        attributes: exr::prelude::LayerAttributes {
            layer_name: name,
            ..Default::default()
        },
        ..layer
    }
}

/// Every file below a folder by its path within.
fn files_below(folder: &Path) -> BTreeMap<String, Content> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, content(&path));
            }
        }
    }
    found
}

/// One of two halves of the kinds: each scene needs a fresh Blender.
async fn outputs_are_blenders_own(blender: Blender, half: usize) {
    let farm = Farm::start(FarmPlan::agents(1, blender)).await;
    let scenes = farm.folder().join("scenes");
    Scene::OUTPUTS.make(blender, &scenes);
    let mut kinds: Vec<String> = fs::read_dir(scenes.join("alone"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    kinds.sort();
    assert!(kinds.len() >= 20, "{kinds:?}");
    let kinds: Vec<String> = kinds.into_iter().skip(half).step_by(2).collect();
    let jobs: Vec<_> = kinds
        .iter()
        .map(|kind| farm.submit(&scenes.join(format!("{kind}.blend")), "1-2", &[]))
        .collect();
    for (kind, id) in kinds.iter().zip(jobs) {
        let ended = farm.ended(id).await;
        assert_eq!(
            ended.job.state,
            JobState::Completed,
            "{kind}: {:?}",
            ended.job.reason
        );
        let (ours, alone) = (
            files_below(Path::new(&ended.job.output)),
            files_below(&scenes.join("alone").join(kind)),
        );
        assert_eq!(
            ours.keys().collect::<Vec<_>>(),
            alone.keys().collect::<Vec<_>>(),
            "{kind}"
        );
        for (name, content) in &ours {
            assert!(*content == alone[name], "{kind}: {name} differs");
        }
        let proof = match kind.as_str() {
            "jpeg2000" | "dpx" | "cineon" | "iris" => Proof::Structure,
            _ => Proof::Decoded,
        };
        for frame in farm.client.frames_page(id, None).await.unwrap().items {
            assert!(
                !frame.files.is_empty() && frame.files.iter().all(|file| file.proof == proof),
                "{kind}: {frame:?}"
            );
        }
    }
}

#[tokio::test]
async fn outputs_of_blender_3_4_are_its_own() {
    outputs_are_blenders_own(Blender::Executable, 0).await;
}

#[tokio::test]
async fn further_outputs_of_blender_3_4_are_its_own() {
    outputs_are_blenders_own(Blender::Executable, 1).await;
}

#[tokio::test]
async fn outputs_of_bpy_5_0_are_its_own() {
    outputs_are_blenders_own(Blender::Module, 0).await;
}

#[tokio::test]
async fn further_outputs_of_bpy_5_0_are_its_own() {
    outputs_are_blenders_own(Blender::Module, 1).await;
}

#[tokio::test]
async fn scene_layers_size_samples_and_engine_are_chosen_at_submit() {
    let farm = Farm::start(FarmPlan::agents(1, Blender::Executable)).await;
    let scene = Scene::CHOICES.make(Blender::Executable, &farm.folder().join("scenes"));
    let layers_and_size = async |more: &[&str]| {
        let ended = farm.ended(farm.submit(&scene, "1", more)).await;
        assert_eq!(
            ended.job.state,
            JobState::Completed,
            "{more:?}: {:?}",
            ended.job.reason
        );
        let picture = Path::new(&ended.job.output).join("choices_0001.exr");
        let meta = exr::meta::MetaData::read_from_file(picture, false).unwrap();
        let channels = &meta.headers[0].channels.list;
        let mut layers: Vec<String> = channels
            .iter()
            .filter_map(|channel| Some(channel.name.to_string().split_once('.')?.0.to_owned()))
            .filter(|layer| layer != "Composite")
            .collect();
        layers.dedup();
        (layers, meta.headers[0].layer_size.into())
    };
    let all = layers_and_size(&[]).await;
    assert_eq!(all, (vec!["Second".to_owned(), "ViewLayer".to_owned()], (64, 36)));
    let one = layers_and_size(&["--view-layer", "Second", "--percentage", "50", "--samples", "2"]).await;
    assert_eq!(one, (vec!["Second".to_owned()], (32, 18)));
    let other = layers_and_size(&["--scene-name", "Other", "--engine", "workbench"]).await;
    assert_eq!(other.1, (40, 20));
    let said = farm.farmhand([
        "submit",
        scene.to_str().unwrap(),
        "-f",
        "1",
        "--scene-name",
        "None",
        "--wait",
    ]);
    assert!(
        said.code != Some(0) && said.last_line().contains("there are: Other, Scene"),
        "{}",
        said.all()
    );
}

#[tokio::test]
async fn a_scene_that_asks_for_a_film_gets_pictures_and_the_film_of_them() {
    let farm = Farm::start(FarmPlan::agents(1, Blender::Executable)).await;
    let scene = Scene::MOVIE.make(Blender::Executable, &farm.folder().join("scenes"));
    let home = farm.folder().join("elsewhere/movie");
    let said = farm.farmhand([
        "submit".as_ref(),
        scene.as_os_str(),
        "--frames".as_ref(),
        "1-5x2".as_ref(),
        "--video".as_ref(),
        "--download".as_ref(),
        home.as_os_str(),
    ]);
    let has_ffmpeg = Command::new("ffmpeg").arg("-version").output().is_ok();
    assert_eq!(said.code, Some(0), "{}", said.all());
    let job = farm.client.jobs().await.unwrap().remove(0);
    let film = job.film.expect("the scene asks for a film");
    let folder = Path::new(&job.output);
    for number in [1, 3, 5] {
        let picture = image::open(folder.join(format!("movie_{number:04}.png"))).unwrap();
        assert_eq!((picture.width(), picture.height()), (96, 64));
    }
    if !has_ffmpeg {
        assert_eq!(film.state, FilmState::Failed);
        assert!(said.all().contains("ffmpeg is not on the PATH"), "{}", said.all());
        return;
    }
    assert_eq!(film.state, FilmState::Made, "{film:?}");
    let names: Vec<&str> = film.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(names, ["movie_0001-0005.mkv", "movie_preview.mp4"]);
    for name in &names {
        let brought = fs::read(home.join(name)).unwrap();
        assert!(
            brought == fs::read(folder.join(name)).unwrap(),
            "{name} came to who submitted"
        );
    }
    let again = farm.folder().join("elsewhere/again");
    let said = farm.farmhand(["fetch", &job.id.to_string(), again.to_str().unwrap()]);
    assert!(said.out.starts_with("5 files"), "{}", said.all());
    assert!(again.join("movie_preview.mp4").exists());
    for name in names {
        let probed = Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-count_frames",
                "-show_entries",
                "stream=nb_read_frames,width,height",
            ])
            .args(["-of", "csv=p=0"])
            .arg(folder.join(name))
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&probed.stdout).trim(),
            "96,64,3",
            "{name}: {probed:?}"
        );
    }
}
