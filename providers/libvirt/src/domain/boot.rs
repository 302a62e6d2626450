//! What a guest starts from: devices in an order, or a kernel on the host.

use tcloud_model::{Fields, Value};

use crate::xml::Element;

/// Our words and libvirt's.
const DEVICES: [(&str, &str); 3] = [("disk", "hd"), ("network", "network"), ("cdrom", "cdrom")];

/// The elements of `os` that hold a kernel, and the attributes that they stand for.
const DIRECT: [&str; 3] = ["kernel", "initrd", "cmdline"];

/// Writes the block.
pub(super) fn write(domain: &mut Element, boot: Option<&Fields>) {
    let nothing = Fields::new();
    let boot = boot.unwrap_or(&nothing);
    let order = boot.list("order");
    if !order.is_empty() {
        // An order of single devices excludes one of sorts of devices.
        for kind in ["disk", "interface", "hostdev", "redirdev"] {
            if let Some(devices) = domain.find_mut("devices") {
                devices.elements_mut(kind).for_each(|device| device.remove("boot"));
            }
        }
    }
    let os = domain.ensure("os");
    os.remove("boot");
    for device in order.iter().filter_map(Value::as_text) {
        let word = DEVICES.iter().find(|(ours, _)| *ours == device).map(|(_, word)| *word);
        if let Some(word) = word {
            os.push(Element::new("boot").attr("dev", word));
        }
    }
    for name in DIRECT {
        os.remove(name);
        if let Some(text) = boot.text(name) {
            os.push(Element::new(name).text(text));
        }
    }
}

/// Reads the block; `None` when it says nothing. `asked` is what was last asked of us: libvirt
/// writes "from the disk" also where nobody said anything.
pub(super) fn read(domain: &Element, asked: Option<&Value>) -> Option<Fields> {
    let mut boot = Fields::new();
    let words = order(domain);
    let usual = matches!(words.as_slice(), [] | ["disk"]);
    let found = Value::list(words.into_iter().map(Value::text).collect());
    if asked == Some(&found) || !usual {
        boot.insert("order", found);
    }
    for name in DIRECT {
        let text = domain.find("os").and_then(|os| os.content_at(name));
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            boot.insert(name, Value::text(&text));
        }
    }
    (!boot.is_empty()).then_some(boot)
}

/// The sorts of devices in the order in which they are tried.
fn order(domain: &Element) -> Vec<&'static str> {
    let mut devices: Vec<(u32, &'static str)> = Vec::new();
    let sorts = [("disk", "disk"), ("interface", "network")];
    for (kind, word) in sorts {
        let all = domain.find("devices").into_iter().flat_map(|devices| devices.elements(kind));
        for device in all {
            let place = device.find("boot").and_then(|boot| boot.get("order"));
            let Some(place) = place.and_then(|place| place.parse().ok()) else { continue };
            let is_cdrom = device.get("device") == Some("cdrom");
            devices.push((place, if is_cdrom { "cdrom" } else { word }));
        }
    }
    devices.sort_unstable();
    let mut words: Vec<&'static str> = devices.into_iter().map(|(_, word)| word).collect();
    if words.is_empty() {
        let all = domain.find("os").into_iter().flat_map(|os| os.elements("boot"));
        let ours = |dev: &str| DEVICES.iter().find(|(_, word)| *word == dev).map(|(own, _)| *own);
        words = all.filter_map(|boot| ours(boot.get("dev")?)).collect();
    }
    words.dedup();
    words
}
