//! A volume's attributes. Its format is what we made it as, if we did: libvirt looks into volumes,
//! and a guest can write a header that makes a raw one look like something else.

use std::sync::Arc;

use tcloud_model::kinds::UNFINISHED;
use tcloud_model::{AttrPath, Fields, Hold, ObservedObject, Stamp, Value};
use uuid::Uuid;

use super::{Found, of_key};
use crate::image;
use crate::site::shown_kind;
use crate::stamp::{Note, Place, Sealed};
use crate::xml::Element;

/// The pool that a volume lies in.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    /// Its name on the host.
    pub(crate) name: String,
    /// Its UUID.
    pub(crate) uuid: Uuid,
    /// Whose it is.
    pub(crate) owner: Owner,
}

/// Whose a pool is.
#[derive(Clone, Debug)]
pub(crate) enum Owner {
    /// Nobody has put a stamp on it.
    Nobody,
    /// This is its stamp.
    Stamped(Stamp),
    /// Its stamp could not be read.
    Unknown,
}

impl Home {
    /// Sets what the attributes of an owner's volumes say for it: its address, or its name.
    fn put(&self, owner: Uuid, fields: &mut Fields) {
        let value = match &self.owner {
            Owner::Unknown => return,
            Owner::Stamped(stamp) if stamp.deployment == owner => Value::Ref(stamp.address.clone()),
            Owner::Stamped(_) | Owner::Nobody => Value::text(&self.name),
        };
        fields.insert("pool", value);
    }
}

/// What a qcow2 file without any data occupies, at most.
const EMPTY_QCOW2: u64 = 256 << 10;

/// A volume as it is seen; `None` while another deployment has not finished it.
pub(crate) fn observed(
    xml: &Element,
    home: &Home,
    sealed: Option<&Sealed>,
    deployment: Uuid,
) -> Option<ObservedObject> {
    if let Some(sealed) = sealed.filter(|sealed| sealed.note.unfinished) {
        return left(home, sealed, deployment);
    }
    let name = xml.content_at("name").unwrap_or_default();
    let kept = sealed.map(|sealed| &sealed.note.kept);
    let stamp = sealed.map(|sealed| sealed.note.stamp.clone());
    let class = if home.name == image::POOL { "image" } else { "volume" };
    let kind = shown_kind(stamp.as_ref(), class);
    let mut fields = kept.cloned().unwrap_or_default();
    let is_image = kind == "image";
    if !is_image {
        let owner = stamp.as_ref().map_or(deployment, |stamp| stamp.deployment);
        fields.insert("size", Value::Bytes(shown_size(xml, sealed)));
        home.put(owner, &mut fields);
        fields.insert("encrypted", Value::Bool(xml.find("target/encryption").is_some()));
        if fields.get("format").is_none()
            && let Some(format @ ("qcow2" | "raw")) = probed_format(xml)
        {
            fields.insert("format", Value::text(format));
        }
    }
    Some(ObservedObject {
        kind,
        uuid: Some(sealed.map_or_else(|| of_key(home.uuid, &name), |sealed| sealed.uuid)),
        name: name.into(),
        written: (!is_image).then(|| written(xml)),
        stamp,
        attributes: fields.compact().into(),
        pending: Fields::new().into(),
        running: None,
        kept: Vec::new(),
        holds: if is_image { Vec::new() } else { fixed(xml).into_iter().collect() },
        room: None,
    })
}

/// Why a volume cannot grow, if it cannot: libvirt knows how to enlarge files and what Ceph keeps, and
/// no block devices.
pub(super) fn fixed(xml: &Element) -> Option<Hold> {
    (xml.get("type") == Some("block")).then(|| Hold {
        path: Some(AttrPath::attribute("size")),
        stays: false,
        because: "libvirt cannot enlarge volumes that are block devices".to_owned(),
        help: "enlarge it on its host (lvextend, virsh pool-refresh, and virsh blockresize for a guest \
               that runs), and then write its new size"
            .to_owned(),
    })
}

/// What is left of a volume of ours that was never finished; perhaps only its stamp.
pub(crate) fn left(home: &Home, sealed: &Sealed, deployment: Uuid) -> Option<ObservedObject> {
    let stamp = &sealed.note.stamp;
    let Place::Volume(_, name) = &sealed.place else { return None };
    if stamp.deployment != deployment {
        return None;
    }
    let class = if home.name == image::POOL { "image" } else { "volume" };
    Some(ObservedObject {
        kind: shown_kind(Some(stamp), class),
        uuid: Some(sealed.uuid),
        name: name.as_str().into(),
        written: Some(0),
        stamp: Some(stamp.clone()),
        attributes: Arc::new(std::iter::once((UNFINISHED.into(), Value::Bool(true))).collect()),
        pending: Fields::new().into(),
        running: None,
        kept: Vec::new(),
        holds: Vec::new(),
        room: None,
    })
}

/// A volume in a pool that does not run, as it was made.
pub(crate) fn remembered(name: &str, home: &Home, sealed: &Sealed) -> Option<ObservedObject> {
    let Note { stamp, kept, unfinished, idle: _ } = &sealed.note;
    if *unfinished {
        return None;
    }
    let class = if home.name == image::POOL { "image" } else { "volume" };
    let kind = shown_kind(Some(stamp), class);
    let mut fields = kept.clone();
    if kind != "image" {
        home.put(stamp.deployment, &mut fields);
    }
    Some(ObservedObject {
        kind,
        uuid: Some(sealed.uuid),
        name: name.into(),
        written: None,
        stamp: Some(stamp.clone()),
        attributes: fields.compact().into(),
        pending: Fields::new().into(),
        running: None,
        kept: Vec::new(),
        holds: Vec::new(),
        room: None,
    })
}

/// What an adopted volume is remembered as.
pub(super) fn kept_of(found: &Found) -> Fields {
    let format = probed_format(&found.xml).filter(|format| ["qcow2", "raw"].contains(format));
    format.map(|format| ("format".into(), Value::text(format))).into_iter().collect()
}

fn bytes(xml: &Element, name: &str) -> Option<u64> {
    xml.content_at(name)?.parse().ok()
}

/// The size that libvirt believes.
pub(crate) fn capacity(xml: &Element) -> u64 {
    bytes(xml, "capacity").unwrap_or_default()
}

/// The format that libvirt believes; block devices are as they are.
pub(crate) fn probed_format(xml: &Element) -> Option<&str> {
    let format = xml.find("target/format").and_then(|format| format.get("type"));
    match xml.get("type") {
        Some("file") | None => format,
        _ => Some("raw"),
    }
}

/// How large it is. A raw one is as large as its file, whatever its content pretends.
pub(super) fn size(xml: &Element, sealed: Option<&Sealed>) -> u64 {
    let kept = sealed.and_then(|sealed| sealed.note.kept.text("format"));
    match (kept, bytes(xml, "physical")) {
        (Some("raw"), Some(physical)) if probed_format(xml) != Some("raw") => physical,
        _ => capacity(xml),
    }
}

/// How much libvirt may round a size up.
pub(super) fn grain(xml: &Element) -> u64 {
    if xml.get("type") == Some("block") { 128 << 20 } else { 512 }
}

/// The size in the words of the text, if it is only rounded.
fn shown_size(xml: &Element, sealed: Option<&Sealed>) -> u64 {
    let now = size(xml, sealed);
    let asked = sealed.and_then(|sealed| sealed.note.kept.number("size"));
    match asked {
        Some(asked) if asked <= now && now - asked < grain(xml) => asked,
        _ => now,
    }
}

/// The bytes that were really written to it, as far as the file system knows.
fn written(xml: &Element) -> u64 {
    let allocated = bytes(xml, "allocation").unwrap_or_default();
    match probed_format(xml) {
        Some("qcow2") if allocated <= EMPTY_QCOW2 => 0,
        _ => allocated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(kind: &str, format: &str, capacity: u64, allocation: u64) -> Element {
        let xml = format!(
            "<volume type='{kind}'><name>v</name><capacity unit='bytes'>{capacity}</capacity>\
             <allocation unit='bytes'>{allocation}</allocation><physical unit='bytes'>1024</physical>\
             <target><path>/p/v</path><format type='{format}'/></target></volume>"
        );
        Element::parse(&xml).expect("XML")
    }

    fn home() -> Home {
        Home { name: "default".into(), uuid: Uuid::nil(), owner: Owner::Nobody }
    }

    fn sealed(kept: &str) -> Sealed {
        let note = crate::stamp::Note::from_json(&format!(
            r#"{{"deployment":"00000000-0000-4000-8000-000000000001","address":"tenant.t.volume.v",
            "incarnation":0,"digest":"00000000000000000000000000000000","protect":true,
            "create_first":false,"dependencies":[],"kept":{kept}}}"#
        ));
        let place = crate::stamp::Place::Volume("default".into(), "v".into());
        Sealed { uuid: Uuid::from_u128(7), place, note: note.expect("a note") }
    }

    #[test]
    fn a_header_that_a_guest_wrote_changes_nothing() {
        let sealed = sealed(r#"{"format":"raw","size":{"$bytes":1024}}"#);
        let xml = volume("file", "qcow2", 1 << 60, 4096);
        let seen = observed(&xml, &home(), Some(&sealed), Uuid::nil()).expect("a volume");
        assert_eq!(seen.attributes.text("format"), Some("raw"));
        assert_eq!(seen.attributes.number("size"), Some(1024));
    }

    #[test]
    fn an_empty_volume_has_nothing_written() {
        let seen = |xml| observed(&xml, &home(), None, Uuid::nil()).and_then(|own| own.written);
        assert_eq!(seen(volume("file", "qcow2", 1 << 30, 200_704)), Some(0));
        assert_eq!(seen(volume("file", "qcow2", 1 << 30, 1 << 20)), Some(1 << 20));
        assert_eq!(seen(volume("file", "raw", 1 << 30, 0)), Some(0));
        assert_eq!(seen(volume("file", "raw", 1 << 30, 4_096)), Some(4_096));
    }

    #[test]
    fn a_rounded_size_is_the_one_that_was_asked_for() {
        let sealed = sealed(r#"{"format":"qcow2","size":{"$bytes":1000}}"#);
        let size = |xml: &Element| shown_size(xml, Some(&sealed));
        assert_eq!(size(&volume("file", "qcow2", 1_024, 0)), 1_000);
        assert_eq!(size(&volume("file", "qcow2", 2_048, 0)), 2_048);
        assert_eq!(size(&volume("file", "qcow2", 512, 0)), 512);
    }

    #[test]
    fn what_is_not_finished_is_seen_as_such_by_its_owner() {
        let mut sealed = sealed(r#"{"format":"qcow2"}"#);
        sealed.note.unfinished = true;
        let xml = volume("file", "qcow2", 1, 0);
        let owner = sealed.note.stamp.deployment;
        let seen = observed(&xml, &home(), Some(&sealed), owner).expect("it is seen");
        assert!(seen.is_unfinished() && seen.written == Some(0));
        assert_eq!(seen.attributes.iter().count(), 1);
        assert_eq!(observed(&xml, &home(), Some(&sealed), Uuid::nil()), None);
    }
}
