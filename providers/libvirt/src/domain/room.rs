//! How much more can be plugged into a running guest. On a PCIe board each device needs a port of its
//! own, and ports themselves cannot be plugged; an adopted guest often has one.

use std::collections::HashSet;

use tcloud_model::Room;

use crate::xml::Element;

/// The slots of a conventional bus; the first one is its controller's.
const SLOTS: u32 = 31;

/// Where a conventional board has what every guest gets: its disk controller, and its first screen.
const RESERVED: [u32; 2] = [1, 2];

/// What libvirt says of a guest that has no room, in the places where it looks for some.
const FULL: [&str; 2] = ["No more available PCI slots", "no free memory device slot"];

/// The room in a running guest; `None` where its definition does not tell.
pub(super) fn of(live: &Element) -> Option<Room> {
    let devices = live.find("devices")?;
    let controllers =
        || devices.elements("controller").filter(|own| own.get("type") == Some("pci"));
    controllers().next()?;
    let taken: HashSet<(u32, u32)> =
        devices.all().filter_map(|device| place(device.find("address")?)).collect();
    let free = controllers().map(|own| free(own, &taken)).sum();
    let slots = live.find("maxMemory").and_then(|own| own.get("slots")?.parse::<u32>().ok());
    let plugged = |own: &&Element| matches!(own.get("model"), Some("dimm" | "nvdimm"));
    let plugged = devices.elements("memory").filter(plugged).count();
    let modules = slots.unwrap_or(0).saturating_sub(u32::try_from(plugged).unwrap_or(u32::MAX));
    Some(Room { devices: free, modules })
}

/// Whether libvirt refused something because there is no room for it.
pub(super) fn is_full(message: &str) -> bool {
    FULL.iter().any(|own| message.contains(own))
}

/// Whether a device needs a slot on a bus of the board.
pub(super) fn needs_slot(device: &Element, live: &Element) -> bool {
    let bus = device.find("target").and_then(|target| target.get("bus"));
    let has = |kind: &str| {
        let all = live.find("devices").into_iter().flat_map(|own| own.elements("controller"));
        all.into_iter().any(|own| own.get("type") == Some(kind))
    };
    match (device.name.as_str(), bus) {
        ("disk", Some(bus @ ("scsi" | "usb"))) => !has(bus),
        _ => true,
    }
}

/// The free slots of a controller.
fn free(controller: &Element, taken: &HashSet<(u32, u32)>) -> u32 {
    let Some(bus) = controller.get("index").and_then(number) else { return 0 };
    let is_fixed = controller.find("target").and_then(|own| own.get("hotplug")) == Some("off");
    match controller.get("model") {
        Some("pcie-root-port" | "pcie-switch-downstream-port") if !is_fixed => {
            u32::from(!taken.iter().any(|(own, _)| *own == bus))
        }
        Some(model @ ("pci-root" | "pci-bridge")) => {
            let reserved: &[u32] = if model == "pci-root" { &RESERVED } else { &[] };
            let is_free = |slot: &u32| !reserved.contains(slot) && !taken.contains(&(bus, *slot));
            let free = (1..=SLOTS).filter(is_free).count();
            u32::try_from(free).unwrap_or(0)
        }
        _ => 0,
    }
}

/// The bus and slot of an address.
fn place(address: &Element) -> Option<(u32, u32)> {
    let of = |name| address.get(name).and_then(number);
    (address.get("type") == Some("pci")).then(|| Some((of("bus")?, of("slot")?)))?
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(devices: &str) -> Element {
        let xml = format!(
            "<domain><maxMemory slots='2' unit='KiB'>4</maxMemory><devices>{devices}</devices></domain>"
        );
        Element::parse(&xml).expect("XML")
    }

    fn port(index: u32) -> String {
        format!(
            "<controller type='pci' index='{index}' model='pcie-root-port'>\
             <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x{index}'/>\
             </controller>"
        )
    }

    const ROOT: &str = "<controller type='pci' index='0' model='pcie-root'/>";
    const NIC: &str = "<interface><address type='pci' domain='0x0000' bus='0x01' slot='0x00' \
        function='0x0'/></interface>";

    #[test]
    fn each_port_takes_one_device() {
        let ports: String = (1..4).map(port).collect();
        let guest = live(&format!("{ROOT}{ports}{NIC}"));
        assert_eq!(of(&guest), Some(Room { devices: 2, modules: 2 }));
        let guest = live(&format!("{ROOT}{}{NIC}<memory model='dimm'/>", port(1)));
        assert_eq!(of(&guest), Some(Room { devices: 0, modules: 1 }));
        let fixed = "<controller type='pci' index='2' model='pcie-root-port'>\
            <target chassis='1' port='0x10' hotplug='off'/></controller>";
        assert_eq!(of(&live(&format!("{ROOT}{fixed}"))).map(|own| own.devices), Some(0));
    }

    #[test]
    fn a_conventional_board_has_many_slots() {
        let board = live(
            "<controller type='pci' index='0' model='pci-root'/>\
             <interface><address type='pci' bus='0x00' slot='0x03'/></interface>\
             <rng><address type='pci' bus='0x00' slot='0x1f'/></rng>",
        );
        assert_eq!(of(&board).map(|own| own.devices), Some(27));
        assert_eq!(of(&live("<controller type='usb' index='0'/>")), None);
    }
}
