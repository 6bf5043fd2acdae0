//! Which Blender renders a job: one for all of its frames, so that they look alike.

use std::collections::{BTreeMap, BTreeSet};

use farmhand_protocol::{BlenderVersion, NodeId, SceneHash};

use super::fit::{lacked_tag, unfit};
use crate::farm::{Farm, Now};
use crate::job::Job;

/// The Blender for one job. Looks at every node: whoever asks for many jobs keeps [`Blenders`].
pub(crate) fn choose_blender(farm: &Farm, now: Now, job: &Job) -> Option<BlenderVersion> {
    Blenders::new(farm, now).choose(job)
}

/// How many nodes have each version.
type Counts = BTreeMap<BlenderVersion, usize>;

/// The Blenders of all nodes that can render, counted once for all jobs: what differs between jobs of the same tags is
/// a few nodes that this or that one has trouble with.
pub(crate) struct Blenders<'a> {
    farm: &'a Farm,
    now: Now,
    /// Counted when the first job of these tags asks.
    by_tags: BTreeMap<&'a [String], Counts>,
    /// Found when the first job asks.
    too_small: Option<BTreeMap<SceneHash, Vec<NodeId>>>,
}

impl<'a> Blenders<'a> {
    pub(crate) fn new(farm: &'a Farm, now: Now) -> Self {
        Self {
            farm,
            now,
            by_tags: BTreeMap::new(),
            too_small: None,
        }
    }

    /// The Blender for all frames of a job: the scene's own series, else the lowest newer one that a node has,
    /// else, only where that is allowed, the newest older one. Of one series the most common version, then the
    /// newest.
    pub(crate) fn choose(&mut self, job: &'a Job) -> Option<BlenderVersion> {
        let (farm, now) = (self.farm, self.now);
        let troubled = self.troubled(job);
        let tags = job.spec.tags.as_slice();
        let counts = self.by_tags.entry(tags).or_insert_with(|| count(farm, now, tags));
        if troubled.is_empty() {
            return best_of(counts, job);
        }
        let mut counts = counts.clone();
        for node in troubled {
            let presence = farm.presence(node).filter(|presence| {
                unfit(farm, now, node, presence).is_none() && lacked_tag(&presence.info, tags).is_none()
            });
            for engine in presence.iter().flat_map(|presence| &presence.info.engines) {
                if let Some(nodes) = counts.get_mut(&engine.version) {
                    *nodes = nodes.saturating_sub(1);
                }
            }
        }
        counts.retain(|_, nodes| *nodes > 0);
        best_of(&counts, job)
    }

    /// Nodes that cannot render this job, though they may have its tags.
    fn troubled(&mut self, job: &Job) -> BTreeSet<NodeId> {
        let banned = job.bans.iter().filter(|(_, ban)| ban.until > self.now.wall);
        let mut troubled: BTreeSet<NodeId> = banned.map(|(node, _)| *node).collect();
        troubled.extend(job.excluded.keys());
        let too_small = self.too_small.get_or_insert_with(|| {
            let mut nodes: BTreeMap<SceneHash, Vec<NodeId>> = BTreeMap::new();
            for (id, node) in &self.farm.nodes {
                for scene in &node.too_small_for {
                    nodes.entry(*scene).or_default().push(*id);
                }
            }
            nodes
        });
        troubled.extend(too_small.get(&job.spec.scene).into_iter().flatten());
        troubled
    }
}

fn count(farm: &Farm, now: Now, tags: &[String]) -> Counts {
    let mut counts = Counts::new();
    let fit = farm.seen.nodes.iter().filter(|(id, presence)| {
        unfit(farm, now, **id, presence).is_none() && lacked_tag(&presence.info, tags).is_none()
    });
    for engine in fit.flat_map(|(_, presence)| &presence.info.engines) {
        *counts.entry(engine.version).or_default() += 1;
    }
    counts
}

fn best_of(counts: &Counts, job: &Job) -> Option<BlenderVersion> {
    let wanted = job.spec.written_by.map_or((0, 0), BlenderVersion::series);
    let series = counts.keys().map(|version| version.series());
    let newer = series.clone().filter(|series| *series >= wanted).min();
    let older = series.max().filter(|_| job.spec.settings.allow_older_blender);
    let series = newer.or(older)?;
    let of_series = counts.iter().filter(|(version, _)| version.series() == series);
    of_series
        .max_by_key(|(version, nodes)| (**nodes, **version))
        .map(|(version, _)| *version)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use farmhand_protocol::agent::{EngineInfo, Hardware, Load, NodeInfo};
    use farmhand_protocol::{
        BootId, Epoch, EventId, Failure, FailureKind, FarmId, FrameSet, PROTOCOL, RenderSettings,
    };
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;
    use crate::farm::Policy;
    use crate::job::{Ban, JobSpec};
    use crate::node::{Node, Presence};

    fn now() -> Now {
        Now {
            since_start: Duration::from_mins(1),
            wall: Timestamp::from_second(1_800_000_000).unwrap(),
        }
    }

    fn node(number: u128) -> NodeId {
        NodeId(Uuid::from_u128(number))
    }

    /// Nodes that have one Blender each, and perhaps a tag.
    fn farm(nodes: &[(&str, &str)]) -> Farm {
        let mut farm = Farm::new(FarmId(Uuid::from_u128(99)));
        farm.open(Epoch(1), Policy::default());
        for (number, (version, tag)) in (1..).zip(nodes) {
            let id = node(number);
            let engine = EngineInfo {
                version: version.parse().unwrap(),
                path: String::new(),
                devices: Vec::new(),
                denoiser: false,
            };
            let info = NodeInfo {
                id,
                name: String::new(),
                protocol: PROTOCOL,
                version: String::new(),
                last_event: EventId {
                    boot: BootId(1),
                    seq: 0,
                },
                slots: 1,
                threads: 1,
                tags: vec![(*tag).to_owned()],
                probed: true,
                engines: vec![engine],
                problem: None,
                joining: None,
                hardware: Hardware::default(),
                load: Load::default(),
            };
            farm.seen.nodes.insert(id, Presence::new(info, now().since_start));
            let known = Node {
                name: String::new(),
                address: String::new(),
                drained: false,
                since: now().wall,
                too_small_for: Vec::new(),
            };
            farm.nodes.insert(id, known);
        }
        farm
    }

    fn job(tags: &[&str]) -> Job {
        let spec = JobSpec {
            name: String::new(),
            user: String::new(),
            scene: SceneHash::of(b"scene"),
            frames: "1".parse().unwrap(),
            skipped: FrameSet::default(),
            settings: RenderSettings::default(),
            priority: 0,
            output: String::new(),
            written_by: None,
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            batch_size: None,
            after: None,
            max_nodes: None,
            preview: None,
            video: false,
        };
        Job::new(spec, now().wall)
    }

    fn failure() -> Failure {
        Failure::new(FailureKind::BlenderKilled, "killed")
    }

    /// Two nodes have 4.2.0, one has 4.2.1 and a tag.
    fn three() -> Farm {
        farm(&[("4.2.0", "cpu"), ("4.2.0", "cpu"), ("4.2.1", "gpu")])
    }

    fn chosen(farm: &Farm, job: &Job) -> Option<String> {
        choose_blender(farm, now(), job).map(|version| version.to_string())
    }

    #[test]
    fn a_job_gets_the_most_common_blender_of_nodes_that_have_its_tags() {
        let farm = three();
        assert_eq!(chosen(&farm, &job(&[])).as_deref(), Some("4.2.0"));
        assert_eq!(chosen(&farm, &job(&["gpu"])).as_deref(), Some("4.2.1"));
        assert_eq!(chosen(&farm, &job(&["cpu", "gpu"])), None);
    }

    #[test]
    fn nodes_that_a_job_cannot_use_do_not_count_for_it() {
        let mut excluding = job(&[]);
        excluding.excluded.extend([1, 2].map(|n| (node(n), failure())));
        assert_eq!(chosen(&three(), &excluding).as_deref(), Some("4.2.1"));

        let mut small = three();
        for n in [1, 2] {
            let known = small.nodes.get_mut(&node(n)).unwrap();
            known.too_small_for.push(SceneHash::of(b"scene"));
        }
        assert_eq!(chosen(&small, &job(&[])).as_deref(), Some("4.2.1"));
        assert_eq!(chosen(&small, &job(&["cpu"])), None);
    }

    #[test]
    fn a_ban_counts_until_it_is_over() {
        let banned = |until: i64| {
            let ban = Ban {
                until: Timestamp::from_second(until).unwrap(),
                times: 1,
                failure: failure(),
            };
            let mut job = job(&[]);
            job.bans.extend([1, 2].map(|n| (node(n), ban.clone())));
            chosen(&three(), &job)
        };
        assert_eq!(banned(1_800_000_001).as_deref(), Some("4.2.1"));
        assert_eq!(banned(1_800_000_000).as_deref(), Some("4.2.0"));
    }

    #[test]
    fn a_node_that_can_render_nothing_is_not_taken_off_twice() {
        let mut farm = three();
        farm.nodes.get_mut(&node(1)).unwrap().drained = true;
        let mut excluding = job(&[]);
        excluding.excluded.insert(node(1), failure());
        excluding.excluded.insert(node(3), failure());
        assert_eq!(chosen(&farm, &excluding).as_deref(), Some("4.2.0"));
    }

    #[test]
    fn what_one_job_cannot_use_still_counts_for_the_next() {
        let farm = three();
        let mut excluding = job(&[]);
        excluding.excluded.extend([1, 2].map(|n| (node(n), failure())));
        let usual = job(&[]);
        let mut blenders = Blenders::new(&farm, now());
        let versions = [&usual, &excluding, &usual].map(|job| blenders.choose(job).unwrap().to_string());
        assert_eq!(versions, ["4.2.0", "4.2.1", "4.2.0"]);
    }
}
