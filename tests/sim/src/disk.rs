//! The disk under the store: what was synced stays, and of what was written since, a power failure
//! leaves nothing (F16) or a torn piece (F15). What cannot be read at the end is dropped, as every
//! database does with its log.

use serde::{Deserialize, Serialize};
use tcloud_model::Digest;
use tcloud_state::store::Logged;
use tcloud_state::{Append, Entry, Scope};

use crate::chance::Chance;
use crate::fault::Fault;

/// The file of the store's log.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    synced: Vec<u8>,
    written: Vec<u8>,
}

/// An entry in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    scope: Scope,
    serial: u64,
    generation: u64,
    json: String,
}

/// How many bytes the digest of a commit has.
const DIGEST: usize = 32;

impl Disk {
    /// Writes a commit. It is on the disk when it is synced.
    pub(crate) fn write(&mut self, batch: &[Append]) {
        let lines = batch.iter().flat_map(|append| {
            let Append { scope, generation, entries, .. } = append;
            entries.iter().map(|sealed| Line {
                scope: scope.clone(),
                serial: sealed.head.serial,
                generation: *generation,
                json: sealed.json.clone(),
            })
        });
        self.write_lines(lines.collect());
    }

    fn write_lines(&mut self, lines: Vec<Line>) {
        // What another process wrote and did not live to sync is overwritten.
        self.written.clear();
        let body = serde_json::to_vec(&lines).unwrap_or_default();
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        self.written.extend(length.to_le_bytes());
        self.written.extend(Digest::of_bytes(&body).to_string().bytes());
        self.written.extend(body);
    }

    /// Everything that was written stays.
    pub(crate) fn sync(&mut self) {
        self.synced.append(&mut self.written);
    }

    /// The file holds these entries, and nothing else.
    pub(crate) fn restore(&mut self, entries: &[Logged]) {
        self.synced.clear();
        let lines = entries.iter().map(|logged| {
            let Logged { scope, serial, generation, entry } = logged;
            let (scope, json) = (scope.clone(), entry.to_json());
            Line { scope, serial: *serial, generation: *generation, json }
        });
        self.write_lines(lines.collect());
        self.sync();
    }

    /// The power fails.
    pub(crate) fn fail(&mut self, fault: Fault, chance: &mut Chance) {
        let mut left = std::mem::take(&mut self.written);
        if fault == Fault::F15 && !left.is_empty() {
            // Sectors are written in whatever order: the end may be there, and the middle not.
            let torn = chance.number(0, left.len() as u64 - 1) as usize;
            if chance.one_in(2) {
                left.truncate(torn);
            } else {
                left[torn] = !left[torn];
            }
            self.synced.append(&mut left);
        }
    }

    /// Reads the file; what cannot be read at its end is cut off.
    pub(crate) fn read(&mut self) -> Vec<Logged> {
        let (mut entries, mut at) = (Vec::new(), 0);
        while let Some((commit, next)) = commit_at(&self.synced, at) {
            entries.extend(commit);
            at = next;
        }
        self.synced.truncate(at);
        entries
    }
}

/// The entries of the commit that begins here, and where the next one begins.
fn commit_at(file: &[u8], at: usize) -> Option<(Vec<Logged>, usize)> {
    let begin = at + 4 + DIGEST;
    let length = file.get(at..at + 4)?.try_into().ok()?;
    let end = begin.checked_add(u32::from_le_bytes(length) as usize)?;
    let (digest, body) = (file.get(at + 4..begin)?, file.get(begin..end)?);
    if Digest::of_bytes(body).to_string().as_bytes() != digest {
        return None;
    }
    let lines: Vec<Line> = serde_json::from_slice(body).ok()?;
    let logged = |line: Line| {
        let Line { scope, serial, generation, json } = line;
        Some(Logged { scope, serial, generation, entry: Entry::from_json(&json).ok()? })
    };
    Some((lines.into_iter().map(logged).collect::<Option<_>>()?, end))
}
