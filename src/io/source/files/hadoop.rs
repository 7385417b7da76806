//! Text as Hadoop's codecs compress it, and so Spark with `lz4` and `snappy`: blocks, each with its length when unpacked,
//! of pieces, each with its length as it is here. There is no frame, no checksum and no name of the codec.

use std::io::{self, ErrorKind, Read};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    Lz4,
    Snappy,
}

/// Pieces are as large as Hadoop's buffers, 64 to 256 KiB; nobody sets these to more than some MiB.
const MOST: usize = 64 << 20;

/// Unpacks while it is read. Memory grows with what is there, not with what a length promises.
pub struct Blocks<R> {
    packed: R,
    codec: Codec,
    /// Bytes of the block that have not been unpacked.
    left: usize,
    /// One piece, as it is here and unpacked, and how much of it was read.
    piece: Vec<u8>,
    plain: Vec<u8>,
    at: usize,
}

impl<R: Read> Blocks<R> {
    pub fn new(packed: R, codec: Codec) -> Self {
        Self { packed, codec, left: 0, piece: Vec::new(), plain: Vec::new(), at: 0 }
    }

    /// Unpacks the next piece; false where there is none.
    fn next(&mut self) -> io::Result<bool> {
        while self.left == 0 {
            match self.length()? {
                Some(bytes) => self.left = bytes,
                None => return Ok(false),
            }
        }
        let bytes = self.length()?.ok_or(ErrorKind::UnexpectedEof)?;
        if bytes == 0 || bytes > MOST {
            return Err(wrong(format!("a piece of {bytes} bytes")));
        }
        self.piece.clear();
        (&mut self.packed).take(bytes as u64).read_to_end(&mut self.piece)?;
        if self.piece.len() < bytes {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let unpacked = match self.codec {
            Codec::Lz4 => {
                // A byte stands for 255 at most.
                self.plain.resize(self.left.min(bytes.saturating_mul(255).saturating_add(64)), 0);
                lz4_flex::block::decompress_into(&self.piece, &mut self.plain).map_err(wrong)?
            }
            Codec::Snappy => {
                let said = snap::raw::decompress_len(&self.piece).map_err(wrong)?;
                // Three bytes stand for 64 at most.
                if said > self.left || said > bytes.saturating_mul(32) {
                    return Err(wrong(format!("a piece of {said} bytes in a block of {}", self.left)));
                }
                self.plain.resize(said, 0);
                snap::raw::Decoder::new().decompress(&self.piece, &mut self.plain).map_err(wrong)?
            }
        };
        if unpacked == 0 {
            return Err(wrong("a piece of nothing".to_owned()));
        }
        self.plain.truncate(unpacked);
        self.left -= unpacked;
        self.at = 0;
        Ok(true)
    }

    /// The next length, if the file does not end here.
    fn length(&mut self) -> io::Result<Option<usize>> {
        let mut bytes = [0; 4];
        if self.packed.read(&mut bytes[..1])? == 0 {
            return Ok(None);
        }
        self.packed.read_exact(&mut bytes[1..])?;
        Ok(Some(u32::from_be_bytes(bytes) as usize))
    }
}

fn wrong(why: impl std::fmt::Display) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("neither a frame nor blocks of Hadoop's codec: {why}"))
}

impl<R: Read> Read for Blocks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.plain.len() && !self.next()? {
            return Ok(0);
        }
        let some = buffer.len().min(self.plain.len() - self.at);
        buffer[..some].copy_from_slice(&self.plain[self.at..self.at + some]);
        self.at += some;
        Ok(some)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As Hadoop's streams write it: blocks of `block` bytes in pieces of `piece`.
    fn packed(text: &[u8], codec: Codec, block: usize, piece: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for block in text.chunks(block) {
            out.extend((block.len() as u32).to_be_bytes());
            for piece in block.chunks(piece) {
                let piece = match codec {
                    Codec::Lz4 => lz4_flex::block::compress(piece),
                    Codec::Snappy => snap::raw::Encoder::new().compress_vec(piece).unwrap(),
                };
                out.extend((piece.len() as u32).to_be_bytes());
                out.extend(piece);
            }
        }
        out
    }

    fn unpacked(bytes: &[u8], codec: Codec) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        Blocks::new(bytes, codec).read_to_end(&mut text).map(|_| text)
    }

    fn texts() -> impl Strategy<Value = Vec<u8>> {
        let runs = prop::collection::vec((any::<u8>(), 1..400_usize), 0..40);
        runs.prop_map(|runs| runs.into_iter().flat_map(|(byte, times)| vec![byte; times]).collect())
    }

    fn codecs() -> impl Strategy<Value = Codec> {
        prop_oneof![Just(Codec::Lz4), Just(Codec::Snappy)]
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_out(text in texts(), codec in codecs(), block in 1..5000_usize, piece in 1..3000_usize) {
            let bytes = packed(&text, codec, block, piece);
            prop_assert_eq!(unpacked(&bytes, codec).unwrap(), text);
        }

        #[test]
        fn what_is_cut_is_an_error_or_ends_between_blocks(text in texts(), codec in codecs(), block in 1..500_usize, at in 0..20_000_usize) {
            let bytes = packed(&text, codec, block, 300);
            let cut = &bytes[..at.min(bytes.len())];
            if let Ok(some) = unpacked(cut, codec) {
                prop_assert!(text.starts_with(&some) && (some.len() % block == 0 || some.len() == text.len()));
            }
        }

        #[test]
        fn damage_takes_no_more_memory_than_the_text(text in texts(), codec in codecs(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = packed(&text, codec, 4000, 4000);
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let mut blocks = Blocks::new(bytes.as_slice(), codec);
            let mut text = Vec::new();
            let _ = blocks.read_to_end(&mut text);
            prop_assert!(blocks.plain.capacity() <= 256 * bytes.len() + 128);
        }
    }
}
