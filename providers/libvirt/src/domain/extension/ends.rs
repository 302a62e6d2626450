//! What becomes of a guest that ends.

use tcloud_model::Value;

use super::word;
use crate::xml::Element;

/// What can become of a guest that restarts itself.
pub(in super::super) const REBOOTS: [&str; 2] = ["restart", "destroy"];

/// What can become of a guest that crashes.
pub(in super::super) const CRASHES: [&str; 5] =
    ["restart", "destroy", "preserve", "coredump-restart", "coredump-destroy"];

pub(super) fn read_reboot(domain: &Element) -> Option<Value> {
    let found = domain.content_at("on_reboot");
    word(Some(found.as_deref().unwrap_or("restart")), &REBOOTS)
}

pub(super) fn write_reboot(domain: &mut Element, wanted: Option<&Value>) {
    write(domain, "on_reboot", wanted);
}

pub(super) fn read_crash(domain: &Element) -> Option<Value> {
    let found = domain.content_at("on_crash");
    word(Some(found.as_deref().unwrap_or("destroy")), &CRASHES)
}

pub(super) fn write_crash(domain: &mut Element, wanted: Option<&Value>) {
    write(domain, "on_crash", wanted);
}

fn write(domain: &mut Element, name: &str, wanted: Option<&Value>) {
    let word = wanted.and_then(Value::as_text).unwrap_or("restart");
    domain.put(Element::new(name).text(word));
}
