//! The smallest ISO 9660 file system: a few files in one directory, with Joliet names beside the
//! plain ones. It has no times in it, so that the same files give the same bytes.

/// The size of a sector.
const SECTOR: usize = 2_048;

/// Where things are, in sectors. Before them are 16 that no one reads.
const PRIMARY: usize = 16;
const JOLIET: usize = 17;
const END: usize = 18;
const TABLES: usize = 19;
const ROOT: usize = 23;
const JOLIET_ROOT: usize = 24;
const DATA: usize = 25;

/// The moment that everything was made: none.
const NEVER: [u8; 7] = [0; 7];

/// How names are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Plain,
    Joliet,
}

impl Names {
    fn write(self, text: &str) -> Vec<u8> {
        match self {
            Names::Plain => text.bytes().collect(),
            Names::Joliet => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        }
    }

    /// Text in a field of this many bytes, filled up with spaces.
    fn field(self, text: &str, length: usize) -> Vec<u8> {
        let mut bytes = self.write(text);
        while bytes.len() < length {
            bytes.extend(self.write(" "));
        }
        bytes.truncate(length);
        bytes
    }
}

/// A file system with these files, sorted by name, which have to fit: a directory is one sector.
pub(super) fn image(label: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut places = Vec::new();
    let mut next = DATA;
    for (name, content) in files {
        places.push((*name, next, content.len()));
        next += content.len().div_ceil(SECTOR).max(1);
    }
    let mut image = vec![0; next * SECTOR];
    put(&mut image, PRIMARY, &descriptor(Names::Plain, label, next));
    put(&mut image, JOLIET, &descriptor(Names::Joliet, label, next));
    put(&mut image, END, b"\xffCD001\x01");
    for (offset, (names, little)) in
        [(Names::Plain, true), (Names::Plain, false), (Names::Joliet, true), (Names::Joliet, false)]
            .into_iter()
            .enumerate()
    {
        put(&mut image, TABLES + offset, &path_table(names, little));
    }
    for names in [Names::Plain, Names::Joliet] {
        put(&mut image, root(names), &directory(names, &places));
    }
    for ((_, content), (_, at, _)) in files.iter().zip(&places) {
        put(&mut image, *at, content);
    }
    image
}

fn put(image: &mut [u8], sector: usize, bytes: &[u8]) {
    let at = sector * SECTOR;
    image[at..at + bytes.len()].copy_from_slice(bytes);
}

fn root(names: Names) -> usize {
    if names == Names::Plain { ROOT } else { JOLIET_ROOT }
}

/// A number of four bytes, once in each order.
fn both(number: usize) -> [u8; 8] {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn both_short(number: u16) -> [u8; 4] {
    let [a, b] = number.to_le_bytes();
    let [c, d] = number.to_be_bytes();
    [a, b, c, d]
}

/// One path: the directory itself. Its length is the same in both orders of bytes.
const PATH_TABLE: usize = 10;

fn path_table(names: Names, little: bool) -> Vec<u8> {
    let at = u32::try_from(root(names)).unwrap_or(0);
    let mut table = vec![1, 0];
    table.extend(if little { at.to_le_bytes() } else { at.to_be_bytes() });
    table.extend(if little { 1_u16.to_le_bytes() } else { 1_u16.to_be_bytes() });
    table.extend([0, 0]);
    table
}

fn descriptor(names: Names, label: &str, sectors: usize) -> Vec<u8> {
    let is_plain = names == Names::Plain;
    let mut bytes = vec![if is_plain { 1 } else { 2 }];
    bytes.extend(b"CD001\x01\0");
    bytes.extend(names.field("", 32));
    bytes.extend(names.field(label, 32));
    bytes.extend([0; 8]);
    bytes.extend(both(sectors));
    let escape: &[u8] = if is_plain { b"" } else { b"%/E" };
    bytes.extend(escape);
    bytes.resize(120, 0);
    bytes.extend(both_short(1));
    bytes.extend(both_short(1));
    bytes.extend(both_short(2_048));
    bytes.extend(both(PATH_TABLE));
    let table = TABLES + if is_plain { 0 } else { 2 };
    let place = |sector: usize| u32::try_from(sector).unwrap_or(0);
    bytes.extend(place(table).to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(place(table + 1).to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(record(&[0], root(names), SECTOR, true));
    for _ in 0..4 {
        bytes.extend(names.field("", 128));
    }
    for _ in 0..3 {
        bytes.extend(names.field("", 37));
    }
    for _ in 0..4 {
        // No moment: sixteen zeros as digits, and the time zone.
        bytes.extend([b'0'; 16]);
        bytes.push(0);
    }
    bytes.push(1);
    bytes
}

fn directory(names: Names, files: &[(&str, usize, usize)]) -> Vec<u8> {
    let own = root(names);
    let mut bytes = record(&[0], own, SECTOR, true);
    bytes.extend(record(&[1], own, SECTOR, true));
    for (name, at, size) in files {
        let name = if names == Names::Plain { format!("{name};1") } else { (*name).to_owned() };
        bytes.extend(record(&names.write(&name), *at, *size, false));
    }
    bytes
}

fn record(name: &[u8], at: usize, size: usize, is_directory: bool) -> Vec<u8> {
    let length = (33 + name.len()).next_multiple_of(2);
    let mut bytes = vec![u8::try_from(length).unwrap_or(u8::MAX), 0];
    bytes.extend(both(at));
    bytes.extend(both(size));
    bytes.extend(NEVER);
    bytes.extend([if is_directory { 2 } else { 0 }, 0, 0]);
    bytes.extend(both_short(1));
    bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    bytes.extend(name);
    bytes.resize(length, 0);
    bytes
}
