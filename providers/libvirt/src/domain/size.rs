//! vCPUs and memory, and how far they can grow while the guest runs.
//!
//! A guest is given its memory in one NUMA cell, and `maxMemory` with free slots where more can be
//! plugged in: what it has is what the text says, also for a guest that does not co-operate, and
//! more arrives as modules. At its next start the modules are part of the cell.

use smol_str::ToSmolStr as _;
use tcloud_model::{Fields, Value};

use super::amount::{bytes, kib};
use super::define::{DefineError, devices_mut, ensure};
use crate::xml::{Element, Node};

/// How often memory can be plugged in between two starts.
const SLOTS: u32 = 16;

/// Writes vCPUs and memory.
pub(super) fn write(domain: &mut Element, wanted: &Fields) -> Result<(), DefineError> {
    let (Some(vcpus), Some(memory)) = (wanted.number("vcpus"), wanted.number("memory")) else {
        return Err(DefineError::NoSize);
    };
    let most_vcpus = wanted.number("max_vcpus").unwrap_or(vcpus);
    let most_memory = wanted.number("max_memory").unwrap_or(memory);
    if most_vcpus < vcpus {
        return Err(DefineError::MoreThanMost("vcpus"));
    }
    if most_memory < memory {
        return Err(DefineError::MoreThanMost("memory"));
    }
    if domain.find("cpu/numa").is_some_and(|numa| numa.elements("cell").count() > 1) {
        return Err(DefineError::Cells);
    }
    let vcpu = ensure(domain, "vcpu");
    let is_other = vcpu.content() != most_vcpus.to_string();
    vcpu.children.clear();
    vcpu.children.push(Node::Text(most_vcpus.to_smolstr()));
    vcpu.unset("current");
    if most_vcpus > vcpus {
        vcpu.set("current", vcpus);
    }
    domain.remove("vcpus");
    if let Some(cpu) = domain.find_mut("cpu").filter(|_| is_other) {
        // Sockets and cores are of the old number.
        cpu.remove("topology");
    }
    write_memory(domain, memory, most_memory, most_vcpus);
    Ok(())
}

fn write_memory(domain: &mut Element, memory: u64, most: u64, vcpus: u64) {
    devices_mut(domain).retain(|own| own.name != "memory" || own.get("model") != Some("dimm"));
    let in_kib = |name: &str, amount: u64| Element::new(name).attr("unit", "KiB").text(kib(amount));
    domain.remove("maxMemory");
    for name in ["memory", "currentMemory"] {
        domain.put(in_kib(name, memory));
    }
    let cpu = ensure(domain, "cpu");
    cpu.remove("numa");
    if most > memory {
        let cell = Element::new("cell").attr("id", 0);
        let cell = cell.attr("cpus", format!("0-{}", vcpus.saturating_sub(1)));
        let cell = cell.attr("memory", kib(memory)).attr("unit", "KiB");
        cpu.push(Element::new("numa").child(cell));
        domain.put(in_kib("maxMemory", most).attr("slots", SLOTS));
    }
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
