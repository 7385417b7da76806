//! Files of lines: every batch becomes bytes by itself, and the bytes are compressed as a whole.

use arrow::array::RecordBatch;

use super::{Encoder, Fault};
use crate::io::sink::out::Out;
use crate::io::sink::pack::{Codec, Packed};

/// How rows become lines.
pub trait Lines: Send + Sync {
    /// What a file begins with.
    fn head(&self) -> Vec<u8>;

    fn encode(&self, batch: &RecordBatch, bytes: &mut Vec<u8>) -> Result<(), Fault>;
}

/// Rows that become text at a time.
const ROWS: usize = 8 << 10;
/// A buffer that has grown beyond this is not kept.
const KEPT: usize = 4 << 20;

pub struct Text<L> {
    lines: L,
    packed: Packed,
    begun: bool,
    buffer: Vec<u8>,
}

impl<L: Lines> Text<L> {
    pub fn new(lines: L, out: Out, codec: Codec) -> Self {
        Self { lines, packed: Packed::new(out, codec), begun: false, buffer: Vec::new() }
    }

    fn begin(&mut self) -> Result<(), Fault> {
        if !self.begun {
            self.begun = true;
            self.packed.write_all(&self.lines.head())?;
        }
        Ok(())
    }
}

impl<L: Lines> Encoder for Text<L> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Fault> {
        self.begin()?;
        let mut at = 0;
        while at < batch.num_rows() {
            let rows = batch.slice(at, ROWS.min(batch.num_rows() - at));
            at += rows.num_rows();
            self.buffer.clear();
            self.lines.encode(&rows, &mut self.buffer)?;
            self.packed.write_all(&self.buffer)?;
        }
        if self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.buffer.capacity() + self.packed.held()
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.buffer = Vec::new();
        Ok(self.packed.end()?)
    }

    fn park(&mut self) -> Result<(), Fault> {
        self.flush()?;
        Ok(self.packed.out()?.park()?)
    }

    fn finish(mut self: Box<Self>) -> Result<Out, Fault> {
        self.begin()?;
        Ok(self.packed.finish()?)
    }
}
