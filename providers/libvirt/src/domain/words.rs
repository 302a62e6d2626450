//! What libvirt has no word for, kept in the domain's metadata beside the stamp: the live definition
//! holds what is in force, the persistent one what takes effect at the next start. Everybody who may
//! read the domain may read it, so there is never a secret in it.

use tcloud_model::{Fields, Name, Value};

use super::extension;
use crate::xml::Element;

/// The namespace of the element.
pub(super) const NAMESPACE: &str = "https://tcloud.example/words/1";
/// The element, with the prefix that we write.
const ELEMENT: &str = "tcloud:words";

/// Attributes that are kept whole. What libvirt says of the same thing wins over them, so that a
/// change by hand is seen: see `read`.
const KEPT: [&str; 9] = [
    "cpu_mode",
    "max_memory",
    "max_vcpus",
    "memory",
    "running",
    "stop_within",
    "wait_for",
    "wait_within",
    "boot",
];

/// Attributes of a NIC that are kept.
const KEPT_OF_NIC: [&str; 4] = ["address", "admits", "max_rate", "reaches"];

/// The part of a guest's attributes that is kept.
pub(super) fn of(attributes: &Fields) -> Fields {
    let mut words = Fields::new();
    for name in KEPT {
        if let Some(value) = attributes.get(name).filter(|value| **value != Value::None) {
            words.insert(name, value.clone());
        }
    }
    // Guests run unless something else is said.
    if words.flag("running") == Some(true) {
        words.remove("running");
    }
    if let Some(Value::Map(boot)) = words.remove("boot")
        && let Some(order) = boot.get("order")
    {
        words.insert("boot", order.clone());
    }
    if let Some(block) = attributes.map(extension::BLOCK) {
        let kept = |name: &&str| Some((Name::new(name), block.get(name)?.clone()));
        let set = |(_, value): &(Name, Value)| *value != Value::None;
        let kept: Fields = extension::KEPT.iter().filter_map(kept).filter(set).collect();
        if !kept.is_empty() {
            words.insert(extension::BLOCK, Value::map(kept));
        }
    }
    let Some(nics) = attributes.map("nic") else { return words };
    let kept = |fields: &Fields| -> Fields {
        let kept = |name: &&str| Some((Name::new(name), fields.get(name)?.clone()));
        let set = |(_, value): &(Name, Value)| *value != Value::None;
        KEPT_OF_NIC.iter().filter_map(kept).filter(set).collect()
    };
    let nics = nics.iter().filter_map(|(label, nic)| match nic {
        Value::Map(nic) => Some((label.clone(), Value::map(kept(nic)))),
        _ => None,
    });
    let nics: Fields = nics.filter(|(_, nic)| *nic != Value::map(Fields::new())).collect();
    if !nics.is_empty() {
        words.insert("nic", Value::map(nics));
    }
    words
}

/// The words that a definition lacks, which says the rest by itself. Which CPU the guest sees is
/// always among them: a running guest's definition names the model that was found.
pub(super) fn missing(wanted: &Fields, said: &Fields) -> Fields {
    let mut words = of(wanted);
    let own = of(said);
    for name in KEPT.iter().filter(|name| **name != "cpu_mode") {
        if words.get(name) == own.get(name) {
            words.remove(name);
        }
    }
    words
}

/// The words of a definition; none when there are none that can be understood.
pub(super) fn read(domain: &Element) -> Fields {
    let Some(metadata) = domain.find("metadata") else { return Fields::new() };
    let own = metadata.all().find(|own| is_ours(own));
    own.and_then(|own| serde_json::from_str(&own.content()).ok()).unwrap_or_default()
}

/// The element that holds words, for `virDomainSetMetadata` and for definitions.
pub(crate) fn element(words: &Fields) -> Element {
    let json = serde_json::to_string(words).unwrap_or_default();
    Element::new(ELEMENT).attr("xmlns:tcloud", NAMESPACE).text(json)
}

/// Puts words into a definition, in the place of the old ones; the metadata of others stays.
pub(super) fn write(domain: &mut Element, words: &Fields) {
    let metadata = domain.ensure("metadata");
    metadata.retain(|own| !is_ours(own));
    if !words.is_empty() {
        metadata.push(element(words));
    }
    if metadata.all().next().is_none() {
        domain.remove("metadata");
    }
}

fn is_ours(element: &Element) -> bool {
    let (prefix, name) = element.name.split_once(':').unwrap_or(("", &element.name));
    let declaration =
        if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
    name == "words" && element.get(&declaration) == Some(NAMESPACE)
}
