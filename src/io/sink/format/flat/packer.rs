//! Pages made smaller: one compressor for many of them.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::Fault;
use crate::io::sink::pack::Codec;

/// The level of `zstd`, as `parquet` has it by default.
const ZSTD: i32 = 1;

pub enum Packer {
    None,
    Snappy(Box<snap::raw::Encoder>),
    Zstd(zstd::bulk::Compressor<'static>),
    Gzip,
    Lz4,
}

impl Packer {
    /// None for what is left to `parquet`.
    pub fn new(codec: Codec) -> Result<Option<Self>, Fault> {
        Ok(Some(match codec {
            Codec::None => Self::None,
            Codec::Snappy => Self::Snappy(Box::new(snap::raw::Encoder::new())),
            Codec::Zstd => Self::Zstd(zstd::bulk::Compressor::new(ZSTD)?),
            Codec::Gzip => Self::Gzip,
            Codec::Lz4 => Self::Lz4,
            _ => return Ok(None),
        }))
    }

    /// The bytes of a page, made smaller.
    pub fn pack(&mut self, page: Vec<u8>) -> Result<Vec<u8>, Fault> {
        Ok(match self {
            Self::None => page,
            Self::Snappy(encoder) => {
                let mut packed = vec![0; snap::raw::max_compress_len(page.len())];
                let length = encoder.compress(&page, &mut packed)?;
                packed.truncate(length);
                packed
            }
            Self::Zstd(compressor) => compressor.compress(&page)?,
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(&page)?;
                encoder.finish()?
            }
            Self::Lz4 => lz4_flex::block::compress(&page),
        })
    }
}
