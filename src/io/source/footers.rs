//! Footers of Parquet files that were read before, as long as the files are what they were.
//!
//! A local file is known by its place on the disk and its times, of which the last change of its entry cannot be set;
//! an object by its store, its path and its tag. What changed a moment ago is read again: within one tick of the clock it
//! might have changed once more.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::sync::Arc;
use std::time::SystemTime;

use chrono::DateTime;
use object_store::ObjectStore;
use object_store::path::Path as ObjectPath;
use parking_lot::Mutex;
use parquet::file::metadata::ParquetMetaData;

use crate::io::location::{FileRef, Place};

/// Bytes of footers that are kept.
const MOST: usize = 64 << 20;

/// A local file that changed within so many seconds is not kept.
const FRESH: i64 = 2;

/// What a file is known by.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum FileKey {
    /// Device, inode, size, and the times of the last change of the content and of the entry.
    Local([i128; 5]),
    /// The store's address, the path, the size and the tag.
    Remote(usize, String, u64, Arc<str>),
}

/// Footers of a client's files.
#[derive(Default)]
pub struct Footers {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    footers: HashMap<FileKey, Entry>,
    /// Which objects these are of, whatever their tags.
    objects: HashSet<(usize, String)>,
    bytes: usize,
    /// Counts what was asked for.
    clock: u64,
}

struct Entry {
    footer: Arc<ParquetMetaData>,
    bytes: usize,
    used: u64,
    /// Kept alive, so that no other store gets its address.
    _store: Option<Arc<dyn ObjectStore>>,
}

impl FileKey {
    /// `None` for what cannot be told apart from what it may become. `opened` is a local file, and what is read.
    pub fn of(file: &FileRef, opened: Option<&File>) -> Option<Self> {
        match (&file.place, opened) {
            (Place::Local(_), Some(opened)) => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
                local(opened, now.as_secs() as i64)
            }
            (Place::Local(_), None) => None,
            (Place::Remote(store, path), _) => is_tagged(file)
                .then(|| Self::Remote(address(store), path.to_string(), file.size, file.stamp.clone())),
        }
    }

    fn object(&self) -> Option<(usize, String)> {
        match self {
            Self::Remote(store, path, ..) => Some((*store, path.clone())),
            Self::Local(_) => None,
        }
    }
}

fn address(store: &Arc<dyn ObjectStore>) -> usize {
    Arc::as_ptr(store).cast::<()>() as usize
}

/// The stamp is a tag of an object store, which gives another content another one. Servers of files may not; and without
/// a tag there is the time, in whole seconds.
fn is_tagged(file: &FileRef) -> bool {
    !file.name.starts_with("http") && DateTime::parse_from_rfc3339(&file.stamp).is_err()
}

#[cfg(unix)]
fn local(file: &File, now: i64) -> Option<FileKey> {
    use std::os::unix::fs::MetadataExt;
    let about = file.metadata().ok()?;
    let changed = about.ctime().max(about.mtime());
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    (changed < now - FRESH).then(|| {
        FileKey::Local([
            about.dev().into(),
            about.ino().into(),
            about.size().into(),
            nanoseconds(about.mtime(), about.mtime_nsec()),
            nanoseconds(about.ctime(), about.ctime_nsec()),
        ])
    })
}

#[cfg(not(unix))]
fn local(_: &File, _: i64) -> Option<FileKey> {
    None
}

impl Footers {
    pub fn get(&self, key: &FileKey) -> Option<Arc<ParquetMetaData>> {
        let mut kept = self.kept.lock();
        kept.clock += 1;
        let clock = kept.clock;
        let entry = kept.footers.get_mut(key)?;
        entry.used = clock;
        Some(entry.footer.clone())
    }

    /// Whether there is a footer of this object, as it is or as it was.
    pub fn knows(&self, store: &Arc<dyn ObjectStore>, path: &ObjectPath) -> bool {
        self.kept.lock().objects.contains(&(address(store), path.to_string()))
    }

    pub fn keep(&self, key: FileKey, store: Option<Arc<dyn ObjectStore>>, footer: &Arc<ParquetMetaData>) {
        let bytes = footer.memory_size();
        let mut kept = self.kept.lock();
        if bytes > MOST / 4 {
            return;
        }
        kept.clock += 1;
        let entry = Entry { footer: footer.clone(), bytes, used: kept.clock, _store: store };
        kept.bytes += bytes;
        kept.objects.extend(key.object());
        if let Some(before) = kept.footers.insert(key, entry) {
            kept.bytes -= before.bytes;
        }
        if kept.bytes > MOST {
            kept.forget();
        }
    }
}

impl Kept {
    /// The half that was asked for longest ago goes: to look for it costs something for each that stays.
    fn forget(&mut self) {
        let mut ages: Vec<_> = self.footers.values().map(|entry| entry.used).collect();
        ages.sort_unstable();
        let Some(middle) = ages.get(ages.len() / 2).copied() else { return };
        self.footers.retain(|_, entry| entry.used > middle);
        self.objects = self.footers.keys().filter_map(FileKey::object).collect();
        self.bytes = self.footers.values().map(|entry| entry.bytes).sum();
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use parquet::file::metadata::{FileMetaData, ParquetMetaData};
    use parquet::schema::types::{SchemaDescriptor, Type};

    use super::*;

    fn footer(rows: i64) -> Arc<ParquetMetaData> {
        let schema = Type::group_type_builder("schema").build().unwrap();
        let schema = Arc::new(SchemaDescriptor::new(Arc::new(schema)));
        Arc::new(ParquetMetaData::new(FileMetaData::new(1, rows, None, None, schema, None), Vec::new()))
    }

    fn later() -> i64 {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64 + 10
    }

    /// When it was made, in whole seconds.
    fn made(file: &File) -> i64 {
        use std::os::unix::fs::MetadataExt;
        file.metadata().unwrap().ctime()
    }

    #[test]
    fn another_content_of_the_same_size_and_time_is_another_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, "1234").unwrap();
        let opened = File::options().read(true).write(true).open(&path).unwrap();
        assert!(local(&opened, made(&opened) + FRESH).is_none());
        assert!(local(&opened, made(&opened) + FRESH + 1).is_some());
        let before = local(&opened, later()).unwrap();
        assert!(local(&opened, later()) == Some(before.clone()));
        let time = opened.metadata().unwrap().modified().unwrap();
        // The clock of a file system goes in steps.
        loop {
            (&opened).write_all(b"5678").unwrap();
            opened.set_len(4).unwrap();
            opened.set_modified(time).unwrap();
            if local(&opened, later()).unwrap() != before {
                break;
            }
        }
        // Another file in its place.
        std::fs::write(directory.path().join("b"), "1234").unwrap();
        std::fs::rename(directory.path().join("b"), &path).unwrap();
        assert!(local(&File::open(&path).unwrap(), later()).unwrap() != before);
    }

    #[test]
    fn what_was_asked_for_longest_ago_is_forgotten_first() {
        let key = |number: i128| FileKey::Local([number, 0, 0, 0, 0]);
        let footers = Footers::default();
        let each = footer(0).memory_size();
        let fit = MOST / each;
        for number in 0..fit {
            footers.keep(key(number as i128), None, &footer(number as i64));
            assert!(footers.get(&key(0)).is_some());
        }
        footers.keep(key(-1), None, &footer(-1));
        assert_eq!(footers.get(&key(0)).unwrap().file_metadata().num_rows(), 0);
        assert_eq!(footers.get(&key(-1)).unwrap().file_metadata().num_rows(), -1);
        assert!(footers.get(&key(1)).is_none());
        let kept = footers.kept.lock();
        assert_eq!(kept.bytes, kept.footers.len() * each);
        assert!(kept.bytes <= MOST);
    }
}
