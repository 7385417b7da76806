//! Text files that are compressed as a whole: unpacked once into a nameless file, from which parts can be read.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::hadoop::{Blocks, Codec};
use super::{Data, Fault};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    Zstd,
    Bzip2,
    Lz4,
    Snappy,
    Deflate,
}

/// The last two are Hadoop's names.
const ENDINGS: [(&str, Compression); 9] = [
    (".gz", Compression::Gzip),
    (".gzip", Compression::Gzip),
    (".zst", Compression::Zstd),
    (".zstd", Compression::Zstd),
    (".bz2", Compression::Bzip2),
    (".lz4", Compression::Lz4),
    (".sz", Compression::Snappy),
    (".snappy", Compression::Snappy),
    (".deflate", Compression::Deflate),
];

/// A name without what says how the file is compressed, and that.
pub fn told(name: &str) -> (&str, Option<Compression>) {
    let found = ENDINGS.iter().find_map(|(ending, kind)| Some((name.strip_suffix(ending)?, Some(*kind))));
    found.unwrap_or((name, None))
}

const SNAPPY_FRAME: &[u8] = b"\xff\x06\x00\x00sNaPpY";

/// Whether a file begins with a frame, also one of the old kind, or with one that is passed over.
fn is_lz4_frame(begin: &[u8]) -> bool {
    match begin.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)) {
        Some(0x184D_2204 | 0x184C_2102) => true,
        Some(word) => word & 0xFFFF_FFF0 == 0x184D_2A50,
        None => false,
    }
}

impl Compression {
    /// The content, unpacked. Blocks.
    pub fn decompressed(self, data: &Data, spool: &Path) -> Result<Data, Fault> {
        let mut packed = BufReader::with_capacity(1 << 20, data.whole());
        let begin = packed.fill_buf()?;
        let mut plain: Box<dyn Read> = match self {
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Compression::Zstd => Box::new(zstd::Decoder::with_buffer(packed)?),
            Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(packed)),
            Compression::Lz4 if !is_lz4_frame(begin) => Box::new(Blocks::new(packed, Codec::Lz4)),
            Compression::Snappy if !begin.starts_with(SNAPPY_FRAME) => {
                Box::new(Blocks::new(packed, Codec::Snappy))
            }
            Compression::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(packed)),
            Compression::Snappy => Box::new(snap::read::FrameDecoder::new(packed)),
            Compression::Deflate => Box::new(flate2::bufread::ZlibDecoder::new(packed)),
        };
        let unpacked = data.spooled(spool, |copy| io::copy(&mut plain, copy).map(|_| ()));
        unpacked.map_err(|error| format!("it cannot be unpacked: {error}").into())
    }
}
