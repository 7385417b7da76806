//! What a value looks like in a text: itself, base64 in every alignment, hexadecimal.
//!
//! Escapes are not here: `views` takes them off the text instead.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use super::parts::parts;

/// Lines of a value that are looked for by themselves, as a log has them.
const LINE: usize = 8;

/// Shorter stretches of base64 occur by chance.
const STRETCH: usize = 4;

/// The patterns of a value of at least four characters.
pub fn patterns(value: &str) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    encoded(value, &mut all);
    // What stands around it, such as the line end of a file that was encoded as a whole, changes nothing before it.
    let trimmed = value.trim();
    if trimmed != value && trimmed.chars().count() >= super::super::value::SHORTEST {
        encoded(trimmed, &mut all);
    }
    for line in value.lines().map(str::trim) {
        // The first and last line of a key are the same in all keys.
        if line.len() >= LINE && line != trimmed && !line.starts_with("-----") {
            encoded(line, &mut all);
        }
    }
    for part in parts(value) {
        encoded(&part, &mut all);
        for line in part.lines().map(str::trim) {
            if line.len() >= LINE && !line.starts_with("-----") {
                encoded(line, &mut all);
            }
        }
    }
    all.sort();
    all.dedup();
    all
}

fn encoded(value: &str, all: &mut Vec<Vec<u8>>) {
    let bytes = value.as_bytes();
    all.push(bytes.to_vec());
    if value.contains(' ') {
        // As forms write it.
        all.push(value.replace(' ', "+").into_bytes());
    }
    if value.chars().any(|character| ('\u{80}'..='\u{ff}').contains(&character)) {
        // As Python writes it where it writes ASCII: `\xe4`.
        all.push(narrow(value));
    }
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    all.push(hex.to_ascii_uppercase().into_bytes());
    all.push(hex.into_bytes());
    for whole in [STANDARD.encode(bytes), STANDARD_NO_PAD.encode(bytes)] {
        all.push(whole.into_bytes());
    }
    for whole in [URL_SAFE.encode(bytes), URL_SAFE_NO_PAD.encode(bytes)] {
        all.push(whole.into_bytes());
    }
    for before in 0..3 {
        let mut padded = vec![0; before];
        padded.extend_from_slice(bytes);
        // Characters that no neighbour has a part in.
        let (first, last) = ((8 * before).div_ceil(6), 8 * padded.len() / 6);
        if last < first + STRETCH {
            continue;
        }
        for text in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            all.push(text.as_bytes()[first..last].to_vec());
        }
    }
}

fn narrow(value: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for character in value.chars() {
        match u8::try_from(u32::from(character)) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}
