//! Who is told what a write is about to show, and whether what was to be shown is there.

use std::path::Path;

use object_store::{Attribute, GetOptions, ObjectStore};
use serde::{Deserialize, Serialize};

use super::target::{Home, Target, WrittenFile};
use crate::error::Result;
use crate::io::sink::remote::{Remote, trouble};

/// The attribute of an object that says which write made it.
pub const WRITE: &str = "rlm-write";

/// What a write is about to show.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Intent {
    /// In the names of its files, or an attribute of its only one.
    pub id: String,
    /// From the target on.
    pub names: Vec<String>,
    pub files: Vec<WrittenFile>,
    pub noted: Noted,
}

/// By what it is known later whether files were shown.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Noted {
    /// Of one local file: what it is, whatever its name.
    pub inode: Option<(u64, u64)>,
    /// The objects that the new ones are to replace.
    pub replaces: Vec<String>,
}

/// Keeps beyond the process what it is told.
pub trait Witness: Send + Sync {
    /// To be called when all is staged, before anything can be seen. What is intended is on disk when this returns.
    fn intends(&self, intent: &Intent) -> Result<()>;

    /// All of it can be seen.
    fn shown(&self, files: &[WrittenFile]);

    /// The run is over: nothing more is intended.
    fn release(&self);
}

impl Target {
    /// Whether what an earlier attempt was to show is there, complete. What is there of it if it is not is removed. Blocks.
    pub fn finished(&self, intent: &Intent) -> Result<bool> {
        match &self.home {
            Home::Local(path) => self.finished_here(path, intent),
            Home::Remote(remote) => remote.io.block_on(self.finished_there(remote, intent)),
        }
    }

    /// One rename has shown all files, or none.
    fn finished_here(&self, path: &Path, intent: &Intent) -> Result<bool> {
        if self.single {
            let mine = intent.noted.inode;
            return Ok(mine.is_some() && path.metadata().ok().map(|there| inode(&there)) == mine);
        }
        if !intent.names.iter().all(|name| path.join(name).is_file()) {
            return Ok(false);
        }
        if self.marker {
            let marked = std::fs::File::create(path.join("_SUCCESS")).and_then(|file| file.sync_all());
            marked.map_err(|error| self.failed(&error))?;
        }
        Ok(true)
    }

    /// Each file was a request of its own.
    async fn finished_there(&self, remote: &Remote, intent: &Intent) -> Result<bool> {
        let failed = |error: object_store::Error| trouble(self, &error);
        if self.single {
            let head = GetOptions { head: true, ..GetOptions::default() };
            return match remote.store.get_opts(&remote.path, head).await {
                Ok(found) => {
                    let written = found.attributes.get(&Attribute::Metadata(WRITE.into()));
                    Ok(written.is_some_and(|written| written.as_ref() == intent.id))
                }
                Err(object_store::Error::NotFound { .. }) => Ok(false),
                Err(error) => Err(failed(error)),
            };
        }
        let (mut mine, mut old) = (Vec::new(), Vec::new());
        for object in remote.found(self).await? {
            let name = remote.within(&object);
            if intent.names.iter().any(|intended| intended == name) {
                mine.push(object);
            } else if name != "_SUCCESS" && intent.noted.replaces.iter().any(|replaced| replaced == name) {
                old.push(object);
            }
        }
        if mine.len() < intent.names.len() {
            remote.remove(mine).await.map_err(failed)?;
            return Ok(false);
        }
        remote.conclude(self, old).await?;
        Ok(true)
    }
}

/// What a file is, whatever its name.
pub fn inode(file: &std::fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (file.dev(), file.ino())
}
