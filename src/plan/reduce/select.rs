//! The value at a place in the order of very many, by all processors: a sample says between which values it lies, one
//! pass counts what is below and keeps what is between, and there it is selected.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::extreme::Ranked;

/// Fewer values are selected from by one thread.
pub const MANY: usize = if cfg!(debug_assertions) { 64 } else { 1 << 18 };
const SAMPLE: usize = if cfg!(debug_assertions) { 32 } else { 1 << 14 };

/// The values at places `at` and `at + 1` (the last one twice at the end); `None` where the sample misled.
pub fn select<N: Ranked + Sync>(parts: &[&[N]], at: usize) -> Option<(N::Key, N::Key)> {
    let count: usize = parts.iter().map(|part| part.len()).sum();
    if at >= count {
        return None;
    }
    let (low, high) = bounds(parts, count, at);
    let next = AtomicUsize::new(0);
    let pieces: Vec<&[N]> = parts.iter().flat_map(|part| part.chunks(PIECE)).collect();
    let work = || {
        let (mut below, mut between) = (0, Vec::new());
        while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
            for value in *piece {
                let key = value.key();
                let under = low.is_some_and(|low| key < low);
                below += usize::from(under);
                if !under && high.is_none_or(|high| key <= high) {
                    between.push(key);
                }
            }
        }
        (below, between)
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(16);
    let found = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().ok()).collect::<Option<Vec<_>>>()
    })?;
    let below: usize = found.iter().map(|(below, _)| below).sum();
    let mut between: Vec<N::Key> = found.into_iter().flat_map(|(_, between)| between).collect();
    let place = at.checked_sub(below).filter(|place| *place < between.len())?;
    let (_, value, above) = between.select_nth_unstable(place);
    let value = *value;
    match above.iter().min() {
        Some(next) => Some((value, *next)),
        None if at + 1 == count => Some((value, value)),
        None => None,
    }
}

/// Values that a thread looks at before it takes the next ones.
const PIECE: usize = 1 << 16;

/// Values of a sample that very likely lie below and above the place.
fn bounds<N: Ranked>(parts: &[&[N]], count: usize, at: usize) -> (Option<N::Key>, Option<N::Key>) {
    let step = (count / SAMPLE).max(1);
    let mut sample: Vec<N::Key> = Vec::with_capacity(SAMPLE + parts.len());
    // Not in equal steps: values may come in a rhythm of their own.
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for part in parts {
        for stretch in part.chunks(step) {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sample.push(stretch[(random >> 33) as usize % stretch.len()].key());
        }
    }
    sample.sort_unstable();
    let place = at as f64 / count as f64 * sample.len() as f64;
    let slack = 4.0 * (sample.len() as f64).sqrt().max(1.0) / 2.0 + 2.0;
    let low = (place - slack).floor();
    let high = (place + slack).ceil() as usize;
    ((low >= 0.0).then(|| sample[low as usize]), sample.get(high).copied())
}
