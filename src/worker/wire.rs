//! Messages over a socket: a head of JSON, and blobs, of which the large ones go as handles of shared memory.
//!
//! A message is: length of the head (u32), number of blobs (u32), for each blob its length (u64, the top bit set
//! if it is shared), the head, the inline blobs. Little endian; the handles of shared blobs are attached to the
//! first byte, in their order. `worker/channel.py` speaks the same.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::shared::Blob;

const SHARED: u64 = 1 << 63;

/// Handles that one message can carry.
pub const MOST_SHARED: usize = 64;
const MOST_BLOBS: u32 = 1 << 20;
const LONGEST_HEAD: u32 = 1 << 28;

/// Whether to go on with a message that makes no progress; asked again and again while it does not, as often as
/// the timeouts of the socket say.
pub type Patience<'a> = dyn FnMut() -> bool + 'a;

/// Sends one message.
pub fn send(
    socket: &mut UnixStream,
    head: &impl Serialize,
    blobs: &[Blob],
    patience: &mut Patience<'_>,
) -> io::Result<()> {
    let head = serde_json::to_vec(head)?;
    let mut bytes = Vec::with_capacity(8 + 8 * blobs.len() + head.len());
    bytes.extend_from_slice(&small(head.len())?.to_le_bytes());
    bytes.extend_from_slice(&small(blobs.len())?.to_le_bytes());
    let mut files = Vec::new();
    for blob in blobs {
        // More than a message can carry go the other way.
        let file = blob.file().filter(|_| files.len() < MOST_SHARED);
        bytes.extend_from_slice(&(blob.len() as u64 | if file.is_some() { SHARED } else { 0 }).to_le_bytes());
        files.extend(file);
    }
    bytes.extend_from_slice(&head);
    let mut taken = 0;
    for blob in blobs {
        if blob.file().is_some() && taken < MOST_SHARED {
            taken += 1;
        } else {
            bytes.extend_from_slice(blob.bytes());
        }
    }
    let raw: Vec<_> = files.iter().map(AsRawFd::as_raw_fd).collect();
    let attached = [ControlMessage::ScmRights(&raw)];
    let attached: &[_] = if raw.is_empty() { &[] } else { &attached };
    let sent = loop {
        match sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(&bytes)], attached, quiet(), None) {
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) if patience() => {}
            sent => break sent?,
        }
    };
    let mut rest = &bytes[sent..];
    while !rest.is_empty() {
        match socket.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => rest = &rest[written..],
            Err(error) if goes_on(&error, patience) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn goes_on(error: &io::Error, patience: &mut Patience<'_>) -> bool {
    match error.kind() {
        io::ErrorKind::Interrupted => true,
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => patience(),
        _ => false,
    }
}

/// A socket that is read as long as there is patience.
struct Patient<'a, 'b> {
    socket: &'a mut UnixStream,
    patience: &'a mut Patience<'b>,
}

impl Read for Patient<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.socket.read(into) {
                Err(error) if goes_on(&error, self.patience) => {}
                read => return read,
            }
        }
    }
}

/// A worker that is gone is an error, not a signal.
#[cfg(target_os = "linux")]
fn quiet() -> MsgFlags {
    MsgFlags::MSG_NOSIGNAL
}

#[cfg(not(target_os = "linux"))]
fn quiet() -> MsgFlags {
    MsgFlags::empty()
}

fn small(length: usize) -> io::Result<u32> {
    u32::try_from(length).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a message is too large"))
}

/// Receives one message; the end of the socket is an `UnexpectedEof`.
pub fn receive<T: DeserializeOwned>(
    socket: &mut UnixStream,
    patience: &mut Patience<'_>,
) -> io::Result<(T, Vec<Blob>)> {
    let mut start = [0_u8; 8];
    let mut files = VecDeque::new();
    let mut got = 0;
    while got < start.len() {
        got += some(socket, &mut start[got..], &mut files, patience)?;
    }
    let word = |at: usize| u32::from_le_bytes([start[at], start[at + 1], start[at + 2], start[at + 3]]);
    let (head, count) = (word(0), word(4));
    if head > LONGEST_HEAD || count > MOST_BLOBS {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "what came is no message"));
    }
    let mut socket = Patient { socket, patience };
    let mut lengths = vec![0_u8; 8 * count as usize];
    socket.read_exact(&mut lengths)?;
    let mut bytes = vec![0_u8; head as usize];
    socket.read_exact(&mut bytes)?;
    let head = serde_json::from_slice(&bytes)?;
    let mut blobs = Vec::with_capacity(count as usize);
    for length in lengths.chunks_exact(8) {
        let mut word = [0; 8];
        word.copy_from_slice(length);
        let length = u64::from_le_bytes(word);
        if length & SHARED != 0 {
            let file = files.pop_front().ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "a shared blob came without its handle")
            })?;
            blobs.push(Blob::received(file)?);
        } else {
            let mut bytes = Vec::new();
            // Not trusted with an allocation: a length that lies ends with the socket.
            (&mut socket).take(length).read_to_end(&mut bytes)?;
            if bytes.len() as u64 != length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            blobs.push(Blob::Inline(bytes.into()));
        }
    }
    Ok((head, blobs))
}

/// At least one byte, and the handles that came with it.
fn some(
    socket: &UnixStream,
    into: &mut [u8],
    files: &mut VecDeque<OwnedFd>,
    patience: &mut Patience<'_>,
) -> io::Result<usize> {
    use std::os::fd::FromRawFd;
    let mut room = cmsg_space!([std::os::fd::RawFd; MOST_SHARED]);
    let mut slices = [IoSliceMut::new(into)];
    let message = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut room), close_on_exec()) {
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) if patience() => {}
            message => break message?,
        }
    };
    for attached in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(raw) = attached {
            // SAFETY: the kernel made these handles for this process just now, and nobody else owns them.
            files.extend(raw.into_iter().map(|raw| unsafe { OwnedFd::from_raw_fd(raw) }));
        }
    }
    match message.bytes {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        bytes => Ok(bytes),
    }
}

#[cfg(target_os = "linux")]
fn close_on_exec() -> MsgFlags {
    MsgFlags::MSG_CMSG_CLOEXEC
}

#[cfg(not(target_os = "linux"))]
fn close_on_exec() -> MsgFlags {
    MsgFlags::empty()
}

/// Whether the other end of the socket is closed; what was on its way there makes it a reset.
pub fn is_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::super::shared::SHARED_FROM;
    use super::*;

    #[test]
    fn messages_come_back_in_order_with_their_blobs() {
        let (mut one, mut other) = UnixStream::pair().unwrap();
        let large = vec![7_u8; SHARED_FROM + 5];
        let sender = std::thread::spawn(move || {
            let blobs = [
                Blob::new(b"small").unwrap(),
                Blob::new(&large).unwrap(),
                Blob::new(b"").unwrap(),
                Blob::new(&large).unwrap(),
            ];
            send(&mut one, &serde_json::json!({ "n": 1 }), &blobs, &mut || true).unwrap();
            send(&mut one, &serde_json::json!({ "n": 2 }), &[], &mut || true).unwrap();
        });
        let (head, blobs) = receive::<serde_json::Value>(&mut other, &mut || true).unwrap();
        assert_eq!(head["n"], 1);
        let sizes: Vec<_> = blobs.iter().map(Blob::len).collect();
        assert_eq!(sizes, [5, SHARED_FROM + 5, 0, SHARED_FROM + 5]);
        assert!(blobs[3].bytes().iter().all(|byte| *byte == 7));
        let (head, blobs) = receive::<serde_json::Value>(&mut other, &mut || true).unwrap();
        assert_eq!((head["n"].as_u64(), blobs.len()), (Some(2), 0));
        sender.join().unwrap();
        let end = receive::<serde_json::Value>(&mut other, &mut || true).unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn nonsense_is_refused() {
        let (mut one, mut other) = UnixStream::pair().unwrap();
        one.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let error = receive::<serde_json::Value>(&mut other, &mut || true).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_message_that_does_not_go_on_is_given_up_when_patience_ends() {
        let (mut one, mut other) = UnixStream::pair().unwrap();
        other.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        one.set_write_timeout(Some(Duration::from_millis(1))).unwrap();
        one.write_all(&[9, 0, 0]).unwrap();
        let mut asked = 0;
        let mut three_times = || {
            asked += 1;
            asked < 3
        };
        let error = receive::<serde_json::Value>(&mut other, &mut three_times).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let most = vec![Blob::Inline(vec![0; SHARED_FROM - 1].into()); 64];
        let error = send(&mut one, &serde_json::json!(1), &most, &mut || false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(asked, 3);
    }
}
