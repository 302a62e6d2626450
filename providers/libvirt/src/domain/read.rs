//! A guest's attributes from its definitions: what they mean, not how they are written.

use std::sync::Arc;

use tcloud_model::{Fields, Value};

use super::directory::Directory;
use super::{boot, disk, extension, machine, nic, size, words};
use crate::xml::Element;

/// Both definitions of a guest, and what stands in neither.
#[derive(Clone, Copy, Debug)]
pub struct Definitions<'a> {
    /// What is in force; `None` when the guest does not run.
    pub live: Option<&'a Element>,
    /// What takes effect at the next start; `None` for a guest that is forgotten when it stops.
    pub persistent: Option<&'a Element>,
    /// Whether it starts with its host.
    pub autostart: bool,
    /// Whether it runs, and is neither paused nor asleep.
    pub executing: bool,
}

/// A guest as attributes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// What is in force.
    pub attributes: Arc<Fields>,
    /// What differs from that at the next start.
    pub pending: Arc<Fields>,
}

/// Top-level attributes that are read for sure: where they are missing, they are not set.
const SURE: [&str; 3] = ["title", "description", "boot"];

/// The same of blocks.
const BOOT: [&str; 4] = ["order", "kernel", "initrd", "cmdline"];
const DISK: [&str; 1] = ["iops"];
const NIC: [&str; 3] = ["max_rate", "admits", "reaches"];

/// The attributes of a guest, and what waits for its next start.
pub fn read(definitions: &Definitions<'_>, directory: &Directory) -> Reading {
    let Definitions { live, persistent, autostart, executing } = *definitions;
    let complete = |own: &Element, running: bool| {
        let mut fields = parts(own, directory);
        fields.insert(extension::BLOCK, Value::map(extension::read(own)));
        fields.insert("autostart", Value::Bool(autostart));
        fields.insert("running", Value::Bool(running));
        fields
    };
    let (mut attributes, pending) = match (live, persistent) {
        (Some(live), None) => (complete(live, executing), Fields::new()),
        (None, Some(persistent)) => (complete(persistent, false), Fields::new()),
        (None, None) => return Reading::default(),
        (Some(live), Some(persistent)) => {
            let attributes = complete(live, executing);
            let stays = words::read(persistent).flag("running").unwrap_or(true);
            let next = complete(persistent, executing && stays);
            let pending = attributes.difference(&next);
            (attributes, pending)
        }
    };
    for name in SURE {
        if attributes.get(name).is_none() {
            attributes.insert(name, Value::None);
        }
    }
    if let Some(boot) = attributes.map("boot") {
        let boot = sure(boot, &BOOT);
        attributes.insert("boot", boot);
    }
    for (block, names) in [("disk", &DISK[..]), ("nic", &NIC)] {
        let Some(labels) = attributes.map(block) else { continue };
        let each = labels.iter().map(|(label, value)| match value {
            Value::Map(own) => (label.clone(), sure(own, names)),
            other => (label.clone(), other.clone()),
        });
        let each: Fields = each.collect();
        attributes.insert(block, Value::map(each));
    }
    Reading { attributes: Arc::new(attributes.compact()), pending: Arc::new(pending) }
}

/// Fields that say of each name that it is not set, where it is missing.
fn sure(fields: &Fields, names: &[&str]) -> Value {
    let mut fields = fields.clone();
    for name in names {
        if fields.get(name).is_none() {
            fields.insert(*name, Value::None);
        }
    }
    Value::map(fields)
}

/// What one definition says, without what stands in none. What it does not say is missing.
pub fn definition(domain: &Element, directory: &Directory) -> Fields {
    let mut fields = parts(domain, directory);
    let block = extension::said(domain);
    if !block.is_empty() {
        fields.insert(extension::BLOCK, Value::map(block));
    }
    fields
}

/// The same without the block of what only libvirt has.
fn parts(domain: &Element, directory: &Directory) -> Fields {
    let asked = words::read(domain);
    let mut fields = Fields::new();
    for name in ["title", "description"] {
        let text = domain.find(name).map(Element::exact_content);
        if let Some(text) = text.filter(|text| !text.trim().is_empty()) {
            fields.insert(name, Value::text(&text));
        }
    }
    size::read(domain, &asked, &mut fields);
    if let Some(machine) = machine::read_machine(domain) {
        fields.insert("machine", machine);
    }
    let (firmware, secure) = machine::read_firmware(domain);
    fields.insert("firmware", Value::text(firmware));
    fields.insert("secure_boot", Value::Bool(secure));
    fields.insert("tpm", Value::Bool(domain.find("devices/tpm").is_some()));
    if let Some(mode) = machine::read_cpu(domain, asked.text("cpu_mode")) {
        fields.insert("cpu_mode", mode);
    }
    if let Some(boot) = boot::read(domain, asked.get("boot")) {
        fields.insert("boot", Value::map(boot));
    }
    for name in ["wait_for", "wait_within", "stop_within"] {
        if let Some(value) = asked.get(name) {
            fields.insert(name, value.clone());
        }
    }
    let nothing = Arc::new(Fields::new());
    let nics = asked.map("nic").unwrap_or(&nothing);
    fields.insert("disk", Value::map(disk::read(domain, directory)));
    fields.insert("nic", Value::map(nic::read(domain, nics, directory)));
    fields
}
