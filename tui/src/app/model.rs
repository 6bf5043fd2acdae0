//! Everything that the dashboard shows, in one value.

use std::collections::HashMap;

use farmhand_protocol::farm::{BatchView, JobView};
use farmhand_protocol::{BatchId, JobId};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ratatui::layout::Size;

use super::data::Changed;
use super::undo::Undo;
use super::{
    Act, BatchSort, Chord, Context, Cursor, Details, Dialog, Farm, Help, JobScreen, JobSort, Keymap, Layout,
    LogPage, NodeEntry, NodeRow, NodeScreen, NodeSort, Palette, Pane, Panel, Preview, Prompt, Search, Shares,
    Shown, SubmitForm, Table, Target, TestFrame, WhyPage, visible_rows,
};

/// A whole screen. The last of the model's stack is shown; `esc` goes one back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Screen {
    Farm,
    Submit,
    Job(Box<JobScreen>),
    Node(Box<NodeScreen>),
    Why(WhyPage),
    Details(Details),
    Log(Box<LogPage>),
    Preview(Box<Preview>),
    Help(Help),
}

/// What lies over the screen and takes the keys.
#[derive(Debug, Clone)]
pub(crate) enum Overlay {
    Dialog(Dialog),
    Prompt(Prompt),
    Search(Search),
    Palette(Palette),
}

/// How the stream of events stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    Connecting,
    Live,
    Lost {
        error: String,
        since: Timestamp,
        retry_at: Timestamp,
    },
}

/// Whose the orchestrator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It runs in this process; leaving with unfinished jobs hands it over.
    Hosting,
    /// It runs elsewhere.
    Connected,
    /// It runs in this process for a demo and ends with it.
    Demo,
}

/// How a message to the person is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Plain,
    Bad,
}

/// A line about what was just done, shown for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Toast {
    pub(crate) tone: Tone,
    pub(crate) text: String,
    pub(crate) until: Timestamp,
}

/// An act under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) generation: u64,
    /// `cancelling`.
    pub(crate) doing: &'static str,
    /// What takes it back.
    pub(crate) undo: Option<Act>,
    /// Said when it has worked.
    pub(crate) done: String,
}

/// How an act went, shown on its row for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) good: bool,
    pub(crate) until: Timestamp,
}

/// The beginning of a row of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Typed {
    pub(crate) keys: Vec<Chord>,
    pub(crate) since: Timestamp,
}

impl Typed {
    /// When it helps to be told what may follow.
    pub(crate) fn hint_at(&self) -> Timestamp {
        let wait = SignedDuration::from_millis(300);
        self.since.saturating_add(wait).unwrap_or(Timestamp::MAX)
    }
}

/// The farm as it goes on behind what is held on the screen.
#[derive(Debug)]
pub(crate) struct Behind {
    pub(crate) farm: Farm,
    pub(crate) since: Timestamp,
}

/// The dashboard.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) keys: Keymap,
    pub(crate) typed: Option<Typed>,
    /// What is shown.
    pub(crate) farm: Farm,
    /// What is known, where it is not what is shown.
    pub(crate) behind: Option<Box<Behind>>,
    /// Tables whose rows may be others than those shown.
    pub(crate) dirty: Changed,
    pub(crate) farm_address: String,
    pub(crate) link: Link,
    pub(crate) stage: Stage,
    pub(crate) screens: Vec<Screen>,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) focus: Panel,
    pub(crate) shares: Shares,
    /// Columns of tables, where the configuration names them.
    pub(crate) columns: Vec<(Table, Vec<String>)>,
    /// The panel with the focus is shown alone.
    pub(crate) zoomed: bool,
    pub(crate) shown_jobs: Shown<JobSort>,
    pub(crate) shown_nodes: Shown<NodeSort>,
    pub(crate) shown_batches: Shown<BatchSort>,
    pub(crate) jobs: Cursor<JobId>,
    pub(crate) nodes: Cursor<NodeRow>,
    pub(crate) batches: Cursor<BatchId>,
    /// Lines back from the newest event; 0 follows.
    pub(crate) events_back: usize,
    pub(crate) job_rows: Vec<JobId>,
    pub(crate) node_rows: Vec<NodeRow>,
    pub(crate) batch_rows: Vec<BatchId>,
    pub(crate) form: SubmitForm,
    /// A frame that was submitted alone first.
    pub(crate) test: Option<TestFrame>,
    /// A picture that stays beside others.
    pub(crate) pinned: Option<Pane>,
    /// What pictures are drawn with, in words.
    pub(crate) painter: &'static str,
    pub(crate) pending: HashMap<Target, Pending>,
    pub(crate) outcomes: HashMap<Target, Outcome>,
    pub(crate) undo: Option<Undo>,
    /// The mouse is ours.
    pub(crate) mouse: bool,
    /// Nothing may be changed.
    pub(crate) readonly: bool,
    pub(crate) toast: Option<Toast>,
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
    pub(crate) size: Size,
    pub(crate) loading: Option<u64>,
    next_generation: u64,
}

impl Model {
    pub(crate) fn new(
        farm_address: String,
        stage: Stage,
        now: Timestamp,
        zone: TimeZone,
        size: Size,
    ) -> Self {
        Self {
            keys: Keymap::default(),
            typed: None,
            farm: Farm::default(),
            behind: None,
            dirty: Changed::default(),
            shares: Shares::default(),
            columns: Vec::new(),
            zoomed: false,
            shown_jobs: Shown::default(),
            shown_nodes: Shown::default(),
            shown_batches: Shown::default(),
            farm_address,
            link: Link::Connecting,
            stage,
            screens: vec![Screen::Farm],
            overlay: None,
            focus: Panel::Jobs,
            jobs: Cursor::default(),
            nodes: Cursor::default(),
            batches: Cursor::default(),
            events_back: 0,
            job_rows: Vec::new(),
            node_rows: Vec::new(),
            batch_rows: Vec::new(),
            form: SubmitForm::default(),
            test: None,
            pinned: None,
            painter: "half blocks",
            pending: HashMap::new(),
            outcomes: HashMap::new(),
            undo: None,
            mouse: true,
            readonly: false,
            toast: None,
            now,
            zone,
            size,
            loading: None,
            next_generation: 1,
        }
    }

    /// The screen that is shown.
    pub(crate) fn screen(&self) -> &Screen {
        self.screens.last().unwrap_or(&Screen::Farm)
    }

    /// The job screen, where it is on top.
    pub(crate) fn job_screen(&self) -> Option<&JobScreen> {
        match self.screen() {
            Screen::Job(screen) => Some(screen),
            _ => None,
        }
    }

    pub(crate) fn job_screen_mut(&mut self) -> Option<&mut JobScreen> {
        match self.screens.last_mut() {
            Some(Screen::Job(screen)) => Some(screen),
            _ => None,
        }
    }

    /// Where keys go.
    pub(crate) fn context(&self) -> Context {
        match (&self.overlay, self.screen()) {
            (Some(Overlay::Dialog(_)), _) => Context::Dialog,
            (Some(Overlay::Prompt(_)), _) => Context::Prompt,
            (Some(Overlay::Search(_)), _) => Context::Search,
            (Some(Overlay::Palette(_)), _) => Context::Palette,
            (None, Screen::Farm) => Context::Farm,
            (None, Screen::Submit) => Context::Form,
            (None, Screen::Job(_)) => Context::Job,
            (None, Screen::Node(_)) => Context::Node,
            (None, Screen::Why(_)) => Context::Why,
            (None, Screen::Details(_)) => Context::Details,
            (None, Screen::Log(page)) if page.typing.is_some() => Context::LogSearch,
            (None, Screen::Log(_)) => Context::Log,
            (None, Screen::Preview(_)) => Context::Preview,
            (None, Screen::Help(_)) => Context::Help,
        }
    }

    /// Areas of the farm screen; nothing where the terminal is too small.
    pub(crate) fn layout(&self) -> Option<Layout> {
        if self.zoomed {
            return Layout::zoomed(self.size, self.focus);
        }
        Layout::of(
            self.size,
            self.focus,
            self.shares,
            self.job_rows.len(),
            self.node_rows.len(),
        )
    }

    /// Columns that the configuration names for a table.
    pub(crate) fn columns_of(&self, table: Table) -> Option<&[String]> {
        let named = self.columns.iter().find(|(one, _)| *one == table);
        named.map(|(_, names)| names.as_slice())
    }

    /// The farm as it is known, whatever is held on the screen.
    pub(crate) fn newest(&self) -> &Farm {
        self.behind.as_ref().map_or(&self.farm, |behind| &behind.farm)
    }

    pub(crate) fn newest_mut(&mut self) -> &mut Farm {
        self.behind
            .as_mut()
            .map_or(&mut self.farm, |behind| &mut behind.farm)
    }

    /// When something is to be drawn that no message announces.
    pub(crate) fn wake_at(&self) -> Option<Timestamp> {
        let at = self.typed.as_ref()?.hint_at();
        (at > self.now).then_some(at)
    }

    pub(crate) fn selected_job(&self) -> Option<&JobView> {
        self.farm.jobs.get(self.jobs.selected()?)
    }

    pub(crate) fn selected_batch(&self) -> Option<&BatchView> {
        self.farm.batch(*self.jobs.selected()?, *self.batches.selected()?)
    }

    pub(crate) fn selected_node(&self) -> Option<&NodeEntry> {
        let address = match self.screen() {
            Screen::Node(screen) => &screen.address,
            _ => &self.nodes.selected()?.address,
        };
        self.farm.nodes.get(address)
    }

    /// A number that no other question has had.
    pub(crate) fn generation(&mut self) -> u64 {
        self.next_generation += 1;
        self.next_generation
    }

    /// Says something for a while.
    pub(crate) fn say(&mut self, tone: Tone, text: impl Into<String>) {
        let seconds = if tone == Tone::Bad { 12 } else { 6 };
        self.toast = Some(Toast {
            tone,
            text: text.into(),
            until: self
                .now
                .saturating_add(SignedDuration::from_secs(seconds))
                .unwrap_or(Timestamp::MAX),
        });
    }

    /// Rows that a panel shows.
    pub(crate) fn visible(&self, panel: Panel) -> usize {
        let Some(layout) = self.layout() else { return 1 };
        let area = match panel {
            Panel::Jobs => Some(layout.jobs),
            Panel::Nodes => Some(layout.nodes),
            Panel::Batches => layout.batches,
            // Without a head line.
            Panel::Events => return layout.events.map_or(1, |area| visible_rows(area) + 1),
        };
        area.map_or(1, visible_rows)
    }

    /// Rows of the job table have come, gone or changed places.
    pub(crate) fn settle_jobs(&mut self) {
        self.dirty.jobs = false;
        self.job_rows = self.farm.job_rows(&self.shown_jobs);
        self.jobs.settle(&self.job_rows, self.visible(Panel::Jobs));
        self.settle_batches();
    }

    /// Rows of the node table have come, gone or changed places.
    pub(crate) fn settle_nodes(&mut self) {
        self.dirty.nodes = false;
        self.node_rows = self.farm.node_rows(&self.shown_nodes);
        let visible = self.visible(Panel::Nodes);
        if self.focus == Panel::Nodes {
            self.nodes.settle(&self.node_rows, visible);
        } else {
            self.nodes.settle_on_top(&self.node_rows, visible);
        }
    }

    /// Another job is selected, or its batches have changed.
    pub(crate) fn settle_batches(&mut self) {
        self.dirty.batches = false;
        self.batch_rows = self
            .jobs
            .selected()
            .map(|job| self.farm.batch_rows(*job, &self.shown_batches))
            .unwrap_or_default();
        let visible = self.visible(Panel::Batches);
        if self.focus == Panel::Batches {
            self.batches.settle(&self.batch_rows, visible);
        } else {
            self.batches.settle_on_top(&self.batch_rows, visible);
        }
    }

    /// The size or the focus has changed.
    pub(crate) fn settle_all(&mut self) {
        self.settle_jobs();
        self.settle_nodes();
        let most = self.farm.notes.len().saturating_sub(self.visible(Panel::Events));
        self.events_back = self.events_back.min(most);
        super::job::sync(self);
    }
}
