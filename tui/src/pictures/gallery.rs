//! Whoever shows pictures: takes the newest request for each side of the screen, and lets older ones go.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use farmhand_client::FarmClient;
use farmhand_protocol::BlobHash;
use farmhand_protocol::agent::FrameFile;
use farmhand_protocol::farm::{FrameState, FrameView};
use futures_util::StreamExt;
use tokio::sync::{mpsc, watch};

use super::decode::{Decoded, decode};
use super::encode::encode;
use super::terminal::Painter;
use crate::app::{Command, Msg, PictureRequest, ShownFrame, ShownPicture, Which, standing};

/// A request of which more may follow at once waits so long for them.
const SETTLE: Duration = Duration::from_millis(120);

/// A picture that takes longer is given up where another one is wanted meanwhile.
const PATIENCE: Duration = Duration::from_millis(250);

/// Bytes of decoded pictures that are kept.
const KEPT_BYTES: usize = 256 << 20;

/// A file larger than this is not fetched to be looked at.
const LARGEST: u64 = 1 << 30;

/// Ends with the dashboard.
pub(crate) struct Gallery {
    asked: [watch::Sender<Option<PictureRequest>>; 2],
    painter: &'static str,
}

impl Gallery {
    pub(crate) fn start(farm: &FarmClient, painter: Painter, inbox: &mpsc::Sender<Msg>) -> Self {
        let words = painter.words();
        let keeper = Arc::new(Shop {
            farm: farm.clone(),
            painter,
            kept: Mutex::default(),
        });
        let asked = [(); 2].map(|()| {
            let (ask, asked) = watch::channel(None);
            let keeper = Arc::clone(&keeper);
            let show = move |request: PictureRequest| {
                let keeper = Arc::clone(&keeper);
                async move {
                    Msg::PictureReady {
                        generation: request.generation,
                        side: request.side,
                        result: keeper.show(&request).await.map(Box::new),
                    }
                }
            };
            tokio::spawn(serve(asked, inbox.clone(), show));
            ask
        });
        Self {
            asked,
            painter: words,
        }
    }

    /// What pictures are drawn with, in words.
    pub(crate) fn painter(&self) -> &'static str {
        self.painter
    }

    /// Shows the pictures that some commands ask for.
    pub(crate) fn show_all(&self, commands: Vec<Command>) {
        for command in commands {
            if let Command::ShowPicture(request) = command {
                self.show(*request);
            }
        }
    }

    /// Shows a picture, instead of what was asked for this side before.
    pub(crate) fn show(&self, request: PictureRequest) {
        self.asked[request.side as usize].send_replace(Some(request));
    }
}

/// Serves the newest request, again and again, until nobody can ask any more.
async fn serve<F: Future<Output = Msg>>(
    mut asked: watch::Receiver<Option<PictureRequest>>,
    inbox: mpsc::Sender<Msg>,
    show: impl Fn(PictureRequest) -> F,
) {
    while asked.changed().await.is_ok() {
        let Some(mut request) = asked.borrow_and_update().clone() else {
            continue;
        };
        while request.settle
            && let Ok(changed) = tokio::time::timeout(SETTLE, asked.changed()).await
        {
            if changed.is_err() {
                return;
            }
            if let Some(newer) = asked.borrow_and_update().clone() {
                request = newer;
            }
        }
        let overtaken = async {
            tokio::time::sleep(PATIENCE).await;
            asked.changed().await
        };
        tokio::select! {
            message = show(request) => if inbox.send(message).await.is_err() {
                return;
            },
            newer = overtaken => match newer {
                Ok(()) => asked.mark_changed(),
                Err(_) => return,
            },
        }
    }
}

struct Shop {
    farm: FarmClient,
    painter: Painter,
    kept: Mutex<VecDeque<Kept>>,
}

struct Kept {
    hash: BlobHash,
    layer: usize,
    decoded: Arc<Decoded>,
}

impl Shop {
    async fn show(&self, request: &PictureRequest) -> Result<ShownFrame, String> {
        let (frame, previous, next) = self.find(request).await?;
        let mut shown = ShownFrame {
            frame,
            previous,
            next,
            picture: None,
            problem: None,
        };
        if shown.frame.state != FrameState::Delivered {
            shown.problem = Some(format!("frame {} {}", shown.frame.frame, standing(&shown.frame)));
            return Ok(shown);
        }
        let files = shown.frame.files.len();
        let number = if request.file < files { request.file } else { 0 };
        let Some(file) = shown.frame.files.get(number).cloned() else {
            shown.problem = Some("nothing is known of its files".to_owned());
            return Ok(shown);
        };
        let began = Instant::now();
        let decoded = match self.decoded(request, &shown.frame, &file).await {
            Ok(decoded) => decoded,
            Err(problem) => {
                shown.problem = Some(problem);
                return Ok(shown);
            }
        };
        let decode_ms = millis(began);
        let began = Instant::now();
        let (painter, exposure, room) = (self.painter.clone(), request.exposure, request.room);
        let pixels = Arc::clone(&decoded);
        let picture = off_thread(move || encode(&pixels, exposure, room, &painter)).await?;
        shown.picture = Some(ShownPicture {
            picture: Arc::new(picture),
            file: number,
            pixels: (decoded.image.width(), decoded.image.height()),
            depth: decoded.depth.clone(),
            layers: decoded.layers.clone(),
            layer: decoded.layer,
            is_light: decoded.is_light,
            decode_ms,
            encode_ms: millis(began),
        });
        Ok(shown)
    }

    /// The wanted frame, and those around it.
    async fn find(
        &self,
        request: &PictureRequest,
    ) -> Result<(FrameView, Option<FrameView>, Option<FrameView>), String> {
        let ask = |behind, state, count| self.farm.frames_behind(request.job, behind, state, count);
        let said = |error: farmhand_client::CallError| error.to_string();
        match request.which {
            Which::Exactly(frame) => {
                let mut views = ask(request.behind, None, 3).await.map_err(said)?;
                let place = views.iter().position(|view| view.frame == frame);
                let place = place.ok_or_else(|| format!("{} has no frame {frame}", request.job))?;
                let next = (views.len() > place + 1).then(|| views.swap_remove(place + 1));
                let wanted = views.swap_remove(place);
                Ok((wanted, views.into_iter().find(|view| view.frame < frame), next))
            }
            Which::DeliveredBehind(frame) => {
                let delivered = Some(FrameState::Delivered);
                let mut views = ask(Some(frame), delivered, 1).await.map_err(said)?;
                if views.is_empty() {
                    views = ask(None, delivered, 1).await.map_err(said)?;
                }
                let view = views
                    .pop()
                    .ok_or_else(|| "no frame is delivered yet".to_owned())?;
                Ok((view, None, None))
            }
        }
    }

    async fn decoded(
        &self,
        request: &PictureRequest,
        frame: &FrameView,
        file: &FrameFile,
    ) -> Result<Arc<Decoded>, String> {
        if let Some(kept) = self.kept(file.hash, request.layer) {
            return Ok(kept);
        }
        let bytes = self.fetch(request, frame, file).await?;
        let (name, layer) = (file.path.to_string(), request.layer);
        let decoded = off_thread(move || decode(&bytes, &name, layer).map_err(|error| error.to_string()));
        let decoded = Arc::new(decoded.await?);
        self.keep(file.hash, Arc::clone(&decoded));
        Ok(decoded)
    }

    async fn fetch(
        &self,
        request: &PictureRequest,
        frame: &FrameView,
        file: &FrameFile,
    ) -> Result<Vec<u8>, String> {
        if file.size > LARGEST {
            return Err(format!("{} is too large to be fetched for a look", file.path));
        }
        let path = file.path.as_str();
        let response = self.farm.frame_file(request.job, frame.frame, Some(path)).await;
        let mut chunks = response.map_err(|error| error.to_string())?.bytes_stream();
        let mut bytes = Vec::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| format!("{path} did not come whole: {error}"))?;
            if bytes.len() as u64 + chunk.len() as u64 > file.size {
                return Err(format!("{path} is longer than the farm says"));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn kept(&self, hash: BlobHash, layer: usize) -> Option<Arc<Decoded>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.iter().find(|one| one.hash == hash && one.layer == layer);
        found.map(|one| Arc::clone(&one.decoded))
    }

    fn keep(&self, hash: BlobHash, decoded: Arc<Decoded>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let layer = decoded.layer;
        kept.push_back(Kept { hash, layer, decoded });
        let bytes = |one: &Kept| one.decoded.image.as_bytes().len();
        let mut all: usize = kept.iter().map(bytes).sum();
        while all > KEPT_BYTES
            && let Some(oldest) = kept.pop_front()
        {
            all -= bytes(&oldest);
        }
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Work that takes its time, on a thread of its own.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // A decoder that panics on a strange file is the file's fault.
        Err(error) => Err(format!("the picture cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use farmhand_protocol::{Frame, JobId};
    use ratatui::layout::Size;

    use super::*;
    use crate::app::Side;

    fn request(generation: u64, settle: bool) -> PictureRequest {
        let frame = Frame::try_from(1).unwrap();
        PictureRequest {
            generation,
            side: Side::Main,
            job: JobId(1),
            which: Which::Exactly(frame),
            behind: None,
            file: 0,
            layer: 0,
            exposure: 0.0,
            room: Size::new(10, 10),
            settle,
        }
    }

    /// Which requests were begun and which were answered.
    async fn served(
        takes: Duration,
        asks: impl AsyncFnOnce(&watch::Sender<Option<PictureRequest>>),
    ) -> (Vec<u64>, Vec<u64>) {
        let (ask, asked) = watch::channel(None);
        let (inbox, mut answers) = mpsc::channel(100);
        let begun = Arc::new(Mutex::new(Vec::new()));
        let show = {
            let begun = Arc::clone(&begun);
            move |request: PictureRequest| {
                begun.lock().unwrap().push(request.generation);
                async move {
                    tokio::time::sleep(takes).await;
                    Msg::PictureReady {
                        generation: request.generation,
                        side: request.side,
                        result: Err(String::new()),
                    }
                }
            }
        };
        let serving = tokio::spawn(serve(asked, inbox, show));
        asks(&ask).await;
        tokio::time::sleep(Duration::from_mins(1)).await;
        drop(ask);
        serving.await.unwrap();
        let mut answered = Vec::new();
        while let Ok(Msg::PictureReady { generation, .. }) = answers.try_recv() {
            answered.push(generation);
        }
        let begun = begun.lock().unwrap().clone();
        (begun, answered)
    }

    #[tokio::test(start_paused = true)]
    async fn a_storm_of_fifty_resizes_encodes_once() {
        let asks = async |ask: &watch::Sender<Option<PictureRequest>>| {
            for generation in 1..=50 {
                ask.send_replace(Some(request(generation, true)));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let (begun, answered) = served(Duration::from_millis(40), asks).await;
        assert_eq!((begun, answered), (vec![50], vec![50]));
    }

    #[tokio::test(start_paused = true)]
    async fn older_requests_are_dropped_for_newer_ones_and_slow_ones_are_given_up() {
        let asks = async |ask: &watch::Sender<Option<PictureRequest>>| {
            for generation in 1..=5 {
                ask.send_replace(Some(request(generation, false)));
                tokio::task::yield_now().await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            ask.send_replace(Some(request(6, false)));
        };
        let (begun, answered) = served(Duration::from_secs(5), asks).await;
        assert!(begun.len() <= 3, "{begun:?}");
        assert_eq!(answered, [6]);
    }
}
