//! Avro object container files; their blocks say how many rows they hold.
//!
//! The layout of blocks: https://avro.apache.org/docs/1.12.0/specification/#object-container-files

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::datatypes::SchemaRef;
use arrow_avro::reader::ReaderBuilder;
use bytes::Bytes;

use super::data::Data;
use super::{Batches, Fault, Format, Opened, With, fault};

pub struct Avro;

/// Bytes of the mark between blocks.
const SYNC: i64 = 16;
/// Bytes of a part, about.
const PART: u64 = 4 << 20;
/// A byte of a block holds no more rows than this, however well it is compressed.
const DENSEST: u64 = 1 << 16;

impl Format for Avro {
    fn name(&self) -> &'static str {
        "avro"
    }

    fn title(&self) -> &'static str {
        "Avro"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".avro"]
    }

    fn open(&self, data: Data, _: &str, _: &With<'_>) -> Result<Box<dyn Opened>, Fault> {
        let (header, blocks) = blocks(&data)?;
        let header = data.bytes(0..header)?;
        let schema = ReaderBuilder::new().build(&header[..]).map_err(fault)?.schema();
        let mut parts: Vec<Vec<Block>> = Vec::new();
        for block in blocks {
            match parts.last_mut() {
                Some(part) if part.iter().map(Block::length).sum::<u64>() < PART => part.push(block),
                _ => parts.push(vec![block]),
            }
        }
        let rows = parts.iter().map(|part| part.iter().map(|block| block.rows).sum()).collect();
        Ok(Box::new(AvroFile { data, header, schema, parts, rows }))
    }
}

/// A run of rows that is compressed by itself.
#[derive(Clone)]
struct Block {
    bytes: Range<u64>,
    rows: usize,
}

impl Block {
    fn length(&self) -> u64 {
        self.bytes.end - self.bytes.start
    }
}

/// Where the header ends, and the blocks; their content is passed over.
fn blocks(data: &Data) -> Result<(u64, Vec<Block>), Fault> {
    let mut reader = BufReader::new(data.whole());
    let mut magic = [0; 4];
    reader.read_exact(&mut magic)?;
    if &magic != b"Obj\x01" {
        return Err("it does not begin as one".into());
    }
    // The header is a map: runs of pairs, each run with its length, a negative one with its size in bytes.
    loop {
        let pairs = long(&mut reader)?;
        if pairs == 0 {
            break;
        }
        if pairs < 0 {
            long(&mut reader)?;
        }
        for _ in 0..pairs.unsigned_abs().saturating_mul(2) {
            let length = long(&mut reader)?;
            skip(&mut reader, length, data.size)?;
        }
    }
    skip(&mut reader, SYNC, data.size)?;
    let header = reader.stream_position()?;
    let mut blocks = Vec::new();
    let mut start = header;
    while !reader.fill_buf()?.is_empty() {
        let rows = usize::try_from(long(&mut reader)?)?;
        let length = long(&mut reader)?;
        skip(&mut reader, length, data.size)?;
        skip(&mut reader, SYNC, data.size)?;
        if rows as u64 > length.unsigned_abs().saturating_mul(DENSEST) {
            return Err("a block promises more rows than it can hold".into());
        }
        let end = reader.stream_position()?;
        blocks.push(Block { bytes: start..end, rows });
        start = end;
    }
    Ok((header, blocks))
}

fn skip(reader: &mut (impl BufRead + Seek), length: i64, size: u64) -> Result<(), Fault> {
    if length < 0 || reader.stream_position()?.saturating_add(length.unsigned_abs()) > size {
        return Err("it is cut off".into());
    }
    let buffered = reader.fill_buf()?.len();
    let length = usize::try_from(length)?;
    if length <= buffered {
        reader.consume(length);
    } else {
        reader.seek(SeekFrom::Current(i64::try_from(length)?))?;
    }
    Ok(())
}

/// A zigzag number of variable length.
fn long(reader: &mut impl Read) -> Result<i64, Fault> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let mut byte = [0];
        reader.read_exact(&mut byte)?;
        value |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] & 0x80 == 0 {
            return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    Err("a number in it is too long".into())
}

struct AvroFile {
    data: Data,
    header: Bytes,
    schema: SchemaRef,
    parts: Vec<Vec<Block>>,
    rows: Vec<usize>,
}

impl Opened for AvroFile {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn parts(&self) -> &[usize] {
        &self.rows
    }

    /// Each block is given to the decoder as a file of its own, and the decoder is asked for just its rows: bytes that
    /// are left over in a damaged block would keep it busy for ever.
    fn read(
        &self,
        part: usize,
        columns: &[usize],
        _: usize,
        read: &Arc<AtomicU64>,
    ) -> Result<Batches, Fault> {
        let blocks = self.parts.get(part).ok_or("a part that is not there")?.clone();
        let (data, header, columns, read) =
            (self.data.clone(), self.header.clone(), columns.to_vec(), read.clone());
        Ok(Box::new(blocks.into_iter().filter(|block| block.rows > 0).map(move |block| {
            let bytes = data.bytes(block.bytes.clone())?;
            read.fetch_add(block.length(), Ordering::Relaxed);
            let builder = ReaderBuilder::new().with_batch_size(block.rows).with_projection(columns.clone());
            let mut reader = builder.build(header.chain(&bytes[..])).map_err(fault)?;
            let batch = reader.next().ok_or("a block has no rows")?.map_err(fault)?;
            if batch.num_rows() == block.rows {
                Ok(batch)
            } else {
                Err("a block has fewer rows than it says".into())
            }
        })))
    }
}
