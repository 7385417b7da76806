//! The ledger against every order of events.

#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;
use crate::error::Code;

fn policy(retries: u32, on_error: OnError) -> Policy {
    let backoff = Duration::from_secs(1);
    let longest_wait = Duration::from_secs(60);
    let alone = false;
    Policy { retries, on_error, alone, max_failures: None, in_flight: 7, calls: 3, backoff, longest_wait }
}

fn parcel(first: u64, count: u64) -> Parcel {
    Parcel::of(first, count, Vec::new())
}

fn error() -> Error {
    Error::new(Code::OperationFailed, "on purpose")
}

fn failed(item: u64) -> Failed {
    Failed { item, retryable: true, error: error() }
}

fn adds_up(ledger: &Ledger) {
    let c = ledger.counts();
    let ended = c.succeeded + c.failed + c.dead_lettered + c.cancelled;
    assert_eq!(c.accepted, c.waiting + c.running + ended, "{c:?}");
}

#[test]
fn a_failed_item_comes_back_after_its_wait_and_is_then_given_up() {
    let start = Instant::now();
    let mut ledger = Ledger::new(policy(1, OnError::Collect));
    ledger.offer(parcel(10, 3));
    let (id, slice) = ledger.take(start).unwrap();
    assert_eq!((slice.from, slice.to), (0, 3));
    ledger.part(id, 3, vec![failed(1)], Vec::new(), serde_json::Value::Null, start).unwrap();
    assert!(!ledger.ready(start));
    let due = ledger.due().unwrap();
    assert!(due - start >= Duration::from_millis(500) && due - start <= Duration::from_secs(1));
    let (id, slice) = ledger.take(due).unwrap();
    assert_eq!((slice.from, slice.to, slice.attempt), (1, 2, 2));
    ledger.part(id, 2, vec![failed(1)], Vec::new(), serde_json::Value::Null, due).unwrap();
    assert!(ledger.is_settled());
    assert_eq!(ledger.outcome().1.keys().collect::<Vec<_>>(), [&11]);
}

#[test]
fn a_crash_blames_the_item_it_was_at_and_no_other() {
    let now = Instant::now();
    let mut ledger = Ledger::new(policy(0, OnError::Skip));
    ledger.offer(parcel(0, 5));
    let (id, _) = ledger.take(now).unwrap();
    ledger.crashed(id, Some(2), true, error(), now).unwrap();
    let again: Vec<_> =
        std::iter::from_fn(|| ledger.take(now)).map(|(_, s)| (s.from, s.to, s.attempt)).collect();
    assert_eq!(again, [(0, 2, 1), (3, 5, 1)]);
    assert_eq!(ledger.outcome().1.keys().collect::<Vec<_>>(), [&2]);
    adds_up(&ledger);
}

#[test]
fn poison_is_given_up_however_many_attempts_are_allowed() {
    let mut now = Instant::now();
    let mut ledger = Ledger::new(policy(100, OnError::Collect));
    ledger.offer(parcel(0, 1));
    let mut crashes = 0;
    while let Some((id, _)) = ledger.take(now) {
        crashes += 1;
        ledger.crashed(id, Some(0), true, error(), now).unwrap();
        now += Duration::from_secs(3600);
    }
    assert_eq!((crashes, ledger.counts().failed), (POISON, 1));
}

#[test]
fn a_crash_before_the_first_item_blames_none_of_them_until_it_is_poison() {
    let now = Instant::now();
    let mut ledger = Ledger::new(policy(0, OnError::Collect));
    ledger.offer(parcel(0, 3));
    for _ in 1..POISON {
        let (id, slice) = ledger.take(now).unwrap();
        assert_eq!((slice.from, slice.to, slice.attempt), (0, 3, 1));
        ledger.crashed(id, None, true, error(), now).unwrap();
        assert_eq!(ledger.counts().failed, 0);
    }
    let (id, _) = ledger.take(now).unwrap();
    ledger.crashed(id, None, true, error(), now).unwrap();
    assert_eq!((ledger.counts().failed, ledger.counts().waiting), (1, 2));
    adds_up(&ledger);
}

#[test]
fn an_item_that_a_worker_tells_of_twice_or_falsely_counts_once() {
    let now = Instant::now();
    let mut ledger = Ledger::new(policy(0, OnError::Collect));
    ledger.offer(parcel(0, 3));
    let (id, _) = ledger.take(now).unwrap();
    let told = vec![failed(9), failed(1), failed(1)];
    ledger.part(id, 3, told, Vec::new(), serde_json::Value::Null, now).unwrap();
    assert_eq!((ledger.counts().failed, ledger.counts().succeeded), (1, 2));
    adds_up(&ledger);
}

#[test]
fn the_budget_of_failures_is_exact() {
    let now = Instant::now();
    let mut ledger = Ledger::new(Policy { max_failures: Some(2), ..policy(0, OnError::Skip) });
    ledger.offer(parcel(0, 5));
    for number in 0..3 {
        let (id, slice) = ledger.take(now).unwrap();
        let told = ledger.crashed(id, Some(slice.from), true, error(), now);
        assert_eq!(told.is_err(), number == 2);
    }
}

/// A chunk of so many rows.
fn chunk(first: u64, units: u64) -> Parcel {
    Parcel { units, ..parcel(first, 1) }
}

fn pieces(ledger: &mut Ledger, now: Instant) -> Vec<(u64, u64)> {
    let taken = std::iter::from_fn(|| ledger.take(now));
    taken.map(|(_, slice)| slice.extent()).map(|piece| (piece.from, piece.to)).collect()
}

#[test]
fn a_chunk_that_needs_too_much_memory_is_run_in_halves_and_counts_once() {
    let now = Instant::now();
    let mut ledger = Ledger::new(policy(0, OnError::Fail));
    ledger.offer(chunk(4, 10));
    let (id, _) = ledger.take(now).unwrap();
    assert!(ledger.halve(id));
    adds_up(&ledger);
    let (first, one) = ledger.take(now).unwrap();
    let (second, other) = ledger.take(now).unwrap();
    assert_eq!((one.piece, other.piece), (Some(Piece { from: 0, to: 5 }), Some(Piece { from: 5, to: 10 })));
    assert!(ledger.halve(first));
    ledger.part(second, 1, Vec::new(), Vec::new(), serde_json::Value::Null, now).unwrap();
    assert_eq!((ledger.counts().waiting, ledger.counts().succeeded), (1, 0));
    for _ in 0..2 {
        let (id, _) = ledger.take(now).unwrap();
        ledger.part(id, 1, Vec::new(), Vec::new(), serde_json::Value::Null, now).unwrap();
        adds_up(&ledger);
    }
    assert!(ledger.is_settled() && ledger.counts().succeeded == 1);
    let found: Vec<_> =
        ledger.outcome().0.iter().map(|segment| segment.piece.map(|piece| piece.from)).collect();
    assert_eq!(found, [Some(0), Some(3), Some(5)]);
}

#[test]
fn parts_as_large_as_one_that_failed_are_not_tried() {
    let now = Instant::now();
    let mut ledger = Ledger::new(policy(0, OnError::Fail));
    ledger.offer(chunk(0, 8));
    let (id, _) = ledger.take(now).unwrap();
    assert!(ledger.halve(id));
    let (id, _) = ledger.take(now).unwrap();
    assert!(ledger.halve(id));
    assert_eq!(pieces(&mut ledger, now), [(0, 2), (2, 4), (4, 6)], "three calls at a time");
    ledger.offer(chunk(1, 1));
    let single = ledger.running.keys().copied().max().unwrap();
    ledger.stopped(single);
    let (id, slice) = ledger.take(now).unwrap();
    assert_eq!((slice.number(), ledger.halve(id)), (1, false));
}

#[test]
fn a_part_that_is_given_up_gives_up_its_chunk() {
    let now = Instant::now();
    let mut ledger = Ledger::new(policy(0, OnError::Collect));
    ledger.offer(chunk(0, 8));
    let (id, _) = ledger.take(now).unwrap();
    assert!(ledger.halve(id));
    let (one, _) = ledger.take(now).unwrap();
    let (other, _) = ledger.take(now).unwrap();
    ledger.part(one, 1, vec![failed(0)], Vec::new(), serde_json::Value::Null, now).unwrap();
    assert!(ledger.is_in_vain(other) && !ledger.is_settled());
    adds_up(&ledger);
    ledger.part(other, 1, Vec::new(), Vec::new(), serde_json::Value::Null, now).unwrap();
    assert!(ledger.is_settled());
    assert_eq!((ledger.counts().failed, ledger.counts().succeeded), (1, 0));
}

#[test]
fn the_wait_has_an_end_and_restored_items_count_as_done() {
    let now = Instant::now();
    let mut ledger =
        Ledger::new(Policy { longest_wait: Duration::from_secs(2), ..policy(9, OnError::DeadLetter) });
    ledger.restore(5, vec![(3, error(), true), (4, error(), false)]);
    ledger.offer(parcel(5, 1));
    let mut at = now;
    for attempt in 1..=10 {
        let (id, slice) = ledger.take(at).unwrap();
        assert_eq!(slice.attempt, attempt);
        ledger.part(id, 1, vec![failed(0)], Vec::new(), serde_json::Value::Null, at).unwrap();
        let due = ledger.due().unwrap_or(at);
        assert!(due - at <= Duration::from_secs(2));
        at = due;
    }
    adds_up(&ledger);
    let c = ledger.counts();
    assert_eq!((c.succeeded, c.failed, c.dead_lettered, c.restored), (3, 1, 2, 5));
    let letters = ledger.letters();
    assert_eq!((letters.len(), letters[0].slice.attempt, letters[0].slice.begun), (1, 10, Some(now)));
}

proptest! {
    /// Whatever happens in whatever order, every item is in one place, and none is lost.
    #[test]
    fn items_are_accounted_for(events in prop::collection::vec((0_u8..11, 0_u64..9, any::<bool>()), 1..120), aside: bool) {
        let mut now = Instant::now();
        let on_error = if aside { OnError::DeadLetter } else { OnError::Collect };
        let mut ledger = Ledger::new(policy(2, on_error));
        let mut running = Vec::new();
        let (mut letters, mut restored) = (0, 0);
        let (mut first, mut over) = (0, false);
        for (event, number, flag) in events {
            match event {
                0 if !over => { ledger.offer(parcel(first, number + 1)); first += number + 1; }
                1 | 2 => if let Some((id, _)) = ledger.take(now) { running.push(id); },
                3 if !running.is_empty() => {
                    let id = running[number as usize % running.len()];
                    let slice = ledger.running(id).unwrap().clone();
                    let to = slice.from + 1 + number % (slice.to - slice.from);
                    let gone = if flag { vec![failed(slice.from)] } else { Vec::new() };
                    ledger.part(id, to, gone, Vec::new(), serde_json::Value::Null, now).unwrap();
                    if ledger.running(id).is_none() { running.retain(|one| *one != id); }
                }
                4 if !running.is_empty() => {
                    let id = running.remove(number as usize % running.len());
                    let at = (number < 8).then_some(number);
                    ledger.crashed(id, at, flag, error(), now).unwrap();
                }
                5 if !running.is_empty() => ledger.stopped(running.remove(number as usize % running.len())),
                6 => now += Duration::from_secs(number),
                8 if !over && flag => { ledger.offer(chunk(first, 4 * number + 1)); first += 1; }
                8 if !over => {
                    let gone: Vec<_> = (number > 0).then(|| (first, error(), aside)).into_iter().collect();
                    restored += number + 1 - gone.len() as u64;
                    ledger.restore(number + 1, gone);
                    first += number + 1;
                }
                9 if !running.is_empty() => {
                    let id = running[number as usize % running.len()];
                    if ledger.halve(id) { running.retain(|one| *one != id); }
                }
                10 if !running.is_empty() => {
                    let id = running.remove(number as usize % running.len());
                    ledger.ended(id, number, flag, error(), now).unwrap();
                }
                7 if number == 0 => { ledger.wind_down(); over = true; }
                _ => {}
            }
            adds_up(&ledger);
            letters += ledger.letters().len() as u64;
            prop_assert!(!over || ledger.counts().waiting == 0);
        }
        ledger.wind_down();
        for id in running { ledger.stopped(id); }
        adds_up(&ledger);
        prop_assert!(ledger.is_settled());
        let (segments, failures) = ledger.outcome();
        // The parts of a chunk are one item.
        let kept: u64 = segments
            .iter()
            .filter(|segment| segment.piece.is_none_or(|piece| piece.from == 0))
            .map(|segment| segment.count - segment.failed.len() as u64)
            .sum();
        prop_assert_eq!(kept + restored, ledger.counts().succeeded);
        let counts = ledger.counts();
        prop_assert_eq!(failures.len() as u64, counts.failed + counts.dead_lettered);
        prop_assert!(letters <= counts.dead_lettered && counts.restored <= counts.accepted);
    }
}
