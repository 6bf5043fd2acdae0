//! The loop: whatever happens becomes a message, the model changes, and is drawn at most thirty times a
//! second.

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::time::Duration;

use color_eyre::eyre::{Result, WrapErr, eyre};
use crossterm::event::{Event, EventStream, KeyCode, MouseEventKind};
use farmhand_client::FarmClient;
use futures_util::{FutureExt, StreamExt};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::carry::carry_out;
use super::scene_file::kept_draft;
use super::terminal::{TakenTerminal, copy, give_back_on_panic};
use crate::app::{Command, Leave, Model, Msg, Stage, SubmitForm, Tone, hear, leave_at_once, settle, update};
use crate::cli::{DashboardArgs, print};
use crate::handover::hand_over;
use crate::host::{Host, HostPlan};
use crate::pictures::{Gallery, painter};
use crate::settings::{self, Settings};
use crate::view::{Environment, Look};
use crate::words;

const FRAME: Duration = Duration::from_millis(33);
/// Messages taken at once before the next look at keys and the clock.
const AT_ONCE: usize = 512;

/// What a dashboard runs on.
pub(crate) struct Session {
    pub(crate) farm: FarmClient,
    /// An orchestrator of this process, and how to run it again elsewhere.
    pub(crate) host: Option<(Host, HostPlan)>,
    pub(crate) stage: Stage,
    pub(crate) logs: PathBuf,
    pub(crate) shown: DashboardArgs,
    /// The submit form's draft.
    pub(crate) draft: PathBuf,
}

/// Runs the dashboard until its person leaves, and settles what becomes of the farm.
pub(crate) async fn run(mut session: Session) -> Result<()> {
    give_back_on_panic(session.logs.clone());
    let ended = AssertUnwindSafe(show(&mut session)).catch_unwind().await;
    // The terminal is given back by now. A panic of the screen is no reason to stop anyone's job.
    let leave = match &ended {
        Ok(Ok(leave)) => *leave,
        Ok(Err(_)) | Err(_) if session.stage == Stage::Hosting => Leave::Running,
        Ok(Err(_)) | Err(_) => Leave::Stopped,
    };
    let address = session.farm.address().to_string();
    if let Some((host, plan)) = session.host {
        match leave {
            Leave::Running => {
                hand_over(host, &plan).await?;
                let _terminal_gone = print::text(&format!(
                    "the farm goes on at {address}; `farmhand` shows it again, `farmhand jobs` lists its jobs\n"
                ));
            }
            Leave::Stopped => host.stop().await?,
        }
    }
    match ended {
        Ok(ended) => ended.map(drop),
        Err(_) => Err(eyre!("the dashboard failed; the farm did not")),
    }
}

async fn show(session: &mut Session) -> Result<Leave> {
    let mut signals = Signals::new()?;
    let mut terminal = TakenTerminal::take().wrap_err("cannot use this terminal")?;
    let (settings, look) = settings_and_look(&session.shown);
    let painter = painter(!look.colour || look.ascii);
    let size = terminal.size().wrap_err("cannot ask the terminal for its size")?;
    let address = session.farm.address().to_string();
    let mut model = Model::new(address, session.stage, Timestamp::now(), TimeZone::system(), size);
    let has_bell = settings.bell;
    set_up(&mut model, &session.shown, settings);
    let (sender, mut inbox) = mpsc::channel(1024);
    let gallery = Gallery::start(&session.farm, painter, &sender);
    model.painter = gallery.painter();
    model.form =
        kept_draft(&session.draft).map_or_else(SubmitForm::default, |draft| SubmitForm::of_draft(&draft));
    let following = tokio::spawn(follow(session.farm.clone(), sender.clone()));
    let _ends_with_us = following.abort_handle();
    // How a test sees what a panic leaves behind; not in what people run.
    let may_panic = cfg!(debug_assertions) && std::env::var_os("FARMHAND_TEST_PANIC").is_some();
    let mut keys = EventStream::new();
    let mut clock = interval(Duration::from_secs(1));
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut drawn = Instant::now();
    let mut changed = true;
    loop {
        let mut messages = Vec::new();
        let wake = wait_of(&model);
        tokio::select! {
            key = keys.next() => match key {
                Some(Ok(event)) => {
                    assert!(!(may_panic && is_f12(&event)), "the test asked for a panic");
                    messages.extend(message_of(event));
                }
                // The terminal is gone; nobody can be asked.
                Some(Err(_)) | None => return Ok(leave_at_once(&model)),
            },
            received = receive(&mut inbox) => messages = received,
            _ = clock.tick() => messages.push(Msg::Tick(Timestamp::now())),
            () = signals.any() => return Ok(leave_at_once(&model)),
            error = host_failed(&mut session.host) => {
                session.host = None;
                messages.push(Msg::HandedOver);
                messages.push(Msg::Trouble(format!("the orchestrator ended: {}", words::error(&error))));
            }
            () = sleep(wake.unwrap_or_default()), if wake.is_some() => messages.push(Msg::Tick(Timestamp::now())),
            () = sleep_until(drawn + FRAME), if changed => {
                for command in settle(&mut model) {
                    carry_out(command, &session.farm, &sender, &session.draft);
                }
                if terminal.take_mouse(model.mouse).is_err() || terminal.draw(&model, look).is_err() {
                    return Ok(leave_at_once(&model));
                }
                drawn = Instant::now();
                changed = false;
                continue;
            }
        }
        if messages.is_empty() {
            continue;
        }
        changed = true;
        model.now = Timestamp::now();
        for message in messages {
            // Many events may come between two frames; rows are put in order once for all of them.
            let commands = match message {
                Msg::Signal(signal) => hear(&mut model, signal),
                message => {
                    let mut commands = settle(&mut model);
                    commands.extend(update(&mut model, message));
                    commands
                }
            };
            for command in commands {
                match command {
                    Command::Quit(leave) => return Ok(leave),
                    Command::Suspend => {
                        drop(keys);
                        drop(terminal);
                        let handed = suspend(session, &model).await;
                        terminal = TakenTerminal::take().wrap_err("cannot use this terminal again")?;
                        keys = EventStream::new();
                        if let Ok(size) = terminal.size() {
                            // Pixels of pictures went with the screen.
                            gallery.show_all(update(&mut model, Msg::Resize(size.width, size.height)));
                        }
                        match handed {
                            Ok(true) => drop(update(&mut model, Msg::HandedOver)),
                            Ok(false) => {}
                            Err(error) => drop(update(&mut model, Msg::Trouble(words::error(&error)))),
                        }
                    }
                    Command::ShowPicture(request) => gallery.show(*request),
                    Command::Ring => terminal.rings = has_bell,
                    Command::Copy { text } => {
                        if copy(&text).is_err() {
                            return Ok(leave_at_once(&model));
                        }
                    }
                    command => carry_out(command, &session.farm, &sender, &session.draft),
                }
            }
        }
    }
}

/// What configuration, command line and environment say of the screen; the command line goes first.
fn settings_and_look(shown: &DashboardArgs) -> (Settings, Look) {
    let path = settings::path(shown.config.clone());
    let settings = path.as_deref().map(settings::read).unwrap_or_default();
    let theme = shown.theme.unwrap_or(settings.theme);
    let look = Look::from_environment(&Environment::read(), theme, shown.ascii || settings.ascii);
    (settings, look)
}

fn set_up(model: &mut Model, shown: &DashboardArgs, settings: Settings) {
    model.readonly = shown.readonly;
    model.keys = settings.keys;
    model.columns = settings.columns;
    model.shares = settings.shares;
    model.mouse = settings.mouse;
    if let Some(first) = settings.troubles.first() {
        let more = match settings.troubles.len() {
            1 => String::new(),
            count => format!(" (and {} more: `farmhand info` lists them)", count - 1),
        };
        model.say(Tone::Bad, format!("{first}{more}"));
    }
}

/// How long until something is drawn that no message announces.
fn wait_of(model: &Model) -> Option<Duration> {
    let wait = model.wake_at()?.duration_since(Timestamp::now());
    Some(Duration::try_from(wait).unwrap_or_default())
}

fn is_f12(event: &Event) -> bool {
    matches!(event, Event::Key(key) if key.code == KeyCode::F(12))
}

fn message_of(event: Event) -> Option<Msg> {
    match event {
        Event::Key(key) => Some(Msg::Key(key)),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(width, height) => Some(Msg::Resize(width, height)),
        // Moving without a button says nothing, and would draw the screen for nothing.
        Event::Mouse(event) if event.kind == MouseEventKind::Moved => None,
        Event::Mouse(event) => Some(Msg::Mouse(event)),
        Event::FocusGained | Event::FocusLost => None,
    }
}

/// The next messages, as many as wait.
async fn receive(inbox: &mut Receiver<Msg>) -> Vec<Msg> {
    let mut messages = Vec::new();
    inbox.recv_many(&mut messages, AT_ONCE).await;
    messages
}

async fn follow(farm: FarmClient, inbox: Sender<Msg>) {
    let mut signals = std::pin::pin!(farm.events());
    while let Some(signal) = signals.next().await {
        if inbox.send(Msg::Signal(signal)).await.is_err() {
            return;
        }
    }
}

async fn host_failed(host: &mut Option<(Host, HostPlan)>) -> color_eyre::Report {
    match host {
        Some((host, _)) => host.failed().await,
        None => pending().await,
    }
}

/// Stops this process until the shell brings it back. Unfinished jobs go on meanwhile: their orchestrator is
/// handed over first, since ours would be stopped too. Returns whether it was.
async fn suspend(session: &mut Session, model: &Model) -> Result<bool> {
    let goes_on = leave_at_once(model) == Leave::Running;
    let handed = match session.host.take() {
        Some((host, plan)) if goes_on => {
            hand_over(host, &plan).await?;
            session.stage = Stage::Connected;
            true
        }
        host => {
            session.host = host;
            false
        }
    };
    let stop = nix::sys::signal::Signal::SIGTSTP;
    nix::sys::signal::raise(stop).wrap_err("cannot stop this process")?;
    Ok(handed)
}

/// Signals that end the dashboard.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).wrap_err("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
