//! What stands on the board, or is a part of it: its version, processors, memory, clock, watchdog.

use tcloud_model::Value;

use super::super::{machine, words};
use super::{BLOCK, has_only, word};
use crate::xml::Element;

/// Whether it is a board of a family with its version.
pub(super) fn is_version_of(exact: &str, family: &str) -> bool {
    let families = machine::FAMILIES.iter().filter(|(own, _)| *own == family);
    families.filter_map(|(_, begin)| exact.strip_prefix(begin)).any(|version| !version.is_empty())
}

/// Every definition names a version, also where nobody asked for one.
pub(super) fn read_type(domain: &Element) -> Option<Value> {
    let asked =
        words::read(domain).map(BLOCK).is_some_and(|own| own.text("machine_type").is_some());
    match domain.find("os/type").and_then(|own| own.get("machine")) {
        Some(machine) if asked => Some(Value::text(machine)),
        _ => Some(Value::None),
    }
}

pub(super) fn write_type(domain: &mut Element, wanted: Option<&Value>) {
    let family = machine::read_machine(domain);
    let family = family.as_ref().and_then(Value::as_text).unwrap_or("q35");
    let machine = wanted.and_then(Value::as_text).unwrap_or(family).to_owned();
    domain.ensure("os").ensure("type").set("machine", machine);
}

pub(super) fn read_menu(domain: &Element) -> Option<Value> {
    let Some(menu) = domain.find("os/bootmenu") else { return Some(Value::Bool(false)) };
    has_only(menu, &["enable"], &[]).then(|| Value::Bool(menu.get("enable") == Some("yes")))
}

pub(super) fn write_menu(domain: &mut Element, wanted: Option<&Value>) {
    let os = domain.ensure("os");
    os.remove("bootmenu");
    if wanted == Some(&Value::Bool(true)) {
        os.push(Element::new("bootmenu").attr("enable", "yes"));
    }
}

pub(super) fn read_cpus(domain: &Element) -> Option<Value> {
    let Some(set) = domain.find("vcpu").and_then(|own| own.get("cpuset")) else {
        return Some(Value::None);
    };
    let (first, last) = set.split_once('-').unwrap_or((set, set));
    Some(Value::Range(first.parse().ok()?, last.parse().ok()?))
}

pub(super) fn write_cpus(domain: &mut Element, wanted: Option<&Value>) {
    let vcpu = domain.ensure("vcpu");
    match wanted {
        Some(Value::Range(first, last)) => vcpu.set("cpuset", format!("{first}-{last}")),
        _ => vcpu.unset("cpuset"),
    }
}

pub(super) fn read_hugepages(domain: &Element) -> Option<Value> {
    let Some(pages) = domain.find("memoryBacking/hugepages") else {
        return Some(Value::Bool(false));
    };
    has_only(pages, &[], &[]).then_some(Value::Bool(true))
}

pub(super) fn write_hugepages(domain: &mut Element, wanted: Option<&Value>) {
    let backing = domain.ensure("memoryBacking");
    backing.remove("hugepages");
    if wanted == Some(&Value::Bool(true)) {
        backing.push(Element::new("hugepages"));
    }
    if backing.all().next().is_none() {
        domain.remove("memoryBacking");
    }
}

pub(super) fn read_balloon(domain: &Element) -> Option<Value> {
    // libvirt gives one to whoever says nothing.
    let model = domain.find("devices/memballoon").map_or(Some("virtio"), |own| own.get("model"));
    match model {
        Some("none") => Some(Value::Bool(false)),
        Some("virtio") => Some(Value::Bool(true)),
        _ => None,
    }
}

pub(super) fn write_balloon(domain: &mut Element, wanted: Option<&Value>) {
    let devices = domain.ensure("devices");
    devices.remove("memballoon");
    let none = wanted == Some(&Value::Bool(false));
    let balloon = Element::new("memballoon").attr("model", if none { "none" } else { "virtio" });
    devices.push(match none {
        true => balloon,
        false => balloon.child(Element::new("stats").attr("period", 10)),
    });
}

pub(super) fn read_clock(domain: &Element) -> Option<Value> {
    let Some(clock) = domain.find("clock") else { return Some(Value::text("utc")) };
    let plain = clock.attributes.iter().all(|(name, _)| name == "offset");
    word(clock.get("offset").filter(|_| plain), &["utc", "localtime"])
}

pub(super) fn write_clock(domain: &mut Element, wanted: Option<&Value>) {
    let clock = domain.ensure("clock");
    clock.attributes.clear();
    clock.set("offset", wanted.and_then(Value::as_text).unwrap_or("utc"));
}

/// The watchdog that every board takes. Newer ones have one more, which libvirt names.
const WATCHDOG: &str = "i6300esb";

/// What a watchdog can do.
pub(super) const WATCHED: [&str; 6] =
    ["reset", "shutdown", "poweroff", "pause", "dump", "inject-nmi"];

pub(super) fn read_watchdog(domain: &Element) -> Option<Value> {
    let mut all = domain.find("devices").into_iter().flat_map(|own| own.elements("watchdog"));
    let ours = |own: &&Element| own.get("model") == Some(WATCHDOG);
    match all.find(ours) {
        Some(own) => word(own.get("action").or(Some("reset")), &WATCHED),
        None => Some(Value::None),
    }
}

pub(super) fn write_watchdog(domain: &mut Element, wanted: Option<&Value>) {
    let devices = domain.ensure("devices");
    devices.retain(|own| own.name != "watchdog" || own.get("model") != Some(WATCHDOG));
    if let Some(action) = wanted.and_then(Value::as_text) {
        devices.push(Element::new("watchdog").attr("model", WATCHDOG).attr("action", action));
    }
}
