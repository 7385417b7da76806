//! The line of callers against a simple model, which looks at all of them each time.

use proptest::prelude::*;

use super::*;

/// What goes next of callers that are numbered by their places.
fn model(queued: &[(u64, Queued)], limits: Limits, now: Instant) -> Next {
    let again = queued.iter().filter_map(|(caller, one)| Some((one.again?, *caller))).min();
    if let Some((_, caller)) = again.filter(|(due, _)| *due <= now) {
        return Next::Alone(caller);
    }
    let waiting = queued.iter().filter(|(_, one)| one.fresh > 0);
    let total: u64 = waiting.clone().map(|(_, one)| one.fresh).sum();
    let due = waiting.filter_map(|(_, one)| one.since.checked_add(limits.wait)).min();
    if total > 0 && (total >= limits.most || due.is_some_and(|due| due <= now)) {
        return Next::Together(shared(queued, limits.most));
    }
    match due.into_iter().chain(again.map(|(due, _)| due)).min() {
        Some(due) => Next::At(due),
        None => Next::Nothing,
    }
}

/// One input for each caller in turn, as often as it goes round.
fn shared(queued: &[(u64, Queued)], most: u64) -> Vec<(u64, u64)> {
    let mut given: Vec<(u64, u64)> = queued.iter().map(|(caller, _)| (*caller, 0)).collect();
    let mut left = most;
    loop {
        let before = left;
        for ((_, one), (_, given)) in queued.iter().zip(&mut given) {
            if one.fresh > *given && left > 0 {
                *given += 1;
                left -= 1;
            }
        }
        if before == left {
            return given.into_iter().filter(|(_, given)| *given > 0).collect();
        }
    }
}

fn line(callers: &[(u64, Queued)]) -> Line {
    let mut line = Line::default();
    callers.iter().for_each(|(caller, queued)| line.set(*caller, *queued));
    line
}

fn next(callers: &[Queued], limits: Limits, now: Instant) -> Next {
    let numbered: Vec<_> = (0..).zip(callers.iter().copied()).collect();
    let found = line(&numbered).next(limits, now);
    assert_eq!(found, model(&numbered, limits, now));
    found
}

fn queued(since: Instant, fresh: u64) -> Queued {
    Queued { since, fresh, again: None }
}

#[test]
fn a_batch_goes_when_it_is_full_or_its_oldest_input_has_waited_long_enough() {
    let start = Instant::now();
    let limits = Limits { most: 4, wait: Duration::from_millis(5) };
    let at = |ms: u64| start + Duration::from_millis(ms);
    let both = |one, other| Next::Together(vec![(0, one), (1, other)]);
    assert_eq!(next(&[], limits, start), Next::Nothing);
    assert_eq!(next(&[queued(at(0), 1), queued(at(3), 1)], limits, at(4)), Next::At(at(5)));
    assert_eq!(next(&[queued(at(0), 1), queued(at(3), 1)], limits, at(5)), both(1, 1));
    assert_eq!(next(&[queued(at(0), 1), queued(at(0), 3)], limits, at(0)), both(1, 3));
    let now = Limits { most: 4, wait: Duration::ZERO };
    assert_eq!(next(&[queued(at(0), 1)], now, at(0)), Next::Together(vec![(0, 1)]));
    let never = Limits { most: 4, wait: Duration::MAX };
    assert_eq!(next(&[queued(at(0), 3)], never, at(0)), Next::Nothing);
}

#[test]
fn many_inputs_of_one_caller_do_not_keep_out_those_of_another() {
    let start = Instant::now();
    let limits = Limits { most: 5, wait: Duration::ZERO };
    let callers = [queued(start, 100), queued(start, 1), queued(start, 100)];
    assert_eq!(next(&callers, limits, start), Next::Together(vec![(0, 2), (1, 1), (2, 2)]));
    let callers = [queued(start, 9); 7];
    let first = (0..5).map(|caller| (caller, 1)).collect();
    assert_eq!(next(&callers, limits, start), Next::Together(first));
}

#[test]
fn an_input_that_failed_goes_alone_when_it_is_due() {
    let start = Instant::now();
    let limits = Limits { most: 5, wait: Duration::from_secs(9) };
    let due = start + Duration::from_secs(1);
    let callers = [queued(start, 2), Queued { since: start, fresh: 0, again: Some(due) }];
    assert_eq!(next(&callers, limits, start), Next::At(due));
    assert_eq!(next(&callers, limits, due), Next::Alone(1));
}

proptest! {
    #[test]
    fn the_line_answers_as_the_model_after_every_change(
        events in prop::collection::vec(
            (0_u64..12, prop::option::weighted(0.8, (0_u64..50, 0_u64..9, prop::option::weighted(0.3, 0_u64..90)))),
            1..80,
        ),
        most in 1_u64..20,
        wait in 0_u64..60,
        nows in prop::collection::vec(0_u64..150, 1..80),
    ) {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let limits = Limits { most, wait: Duration::from_millis(wait) };
        let (mut line, mut callers) = (Line::default(), BTreeMap::new());
        // A caller changes to something, or goes.
        for ((caller, change), now) in events.into_iter().zip(nows.into_iter().cycle()) {
            match change {
                Some((since, fresh, again)) => {
                    let queued = Queued { since: at(since), fresh, again: again.map(at) };
                    line.set(caller, queued);
                    callers.insert(caller, queued);
                }
                None => {
                    line.remove(caller);
                    callers.remove(&caller);
                }
            }
            let standing: Vec<_> = callers.iter().map(|(caller, queued)| (*caller, *queued)).collect();
            let found = line.next(limits, at(now));
            prop_assert_eq!(&found, &model(&standing, limits, at(now)));
            let due = match found {
                Next::Alone(_) | Next::Together(_) => Due::Now,
                Next::At(due) => Due::At(due),
                Next::Nothing => Due::Never,
            };
            prop_assert_eq!(line.due(limits, at(now)), due);
            prop_assert_eq!(line.total, callers.values().map(|one| one.fresh).sum::<u64>());
        }
        for caller in 0..12 {
            line.remove(caller);
        }
        prop_assert!(line.fresh.is_empty() && line.oldest.is_empty() && line.again.is_empty());
    }

    #[test]
    fn batches_are_full_fair_and_in_time(
        callers in prop::collection::vec((0_u64..50, 0_u64..9, prop::option::of(0_u64..90)), 0..9),
        most in 1_u64..20,
        wait in 0_u64..60,
        now in 50_u64..100,
    ) {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let limits = Limits { most, wait: Duration::from_millis(wait) };
        let callers: Vec<_> = callers
            .into_iter()
            .map(|(since, fresh, again)| Queued { since: at(since), fresh, again: again.map(at) })
            .collect();
        let total: u64 = callers.iter().map(|one| one.fresh).sum();
        let oldest = callers.iter().filter(|one| one.fresh > 0).map(|one| one.since + limits.wait).min();
        let again = callers.iter().filter_map(|one| one.again).min();
        match next(&callers, limits, at(now)) {
            Next::Alone(caller) => {
                let due = usize::try_from(caller).ok().and_then(|place| callers[place].again);
                prop_assert_eq!(due, again);
                prop_assert!(again.is_some_and(|due| due <= at(now)));
            }
            Next::Together(given) => {
                prop_assert!(total >= most || oldest.is_some_and(|due| due <= at(now)));
                prop_assert_eq!(given.iter().map(|(_, given)| given).sum::<u64>(), total.min(most));
                for (number, one) in (0_u64..).zip(&callers) {
                    let own = given.iter().find(|(caller, _)| *caller == number).map_or(0, |(_, given)| *given);
                    prop_assert!(own <= one.fresh);
                    // Who could have had more has no less than any other, but for what does not come out even.
                    if own < one.fresh {
                        prop_assert!(given.iter().all(|(_, other)| *other <= own + 1));
                    }
                }
            }
            Next::At(due) => {
                prop_assert!(due > at(now) && total < most);
                prop_assert_eq!(Some(due), oldest.into_iter().chain(again).min());
                // When the time comes something goes.
                prop_assert!(matches!(next(&callers, limits, due), Next::Alone(_) | Next::Together(_)));
            }
            Next::Nothing => prop_assert!(total == 0 && again.is_none()),
        }
    }
}
