//! The scheduler in virtual time, in sizes that a test can wait for. `farm-sim` has the real ones.

use farmhand_tests::simulation::{Faults, JobPlan, Plan, Run};

#[test]
fn a_job_on_different_nodes_ends_close_to_the_time_that_no_farm_could_beat() {
    let (outcome, _) = Run::new(Plan::new(5, 40, 2000)).finish().unwrap();
    assert_eq!(outcome.delivered, 2000);
    let ratio = outcome.makespan / outcome.bound;
    assert!(ratio < 1.06, "{ratio}: {outcome:?}");
    assert!(ratio >= 1.0, "nothing is faster than the bound: {outcome:?}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let mut plan = Plan::new(11, 5, 60);
    plan.faults = Faults::All;
    let run = || Run::new(plan.clone()).finish().unwrap().0;
    assert_eq!(run(), run());
}

#[test]
fn no_frame_is_lost_or_delivered_twice_whatever_goes_wrong() {
    for seed in 1..=40 {
        let mut plan = Plan::new(seed, 4, 30);
        plan.faults = Faults::All;
        plan.jobs.push(JobPlan { frames: 5, at: 60.0 });
        if let Err(wrong) = Run::new(plan).finish() {
            panic!("seed {seed}: {wrong}");
        }
    }
}

#[test]
fn a_job_of_one_frame_is_not_stuck_behind_a_long_one() {
    let mut plan = Plan::new(3, 10, 600);
    plan.jobs.push(JobPlan { frames: 1, at: 100.0 });
    let (outcome, _) = Run::new(plan).finish().unwrap();
    // The slowest nodes take half a minute a frame; a slot whose frame ends soon is taken.
    assert!(outcome.second.waited < 10.0, "{outcome:?}");
}
