//! Whether the write-ahead log ends with a write that was cut off: SQLite drops it without a word,
//! and whoever lost power in the middle of a run wants to know.

use std::io::Read as _;
use std::path::Path;

use rusqlite::Connection;

/// The log's own header, and that of each page in it.
const HEADER: usize = 32;
const FRAME: usize = 24;

/// Whether a write at the end of the log was cut off. What cannot be told is taken for no.
pub(super) fn is_cut_off(connection: &mut Connection, path: &Path) -> bool {
    let log = path.with_file_name({
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push("-wal");
        name
    });
    if std::fs::metadata(&log).map_or(0, |metadata| metadata.len()) == 0 {
        return false;
    }
    // As long as we may write, nobody is in the middle of a write.
    let behavior = rusqlite::TransactionBehavior::Immediate;
    let Ok(_turn) = connection.transaction_with_behavior(behavior) else { return false };
    let mut bytes = Vec::new();
    let read = std::fs::File::open(&log).and_then(|mut file| file.read_to_end(&mut bytes));
    read.is_ok() && has_remains(&bytes)
}

/// Whether pages of this generation of the log stand behind its last commit.
fn has_remains(log: &[u8]) -> bool {
    let Some(header) = log.get(..HEADER) else { return false };
    let big = match word(header, 0) {
        0x377f_0682 => false,
        0x377f_0683 => true,
        _ => return false,
    };
    let (page, salts) = (word(header, 8) as usize, &header[16..24]);
    let mut sum = checksum((0, 0), &header[..24], big);
    let mut open = false;
    // Frames of an older generation have other salts.
    for frame in log[HEADER..].chunks(FRAME + page).take_while(|f| f.get(8..16) == Some(salts)) {
        let Some(content) = frame.get(FRAME..FRAME + page) else { return true };
        sum = checksum(checksum(sum, &frame[..8], big), content, big);
        if sum != (word(frame, 16), word(frame, 20)) {
            return true;
        }
        // The last page of a commit says how large the file is then.
        open = word(frame, 4) == 0;
    }
    open
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_be_bytes(word)
}

/// SQLite's own sum over pairs of words.
fn checksum((mut one, mut two): (u32, u32), bytes: &[u8], big: bool) -> (u32, u32) {
    for pair in bytes.chunks_exact(8) {
        let [left, right] = [0, 4].map(|at| match big {
            true => word(pair, at),
            false => word(pair, at).swap_bytes(),
        });
        one = one.wrapping_add(left).wrapping_add(two);
        two = two.wrapping_add(right).wrapping_add(one);
    }
    (one, two)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every cut of a log with two commits: those at the end of a commit are no damage, all others
    /// are.
    #[test]
    fn a_cut_is_noticed_wherever_it_is() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.db");
        let connection = Connection::open(&path).expect("opens");
        let run = |sql: &str| connection.execute_batch(sql).expect(sql);
        run("PRAGMA journal_mode = WAL; PRAGMA page_size = 512; CREATE TABLE t (x BLOB);");
        let length = || std::fs::metadata(directory.path().join("a.db-wal")).expect("a log").len();
        let mut ends = vec![length() as usize];
        for _ in 0..2 {
            run("BEGIN; INSERT INTO t VALUES (randomblob(3000)); COMMIT");
            ends.push(length() as usize);
        }
        let log = std::fs::read(directory.path().join("a.db-wal")).expect("read");
        assert!(ends[0] < ends[1] && ends[1] < ends[2], "{ends:?}");
        let frame = FRAME + word(&log, 8) as usize;
        for end in ends {
            assert!(!has_remains(&log[..end]), "{end}");
            for cut in [end - 1, end - frame / 2, end - frame + 16] {
                assert!(has_remains(&log[..cut]), "{cut} of {end}");
            }
            let mut torn = log[..end].to_vec();
            torn[end - 100..].fill(0xaa);
            assert!(has_remains(&torn), "{end} torn");
        }
        assert!(!has_remains(&[]) && !has_remains(&[7; 40]));
    }
}
