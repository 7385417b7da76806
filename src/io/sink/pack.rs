//! Compressions by name, and text that is compressed as a whole on its way to a file.

use std::io::{self, Write};

use super::out::Out;

/// A compression that some format knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    None,
    Zstd,
    Snappy,
    Gzip,
    Brotli,
    Lz4,
    Bzip2,
    Deflate,
    Xz,
}

const NAMES: [(&str, Codec); 9] = [
    ("zstd", Codec::Zstd),
    ("snappy", Codec::Snappy),
    ("gzip", Codec::Gzip),
    ("brotli", Codec::Brotli),
    ("lz4", Codec::Lz4),
    ("bzip2", Codec::Bzip2),
    ("deflate", Codec::Deflate),
    ("xz", Codec::Xz),
    ("none", Codec::None),
];

/// What names of text files end in; the first of a codec is the one that is written.
const ENDINGS: [(&str, Codec); 7] = [
    (".gz", Codec::Gzip),
    (".gzip", Codec::Gzip),
    (".zst", Codec::Zstd),
    (".zstd", Codec::Zstd),
    (".bz2", Codec::Bzip2),
    (".lz4", Codec::Lz4),
    (".sz", Codec::Snappy),
];

/// The compressions that files of text may have.
pub const TEXT: &[Codec] = &[Codec::None, Codec::Gzip, Codec::Zstd, Codec::Bzip2, Codec::Lz4, Codec::Snappy];

impl Codec {
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, codec)| *codec)
    }

    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, codec)| *codec == self).map_or("none", |(name, _)| name)
    }

    /// What the name of a text file that is compressed so ends in.
    pub fn ending(self) -> &'static str {
        ENDINGS.iter().find(|(_, codec)| *codec == self).map_or("", |(ending, _)| ending)
    }

    /// A name in lower case without what says how the file is compressed, and that.
    pub fn told(name: &str) -> (&str, Option<Self>) {
        let found = ENDINGS.iter().find_map(|(end, codec)| Some((name.strip_suffix(end)?, Some(*codec))));
        found.unwrap_or((name, None))
    }
}

/// A stream that is being compressed.
trait Packer: Write + Send {
    /// Writes its end.
    fn done(self: Box<Self>) -> io::Result<Out>;
}

macro_rules! packer {
    ($kind:ty, $this:ident => $done:expr) => {
        impl Packer for $kind {
            fn done(self: Box<Self>) -> io::Result<Out> {
                let $this = *self;
                $done
            }
        }
    };
}

packer!(flate2::write::GzEncoder<Out>, this => this.finish());
packer!(zstd::Encoder<'static, Out>, this => this.finish());
packer!(bzip2::write::BzEncoder<Out>, this => this.finish());
packer!(lz4_flex::frame::FrameEncoder<Out>, this => this.finish().map_err(io::Error::other));
packer!(snap::write::FrameEncoder<Out>, this => this.into_inner().map_err(|error| error.into_error()));

/// About what a compressor holds, by measure of their windows and tables.
const PACKER: usize = 2 << 20;

/// Text on its way to a file.
pub struct Packed {
    codec: Codec,
    out: Option<Out>,
    packer: Option<Box<dyn Packer>>,
}

fn gone() -> io::Error {
    io::Error::other("the file was given up after an error")
}

impl Packed {
    pub fn new(out: Out, codec: Codec) -> Self {
        Self { codec, out: Some(out), packer: None }
    }

    pub fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(packer) = &mut self.packer {
            return packer.write_all(bytes);
        }
        if self.codec == Codec::None {
            return self.out.as_mut().ok_or_else(gone)?.write_all(bytes);
        }
        let out = self.out.take().ok_or_else(gone)?;
        let mut packer: Box<dyn Packer> = match self.codec {
            Codec::Gzip => Box::new(flate2::write::GzEncoder::new(out, flate2::Compression::default())),
            Codec::Zstd => Box::new(zstd::Encoder::new(out, zstd::DEFAULT_COMPRESSION_LEVEL)?),
            Codec::Bzip2 => Box::new(bzip2::write::BzEncoder::new(out, bzip2::Compression::default())),
            Codec::Lz4 => Box::new(lz4_flex::frame::FrameEncoder::new(out)),
            Codec::Snappy => Box::new(snap::write::FrameEncoder::new(out)),
            other => return Err(io::Error::other(format!("text is not compressed by {}", other.name()))),
        };
        packer.write_all(bytes)?;
        self.packer = Some(packer);
        Ok(())
    }

    /// Ends what is compressed so far. What comes after it is compressed by itself; every reader takes both as one.
    pub fn end(&mut self) -> io::Result<()> {
        if let Some(packer) = self.packer.take() {
            self.out = Some(packer.done()?);
        }
        Ok(())
    }

    pub fn held(&self) -> usize {
        match (&self.packer, &self.out) {
            (Some(_), _) => PACKER,
            (None, out) => out.as_ref().map_or(0, |out| out.held()),
        }
    }

    /// The file, between two compressed stretches.
    pub fn out(&mut self) -> io::Result<&mut Out> {
        self.end()?;
        self.out.as_mut().ok_or_else(gone)
    }

    pub fn finish(mut self) -> io::Result<Out> {
        // An empty file would be none that can be unpacked.
        if self.packer.is_none() && self.codec != Codec::None {
            self.write_all(b"")?;
        }
        self.end()?;
        self.out.take().ok_or_else(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::source::files;

    #[test]
    fn what_is_written_is_what_is_read_by_that_name() {
        for (ending, codec) in ENDINGS {
            assert_eq!(Codec::told(&format!("a.csv{ending}")), ("a.csv", Some(codec)));
            assert!(files::told(&format!("a.csv{ending}")).is_some());
            assert!(TEXT.contains(&codec));
        }
        for codec in TEXT {
            assert_eq!(Codec::named(codec.name()), Some(*codec));
            assert_eq!(Codec::told(&format!("a{}", codec.ending())).1.unwrap_or(Codec::None), *codec);
        }
    }
}
