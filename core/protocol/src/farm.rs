//! Wire types of the orchestrator's API: what people ask for and what they are shown.

mod batches;
mod diary;
mod events;
mod frames;
mod jobs;
mod nodes;
mod page;
mod requests;

pub use batches::{BatchState, BatchView};
pub use diary::{FarmView, Note, Weight, Why};
pub use events::FarmEvent;
pub use frames::{AttemptView, FrameCounts, FrameState, FrameView, FramesInState};
pub use jobs::{
    DamagedFile, DeliveredView, FilmState, FilmView, JobDetail, JobState, JobView, OutputView, Verification,
};
pub use nodes::{MovedFrames, NodeState, NodeView, SlotView};
pub use page::Page;
pub use requests::{AddNode, ChangeJob, ChooseFrames, DrainNode, Existing, SubmitJob};
