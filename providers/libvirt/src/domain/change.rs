//! What a running guest can be given at once: the precise calls, decided without any host. All of
//! them change the running guest only; its persistent definition is written after them.

use tcloud_libvirt_calls::Moment;
use tcloud_model::kinds::MEMORY_STEP;
use tcloud_model::{AttrPath, Fields, Name, PathStep, Room, Value};

use super::define::{Context, DefineError};
use super::{disk, extension, label, nic, room, size};
use crate::xml::Element;

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// More vCPUs.
    Vcpus(u32),
    /// A module of memory.
    Memory(Element),
    /// A new disk or NIC.
    Attach(Element),
    /// A disk or NIC, as it is in the running guest, is taken out.
    Detach(Element),
    /// A NIC, complete, as it shall be.
    Nic(Element),
    /// How many operations a disk may do in a second; zero is any number.
    Operations {
        /// Its target.
        target: String,
        /// How many.
        operations: u64,
    },
    /// The title.
    Title(Option<String>),
    /// The description.
    Description(Option<String>),
    /// What becomes of it.
    End(Moment, String),
}

/// A call and the attribute that it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The attribute or block.
    pub path: AttrPath,
    /// The call.
    pub step: Step,
}

/// The definitions between which a change leads.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The running guest.
    pub live: &'a Element,
    /// The persistent definition as it shall be, made by [`super::define`].
    pub next: &'a Element,
    /// The attributes as they shall be, complete.
    pub wanted: &'a Fields,
    /// The attributes that were asked to change.
    pub changed: &'a [AttrPath],
}

/// The calls that give a running guest what it can be given at once. What cannot is left to the
/// persistent definition.
///
/// # Errors
/// What could be given at once, but not in this amount.
pub fn steps(change: &Change<'_>, context: &Context<'_>) -> Result<Vec<Planned>, DefineError> {
    let now = super::definition(change.live, context.directory);
    let mut steps = Vec::new();
    let mut room = room::of(change.live);
    sizes(change, &now, room, &mut steps);
    let wanted = change.wanted;
    for (name, make) in
        [("title", Step::Title as fn(_) -> _), ("description", Step::Description as fn(_) -> _)]
    {
        if change.touches(&[name]) && now.get(name) != wanted.get(name) {
            let text = wanted.text(name).map(str::to_owned);
            steps.push(Planned { path: AttrPath::parse(name), step: make(text) });
        }
    }
    ends(change, &mut steps);
    disks(change, &now, &mut room, &mut steps);
    nics(change, &now, context, (&mut room, &mut steps))?;
    Ok(steps)
}

impl Change<'_> {
    /// Whether something at or below this place, or around it, was asked to change.
    fn touches(&self, place: &[&str]) -> bool {
        self.changed.iter().any(|path| {
            let steps = path.0.iter().map(|step| match step {
                PathStep::Field(name) => Some(name.as_str()),
                PathStep::Index(_) => None,
            });
            steps.zip(place).all(|(own, place)| own == Some(*place))
        })
    }
}

fn sizes(change: &Change<'_>, now: &Fields, room: Option<Room>, steps: &mut Vec<Planned>) {
    let wanted = change.wanted;
    let grows = |name: &str| {
        let (before, after) = (now.number(name)?, wanted.number(name)?);
        (after > before && change.touches(&[name])).then_some((before, after))
    };
    let most = change.live.find("vcpu").and_then(|own| own.content().parse::<u64>().ok());
    if let Some((_, after)) = grows("vcpus")
        && most.is_some_and(|most| after <= most)
    {
        let count = u32::try_from(after).unwrap_or(u32::MAX);
        steps.push(Planned { path: AttrPath::parse("vcpus"), step: Step::Vcpus(count) });
    }
    let most = change.live.find("maxMemory").and_then(super::amount::bytes);
    if let Some((before, after)) = grows("memory")
        && most.is_some_and(|most| after <= most)
        && (after - before).is_multiple_of(MEMORY_STEP)
        && room.is_none_or(|room| room.modules > 0)
    {
        let step = Step::Memory(size::module(after - before));
        steps.push(Planned { path: AttrPath::parse("memory"), step });
    }
}

/// What becomes of a guest that ends always stands in its definitions.
fn ends(change: &Change<'_>, steps: &mut Vec<Planned>) {
    for (name, moment) in [("on_reboot", Moment::Reboot), ("on_crash", Moment::Crash)] {
        let (now, next) = (change.live.content_at(name), change.next.content_at(name));
        if let Some(next) = next
            && now.as_ref() != Some(&next)
            && change.touches(&[extension::BLOCK, name])
        {
            let path = AttrPath::parse(extension::BLOCK).field(Name::new(name));
            steps.push(Planned { path, step: Step::End(moment, next) });
        }
    }
}

fn disks(change: &Change<'_>, now: &Fields, room: &mut Option<Room>, steps: &mut Vec<Planned>) {
    let nothing = Fields::new();
    let of =
        |fields: &Fields| fields.map("disk").map_or_else(|| nothing.clone(), |own| (**own).clone());
    let (now, wanted) = (of(now), of(change.wanted));
    for (label, before) in now.iter() {
        if !change.touches(&["disk", label]) {
            continue;
        }
        let Some(device) = device(change.live, "disk", label) else { continue };
        let path = AttrPath::parse("disk").field(label.clone());
        match (before, wanted.get(label)) {
            (_, None) if is_pluggable(device) => {
                steps.push(Planned { path, step: Step::Detach(device.clone()) });
            }
            (Value::Map(before), Some(Value::Map(after))) => {
                let target = device.find("target").and_then(|target| target.get("dev"));
                let (Some(target), true) = (target, before.get("iops") != after.get("iops")) else {
                    continue;
                };
                let operations = after.number("iops").unwrap_or(0);
                let step = Step::Operations { target: target.to_owned(), operations };
                steps.push(Planned { path: path.field("iops"), step });
            }
            _ => {}
        }
    }
    for (label, _) in wanted.iter().filter(|(label, _)| now.get(label).is_none()) {
        attach(change, "disk", label, room, steps);
    }
}

/// A device of the next definition goes into the running guest, under the same target where that is
/// free; libvirt finds it a slot in each of them. Without a slot it waits for the next start.
fn attach(
    change: &Change<'_>,
    kind: &str,
    label: &Name,
    room: &mut Option<Room>,
    steps: &mut Vec<Planned>,
) {
    if !change.touches(&[if kind == "disk" { "disk" } else { "nic" }, label]) {
        return;
    }
    let Some(device) = device(change.next, kind, label).filter(|own| is_pluggable(own)) else {
        return;
    };
    if let Some(room) = room.as_mut().filter(|_| room::needs_slot(device, change.live)) {
        let Some(left) = room.devices.checked_sub(1) else { return };
        room.devices = left;
    }
    let mut device = device.clone();
    device.remove("address");
    if let Some(devices) = change.live.find("devices")
        && let Some(target) = device.find_mut("target")
        && let (Some(dev), Some(bus)) = (target.get("dev"), target.get("bus"))
    {
        // A device that the running guest alone has may have it.
        let taken = disk::targets(devices);
        if taken.contains(dev) {
            let next = change.next.find("devices").map(disk::targets).unwrap_or_default();
            let free = disk::free_target(bus, &taken.union(&next).cloned().collect());
            target.set("dev", free);
        }
    }
    let path = AttrPath::parse(if kind == "disk" { "disk" } else { "nic" }).field(label.clone());
    steps.push(Planned { path, step: Step::Attach(device) });
}

fn nics(
    change: &Change<'_>,
    now: &Fields,
    context: &Context<'_>,
    (room, steps): (&mut Option<Room>, &mut Vec<Planned>),
) -> Result<(), DefineError> {
    let nothing = Fields::new();
    let of =
        |fields: &Fields| fields.map("nic").map_or_else(|| nothing.clone(), |own| (**own).clone());
    let (now, wanted) = (of(now), of(change.wanted));
    for (label, before) in now.iter() {
        if !change.touches(&["nic", label]) {
            continue;
        }
        let Some(device) = device(change.live, "interface", label) else { continue };
        let path = AttrPath::parse("nic").field(label.clone());
        match (before, wanted.get(label)) {
            (_, None) if is_pluggable(device) => {
                steps.push(Planned { path, step: Step::Detach(device.clone()) });
            }
            (Value::Map(before), Some(Value::Map(after))) => {
                let mut updated = device.clone();
                nic::change(&mut updated, label, before, &keeping(before, after), context)?;
                if updated != *device {
                    steps.push(Planned { path, step: Step::Nic(updated) });
                }
            }
            _ => {}
        }
    }
    for (label, _) in wanted.iter().filter(|(label, _)| now.get(label).is_none()) {
        attach(change, "interface", label, room, steps);
    }
    Ok(())
}

/// A NIC as it shall be, with the card that it has: another one waits for the next start.
fn keeping(before: &Fields, after: &Fields) -> Fields {
    let mut kept = after.clone();
    for name in ["mac", "model"] {
        match before.get(name) {
            Some(value) => kept.insert(name, value.clone()),
            None => kept.remove(name),
        };
    }
    kept
}

/// The disk or NIC of a name.
pub(super) fn device<'a>(domain: &'a Element, kind: &'a str, label: &Name) -> Option<&'a Element> {
    let mut devices = domain.find("devices")?.elements(kind);
    match kind {
        "disk" => {
            devices.find(|own| disk::is_disk(own) && label::of_disk(own).as_ref() == Some(label))
        }
        _ => devices.find(|own| label::of_nic(own).as_ref() == Some(label)),
    }
}

/// Whether QEMU can plug a device while the guest runs.
fn is_pluggable(device: &Element) -> bool {
    match device.name.as_str() {
        "disk" => {
            let bus = device.find("target").and_then(|target| target.get("bus"));
            matches!(bus, Some("virtio" | "scsi" | "usb"))
        }
        _ => {
            let model = device.find("model").and_then(|model| model.get("type"));
            matches!(model, Some("virtio" | "virtio-net" | "e1000e"))
        }
    }
}
