//! What a person needs who sits before the guest: a screen, a pointer, sound.

use tcloud_model::Value;

use super::{has_only, only, word};
use crate::xml::Element;

/// Video cards.
pub(super) const CARDS: [&str; 5] = ["virtio", "vga", "qxl", "bochs", "cirrus"];

/// Sound cards.
pub(super) const SOUNDS: [&str; 4] = ["ich9", "ich6", "ac97", "virtio"];

/// How much memory libvirt gives to video cards by itself.
const USUAL: [(&str, &str); 6] = [
    ("vram", "16384"),
    ("vram", "65536"),
    ("ram", "65536"),
    ("vgamem", "16384"),
    ("heads", "1"),
    ("primary", "yes"),
];

pub(super) fn read_video(domain: &Element) -> Option<Value> {
    let Some(video) = only(domain, "video").ok()? else { return Some(Value::None) };
    let model = video.find("model")?;
    let usual = model
        .attributes
        .iter()
        .all(|(name, value)| name == "type" || USUAL.contains(&(name.as_str(), value.as_str())));
    let plain =
        model.all().next().is_none() && has_only(video, &[], &["model", "alias", "address"]);
    word(model.get("type").filter(|_| usual && plain), &CARDS)
}

pub(super) fn write_video(domain: &mut Element, wanted: Option<&Value>) {
    let devices = domain.ensure("devices");
    devices.remove("video");
    if let Some(card) = wanted.and_then(Value::as_text) {
        devices.push(Element::new("video").child(Element::new("model").attr("type", card)));
    }
}

/// What says that the host alone may look.
const HOST_ALONE: [&str; 3] = ["127.0.0.1", "localhost", "::1"];

pub(super) fn read_graphics(domain: &Element) -> Option<Value> {
    let Some(screen) = only(domain, "graphics").ok()? else { return Some(Value::None) };
    // A port that somebody chose, a password, a keymap or an address have no words.
    let plain = has_only(screen, &["type", "port", "tlsPort", "autoport", "listen"], &["listen"]);
    let chosen = screen.get("autoport") != Some("yes")
        && screen.get("port").is_some_and(|port| port != "-1");
    let mut addresses = screen.elements("listen").map(|own| match own.get("type") {
        Some("address") => own.get("address").unwrap_or("127.0.0.1"),
        _ => "",
    });
    let alone = addresses.all(|own| HOST_ALONE.contains(&own))
        && screen.get("listen").is_none_or(|own| HOST_ALONE.contains(&own));
    word(screen.get("type").filter(|_| plain && !chosen && alone), &["vnc", "spice"])
}

pub(super) fn write_graphics(domain: &mut Element, wanted: Option<&Value>) {
    let devices = domain.ensure("devices");
    // Where sound goes follows from the screen; libvirt finds it anew.
    devices.retain(|own| {
        own.name != "graphics"
            && (own.name != "audio" || !matches!(own.get("type"), Some("spice" | "none")))
    });
    if let Some(kind) = wanted.and_then(Value::as_text) {
        let listen = Element::new("listen").attr("type", "address").attr("address", "127.0.0.1");
        let screen = Element::new("graphics").attr("type", kind).attr("autoport", "yes");
        devices.push(screen.child(listen));
    }
}

fn is_tablet(device: &Element) -> bool {
    device.name == "input"
        && device.get("type") == Some("tablet")
        && device.get("bus").is_none_or(|bus| bus == "usb")
}

pub(super) fn read_tablet(domain: &Element) -> Option<Value> {
    let mut devices = domain.find("devices").into_iter().flat_map(Element::all);
    Some(Value::Bool(devices.any(is_tablet)))
}

pub(super) fn write_tablet(domain: &mut Element, wanted: Option<&Value>) {
    let devices = domain.ensure("devices");
    devices.retain(|own| !is_tablet(own));
    if wanted == Some(&Value::Bool(true)) {
        devices.push(Element::new("input").attr("type", "tablet").attr("bus", "usb"));
    }
}

pub(super) fn read_sound(domain: &Element) -> Option<Value> {
    let Some(sound) = only(domain, "sound").ok()? else { return Some(Value::None) };
    let plain = has_only(sound, &["model"], &["alias", "address"]);
    word(sound.get("model").filter(|_| plain), &SOUNDS)
}

pub(super) fn write_sound(domain: &mut Element, wanted: Option<&Value>) {
    let devices = domain.ensure("devices");
    devices.remove("sound");
    if let Some(model) = wanted.and_then(Value::as_text) {
        devices.push(Element::new("sound").attr("model", model));
    }
}
