//! vCPUs and memory, and how far they can grow while the guest runs.
//!
//! A guest is given its memory in one NUMA cell, and `maxMemory` with free slots where more can be
//! plugged in: what it has is what the text says, also for a guest that does not co-operate, and
//! more arrives as modules. At its next start the modules are part of the cell.
//!
//! Only the amounts are written: how memory is shared or dumped, and how vCPUs are arranged, is
//! somebody's choice that no word of ours stands for.

use ecow::eco_format;
use tcloud_model::{Fields, Value};

use super::amount::{bytes, kib};
use super::define::DefineError;
use crate::xml::{Element, Node};

/// How often memory can be plugged in between two starts.
const SLOTS: u32 = 16;

/// Writes what differs of vCPUs and memory.
pub(super) fn write(
    domain: &mut Element,
    now: &Fields,
    wanted: &Fields,
) -> Result<(), DefineError> {
    let differs = |names: [&str; 2]| names.iter().any(|name| now.get(name) != wanted.get(name));
    let (vcpus, memory) = (differs(["vcpus", "max_vcpus"]), differs(["memory", "max_memory"]));
    if !vcpus && !memory {
        return Ok(());
    }
    let (Some(count), Some(amount)) = (wanted.number("vcpus"), wanted.number("memory")) else {
        return Err(DefineError::NoSize);
    };
    let most_vcpus = wanted.number("max_vcpus").unwrap_or(count);
    let most_memory = wanted.number("max_memory").unwrap_or(amount);
    if most_vcpus < count {
        return Err(DefineError::MoreThanMost("vcpus"));
    }
    if most_memory < amount {
        return Err(DefineError::MoreThanMost("memory"));
    }
    if domain.find("cpu/numa").is_some_and(|numa| numa.elements("cell").count() > 1) {
        return Err(DefineError::Cells);
    }
    if vcpus {
        write_vcpus(domain, count, most_vcpus)?;
    }
    if memory {
        write_memory(domain, amount, most_memory, most_vcpus)?;
    }
    Ok(())
}

fn write_vcpus(domain: &mut Element, count: u64, most: u64) -> Result<(), DefineError> {
    let vcpu = domain.ensure("vcpu");
    let before: Option<u64> = vcpu.content().parse().ok();
    set_content(vcpu, most);
    vcpu.unset("current");
    if most > count {
        vcpu.set("current", count);
    }
    if let Some(each) = domain.find_mut("vcpus") {
        enable(each, count, most);
    }
    if before == Some(most) {
        return Ok(());
    }
    if let Some(topology) = domain.find_mut("cpu/topology") {
        arrange(topology, most)?;
    }
    if let Some(cell) = domain.find_mut("cpu/numa/cell").filter(|cell| cell.get("cpus").is_some()) {
        cell.set("cpus", all_of(most));
    }
    Ok(())
}

/// Where each vCPU has a line of its own, the lines win over the number: the first ones run.
fn enable(each: &mut Element, count: u64, most: u64) {
    let number = |own: &Element| own.get("id").and_then(|id| id.parse::<u64>().ok());
    each.retain(|own| number(own).is_some_and(|id| id < most));
    let listed: Vec<u64> = each.elements("vcpu").filter_map(number).collect();
    for id in (0..most).filter(|id| !listed.contains(id)) {
        each.push(Element::new("vcpu").attr("id", id));
    }
    for own in each.elements_mut("vcpu") {
        let runs = number(own).is_some_and(|id| id < count);
        let is_same = own.get("enabled") == Some(if runs { "yes" } else { "no" });
        // In which order they were plugged in says nothing about the next start.
        own.unset("order");
        if !is_same {
            own.set("enabled", if runs { "yes" } else { "no" });
        }
        if !runs || own.get("hotpluggable").is_none() {
            let first = own.get("id") == Some("0");
            own.set("hotpluggable", if first { "no" } else { "yes" });
        }
    }
}

/// Sockets, cores and threads of another number of vCPUs: more or fewer sockets, or else cores.
fn arrange(topology: &mut Element, most: u64) -> Result<(), DefineError> {
    let of = |name| topology.get(name).and_then(|own| own.parse::<u64>().ok()).unwrap_or(1);
    let parts = ["sockets", "dies", "clusters", "cores", "threads"].map(|name| (name, of(name)));
    for name in ["sockets", "cores"] {
        let others = parts.iter().filter(|(own, _)| *own != name);
        let others = others.map(|(_, count)| *count).fold(1, u64::saturating_mul);
        if others > 0 && most.is_multiple_of(others) {
            topology.set(name, most / others);
            return Ok(());
        }
    }
    Err(DefineError::Topology(most))
}

fn write_memory(
    domain: &mut Element,
    memory: u64,
    most: u64,
    vcpus: u64,
) -> Result<(), DefineError> {
    domain.ensure("devices").retain(|own| !is_plain_module(own));
    let modules = domain.find("devices").into_iter().flat_map(|own| own.elements("memory"));
    let modules = modules.filter_map(|own| bytes(own.find("target/size")?)).sum();
    let Some(cell) = memory.checked_sub(modules).filter(|cell| *cell > 0) else {
        return Err(DefineError::Modules(modules));
    };
    let before = domain.find("memory").and_then(bytes);
    set_amount(domain.ensure("memory"), memory);
    // A balloon that somebody left low stays where it is.
    let balloon = domain.find("currentMemory").and_then(bytes);
    if balloon == before || balloon.is_none_or(|balloon| balloon > memory) {
        set_amount(domain.ensure("currentMemory"), memory);
    }
    let grows = most > memory;
    match grows {
        true => {
            let most_memory = domain.ensure("maxMemory");
            set_amount(most_memory, most);
            if most_memory.get("slots").is_none() {
                most_memory.set("slots", SLOTS);
            }
        }
        false if modules == 0 => domain.remove("maxMemory"),
        false => {}
    }
    if let Some(own) = domain.find_mut("cpu/numa/cell") {
        own.set("memory", kib(cell));
        own.set("unit", "KiB");
        if !grows && modules == 0 && is_plain_cell(own) {
            domain.ensure("cpu").remove("numa");
        }
    } else if grows {
        let own = Element::new("cell").attr("id", 0).attr("cpus", all_of(vcpus));
        let own = own.attr("memory", kib(cell)).attr("unit", "KiB");
        domain.ensure("cpu").put(Element::new("numa").child(own));
    }
    Ok(())
}

/// A cell that says nothing but how much is in it.
pub(super) fn is_plain_cell(cell: &Element) -> bool {
    let said = |name: &str| ["id", "cpus", "memory", "unit"].contains(&name);
    cell.attributes.iter().all(|(name, _)| said(name)) && cell.all().next().is_none()
}

/// A module that only adds to the memory, as [`module`] makes them: the next start needs none.
fn is_plain_module(device: &Element) -> bool {
    let said = |own: &Element| ["target", "alias", "address"].contains(&own.name.as_str());
    let amount = |own: &Element| ["size", "node"].contains(&own.name.as_str());
    device.name == "memory"
        && device.get("model") == Some("dimm")
        && device.attributes.len() == 1
        && device.all().all(said)
        && device.find("target").is_none_or(|target| target.all().all(amount))
}

fn all_of(vcpus: u64) -> String {
    format!("0-{}", vcpus.saturating_sub(1))
}

fn set_amount(element: &mut Element, amount: u64) {
    set_content(element, kib(amount));
    element.set("unit", "KiB");
}

fn set_content(element: &mut Element, text: impl std::fmt::Display) {
    element.children.clear();
    element.children.push(Node::Text(eco_format!("{text}")));
}

/// Reads vCPUs and memory. `asked` is what was last asked of us.
pub(super) fn read(domain: &Element, asked: &Fields, into: &mut Fields) {
    let most = domain.find("vcpu").and_then(|vcpu| vcpu.content().parse::<i64>().ok());
    let current = domain.find("vcpu").and_then(|vcpu| vcpu.get("current")?.parse::<i64>().ok());
    if let Some(most) = most {
        let vcpus = current.unwrap_or(most);
        into.insert("vcpus", Value::Int(vcpus));
        // libvirt names the most also where nobody asked for room.
        if most > vcpus || asked.get("max_vcpus") == Some(&Value::Int(most)) {
            into.insert("max_vcpus", Value::Int(most));
        }
    }
    if let Some(memory) = domain.find("memory").and_then(bytes) {
        into.insert("memory", Value::Bytes(as_asked(asked.number("memory"), memory)));
        let most = domain.find("maxMemory").and_then(bytes);
        let most_asked = asked.number("max_memory");
        let same = most_asked.filter(|asked| as_asked(Some(*asked), memory) == *asked);
        if let Some(most) = most.map(|most| as_asked(most_asked, most)).or(same) {
            into.insert("max_memory", Value::Bytes(most));
        }
    }
}

/// libvirt rounds up to whole mebibytes: what was asked, if it was rounded to what is found.
fn as_asked(asked: Option<u64>, found: u64) -> u64 {
    asked.filter(|asked| asked.div_ceil(1 << 20) == found.div_ceil(1 << 20)).unwrap_or(found)
}

/// A module of plugged memory.
pub(super) fn module(amount: u64) -> Element {
    let size = Element::new("size").attr("unit", "KiB").text(kib(amount));
    let target = Element::new("target").child(size).child(Element::new("node").text(0));
    Element::new("memory").attr("model", "dimm").child(target)
}
