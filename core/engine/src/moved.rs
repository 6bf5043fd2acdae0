//! Where the frames went that a lost node had.

use std::collections::BTreeMap;

use farmhand_protocol::farm::MovedFrames;
use farmhand_protocol::{BatchId, Frame, FrameSet, NodeId};

use crate::farm::Farm;
use crate::job::Job;

impl Farm {
    /// What a node had when it was lost, and who has it now.
    pub(crate) fn moved_from(&self, node: NodeId) -> Vec<MovedFrames> {
        let lost = self.seen.lost.get(&node).into_iter().flatten();
        lost.filter_map(|(job, batch)| Some((*job, *batch, self.job(*job)?)))
            .flat_map(|(id, batch, job)| {
                let places = self.places_of(id, job, batch);
                places.into_iter().map(move |(to, frames)| MovedFrames {
                    job: id,
                    batch,
                    frames,
                    to,
                })
            })
            .collect()
    }

    /// Frames that a lost batch left undone, by the node that had them next; nothing stands for those that wait.
    fn places_of(
        &self,
        id: farmhand_protocol::JobId,
        job: &Job,
        lost: BatchId,
    ) -> BTreeMap<Option<String>, FrameSet> {
        let ended = job.ended_batches.iter().rev();
        let Some((_, held)) = ended.clone().find(|(batch, _)| *batch == lost) else {
            return BTreeMap::new();
        };
        let since = ended.take_while(|(batch, _)| *batch != lost);
        let later: Vec<(BatchId, &crate::job::Batch)> = self
            .batches_of(id)
            .chain(since.map(|(batch, held)| (*batch, held)))
            .filter(|(batch, _)| *batch > lost)
            .collect();
        let mut places: BTreeMap<Option<String>, Vec<Frame>> = BTreeMap::new();
        for frame in held
            .frames
            .difference(&held.delivered)
            .difference(&held.failed)
            .iter()
        {
            let having = later.iter().filter(|(_, batch)| {
                batch.open.contains(frame) || batch.delivered.contains(frame) || batch.failed.contains(frame)
            });
            let newest = having.max_by_key(|(batch, _)| *batch);
            let to = newest.map(|(_, batch)| self.node_name(batch.node));
            places.entry(to).or_default().push(frame);
        }
        places
            .into_iter()
            .map(|(to, frames)| (to, frames.into_iter().collect()))
            .collect()
    }
}
