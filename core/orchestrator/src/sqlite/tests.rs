//! Tests of the `SQLite` journal.

use uuid::Uuid;

use super::*;

fn farm() -> FarmId {
    FarmId(Uuid::from_u128(7))
}

fn frame(number: i64) -> Frame {
    Frame::try_from(number).unwrap()
}

fn delivered(job: u64, number: i64, revision: u32) -> DeliveredFrame {
    DeliveredFrame {
        job: JobId(job),
        frame: frame(number),
        revision,
        node: NodeId(Uuid::from_u128(9)),
        render_ms: 1_234,
        at_ms: 1_700_000_000_000,
        files: vec![FrameFile {
            path: format!("castle_{number:04}.png").parse().unwrap(),
            hash: BlobHash::of(&number.to_le_bytes()),
            size: 123_456,
            proof: Proof::Structure,
        }],
    }
}

fn facts(from: u32, to: u32) -> Turn {
    Turn {
        facts: (from..=to).map(|n| format!("{{\"n\":{n}}}")).collect(),
        ..Turn::default()
    }
}

#[test]
fn a_journal_whose_maker_was_killed_before_it_held_anything_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("farm.db");
    let db = Connection::open(&path).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    drop(db);
    assert!(fs::metadata(&path).unwrap().len() > 0);
    assert_eq!(inspect(&path).unwrap(), None);
    assert_eq!(SqliteJournal::open(&path, farm()).unwrap().epoch(), Epoch(1));
}

#[test]
fn what_was_committed_comes_back_in_order_under_a_higher_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("farm.db");
    assert_eq!(inspect(&path).unwrap(), None);
    let mut journal = SqliteJournal::open(&path, farm()).unwrap();
    assert_eq!(journal.epoch(), Epoch(1));
    let mut turn = facts(1, 3);
    turn.keys.push(UsedKey {
        key: "k".to_owned(),
        fingerprint: u64::MAX,
        job: JobId(1),
    });
    journal.commit(&turn).unwrap();
    journal.snapshot("the state after three").unwrap();
    journal.commit(&facts(4, 5)).unwrap();
    drop(journal);

    let found = inspect(&path).unwrap().unwrap();
    assert_eq!(found.farm, farm());
    assert_eq!(found.snapshot.as_deref(), Some("the state after three"));
    assert_eq!(found.facts, ["{\"n\":4}", "{\"n\":5}"]);
    assert_eq!(found.keys, turn.keys);
    let mut journal = SqliteJournal::open(&path, FarmId(Uuid::from_u128(8))).unwrap();
    assert_eq!(journal.epoch(), Epoch(2));
    assert_eq!(journal.load().unwrap(), found, "the farm keeps its id");
}

#[test]
fn what_a_killed_orchestrator_left_in_the_log_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("farm.db");
    let mut journal = SqliteJournal::open(&path, farm()).unwrap();
    journal.commit(&facts(1, 2)).unwrap();
    // Killed: copied as it lies there, log included, without the checkpoint of an orderly close.
    let crashed = folder.path().join("crashed.db");
    for end in ["", "-wal"] {
        let name = |path: &Path| format!("{}{end}", path.display());
        fs::copy(name(&path), name(&crashed)).unwrap();
    }
    assert_eq!(inspect(&crashed).unwrap().unwrap().facts.len(), 2);
}

#[test]
fn a_second_writer_fences_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("farm.db");
    let mut first = SqliteJournal::open(&path, farm()).unwrap();
    let _second = SqliteJournal::open(&path, farm()).unwrap();
    assert!(matches!(
        first.commit(&facts(1, 1)),
        Err(JournalError::Superseded { found: 2, .. })
    ));
}

#[test]
fn a_damaged_or_newer_journal_is_named_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let sound = folder.path().join("sound.db");
    let mut journal = SqliteJournal::open(&sound, farm()).unwrap();
    journal.commit(&facts(1, 2_000)).unwrap();
    drop(journal);

    let newer = folder.path().join("newer.db");
    fs::copy(&sound, &newer).unwrap();
    let db = Connection::open(&newer).unwrap();
    db.execute("UPDATE meta SET value = 99 WHERE key = 'format'", [])
        .unwrap();
    drop(db);
    let bytes = fs::read(&sound).unwrap();
    let mut torn = bytes.clone();
    torn[4096..12_288].fill(0xA5);
    let cases: [(&str, Vec<u8>); 4] = [
        ("newer.db", fs::read(&newer).unwrap()),
        ("torn.db", torn),
        ("short.db", bytes[..bytes.len() / 2].to_vec()),
        ("no-database.db", b"I am a poem, not a database.".to_vec()),
    ];
    for (name, content) in cases {
        let path = folder.path().join(name);
        fs::write(&path, &content).unwrap();
        let error = inspect(&path).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(
            matches!(error, JournalError::Newer { .. }),
            name == "newer.db",
            "{error}"
        );
        assert_eq!(fs::read(&path).unwrap(), content, "{name}");
        assert!(!folder.path().join(format!("{name}-shm")).exists(), "{name}");
    }
}

#[test]
fn a_later_revision_takes_the_earlier_ones_place_and_a_frame_takes_few_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("farm.db");
    let mut journal = SqliteJournal::open(&path, farm()).unwrap();
    let before = fs::metadata(&path).unwrap().len();
    let mut turn = Turn::default();
    turn.delivered.extend((1..=10_000).map(|n| delivered(3, n, 0)));
    journal.commit(&turn).unwrap();
    turn.delivered = vec![delivered(3, 7, 1)];
    journal.commit(&turn).unwrap();

    let reader = Deliveries::open(&path).unwrap();
    let found = reader.between(JobId(3), frame(6), frame(8)).unwrap();
    assert_eq!(
        found,
        [delivered(3, 6, 0), delivered(3, 7, 1), delivered(3, 8, 0)]
    );
    assert_eq!(reader.between(JobId(4), Frame::MIN, Frame::MAX).unwrap(), []);
    drop((reader, journal));
    let grown = fs::metadata(&path).unwrap().len() - before;
    assert!(grown < 200 * 10_000, "{grown} bytes for 10000 frames");
}

#[test]
fn a_log_that_a_crash_has_torn_anywhere_gives_back_whole_turns_from_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("farm.db");
    let mut journal = SqliteJournal::open(&path, farm()).unwrap();
    for turn in 1..=10 {
        let mut facts = facts(turn * 2 - 1, turn * 2);
        facts.delivered.push(delivered(1, i64::from(turn), 0));
        journal.commit(&facts).unwrap();
    }
    let log = PathBuf::from(format!("{}-wal", path.display()));
    let (whole, file) = (fs::read(&log).unwrap(), fs::read(&path).unwrap());
    let mut most = 0;
    for length in (0..=whole.len()).step_by(997).chain([whole.len()]) {
        for damaged in [
            whole[..length].to_vec(),
            [&whole[..length], &[0x5a; 600]].concat(),
        ] {
            let torn = tempfile::tempdir().unwrap();
            let path = torn.path().join("farm.db");
            fs::write(&path, &file).unwrap();
            fs::write(format!("{}-wal", path.display()), damaged).unwrap();
            let Some(found) = inspect(&path).unwrap() else {
                continue;
            };
            let expected: Vec<String> = (1..=found.facts.len())
                .map(|n| format!("{{\"n\":{n}}}"))
                .collect();
            assert_eq!(found.facts, expected, "torn at {length}");
            assert_eq!(found.facts.len() % 2, 0, "half a turn, torn at {length}");
            let again = SqliteJournal::open(&path, farm()).unwrap();
            let files = Deliveries::open(&path).unwrap();
            let frames = files.between(JobId(1), frame(1), frame(100)).unwrap().len();
            assert_eq!(frames * 2, found.facts.len(), "torn at {length}");
            drop(again);
            most = most.max(found.facts.len());
        }
    }
    assert_eq!(most, 20, "the whole log gives back everything");
}
