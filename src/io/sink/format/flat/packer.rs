//! Pages made smaller: one compressor for many of them.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::Fault;
use crate::io::sink::pack::Codec;

/// The level of `zstd`, as `parquet` has it by default.
const ZSTD: i32 = 1;

/// Bytes that are kept for the next page, at most: what a page takes whose values are not large.
const ROOM: usize = 4 << 20;

pub enum Packer {
    None,
    /// With bytes that pages are packed into.
    Snappy(Box<snap::raw::Encoder>, Vec<u8>),
    Zstd(zstd::bulk::Compressor<'static>),
    Gzip,
    Lz4,
}

impl Packer {
    /// None for what is left to `parquet`.
    pub fn new(codec: Codec) -> Result<Option<Self>, Fault> {
        Ok(Some(match codec {
            Codec::None => Self::None,
            Codec::Snappy => Self::Snappy(Box::new(snap::raw::Encoder::new()), Vec::new()),
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
            Self::Snappy(encoder, room) => {
                let most = snap::raw::max_compress_len(page.len());
                // Zeros are written once, not for every page.
                if room.len() < most {
                    room.resize(most, 0);
                }
                let length = encoder.compress(&page, room)?;
                let packed = room[..length].to_vec();
                if most > ROOM {
                    *room = Vec::new();
                }
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
