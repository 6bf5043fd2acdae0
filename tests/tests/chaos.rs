//! A farm that is broken all the time loses nothing; and the judge who says so is not blind.

use std::time::Duration;

use farmhand_tests::chaos::{Kind, Plan, Sabotage, run};

fn plan(seconds: u64, every: Duration, sabotage: Option<Sabotage>) -> Plan {
    Plan {
        lasts: Duration::from_secs(seconds),
        every,
        seed: 7,
        agents: 4,
        frames: if sabotage.is_some() { 40 } else { 500 },
        sabotage,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_minutes_of_faults_lose_nothing_double_nothing_and_leave_nothing_behind() {
    let report = run(plan(120, Duration::from_millis(2500), None)).await;
    println!("{report}");
    assert!(report.violations.is_empty(), "{report}");
    for kind in Kind::ALL {
        let was_there = report.faults.contains_key(&kind) || report.skipped.contains_key(&kind);
        assert!(was_there, "{kind} never happened:\n{report}");
    }
}

async fn must_be_found(sabotage: Sabotage, word: &str) {
    let report = run(plan(3, Duration::from_secs(1), Some(sabotage))).await;
    let found = report.violations.iter().any(|violation| violation.contains(word));
    assert!(found, "{sabotage:?} was not found:\n{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_picture_is_found() {
    must_be_found(Sabotage::Lose, "is lost").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_doubled_delivery_is_found() {
    must_be_found(Sabotage::Double, "is doubled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_picture_is_found() {
    must_be_found(Sabotage::Corrupt, "is not what was delivered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_is_found() {
    must_be_found(Sabotage::Orphan, "is an orphan").await;
}
