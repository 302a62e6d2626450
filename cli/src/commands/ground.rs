//! What fits any host that a provider is examined on, where the provider does not say itself what
//! does: images that can be fetched, and guests that are switched off, since nothing runs in them that
//! would hear a button.

use std::io;
use std::path::{Path, PathBuf};

use tcloud_model::{Address, Fields, Value};

/// How long an image is. Its content is its last letter, over and over.
const LENGTH: usize = 64 << 10;

/// The images of the suite with the digests of such a content.
const IMAGES: [(&str, u8, &str); 2] = [
    (
        "image.conformance-a",
        b'a',
        "sha256:bf718b6f653bebc184e1479f1935b8da974d701b893afcf49e701f3e2f9f9c5a",
    ),
    (
        "image.conformance-b",
        b'b',
        "sha256:a0a24a08a87ed054cd2e20aa994bcd25e5266f8c5435011ac4982987f4e3a370",
    ),
];

/// Images in a directory.
pub(super) struct Ground {
    directory: PathBuf,
}

impl Ground {
    /// Writes the images.
    pub(super) fn lay(directory: &Path) -> io::Result<Ground> {
        for (image, letter, _) in IMAGES {
            std::fs::write(directory.join(image), vec![letter; LENGTH])?;
        }
        Ok(Ground { directory: directory.to_owned() })
    }

    /// The attributes of an object, made fit.
    pub(super) fn fit(&self, address: &Address, mut attributes: Fields) -> Fields {
        if *address.kind() == "vm" {
            attributes.insert("stop_within", Value::Duration(0));
        }
        let image = IMAGES.iter().find(|(image, _, _)| *image == address.to_string());
        if let Some((image, _, digest)) = image {
            let source = format!("file:{}", self.directory.join(image).display());
            for (name, value) in [("source", &*source), ("digest", digest), ("format", "raw")] {
                attributes.insert(name, Value::text(value));
            }
        }
        attributes
    }
}
