//! Where the bytes of a parsed text stand in its file.

use tcloud_model::{FileId, Span};

/// Where the bytes of a parsed text stand in its file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'t> {
    pub(crate) file: FileId,
    /// Where the item begins.
    pub(crate) base: usize,
    /// Bytes of the parsed text that the file does not have, sorted.
    pub(crate) inserted: &'t [usize],
}

impl Place<'_> {
    /// The file's range of these bytes.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        let (start, end) = (self.global(start), self.global(end));
        Span::new(self.file, start, end.max(start))
    }

    fn global(&self, at: usize) -> u32 {
        let added = self.inserted.partition_point(|inserted| *inserted < at);
        u32::try_from(self.base + at - added).unwrap_or(u32::MAX)
    }

    /// The byte of the parsed text that stands at this place of the file.
    pub(crate) fn local(&self, at: u32) -> Option<usize> {
        let plain = (at as usize).checked_sub(self.base)?;
        // Before the n-th inserted byte stand as many own bytes as its place says, less n.
        let (mut low, mut high) = (0, self.inserted.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.inserted.get(middle) {
                Some(inserted) if *inserted - middle <= plain => low = middle + 1,
                _ => high = middle,
            }
        }
        Some(plain + low)
    }
}
