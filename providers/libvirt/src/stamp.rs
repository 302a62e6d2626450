//! Where stamps are. Domains and networks have metadata of their own. Pools and volumes have no free
//! field: theirs is the description of a libvirt secret that never gets a value, with the object's
//! own UUID. It is private, survives restarts, and all of them are found in one sweep.

use serde::{Deserialize, Serialize};
use tcloud_model::{Fields, Stamp};
use uuid::Uuid;
use virt::connect::Connect;
use virt::secret::Secret;

use crate::failure::{Absent, Failure, quoted};
use crate::xml::Element;

/// The namespace of our metadata.
pub(crate) const NAMESPACE: &str = "https://tcloud.example/stamp/1";

/// The prefix that libvirt writes the namespace with.
pub(crate) const PREFIX: &str = "tcloud";

const ELEMENT: &str = "tcloud:stamp";

/// What the usage of our secrets begins with; libvirt allows one secret for each usage.
const USAGE: &str = "tcloud:";

/// A stamp, with the attributes that the host itself has no place for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// The stamp.
    #[serde(flatten)]
    pub(crate) stamp: Stamp,
    /// What was asked for and cannot be read from the object: the image a disk was made from.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub(crate) kept: Fields,
    /// Whether the object is still being made. It was not finished if nobody makes it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unfinished: bool,
    /// Whether a network or a pool did not run when it was adopted, and was not to: it is left so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) idle: bool,
}

impl Note {
    /// The note of an object that is complete.
    pub(crate) fn new(stamp: &Stamp, kept: Fields) -> Note {
        Note { stamp: stamp.clone(), kept, unfinished: false, idle: false }
    }

    /// The note as a text.
    pub(crate) fn to_json(&self) -> String {
        match serde_json::to_string(self) {
            Ok(json) => json,
            Err(error) => unreachable!("BUG: a stamp has a JSON form: {error}"),
        }
    }

    /// Reads a text of ours; anything else is no note.
    pub(crate) fn from_json(text: &str) -> Option<Note> {
        serde_json::from_str(text).ok()
    }

    /// The metadata element that holds it.
    pub(crate) fn to_element(&self) -> Element {
        Element::new(ELEMENT).attr("xmlns:tcloud", NAMESPACE).text(self.to_json())
    }

    /// The note in a definition's metadata.
    pub(crate) fn of(definition: &Element) -> Option<Note> {
        Note::from_json(&stamp_in(definition)?.content())
    }

    /// Looks at the note in a definition's metadata. Whatever has a stamp is not somebody else's
    /// because the stamp cannot be read.
    ///
    /// # Errors
    /// When there is one, and it cannot be read.
    pub(crate) fn check(definition: &Element) -> Result<(), Failure> {
        match stamp_in(definition) {
            Some(stamp) => match serde_json::from_str::<Note>(&stamp.content()) {
                Ok(_) => Ok(()),
                Err(error) => Err(Failure::Stamp(error)),
            },
            None => Ok(()),
        }
    }
}

/// The metadata element that holds our stamp.
fn stamp_in(definition: &Element) -> Option<&Element> {
    definition.find("metadata")?.all().find(|own| is_stamp(own))
}

/// Whether an element is our stamp, whatever prefix it is written with.
fn is_stamp(element: &Element) -> bool {
    let (prefix, name) = element.name.split_once(':').unwrap_or(("", &element.name));
    let declaration = if prefix.is_empty() { "xmlns".into() } else { format!("xmlns:{prefix}") };
    name == "stamp" && element.get(&declaration) == Some(NAMESPACE)
}

/// Puts a note into a definition's metadata, or takes it out. Metadata of others stay.
pub(crate) fn put(definition: &mut Element, note: Option<&Note>) {
    if definition.find("metadata").is_none() {
        if note.is_none() {
            return;
        }
        definition.push(Element::new("metadata"));
    }
    if let Some(metadata) = definition.find_mut("metadata") {
        metadata.retain(|own| !is_stamp(own));
        if let Some(note) = note {
            metadata.push(note.to_element());
        }
        if metadata.all().next().is_none() {
            definition.remove("metadata");
        }
    }
}

/// What a secret is the stamp of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// A pool, by its name.
    Pool(String),
    /// A volume, by the names of its pool and itself.
    Volume(String, String),
}

impl Place {
    /// The usage that the secret names.
    fn usage(&self) -> String {
        match self {
            Place::Pool(pool) => format!("{USAGE}pool/{pool}"),
            Place::Volume(pool, volume) => format!("{USAGE}volume/{pool}/{volume}"),
        }
    }

    /// The place in words.
    pub(crate) fn told(&self) -> String {
        match self {
            Place::Pool(pool) => format!("pool {}", quoted(pool)),
            Place::Volume(pool, volume) => {
                format!("volume {} in pool {}", quoted(volume), quoted(pool))
            }
        }
    }

    /// What a usage names; `None` when the secret is not ours. Names hold no slash.
    pub(crate) fn of_usage(usage: &str) -> Option<Place> {
        let mut parts = usage.strip_prefix(USAGE)?.split('/');
        match (parts.next()?, parts.next()?, parts.next(), parts.next()) {
            ("pool", pool, None, None) => Some(Place::Pool(pool.to_owned())),
            ("volume", pool, Some(volume), None) => {
                Some(Place::Volume(pool.to_owned(), volume.to_owned()))
            }
            _ => None,
        }
    }
}

/// A stamp of a pool or volume.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    /// The UUID of the secret, which is the object's.
    pub(crate) uuid: Uuid,
    /// What it is the stamp of.
    pub(crate) place: Place,
    /// The stamp.
    pub(crate) note: Note,
}

/// Writes the stamp of a pool or volume; an older one is overwritten.
pub(crate) fn seal(
    connect: &Connect,
    uuid: Uuid,
    place: &Place,
    note: &Note,
) -> Result<(), Failure> {
    // A left-over of an object that is gone may hold the usage under another UUID, or the UUID for
    // another place; libvirt allows neither twice.
    if let Some(old) = by_place(connect, place)?
        && old.get_uuid()? != uuid
    {
        old.undefine()?;
    }
    if let Some(old) = by_uuid(connect, uuid)? {
        match definition(&old)? {
            Some((Some(other), _)) if other == *place => {}
            Some((Some(_), _)) => old.undefine()?,
            Some((None, _)) => {
                return Failure::refused(format!("the secret {uuid} exists and is not ours"));
            }
            None => {}
        }
    }
    seal_again(connect, uuid, place, note)
}

/// Writes a stamp anew that [`seal`] has just written: nothing can be in its way.
pub(crate) fn seal_again(
    connect: &Connect,
    uuid: Uuid,
    place: &Place,
    note: &Note,
) -> Result<(), Failure> {
    let xml = Element::new("secret")
        .attr("ephemeral", "no")
        .attr("private", "yes")
        .child(Element::new("uuid").text(uuid))
        .child(Element::new("description").text(note.to_json()))
        .child(
            Element::new("usage")
                .attr("type", "volume")
                .child(Element::new("volume").text(place.usage())),
        );
    Secret::define_xml(connect, &xml.write()?, 0)?;
    Ok(())
}

/// The stamp of the pool or volume at a place.
pub(crate) fn sealed_at(connect: &Connect, place: &Place) -> Result<Option<Sealed>, Failure> {
    by_place(connect, place)?.map(|secret| read(&secret)).transpose().map(Option::flatten)
}

/// The stamp of the pool or volume with a UUID.
pub(crate) fn sealed_as(connect: &Connect, uuid: Uuid) -> Result<Option<Sealed>, Failure> {
    by_uuid(connect, uuid)?.map(|secret| read(&secret)).transpose().map(Option::flatten)
}

/// Takes the stamp of a pool or volume off.
pub(crate) fn unseal(connect: &Connect, place: &Place) -> Result<(), Failure> {
    match by_place(connect, place)? {
        Some(secret) => Ok(secret.undefine()?),
        None => Ok(()),
    }
}

/// A secret of ours.
pub(crate) enum Seal {
    /// It says what it is to say.
    Whole(Sealed),
    /// Somebody wrote into it: what it is the stamp of, and what is wrong.
    Damaged(Place, serde_json::Error),
}

/// Reads a secret; `None` when it is not a stamp of ours, or says nothing.
pub(crate) fn read(secret: &Secret) -> Result<Option<Sealed>, Failure> {
    Ok(match seen(secret)? {
        Some(Seal::Whole(sealed)) => Some(sealed),
        Some(Seal::Damaged(..)) | None => None,
    })
}

/// Reads a secret; `None` when it is not a stamp of ours.
pub(crate) fn seen(secret: &Secret) -> Result<Option<Seal>, Failure> {
    let Some((Some(place), definition)) = definition(secret)? else { return Ok(None) };
    let description = definition.content_at("description").unwrap_or_default();
    Ok(Some(match serde_json::from_str(&description) {
        Ok(note) => Seal::Whole(Sealed { uuid: secret.get_uuid()?, place, note }),
        Err(error) => Seal::Damaged(place, error),
    }))
}

/// What a secret is of, if that is ours, and its definition; `None` when it is gone.
///
/// The binding's own call for the usage frees what libvirt still needs, so it is never made.
fn definition(secret: &Secret) -> Result<Option<(Option<Place>, Element)>, Failure> {
    let Some(xml) = secret.get_xml_desc(0).or_absent()? else { return Ok(None) };
    let definition = Element::parse(&xml)?;
    let usage = definition.content_at("usage/volume");
    Ok(Some((usage.and_then(|usage| Place::of_usage(&usage)), definition)))
}

fn by_place(connect: &Connect, place: &Place) -> Result<Option<Secret>, Failure> {
    const VOLUME: i32 = virt_sys::VIR_SECRET_USAGE_TYPE_VOLUME as i32;
    Secret::lookup_by_usage(connect, VOLUME, &place.usage()).or_absent()
}

fn by_uuid(connect: &Connect, uuid: Uuid) -> Result<Option<Secret>, Failure> {
    Secret::lookup_by_uuid(connect, uuid).or_absent()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> Note {
        Note::from_json(
            r#"{"deployment":"00000000-0000-4000-8000-000000000001","address":"tenant.t.vm.web",
            "incarnation":0,"digest":"00000000000000000000000000000000","protect":true,
            "create_first":false,"dependencies":[],"kept":{"hostname":"<web> ]]> ä"}}"#,
        )
        .expect("a note")
    }

    #[test]
    fn a_note_comes_back_from_metadata_and_leaves_those_of_others() {
        let others = "<app:x xmlns:app='https://app.example'/>";
        let text = format!("<domain><name>a</name><metadata>{others}</metadata></domain>");
        let before = Element::parse(&text).expect("XML");
        let mut definition = before.clone();
        put(&mut definition, Some(&note()));
        put(&mut definition, Some(&note()));
        let read = Element::parse(&definition.write().expect("it can be written")).expect("XML");
        assert_eq!(Note::of(&read), Some(note()));
        assert!(read.find("metadata/app:x").is_some());
        assert_eq!(read.find("metadata").map(|own| own.all().count()), Some(2));
        put(&mut definition, None);
        assert_eq!(definition, before);
    }

    #[test]
    fn metadata_that_only_held_a_note_go_with_it() {
        let before = Element::parse("<network><name>a</name></network>").expect("XML");
        let mut definition = before.clone();
        put(&mut definition, Some(&note()));
        assert!(Note::of(&definition).is_some());
        put(&mut definition, None);
        assert_eq!(definition, before);
    }

    #[test]
    fn places_come_back_from_usages() {
        for place in [Place::Pool("a.pool-fast".into()), Place::Volume("p".into(), "v~1".into())] {
            assert_eq!(Place::of_usage(&place.usage()), Some(place));
        }
        for foreign in ["/var/lib/x.img", "tcloud:", "tcloud:pool/a/b", "tcloud:volume/a"] {
            assert_eq!(Place::of_usage(foreign), None);
        }
    }
}
