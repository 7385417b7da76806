//! A map of bounded size that forgets what was not asked for the longest.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use parking_lot::Mutex;

/// Values by their keys, which are compared whole.
pub struct Kept<K, V> {
    inner: Mutex<Inner<K, V>>,
    most: usize,
    most_bytes: usize,
}

struct Inner<K, V> {
    known: HashMap<K, Entry<V>>,
    bytes: usize,
    /// How often something was asked or put.
    turn: u64,
}

struct Entry<V> {
    value: V,
    bytes: usize,
    /// When it was asked for last.
    turn: u64,
}

impl<K: Hash + Eq + Clone, V: Clone> Kept<K, V> {
    /// Of at most so many values, which are put with at most so many bytes together.
    pub fn new(most: usize, most_bytes: usize) -> Self {
        let inner = Inner { known: HashMap::new(), bytes: 0, turn: 0 };
        Self { inner: Mutex::new(inner), most, most_bytes }
    }

    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let mut inner = self.inner.lock();
        inner.turn += 1;
        let turn = inner.turn;
        let entry = inner.known.get_mut(key)?;
        entry.turn = turn;
        Some(entry.value.clone())
    }

    /// Keeps a value; one that was kept under the same key is let go, and so are the oldest where there is no room.
    pub fn put(&self, key: K, value: V, bytes: usize) {
        if bytes > self.most_bytes || self.most == 0 {
            return;
        }
        // Values are let go without the lock.
        let mut gone = Vec::new();
        let mut inner = self.inner.lock();
        inner.turn += 1;
        let entry = Entry { value, bytes, turn: inner.turn };
        inner.bytes += bytes;
        if let Some(other) = inner.known.insert(key, entry) {
            inner.bytes -= other.bytes;
            gone.push(other);
        }
        while inner.known.len() > self.most || inner.bytes > self.most_bytes {
            let oldest = inner.known.iter().min_by_key(|(_, entry)| entry.turn);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { break };
            if let Some(other) = inner.known.remove(&oldest) {
                inner.bytes -= other.bytes;
                gone.push(other);
            }
        }
        drop(inner);
    }

    pub fn clear(&self) {
        let mut inner = self.inner.lock();
        inner.bytes = 0;
        let gone = std::mem::take(&mut inner.known);
        drop(inner);
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_where_there_are_too_many_or_too_large_ones() {
        let kept = Kept::new(2, 100);
        kept.put(1, "one", 10);
        kept.put(2, "two", 10);
        assert_eq!(kept.get(&1), Some("one"));
        kept.put(3, "three", 10);
        assert_eq!((kept.get(&1), kept.get(&2), kept.get(&3)), (Some("one"), None, Some("three")));
        kept.put(4, "large", 95);
        assert_eq!((kept.get(&1), kept.get(&3), kept.get(&4)), (None, None, Some("large")));
        kept.put(5, "too large", 101);
        assert_eq!((kept.get(&4), kept.get(&5)), (Some("large"), None));
        // Put again it takes its room once.
        kept.put(4, "small", 5);
        kept.put(6, "six", 95);
        assert_eq!((kept.get(&4), kept.get(&6)), (Some("small"), Some("six")));
        kept.clear();
        assert_eq!((kept.get(&4), kept.get(&6)), (None, None));
        kept.put(7, "all", 100);
        assert_eq!(kept.get(&7), Some("all"));
    }
}
