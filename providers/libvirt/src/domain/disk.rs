//! Disks: what they are made of, how they are attached, and how much they may do.

use std::collections::HashSet;

use tcloud_model::{Fields, Name, Value};

use super::define::DefineError;
use super::directory::{Backing, Directory, Source};
use super::label;
use crate::stamp::Note;
use crate::xml::Element;

/// virtio disks tell the guest so many characters of their serial number.
const LONGEST_SERIAL: usize = 20;

/// Names that a disk with the guest's system usually has. It is the first disk, which the firmware
/// starts from; the text's order of disks does not reach a host.
const SYSTEM: [&str; 5] = ["root", "system", "os", "boot", "main"];

/// Writes the disks that differ from what the definition has, and takes out those that are gone.
pub(super) fn write(
    domain: &mut Element,
    now: &Fields,
    wanted: &Fields,
    directory: &Directory,
) -> Result<(), DefineError> {
    let devices = domain.ensure("devices");
    devices.retain(|own| {
        let is_known = is_disk(own).then(|| label::of_disk(own)).flatten();
        is_known.is_none_or(|label| wanted.get(&label).is_some())
    });
    let mut labels: Vec<&Name> = wanted.iter().map(|(label, _)| label).collect();
    labels.sort_by_key(|label| rank(label, wanted));
    for label in labels {
        let Some(Value::Map(fields)) = wanted.get(label) else { continue };
        if now.get(label) == wanted.get(label) {
            continue;
        }
        let mut taken = targets(devices);
        let is_it =
            |own: &&mut Element| is_disk(own) && label::of_disk(own).as_ref() == Some(label);
        let existing = devices.elements_mut("disk").find(is_it);
        match existing {
            Some(disk) => {
                let nothing = Fields::new();
                let before = now.map(label).map_or(&nothing, |own| own);
                change(disk, label, (before, fields), directory, &mut taken)?;
            }
            None => devices.push(element(label, fields, directory, &taken)?),
        }
    }
    Ok(())
}

/// The system disk first, then the guest's own disks, then volumes.
fn rank(label: &Name, disks: &Fields) -> (usize, bool, Name) {
    let system = SYSTEM.iter().position(|own| *label == **own).unwrap_or(SYSTEM.len());
    let volume = disks.map(label).and_then(|disk| disk.reference("volume"));
    let is_own = volume.is_some_and(|volume| *volume.kind() == "disk");
    (system, !is_own, label.clone())
}

/// Whether a device is a disk in the sense of the language: no CD, no floppy.
pub(super) fn is_disk(device: &Element) -> bool {
    device.name == "disk" && matches!(device.get("device"), None | Some("disk" | "lun"))
}

/// The targets that are taken.
pub(super) fn targets(devices: &Element) -> HashSet<String> {
    let dev = |disk: &Element| Some(disk.find("target")?.get("dev")?.to_owned());
    devices.elements("disk").filter_map(dev).collect()
}

/// The device of a disk.
pub(super) fn element(
    label: &Name,
    fields: &Fields,
    directory: &Directory,
    taken: &HashSet<String>,
) -> Result<Element, DefineError> {
    let mut disk = Element::new("disk").attr("device", "disk");
    let Some(source) = fields.get("volume").and_then(|volume| directory.volume(volume)) else {
        let volume = fields.get("volume").map(Value::to_string).unwrap_or_default();
        return Err(DefineError::NoVolume { disk: label.clone(), volume });
    };
    let driver = Element::new("driver").attr("name", "qemu").attr("type", source.format.word());
    disk.push(driver.attr("discard", "unmap").attr("detect_zeroes", "unmap"));
    set_source(&mut disk, source);
    let bus = fields.text("bus").unwrap_or("virtio");
    let dev = free_target(bus, taken);
    disk.push(Element::new("target").attr("dev", dev).attr("bus", bus));
    set_iops(&mut disk, fields.number("iops"));
    disk.push(Element::new("serial").text(serial(label)));
    disk.push(Element::new("alias").attr("name", label::alias(label::DISK, label)));
    Ok(disk)
}

fn change(
    disk: &mut Element,
    label: &Name,
    (before, after): (&Fields, &Fields),
    directory: &Directory,
    taken: &mut HashSet<String>,
) -> Result<(), DefineError> {
    if before.get("volume") != after.get("volume") {
        if let Some(Value::Text(path)) = before.get("volume") {
            return Err(DefineError::Elsewhere { disk: label.clone(), path: path.to_string() });
        }
        let Some(source) = after.get("volume").and_then(|volume| directory.volume(volume)) else {
            let volume = after.get("volume").map(Value::to_string).unwrap_or_default();
            return Err(DefineError::NoVolume { disk: label.clone(), volume });
        };
        set_source(disk, source);
        if let Some(driver) = disk.find_mut("driver") {
            driver.set("type", source.format.word());
        }
    }
    if before.get("bus") != after.get("bus") {
        let bus = after.text("bus").unwrap_or("virtio");
        if let Some(own) = disk.find("target").and_then(|target| target.get("dev")) {
            taken.remove(own);
        }
        let dev = free_target(bus, taken);
        disk.put(Element::new("target").attr("dev", dev).attr("bus", bus));
        disk.remove("address");
    }
    if before.get("iops") != after.get("iops") {
        set_iops(disk, after.number("iops"));
    }
    Ok(())
}

pub(super) fn set_source(disk: &mut Element, source: &Source) {
    disk.remove("backingStore");
    let (kind, element) = match &source.backing {
        Backing::File(path) => ("file", Element::new("source").attr("file", path)),
        Backing::Block(path) => ("block", Element::new("source").attr("dev", path)),
        Backing::Volume { pool, volume } => {
            ("volume", Element::new("source").attr("pool", pool).attr("volume", volume))
        }
    };
    disk.set("type", kind);
    disk.put(element);
}

/// Sets the most operations in a second; other limits that somebody set stay.
fn set_iops(disk: &mut Element, iops: Option<u64>) {
    let mut tune = disk.find("iotune").cloned().unwrap_or_else(|| Element::new("iotune"));
    tune.remove("total_iops_sec");
    disk.remove("iotune");
    if let Some(iops) = iops {
        // The one limit excludes the other.
        tune.remove("read_iops_sec");
        tune.remove("write_iops_sec");
        tune.push(Element::new("total_iops_sec").text(iops));
    }
    if tune.all().next().is_some() {
        disk.push(tune);
    }
}

/// The first free target of a bus: `vda`, …, `vdz`, `vdaa`.
pub(super) fn free_target(bus: &str, taken: &HashSet<String>) -> String {
    let prefix = if bus == "virtio" { "vd" } else { "sd" };
    let mut number = 0_usize;
    loop {
        let name = format!("{prefix}{}", letters(number));
        if !taken.contains(&name) {
            return name;
        }
        number += 1;
    }
}

fn letters(number: usize) -> String {
    let last = char::from(b'a' + u8::try_from(number % 26).unwrap_or(0));
    match number / 26 {
        0 => last.to_string(),
        more => format!("{}{last}", letters(more - 1)),
    }
}

/// The serial number of a disk: the same for ever, so that guests can find it below
/// `/dev/disk/by-id`.
fn serial(label: &str) -> String {
    let plain: String =
        label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    if plain == label && plain.len() <= LONGEST_SERIAL {
        return plain;
    }
    let hash = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, label.as_bytes()).simple();
    let start: String = plain.chars().take(LONGEST_SERIAL - 9).collect();
    format!("{start}-{}", &hash.to_string()[..8])
}

/// The attributes of all disks.
pub(super) fn read(domain: &Element, directory: &Directory) -> Fields {
    let devices = domain.find("devices").into_iter();
    let disks = devices.flat_map(|devices| devices.elements("disk")).filter(|own| is_disk(own));
    let is_ours = || Note::of(domain).is_some();
    disks
        .filter_map(|disk| {
            let label = label::of_disk(disk)?;
            let mut fields = one(disk, directory);
            // Nobody can tell where it lies: what was last applied is believed.
            if directory.hides_volume_of(disk) && is_ours() {
                fields.remove("volume");
            }
            Some((label, Value::map(fields)))
        })
        .collect()
}

fn one(disk: &Element, directory: &Directory) -> Fields {
    let mut fields = Fields::new();
    if let Some(volume) = directory.volume_value(disk) {
        fields.insert("volume", volume);
    }
    if let Some(bus) = disk.find("target").and_then(|target| target.get("bus")) {
        fields.insert("bus", Value::text(bus));
    }
    let iops = disk.content_at("iotune/total_iops_sec");
    if let Some(iops) = iops.and_then(|iops| iops.parse().ok()).filter(|iops| *iops != 0) {
        fields.insert("iops", Value::Int(iops));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_may_lie_on_what_could_not_be_read_lies_nowhere_else() {
        let stamp = r#"<metadata><tcloud:stamp xmlns:tcloud="https://tcloud.example/stamp/1">
            {"deployment":"00000000-0000-4000-8000-000000000001","address":"tenant.t.vm.web",
            "incarnation":0,"digest":"00000000000000000000000000000000","protect":true,
            "create_first":false,"dependencies":[]}</tcloud:stamp></metadata>"#;
        let guest = |stamp: &str| {
            let disk = |name: &str| {
                format!(
                    "<disk type='file' device='disk'><source file='/srv/{name}'/><target \
                     dev='vda' bus='virtio'/><alias name='ua-disk-{name}'/></disk>"
                )
            };
            let devices = ["ours", "theirs", "unknown"].map(disk).concat();
            Element::parse(&format!("<domain>{stamp}<devices>{devices}</devices></domain>"))
                .expect("a definition")
        };
        let address = "tenant.t.volume.ours".parse::<tcloud_model::Address>().expect("an address");
        let file = |name: &str| Backing::File(format!("/srv/{name}"));
        let mut directory = Directory::default();
        directory.add_backing(file("ours"), address.clone());
        directory.add_foreign(file("theirs"), "vol");
        let lies = |guest: &Element, directory: &Directory| {
            let disks = read(guest, directory);
            ["ours", "theirs", "unknown"].map(|label| disks.map(label)?.get("volume").cloned())
        };
        let all = [Value::Ref(address), Value::text("vol"), Value::text("/srv/unknown")].map(Some);
        let [ours, theirs, _] = all.clone();
        assert_eq!(lies(&guest(stamp), &directory), all);
        let mut damaged = directory.clone();
        damaged.add_hidden(file("unknown"));
        assert_eq!(lies(&guest(stamp), &damaged), [ours.clone(), theirs.clone(), None]);
        directory.hide_volumes();
        assert_eq!(lies(&guest(stamp), &directory), [ours.clone(), theirs, None]);
        directory.hide_owners();
        assert_eq!(lies(&guest(stamp), &directory), [ours, None, None]);
        assert_eq!(lies(&guest(""), &directory), all, "of others nothing was applied");
    }

    #[test]
    fn targets_go_on_after_z() {
        let mut taken = HashSet::new();
        for _ in 0..28 {
            let next = free_target("virtio", &taken);
            taken.insert(next);
        }
        assert!(taken.contains("vdz") && taken.contains("vdab"), "{taken:?}");
        assert_eq!(free_target("scsi", &taken), "sda");
    }

    #[test]
    fn serial_numbers_are_short_and_differ() {
        assert_eq!(serial("root"), "root");
        let long: Vec<String> =
            ["a[1]", "a-1-", "a-very-long-name-of-a-disk", "a-very-long-name-of"]
                .iter()
                .map(|label| serial(label))
                .collect();
        assert!(long.iter().all(|serial| serial.len() <= LONGEST_SERIAL), "{long:?}");
        let differ: HashSet<&String> = long.iter().collect();
        assert_eq!(differ.len(), long.len(), "{long:?}");
    }
}
