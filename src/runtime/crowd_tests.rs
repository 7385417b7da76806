//! Tests: more runs at once than there are threads to hold, and the end of an engine by one of its own threads.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;

use super::engine::{Engine, RunOptions};
use super::run::{Run, State};
use crate::config::Settings;
use crate::error::Code;
use crate::io::sink::target::{Asked, Mode};
use crate::io::source::{MemorySource, Source, Sources};
use crate::plan::frame::Frame;
use crate::plan::label::Label;
use crate::plan::node::JoinKind;
use crate::plan::{Node, frame::Merge};
use crate::secrets::Secrets;

/// Rows of a source: many more than are made ahead of those who take them.
const ROWS: i64 = 2_000;

/// Longer than all of it takes, on any machine.
const LONG: Duration = Duration::from_secs(120);

fn engine(at: &Path, grouping: &str, blocking: usize) -> Arc<Engine> {
    let given =
        json!({ "threads": 2, "batch_rows": 16, "grouping": grouping, "spill_dir": at, "state_dir": at });
    let settings = Settings::resolve(given.as_object().unwrap(), |_| None).unwrap();
    let secrets = Arc::new(Secrets::new(Vec::new(), Duration::ZERO));
    Arc::new(Engine::with_threads(settings, BTreeMap::new(), secrets, blocking).unwrap())
}

/// The numbers from 0 on, the last one first.
fn numbers() -> (Frame, Sources) {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
    let batch = |from: i64| {
        let column = Int64Array::from_iter_values((from..from + 100).rev());
        RecordBatch::try_new(schema.clone(), vec![Arc::new(column)]).unwrap()
    };
    let batches = (0..ROWS / 100).rev().map(|number| batch(100 * number)).collect();
    let source = Source::Memory(Arc::new(MemorySource::new(vec![(schema.clone(), batches)]).unwrap()));
    let fields = source.fields();
    let (source, sources) = Sources::only(source, None);
    (Frame::scan(Node::Scan { source, fields }), sources)
}

fn sorted() -> (Frame, Sources) {
    let (frame, sources) = numbers();
    (frame.sort(&[Label::str("n")], &[true], false).unwrap(), sources)
}

fn joined() -> (Frame, Sources) {
    let ((left, mut sources), (right, others)) = (numbers(), numbers());
    sources.unite(&others);
    let on = Some(vec![Label::str("n")]);
    let how = Merge {
        kind: JoinKind::Inner,
        left_on: on.clone(),
        right_on: on,
        suffixes: (None, None),
        indicator: None,
        sort: false,
        unique: (false, false),
    };
    (left.merge(&right, &how).unwrap(), sources)
}

fn joined_and_sorted() -> (Frame, Sources) {
    let (frame, sources) = joined();
    (frame.sort(&[Label::str("n")], &[true], false).unwrap(), sources)
}

fn writing(
    engine: &Arc<Engine>,
    to: &Path,
    (frame, sources): (Frame, Sources),
    options: RunOptions,
) -> Arc<Run> {
    let asked = Asked {
        url: to.to_str().unwrap().to_owned(),
        format: None,
        partition_by: Vec::new(),
        mode: Mode::Error,
        compression: None,
        max_rows_per_file: None,
        success_marker: false,
    };
    let output = Some(engine.target(&asked).unwrap());
    engine.submit(frame, sources, RunOptions { output, ..options }).unwrap()
}

fn read(file: &Path) -> Vec<i64> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(file).unwrap()).unwrap();
    let batches = reader.build().unwrap().map(Result::unwrap);
    let values = batches.flat_map(|batch| {
        let column =
            batch.column_by_name("n").unwrap().as_any().downcast_ref::<Int64Array>().unwrap().clone();
        assert_eq!(column.null_count(), 0);
        column.values().to_vec()
    });
    values.collect()
}

/// Whoever waits for others holds none of the threads that these need: with one such thread all runs end.
#[test]
fn runs_that_write_end_however_few_threads_there_are() {
    for grouping in ["auto", "spilling", "merging"] {
        let at = tempfile::tempdir().unwrap();
        let engine = engine(at.path(), grouping, 1);
        let kinds: [fn() -> (Frame, Sources); 4] = [numbers, sorted, joined, joined_and_sorted];
        let runs: Vec<_> = (0..16)
            .map(|number| {
                let to = at.path().join(format!("{number}.parquet"));
                (writing(&engine, &to, kinds[number % 4](), RunOptions::default()), to)
            })
            .collect();
        for (number, (run, to)) in runs.iter().enumerate() {
            assert!(run.wait(LONG), "{grouping}: run {number} stands still");
            run.outcome().unwrap();
            let mut found = read(to);
            match number % 4 {
                1 | 3 => {}
                _ => found.reverse(),
            }
            assert!(found.iter().copied().eq(0..ROWS), "{grouping}: run {number} wrote other rows");
        }
        engine.close();
    }
}

/// Runs that wait for a place are stopped as others are, and leave theirs to whoever is next.
#[test]
fn runs_that_wait_for_a_place_can_be_stopped() {
    let at = tempfile::tempdir().unwrap();
    let engine = engine(at.path(), "auto", 1);
    let places: Vec<_> = (0..super::places::at_work(2)).map(|_| engine.places.ask(3)).collect();
    let to = |name: &str| at.path().join(format!("{name}.parquet"));
    let timed = RunOptions { timeout: Some(Duration::from_millis(20)), ..RunOptions::default() };
    let late = writing(&engine, &to("late"), sorted(), timed);
    let cancelled = writing(&engine, &to("cancelled"), sorted(), RunOptions::default());
    let last = writing(&engine, &to("last"), sorted(), RunOptions::default());
    cancelled.cancel();
    assert!(late.wait(LONG) && cancelled.wait(LONG));
    assert_eq!(late.outcome().err().unwrap().code(), Code::Timeout);
    assert_eq!(cancelled.state(), State::Cancelled);
    assert_eq!(last.state(), State::Queued);
    drop(places);
    assert!(last.wait(LONG));
    assert!(read(&to("last")).into_iter().eq(0..ROWS));
    assert!(!to("late").exists() && !to("cancelled").exists());
}

#[test]
fn of_runs_that_wait_for_a_place_the_higher_priority_goes_first() {
    let at = tempfile::tempdir().unwrap();
    let engine = engine(at.path(), "auto", 1);
    let mut places: Vec<_> = (0..super::places::at_work(2)).map(|_| engine.places.ask(3)).collect();
    let submitted = |priority: u8| {
        let options = RunOptions { priority, ..RunOptions::default() };
        writing(&engine, &at.path().join(format!("{priority}.parquet")), sorted(), options)
    };
    let (low, high) = (submitted(0), submitted(3));
    let (told, hears) = std::sync::mpsc::channel();
    for (name, run) in [("low", &low), ("high", &high)] {
        let told = told.clone();
        run.when_done(move || told.send(name).unwrap());
    }
    places.pop();
    assert_eq!([(); 2].map(|()| hears.recv_timeout(LONG).unwrap()), ["high", "low"]);
}

/// The last reference to a client may be let go of by a callback, in a thread that closing would wait for.
#[test]
fn one_of_its_own_threads_may_close_an_engine() {
    let at = tempfile::tempdir().unwrap();
    let engine = engine(at.path(), "auto", 2);
    let spilled = engine.spill_dir().unwrap();
    let (told, hears) = std::sync::mpsc::channel();
    let (compute, closing) = (engine.threads.compute().unwrap(), engine.clone());
    compute.spawn(async move {
        closing.close();
        told.send(()).unwrap();
    });
    hears.recv_timeout(LONG).unwrap();
    drop(engine);
    // What is closed last: the directory goes.
    let begun = std::time::Instant::now();
    while spilled.exists() {
        assert!(begun.elapsed() < LONG, "the engine was closed by half");
        std::thread::yield_now();
    }
}
