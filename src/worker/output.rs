//! What a worker writes, as text without secrets.

use super::watch::Stream;
use crate::secrets::redact;

/// What is kept of the end of a worker's error output, to say why it died.
const TAIL: usize = 16 * 1024;

/// The two outputs of a worker.
#[derive(Debug, Default)]
pub struct Outputs {
    /// The first bytes of a character whose others are still to come, of each.
    partial: [Vec<u8>; 2],
    /// What may be the beginning of a secret waits for what follows.
    clean: [redact::Stream; 2],
    /// The end of the error output since the last call began.
    tail: Vec<u8>,
}

impl Outputs {
    /// What can be passed on of these bytes and of those before.
    pub fn feed(&mut self, stream: Stream, bytes: &[u8]) -> String {
        let text = whole_characters(&mut self.partial[stream as usize], bytes);
        let text = self.clean[stream as usize].feed(&text);
        self.keep(stream, text)
    }

    /// What waited for something to follow, when a call is over.
    pub fn finish(&mut self, stream: Stream) -> String {
        let text = self.clean[stream as usize].finish();
        self.keep(stream, text)
    }

    fn keep(&mut self, stream: Stream, text: String) -> String {
        if stream == Stream::Err {
            self.tail.extend_from_slice(text.as_bytes());
            let spare = self.tail.len().saturating_sub(TAIL);
            self.tail.drain(..spare);
        }
        text
    }

    /// A new call begins.
    pub fn forget(&mut self) {
        self.tail.clear();
    }

    /// The end of the error output.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.tail).trim_end().to_owned()
    }
}

/// Bytes as text; the beginning of a character whose end is not there yet is kept for the next ones.
fn whole_characters(partial: &mut Vec<u8>, bytes: &[u8]) -> String {
    partial.extend_from_slice(bytes);
    let open = match std::str::from_utf8(partial) {
        Err(error) if error.error_len().is_none() => partial.len() - error.valid_up_to(),
        // Further on may be an open one as well.
        Err(_) => (1..=partial.len().min(3))
            .find(|back| partial[partial.len() - back] & 0xc0 == 0xc0)
            .filter(|back| {
                let tail = &partial[partial.len() - back..];
                std::str::from_utf8(tail).is_err_and(|error| error.error_len().is_none())
            })
            .unwrap_or(0),
        Ok(_) => 0,
    };
    let rest = partial.split_off(partial.len() - open);
    let text = String::from_utf8_lossy(partial).into_owned();
    *partial = rest;
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_come_in_pieces_are_put_together() {
        let text = "aß€😀\u{fffd}z".as_bytes();
        for size in 1..=text.len() {
            let mut partial = Vec::new();
            let read: String = text.chunks(size).map(|bytes| whole_characters(&mut partial, bytes)).collect();
            assert_eq!((read.as_bytes(), partial.len()), (text, 0));
        }
        let mut partial = Vec::new();
        assert_eq!(whole_characters(&mut partial, b"\xffa\xe2\x82"), "\u{fffd}a");
        assert_eq!(whole_characters(&mut partial, b"\xac!"), "€!");
        assert_eq!(whole_characters(&mut partial, b"\xff\xff"), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_secret_that_comes_in_pieces_is_nowhere() {
        let secret = "planted-in-ä-stream";
        redact::add(&crate::secrets::SecretValue::new(secret));
        let text = format!("before {secret} after\n");
        for size in 1..=text.len() {
            let mut outputs = Outputs::default();
            let mut read = String::new();
            for bytes in text.as_bytes().chunks(size) {
                read.push_str(&outputs.feed(Stream::Err, bytes));
            }
            read.push_str(&outputs.finish(Stream::Err));
            assert_eq!(read, "before *** after\n");
            assert_eq!(outputs.stderr(), "before *** after");
        }
    }
}
