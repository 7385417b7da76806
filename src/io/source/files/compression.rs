//! Text files that are compressed as a whole: unpacked once into a nameless file, from which parts can be read.

use std::io::{self, BufReader, Read};
use std::path::Path;

use super::{Data, Fault};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    Zstd,
    Bzip2,
    Lz4,
    Snappy,
}

const ENDINGS: [(&str, Compression); 7] = [
    (".gz", Compression::Gzip),
    (".gzip", Compression::Gzip),
    (".zst", Compression::Zstd),
    (".zstd", Compression::Zstd),
    (".bz2", Compression::Bzip2),
    (".lz4", Compression::Lz4),
    (".sz", Compression::Snappy),
];

/// A name without what says how the file is compressed, and that.
pub fn told(name: &str) -> (&str, Option<Compression>) {
    let found = ENDINGS.iter().find_map(|(ending, kind)| Some((name.strip_suffix(ending)?, Some(*kind))));
    found.unwrap_or((name, None))
}

impl Compression {
    /// The content, unpacked. Blocks.
    pub fn decompressed(self, data: &Data, spool: &Path) -> Result<Data, Fault> {
        let packed = BufReader::with_capacity(1 << 20, data.whole());
        let mut plain: Box<dyn Read> = match self {
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Compression::Zstd => Box::new(zstd::Decoder::with_buffer(packed)?),
            Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(packed)),
            Compression::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(packed)),
            Compression::Snappy => Box::new(snap::read::FrameDecoder::new(packed)),
        };
        let unpacked = data.spooled(spool, |copy| io::copy(&mut plain, copy).map(|_| ()));
        unpacked.map_err(|error| format!("it cannot be unpacked: {error}").into())
    }
}
