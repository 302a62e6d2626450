//! XML as it is, laid over a definition: elements that are added whole and taken out whole.
//!
//! Only what nobody else writes may be in it: devices of sorts that no attribute speaks of, features
//! of the hypervisor, and a few elements that stand alone. So neither the guest's name, its stamp,
//! its size, its disks nor its NICs can be changed by it, and what it added can be told from the
//! rest. libvirt writes more into an element than was asked, addresses above all; an element is
//! there when everything that was asked is.

use tcloud_model::Value;

use super::super::words;
use super::{BLOCK, RAW};
use crate::xml::{Element, Node};

/// The longest overlay, in bytes. It is kept in the definition, and read with every guest.
const LONGEST: usize = 64 << 10;

/// The namespace of what libvirt passes on to QEMU without a look.
const QEMU: &str = "http://libvirt.org/schemas/domain/qemu/1.0";

/// Devices that no attribute speaks of.
const DEVICES: [&str; 16] = [
    "channel",
    "crypto",
    "filesystem",
    "hostdev",
    "hub",
    "input",
    "iommu",
    "lease",
    "nvram",
    "panic",
    "parallel",
    "redirdev",
    "redirfilter",
    "shmem",
    "smartcard",
    "vsock",
];

/// Features that attributes speak of, or that every guest has.
const OWN_FEATURES: [&str; 3] = ["acpi", "apic", "smm"];

/// Elements that stand alone, and that no attribute speaks of.
const ALONE: [&str; 10] = [
    "blkiotune",
    "cputune",
    "iothreads",
    "iothreadids",
    "keywrap",
    "launchSecurity",
    "memtune",
    "numatune",
    "perf",
    "qemu:commandline",
];

/// An element of an overlay, and where it belongs.
struct Part {
    /// `devices`, `features`, or the domain itself.
    parent: Option<&'static str>,
    element: Element,
}

/// Whether a text is an overlay that can be laid over a guest.
pub(super) fn check(text: &str) -> Result<(), String> {
    parse(text).map(|_| ())
}

fn parse(text: &str) -> Result<Vec<Part>, String> {
    if text.len() > LONGEST {
        return Err(format!("it has {} bytes, and at most {LONGEST} are taken", text.len()));
    }
    let whole = Element::parse(&format!("<domain xmlns:qemu=\"{QEMU}\">{text}</domain>"));
    let whole = whole.map_err(|error| error.to_string())?;
    let mut parts = Vec::new();
    plain(&whole)?;
    for own in whole.all() {
        let parent = match own.name.as_str() {
            "devices" => "devices",
            "features" => "features",
            name if ALONE.contains(&name) => {
                parts.push(Part { parent: None, element: own.clone() });
                continue;
            }
            name => return Err(refused(name)),
        };
        plain(own)?;
        for inner in own.all() {
            let name = inner.name.as_str();
            let taken = match parent {
                "devices" => DEVICES.contains(&name),
                _ => !OWN_FEATURES.contains(&name),
            };
            if !taken {
                return Err(refused(&format!("{parent}/{name}")));
            }
            parts.push(Part { parent: Some(parent), element: inner.clone() });
        }
    }
    if parts.is_empty() { Err("there is no element in it".to_owned()) } else { Ok(parts) }
}

fn refused(path: &str) -> String {
    format!(
        "<{}> is not for it: other attributes, or tcloud itself, write that. It takes devices of \
         other sorts in <devices>, <features>, and {}",
        path.escape_debug(),
        ALONE.map(|name| format!("<{name}>")).join(", ")
    )
}

/// Refuses text between elements: nobody could mean it.
fn plain(element: &Element) -> Result<(), String> {
    match element.content().as_str() {
        "" => Ok(()),
        text => Err(format!("\"{}\" stands between elements", text.escape_debug())),
    }
}

/// What was last asked to lie over a definition.
fn asked(domain: &Element) -> Option<String> {
    words::read(domain).map(BLOCK)?.text(RAW).map(str::to_owned)
}

/// The overlay if all of it is there, else the part that is.
pub(super) fn read(domain: &Element) -> Option<Value> {
    let Some(text) = asked(domain) else { return Some(Value::None) };
    // What cannot be understood was never laid over anything.
    let parts = parse(&text).unwrap_or_default();
    let all = parts.len();
    let there: Vec<Part> = parts.into_iter().filter(|part| find(domain, part).is_some()).collect();
    if there.len() == all {
        return Some(Value::text(&text));
    }
    let texts: Vec<String> = there.into_iter().map(|part| shown(part).to_string()).collect();
    Some(if texts.is_empty() { Value::None } else { Value::text(&texts.join("\n")) })
}

fn shown(Part { parent, element }: Part) -> Element {
    match parent {
        Some(parent) => Element::new(parent).child(element),
        None => element,
    }
}

/// Takes out what was laid over a definition, and lays over it what is wanted.
pub(super) fn write(domain: &mut Element, wanted: Option<&Value>) {
    let old = asked(domain).and_then(|text| parse(&text).ok()).unwrap_or_default();
    for part in old {
        let Some(at) = find(domain, &part) else { continue };
        match part.parent {
            Some(parent) => domain.ensure(parent).children.remove(at),
            None => domain.children.remove(at),
        };
    }
    let Some(parts) = wanted.and_then(Value::as_text).and_then(|text| parse(text).ok()) else {
        return;
    };
    for Part { parent, element } in parts {
        if element.name.starts_with("qemu:") {
            domain.set("xmlns:qemu", QEMU);
        }
        match parent {
            Some(parent) => domain.ensure(parent).push(element),
            None => domain.push(element),
        }
    }
}

/// Where an element of an overlay is among the children of its parent.
fn find(domain: &Element, part: &Part) -> Option<usize> {
    let parent = match part.parent {
        Some(parent) => domain.find(parent)?,
        None => domain,
    };
    let is_it = |node: &Node| matches!(node, Node::Element(own) if holds(own, &part.element));
    parent.children.iter().position(is_it)
}

/// Whether an element says everything that another one does.
fn holds(found: &Element, asked: &Element) -> bool {
    found.name == asked.name
        && asked.attributes.iter().all(|(name, value)| {
            name.starts_with("xmlns") || found.get(name) == Some(value.as_str())
        })
        && (asked.content().is_empty() || found.content() == asked.content())
        && asked.all().all(|asked| found.all().any(|found| holds(found, asked)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_else_writes_is_taken() {
        for text in [
            "<devices><hostdev mode='subsystem' type='usb'/></devices>",
            "<features><hyperv><relaxed state='on'/></hyperv></features>",
            "<qemu:commandline><qemu:arg value='-snapshot'/></qemu:commandline>\n<memtune/>",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for (text, error) in [
            ("", "there is no element"),
            ("more", "\"more\" stands between"),
            ("<devices>more</devices>", "\"more\" stands between"),
            ("<name>other</name>", "<name> is not for it"),
            ("<metadata/>", "<metadata> is not for it"),
            ("<devices><disk type='file'/></devices>", "<devices/disk> is not for it"),
            ("<devices><interface type='bridge'/></devices>", "<devices/interface> is not"),
            ("<features><smm state='off'/></features>", "<features/smm> is not for it"),
            ("<devices>", "it is not well-formed"),
            ("</domain><domain>", "it is not well-formed"),
            ("<!DOCTYPE x><devices/>", "it has a DTD"),
            (&"<a>".repeat(70), "it is nested deeper"),
            (&" ".repeat(LONGEST + 1), "it has 65537 bytes"),
        ] {
            let found = check(text).expect_err(text);
            assert!(found.starts_with(error), "{text}: {found}");
        }
    }
}
