//! What an image file says about itself. It is read here and never guessed by anybody: an image
//! that refers to other files could make a host read what it should not.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;

use crate::failure::quoted;

/// What is known about an image that may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The size that a guest sees, in bytes.
    pub(super) virtual_size: u64,
}

/// The largest disk that an image may claim to be.
const LARGEST: u64 = 16 << 40;

/// Beginnings of formats that can refer to other files, or that a host would open differently.
const FORMATS: [(&[u8], &str); 6] = [
    (b"QFI\xfb", "qcow2"),
    (b"QED\0", "qed"),
    (b"KDMV", "vmdk"),
    (b"COWD", "vmdk"),
    (b"# Disk DescriptorFile", "vmdk"),
    (b"LUKS\xba\xbe", "luks"),
];

/// Bits of `incompatible_features` that are harmless: not closed properly, compression type,
/// extended L2 entries.
const HARMLESS: u64 = 0b1_1001;
const CORRUPT: u64 = 1 << 1;
const EXTERNAL_DATA: u64 = 1 << 2;

/// The header extension that names an external data file.
const DATA_FILE_NAME: u32 = 0x4441_5441;

/// Checks an image file.
///
/// # Errors
/// Why it is not used, in words.
pub(super) fn check(file: &File, format: &str) -> Result<Header, String> {
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    let mut head = Vec::new();
    let mut from = file.try_clone().map_err(|error| error.to_string())?.take(64 << 10);
    std::io::Seek::rewind(from.get_mut()).map_err(|error| error.to_string())?;
    from.read_to_end(&mut head).map_err(|error| error.to_string())?;
    let found = FORMATS.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, name)| *name);
    match (format, found) {
        ("qcow2", Some("qcow2")) => qcow2(file, &head, length),
        ("qcow2", other) => Err(format!(
            "it is not qcow2{}",
            other.map(|other| format!(" but {other}")).unwrap_or_default()
        )),
        (_, Some(other)) => {
            Err(format!("it is {other}, and the text says format = {}", quoted(format)))
        }
        (_, None) if length == 0 => Err("it is empty".to_owned()),
        (_, None) => Ok(Header { virtual_size: length.next_multiple_of(512) }),
    }
}

fn qcow2(file: &File, head: &[u8], length: u64) -> Result<Header, String> {
    let short = || "its qcow2 header is cut off".to_owned();
    let word = |at: usize| {
        let bytes = head.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    let long = |at: usize| {
        let bytes = head.get(at..at + 8)?;
        Some(u64::from_be_bytes(bytes.try_into().ok()?))
    };
    let version = word(4).ok_or_else(short)?;
    if version != 2 && version != 3 {
        return Err(format!("its qcow2 version {version} is not known"));
    }
    if long(8).ok_or_else(short)? != 0 {
        let at = usize::try_from(long(8).unwrap_or_default()).unwrap_or(usize::MAX);
        let end = at.saturating_add(usize::try_from(word(16).unwrap_or_default()).unwrap_or(0));
        let name = head.get(at..end).map(String::from_utf8_lossy).unwrap_or_default();
        return Err(format!("it is based on another file, {}", quoted(&name)));
    }
    let virtual_size = long(24).ok_or_else(short)?;
    if word(32).ok_or_else(short)? != 0 {
        return Err("it is encrypted".to_owned());
    }
    if virtual_size == 0 || virtual_size > LARGEST {
        return Err(format!("it claims to be {virtual_size} bytes large; {LARGEST} is the most"));
    }
    if version == 3 {
        let features = long(72).ok_or_else(short)?;
        if features & EXTERNAL_DATA != 0 {
            return Err("its data is in another file".to_owned());
        }
        if features & CORRUPT != 0 {
            return Err("it is marked as damaged".to_owned());
        }
        if features & !HARMLESS != 0 {
            return Err(format!("it needs features that are not known ({features:#x})"));
        }
        let begin = usize::try_from(word(100).ok_or_else(short)?).unwrap_or(usize::MAX);
        extensions(head, begin)?;
    }
    check_tables(file, head, length)?;
    Ok(Header { virtual_size: virtual_size.next_multiple_of(512) })
}

/// Looks for an extension that names another file.
fn extensions(head: &[u8], begin: usize) -> Result<(), String> {
    let mut at = begin;
    while let Some(extension) = head.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let [a, b, c, d, e, f, g, h] = *extension;
        let (kind, length) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
        match kind {
            0 => return Ok(()),
            DATA_FILE_NAME => return Err("its data is in another file".to_owned()),
            _ => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                at = at.saturating_add(8).saturating_add(length.saturating_add(7) & !7);
            }
        }
    }
    Err("its header has no end".to_owned())
}

/// A file whose first table lies behind its end was cut off.
fn check_tables(file: &File, head: &[u8], length: u64) -> Result<(), String> {
    let table = head.get(40..48).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    let mut byte = [0];
    match table {
        Some(table) if table < length && file.read_exact_at(&mut byte, table).is_ok() => Ok(()),
        _ => Err("it is cut off: its tables lie behind its end".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(bytes).expect("it can be written");
        file
    }

    /// A qcow2 header of version 3 with room for a table, and no more.
    fn image() -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        bytes[..4].copy_from_slice(b"QFI\xfb");
        bytes[4..8].copy_from_slice(&3_u32.to_be_bytes());
        bytes[20..24].copy_from_slice(&16_u32.to_be_bytes());
        bytes[24..32].copy_from_slice(&(1_u64 << 30).to_be_bytes());
        bytes[40..48].copy_from_slice(&2048_u64.to_be_bytes());
        bytes[100..104].copy_from_slice(&104_u32.to_be_bytes());
        bytes
    }

    fn with(at: usize, with: &[u8]) -> Vec<u8> {
        let mut bytes = image();
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    }

    #[test]
    fn a_plain_image_is_used() {
        assert_eq!(check(&file(&image()), "qcow2"), Ok(Header { virtual_size: 1 << 30 }));
        let raw = file(&[1; 1000]);
        assert_eq!(check(&raw, "raw"), Ok(Header { virtual_size: 1024 }));
    }

    #[test]
    fn what_refers_elsewhere_or_lies_is_refused() {
        let backing = {
            let mut bytes = with(8, &512_u64.to_be_bytes());
            bytes[16..20].copy_from_slice(&11_u32.to_be_bytes());
            bytes[512..523].copy_from_slice(b"/etc/shadow");
            bytes
        };
        let named = {
            let mut bytes = with(104, &DATA_FILE_NAME.to_be_bytes());
            bytes[108..112].copy_from_slice(&4_u32.to_be_bytes());
            bytes
        };
        for (bytes, format, word) in [
            (backing, "qcow2", "/etc/shadow"),
            (with(72, &4_u64.to_be_bytes()), "qcow2", "another file"),
            (named, "qcow2", "another file"),
            (with(72, &2_u64.to_be_bytes()), "qcow2", "damaged"),
            (with(72, &(1_u64 << 40).to_be_bytes()), "qcow2", "not known"),
            (with(24, &(64_u64 << 40).to_be_bytes()), "qcow2", "claims"),
            (with(24, &0_u64.to_be_bytes()), "qcow2", "claims"),
            (with(32, &2_u32.to_be_bytes()), "qcow2", "encrypted"),
            (with(4, &9_u32.to_be_bytes()), "qcow2", "version"),
            (with(40, &(1_u64 << 40).to_be_bytes()), "qcow2", "cut off"),
            (image()[..50].to_vec(), "qcow2", "cut off"),
            (image(), "raw", "qcow2"),
            (b"KDMV and more".to_vec(), "raw", "vmdk"),
            (b"#!/bin/sh".to_vec(), "qcow2", "not qcow2"),
            (Vec::new(), "raw", "empty"),
        ] {
            let error = check(&file(&bytes), format).expect_err(word);
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn no_header_makes_the_reader_panic() {
        let image = image();
        for at in 0..120 {
            for byte in [0, 1, 0x7f, 0xff] {
                let mut bytes = image.clone();
                bytes[at] = byte;
                let _ = check(&file(&bytes), "qcow2");
                let _ = check(&file(&bytes[..at]), "qcow2");
            }
        }
    }
}
