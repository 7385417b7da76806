//! Arrow IPC: files, whose footer says where the batches are, and streams, which are written down as files first.

use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::{FileReaderBuilder, StreamReader, read_footer_length};
use arrow::ipc::writer::FileWriter;
use arrow::ipc::{root_as_footer, root_as_message};
use bytes::Bytes;

use super::data::Data;
use super::{Batches, Fault, Format, Opened, With, fault};

pub struct Ipc;

const MAGIC: &[u8] = b"ARROW1";
/// The footer's length and the magic word.
const TRAILER: u64 = 10;
/// No buffer unpacks to more bytes than this, nor to more than so many times its size.
const LARGEST: i64 = 4 << 30;
const DENSEST: i64 = 1 << 16;

impl Format for Ipc {
    fn name(&self) -> &'static str {
        "arrow"
    }

    fn title(&self) -> &'static str {
        "Arrow IPC"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".arrow", ".arrows", ".feather", ".ipc"]
    }

    fn open(&self, data: Data, _: &str, with: &With<'_>) -> Result<Box<dyn Opened>, Fault> {
        let data =
            if &data.bytes(0..MAGIC.len() as u64)?[..] == MAGIC { data } else { written(&data, with.spool)? };
        let parts = rows(&data)?;
        let schema = FileReaderBuilder::new().build(BufReader::new(data.whole())).map_err(fault)?.schema();
        Ok(Box::new(IpcFile { parts, data, schema }))
    }
}

/// A stream as a file: only in one can a batch be found without those before it.
fn written(data: &Data, spool: &Path) -> Result<Data, Fault> {
    let mut at = 0;
    while let Some(head) = head(data, at, data.size)? {
        let body = sound(data, &head)?;
        at = head.body.checked_add(body).filter(|end| *end <= data.size).ok_or("it is cut off")?;
    }
    let mut reader = StreamReader::try_new(BufReader::new(data.whole()), None).map_err(fault)?;
    let mut failed = None;
    let file = data.spooled(spool, |copy| {
        let write = || {
            let mut writer = FileWriter::try_new(std::io::BufWriter::new(copy), &reader.schema())?;
            for batch in &mut reader {
                writer.write(&batch?)?;
            }
            writer.finish()
        };
        failed = write().err();
        Ok(())
    })?;
    match failed {
        Some(error) => Err(fault(error)),
        None => Ok(file),
    }
}

/// The rows of each batch, from the batches' heads alone. The decoder believes lengths: none is left unchecked.
fn rows(data: &Data) -> Result<Vec<usize>, Fault> {
    let trailer = data.bytes(data.size.saturating_sub(TRAILER)..data.size)?;
    let trailer: [u8; TRAILER as usize] = trailer[..].try_into().map_err(|_| "it is cut off")?;
    let length = read_footer_length(trailer).map_err(fault)? as u64;
    let end = data.size - TRAILER;
    let footer = data.bytes(end.checked_sub(length).ok_or("its footer is longer than the file")?..end)?;
    let footer = root_as_footer(&footer).map_err(|error| error.to_string())?;
    let mut rows = Vec::new();
    for (block, batch) in footer
        .dictionaries()
        .iter()
        .flatten()
        .map(|block| (block, false))
        .chain(footer.recordBatches().iter().flatten().map(|block| (block, true)))
    {
        let start = u64::try_from(block.offset())?;
        let (head_length, body) =
            (u64::try_from(block.metaDataLength())?, u64::try_from(block.bodyLength())?);
        let end = start.checked_add(head_length).and_then(|end| end.checked_add(body));
        if end.is_none_or(|end| end > data.size) {
            return Err("a batch lies beyond its end".into());
        }
        let head = head(data, start, start + head_length)?.ok_or("a batch is cut off")?;
        if sound(data, &head)? > body || head.body != start + head_length {
            return Err("a batch is longer than its place".into());
        }
        if batch {
            let message = root_as_message(&head.bytes).map_err(|error| error.to_string())?;
            let batch = message.header_as_record_batch().ok_or("a batch is none")?;
            rows.push(usize::try_from(batch.length())?);
        }
    }
    Ok(rows)
}

/// The description of a message, and where its content begins.
struct Head {
    bytes: Bytes,
    body: u64,
}

/// The head at a place; none at the end of a stream.
fn head(data: &Data, start: u64, end: u64) -> Result<Option<Head>, Fault> {
    // A marker and the length, or the length alone as it was before version 0.15.
    let lead = data.bytes(start..(start + 8).min(end))?;
    let skip = if lead.starts_with(&[0xff; 4]) { 4 } else { 0 };
    let Some(length) = lead.get(skip..skip + 4) else {
        return if lead.is_empty() { Ok(None) } else { Err("it is cut off".into()) };
    };
    let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
    if length == 0 {
        return Ok(None);
    }
    let from = start + skip as u64 + 4;
    let body = from + u64::from(length);
    if body > end {
        return Err("a batch is cut off".into());
    }
    Ok(Some(Head { bytes: data.bytes(from..body)?, body }))
}

/// The length of a message's content, whose buffers all lie within it and unpack to a size that can be.
fn sound(data: &Data, head: &Head) -> Result<u64, Fault> {
    let message = root_as_message(&head.bytes).map_err(|error| error.to_string())?;
    let body = u64::try_from(message.bodyLength())?;
    let dictionary = message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data());
    let Some(batch) = message.header_as_record_batch().or(dictionary) else { return Ok(body) };
    let packed = batch.compression().is_some();
    // A value takes a bit at least; of columns that are nothing but missing not even that.
    let most = i64::try_from(body)?.saturating_mul(8 << 10).saturating_add(1 << 24);
    let nodes = batch.nodes();
    let lengths = nodes.iter().flatten().map(|node| node.length());
    if std::iter::once(batch.length()).chain(lengths).any(|rows| rows < 0 || rows > most) {
        return Err("a batch has more rows than there can be".into());
    }
    for buffer in batch.buffers().iter().flatten() {
        let (offset, length) = (u64::try_from(buffer.offset())?, u64::try_from(buffer.length())?);
        let within = offset.checked_add(length).is_some_and(|end| end <= body);
        if !within || head.body.saturating_add(body) > data.size {
            return Err("a column lies beyond its end".into());
        }
        if packed && length >= 8 {
            let lead = data.bytes(head.body + offset..head.body + offset + 8)?;
            let unpacked = lead[..].try_into().map(i64::from_le_bytes).map_err(|_| "it is cut off")?;
            let most = (length as i64).saturating_mul(DENSEST).min(LARGEST);
            if !(-1..=most).contains(&unpacked) {
                return Err("a column unpacks to more than there can be".into());
            }
        }
    }
    Ok(body)
}

struct IpcFile {
    data: Data,
    schema: SchemaRef,
    parts: Vec<usize>,
}

impl Opened for IpcFile {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn parts(&self) -> &[usize] {
        &self.parts
    }

    fn read(
        &self,
        part: usize,
        columns: &[usize],
        _: usize,
        read: &Arc<AtomicU64>,
    ) -> Result<Batches, Fault> {
        let cursor = BufReader::new(self.data.reader(0..self.data.size, read));
        let builder = FileReaderBuilder::new().with_projection(columns.to_vec());
        let mut reader = builder.build(cursor).map_err(fault)?;
        reader.set_index(part).map_err(fault)?;
        Ok(Box::new(reader.take(1).map(|batch| batch.map_err(fault))))
    }
}
